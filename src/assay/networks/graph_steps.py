"""One step of a Transformer that writes, as a module of tensors alone: what an export holds of it.

Shapes: R rows, T new tokens, E tokens before them, P tokens so far, S tokens of another text, H heads, D channels of a
head, W channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from assay.networks.seq2seq import with_end
from assay.networks.transformer import Memory, Transformer


class PastCache:
    """Keys and values (R, H, P, D) of one layer; see `KeyValueCache`, whose place it takes in a graph."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = keys, values
        self.length = keys.shape[2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """See `KeyValueCache.append`."""
        self.keys, self.values = torch.cat([self.keys, keys], dim=2), torch.cat([self.values, values], dim=2)
        return self.keys, self.values


class WritingStep(nn.Module):
    """Tokens (R, T), `earlier` (R, E) where wanted, of another text its mask and its keys and values, and the past.

    It gives the logits (R, V) of what follows the last token, keys and values of all so far, and what else `said`
    tells of the last token's features.

    Args:
        embedding: a `TokenEmbedding`, whose table also gives the logits.
        transformer: a causal one.
        earlier: whether tokens before the new ones count for their vectors.
        crossed: whether it looks at another text.
        said: takes features (R, W), and gives a number for each row; None for nothing.
    """

    def __init__(
        self,
        embedding: Any,
        transformer: Transformer,
        earlier: bool,
        crossed: bool,
        said: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.embedding, self.transformer = embedding, transformer
        self.earlier, self.crossed, self._said = earlier, crossed, said
        self.depth = len(transformer.blocks)

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        rest = list(values)
        tokens = rest.pop(0)
        before = rest.pop(0) if self.earlier else tokens[:, :0]
        memory = None
        if self.crossed:
            mask = rest.pop(0)
            other, rest = rest[: 2 * self.depth], rest[2 * self.depth :]
            memory = Memory(list(zip(other[0::2], other[1::2], strict=True)), mask[:, None, None, :])
        caches: Any = [PastCache(keys, past) for keys, past in zip(rest[0::2], rest[1::2], strict=True)]
        whole = torch.cat([before, tokens], dim=1) if self.earlier else tokens
        x = self.embedding(whole)[:, before.shape[1] :] if self.earlier else self.embedding(whole)
        said = self.transformer(x, memory=memory, caches=caches)[:, -1]
        told = () if self._said is None else (self._said(said),)
        return (
            linear(said, self.embedding.table),
            *(value for cache in caches for value in (cache.keys, cache.values)),
            *told,
        )


class Remembering(nn.Module):
    """Sources (B, S) with their mask (B, S) to the mask (B, S') and the keys and values of what a decoder looks at.

    Args:
        network: a `Seq2Seq`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        network: Any = self.network
        there = with_end(tokens, mask, network.marks.source_end)[1]
        memory = network.encode(tokens, mask)
        return (there, *(value for layer in memory.layers for value in layer))


def empty_past(transformer: Transformer, rows: int, length: int) -> list[Tensor]:
    """Keys and values of every layer, as a graph's examples are."""
    settings = transformer.settings
    shape = (rows, settings.heads, length, settings.width // settings.heads)
    return [torch.zeros(shape) for _ in range(2 * len(transformer.blocks))]


def past_names(transformer: Transformer) -> Sequence[str]:
    """What they are called."""
    return [f"past_{kind}_{layer}" for layer in range(len(transformer.blocks)) for kind in ("keys", "values")]
