"""The hearing of a network of Whisper's kind, and one step of its writing, as modules of tensors alone: its export.

Shapes: B windows, T values of sound, F frames, R rows that are written at once, N new tokens, P tokens so far, H heads,
D channels of a head, A heads that tell where a token is spoken, V tokens of the vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


class Hearing(nn.Module):
    """Sounds (B, T), as long as they are heard, to each layer's keys and values (B, H, F, D) of what is heard.

    Args:
        network: an `HfSpeech`, in evaluation mode.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, sound: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        network: Any = self.network
        heard, found = network.encoded(sound), []
        for layer in network.model.get_decoder().layers:
            attention = layer.encoder_attn
            found += [_split(attention, attention.k_proj(heard)), _split(attention, attention.v_proj(heard))]
        return tuple(found)


class WhisperStep(nn.Module):
    """Tokens (R, N), which frames are heard (R, F), their keys and values, and those of what was written (R, H, P, D).

    It gives the logits (R, V) of what follows the last token, keys and values of all that is written now, and where the
    heads that tell where a token is spoken look for the last one (R, A, F).

    Args:
        network: an `HfSpeech`, in evaluation mode.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.decoder, self.output = network.model.get_decoder(), network.model.get_output_embeddings()
        self.heads = [(int(layer), int(head)) for layer, head in network.heads()]

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        tokens, there, *rest = values
        decoder: Any = self.decoder
        depth = len(decoder.layers)
        read, past = rest[: 2 * depth], rest[2 * depth :]
        before, new = past[0].shape[2], tokens.shape[1]
        places = torch.arange(new) + before
        earlier = torch.arange(before + new)[None] <= places[:, None]
        x = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[places]
        written: list[Tensor] = []
        queries: list[Tensor] = []
        for number, layer in enumerate(decoder.layers):
            keys, values_ = past[2 * number : 2 * number + 2]
            said, *kept = _written(layer.self_attn, layer.self_attn_layer_norm(x), keys, values_, earlier)
            x = x + said
            asked = _asked(layer.encoder_attn, layer.encoder_attn_layer_norm(x))
            found = _looked(asked, read[2 * number], read[2 * number + 1], there[:, None, None])
            x = x + _joined(layer.encoder_attn, found)
            x = x + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(x))))
            written += kept
            queries.append(asked)
        looks = [_share(queries[layer][:, head, -1], read[2 * layer][:, head], there) for layer, head in self.heads]
        logits = linear(decoder.layer_norm(x[:, -1]), self.output.weight)
        return (logits, *written, torch.stack(looks, dim=1))


def _written(attention: Any, x: Tensor, keys: Tensor, values: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the attention to what is written says of (R, N, W), and its keys and values with those of x."""
    keys = torch.cat([keys, _split(attention, attention.k_proj(x))], dim=2)
    values = torch.cat([values, _split(attention, attention.v_proj(x))], dim=2)
    return _joined(attention, _looked(_asked(attention, x), keys, values, earlier)), keys, values


def _looked(queries: Tensor, keys: Tensor, values: Tensor, there: Tensor) -> Tensor:
    return scaled_dot_product_attention(queries, keys, values, attn_mask=there, scale=1.0)


def _share(query: Tensor, keys: Tensor, there: Tensor) -> Tensor:
    """(R, F) how much one head looks at each frame: its queries (R, D) and keys (R, F, D)."""
    scores = (keys @ query[:, :, None])[:, :, 0]
    return torch.softmax(scores.masked_fill(~there, float("-inf")), dim=-1)


def _asked(attention: Any, x: Tensor) -> Tensor:
    return _split(attention, attention.q_proj(x) * attention.scaling)


def _split(attention: Any, x: Tensor) -> Tensor:
    """(R, N, W) by heads: (R, H, N, D)."""
    return x.view(x.shape[0], x.shape[1], attention.num_heads, -1).transpose(1, 2)


def _joined(attention: Any, x: Tensor) -> Tensor:
    """What the heads say (R, H, N, D) as one: (R, N, W)."""
    said: Tensor = attention.out_proj(x.transpose(1, 2).flatten(2))
    return said
