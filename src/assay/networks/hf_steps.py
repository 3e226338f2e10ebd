"""A pretrained translator's reading, and one step of its writing, as modules of tensors alone: what an export holds.

Whatever the architecture, keys and values of the source are those that the decoder's attention keeps for itself: a step
from the beginning makes them, and what else that step does is in no graph. Masks are given whole, since those that
transformers makes depend on sizes.

Shapes: B sources, S tokens of a source with its marks, R rows that are written at once, T new tokens, P tokens so far,
H heads, D channels of a head, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay.networks.hf_loading import library
from assay.networks.hf_seq2seq import name_of_cache

#: Keys and values of each layer.
Layers = list[tuple[Tensor, Tensor]]


class HfReading(nn.Module):
    """Sources (B, S') with their mask (B, S') to the mask (B, S) and each layer's keys and values (B, H, S, D) of them.

    Args:
        network: an `HfSeq2Seq`, in evaluation mode.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            tokens = torch.full((2, 3), int(network.marks.end))
            said, there = self._said(tokens, torch.ones_like(tokens, dtype=torch.bool))
            cache = _decoded(network.model, said, there, tokens[:, :1], None)[1]
        #: Heads and channels of each layer of the decoder.
        self.heads = [(keys.shape[1], keys.shape[3]) for keys, _ in _layers(cache.cross_attention_cache)]

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        said, there = self._said(tokens, mask)
        first = tokens.new_full((tokens.shape[0], 1), int(self.network.marks.begin))
        nothing = [(said.new_zeros(tokens.shape[0], heads, 0, width),) * 2 for heads, width in self.heads]
        cache = _decoded(self.network.model, said, there, first, _cache(nothing, nothing))[1]
        return (there, *(value for pair in _layers(cache.cross_attention_cache) for value in pair))

    def _said(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        framed, there = self.network.framed(tokens, mask)
        added = _added(there)[:, None, None].expand(-1, -1, there.shape[1], -1)
        said: Tensor = self.network.model.get_encoder()(input_ids=framed, attention_mask=added).last_hidden_state
        return said, there


class HfWritingStep(nn.Module):
    """Tokens (R, T), the source's mask (R, S), its keys and values, and those of what was written (R, H, P, D).

    It gives the logits (R, V) of what follows the last token, and keys and values of all that is written now.

    Args:
        model: the network of transformers', in evaluation mode.
        depth: layers of its decoder.
    """

    def __init__(self, model: Any, depth: int) -> None:
        super().__init__()
        self.model, self.depth = model, depth

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        tokens, there, *rest = values
        read, written = _pairs(rest[: 2 * self.depth]), _pairs(rest[2 * self.depth :])
        past, new = written[0][0].shape[2], tokens.shape[1]
        rows, columns = torch.arange(new)[:, None] + past, torch.arange(past + new)[None]
        earlier = _added(columns <= rows)[None, None].expand(tokens.shape[0], -1, -1, -1)
        width = self.model.get_input_embeddings().weight.shape[1]
        unused = read[0][0].new_zeros(tokens.shape[0], there.shape[1], width)  # what was read stands in the cache
        logits, cache = _decoded(self.model, unused, there, tokens, _cache(written, read), earlier)
        return (logits[:, -1], *(value for pair in _layers(cache.self_attention_cache) for value in pair))


def _decoded(
    model: Any, said: Tensor, there: Tensor, tokens: Tensor, cache: Any, earlier: Tensor | None = None
) -> tuple[Tensor, Any]:
    """The logits (R, T, V) behind tokens, and the cache with them."""
    name = name_of_cache(model)
    output = model(
        encoder_outputs=(said,),
        attention_mask=_added(there)[:, None, None].expand(-1, -1, tokens.shape[1], -1),
        decoder_input_ids=tokens,
        decoder_attention_mask=earlier,
        use_cache=True,
        **{name: cache},
    )
    return output.logits, getattr(output, name)


def _added(real: Tensor) -> Tensor:
    """What is added to scores: 0 where something is real, and what no softmax sees elsewhere."""
    return torch.zeros(real.shape).masked_fill(~real, torch.finfo(torch.float32).min)


def _cache(written: Layers, read: Layers) -> Any:
    """A cache of transformers' that holds these keys and values."""
    library()
    from transformers import cache_utils

    def holding(layers: Layers) -> Any:
        cache = cache_utils.DynamicCache()
        for keys, values in layers:
            layer: Any = cache_utils.DynamicLayer()  # type: ignore[no-untyped-call]
            layer.keys, layer.values, layer.is_initialized = keys, values, True
            layer.dtype, layer.device = keys.dtype, keys.device
            cache.layers.append(layer)
        return cache

    return cache_utils.EncoderDecoderCache(holding(written), holding(read))


def _layers(cache: Any) -> Layers:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _pairs(values: Sequence[Tensor]) -> Layers:
    return list(zip(values[0::2], values[1::2], strict=True))
