"""A decoder that writes token by token, and remembers what it has written.

Shapes: R rows that are written at once, T tokens, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from assay.networks.row_writing import Decoding
from assay.networks.transformer import Memory, Transformer


class TransformerDecoding(Decoding):
    """Rows that one of our Transformers writes.

    Args:
        embedding: a `TokenEmbedding`, whose table also gives the logits.
        transformer: a causal one.
        rows: written at once.
        longest: tokens of a row at most.
        memory: of the other texts, where it looks at any.
        following: takes features (R, 1, W) and the last tokens (R, T), and gives the logits (R, 1, V) of what follows;
            None for the products with the embedding's table.
        looks_back: how many tokens before it change what is said of a token, beside what the transformer sees; None for
            those that the embedding looks at.
    """

    def __init__(
        self,
        embedding: Any,
        transformer: Transformer,
        rows: int,
        longest: int,
        memory: Memory | None = None,
        following: Callable[[Tensor, Tensor], Tensor] | None = None,
        looks_back: int | None = None,
    ) -> None:
        self._embedding, self._transformer, self._memory = embedding, transformer, memory
        self._following = following
        self._looks_back = embedding.looks_back if looks_back is None else looks_back
        self._caches = transformer.caches(rows, longest)
        self._earlier = torch.zeros(rows, 0, dtype=torch.int64)

    @property
    def room(self) -> int:
        """Tokens that can still be appended to each row."""
        return self._caches[0].longest - self._caches[0].length

    def step(self, tokens: Tensor) -> Tensor:
        """See `Decoding.step`."""
        whole = torch.cat([self._earlier, tokens], dim=1)
        x = self._embedding(whole)[:, self._earlier.shape[1] :]
        self._earlier = whole[:, max(0, whole.shape[1] - self._looks_back) :]
        said = self._transformer(x, memory=self._memory, caches=self._caches)[:, -1:]
        if self._following is not None:
            return self._following(said, whole)[:, 0]
        return nn.functional.linear(said[:, 0], self._embedding.table)

    def keep(self, rows: Tensor, texts: Tensor | None = None) -> None:
        """See `Decoding.keep`."""
        for cache in self._caches:
            cache.keep(rows)
        self._earlier = self._earlier[rows]
        if texts is not None and self._memory is not None:
            self._memory = self._memory.keep(texts)


__all__ = ["Decoding", "TransformerDecoding"]
