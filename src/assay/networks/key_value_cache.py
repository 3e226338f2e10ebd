"""What a decoder remembers of the tokens that it has seen, so that each is computed once.

Shapes: B texts, H heads, T tokens, D channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValueCache:
    """Keys and values of one layer, in memory taken once.

    Args:
        batch: texts, B.
        heads: H.
        longest: tokens that it can hold.
        width: channels of a head, D.
        like: a tensor of the type and device that it is to have.
    """

    def __init__(self, batch: int, heads: int, longest: int, width: int, like: Tensor) -> None:
        self._keys = like.new_empty(batch, heads, longest, width)
        self._values = like.new_empty(batch, heads, longest, width)
        self.length = 0

    @property
    def longest(self) -> int:
        """Tokens that it can hold."""
        return self._keys.shape[2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take in the next tokens' keys and values (B, H, T, D) and give all so far.

        Raises:
            ValueError: they are more than it can hold.
        """
        end = self.length + keys.shape[2]
        if end > self.longest:
            raise ValueError(f"a cache for {self.longest} tokens cannot hold {end}")
        self._keys[:, :, self.length : end] = keys
        self._values[:, :, self.length : end] = values
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Go on with these texts (B',) int64, in this order; one may come several times, or not at all."""
        held = self.length
        if len(rows) != len(self._keys):
            shape = (len(rows), *self._keys.shape[1:])
            keys, values = self._keys.new_empty(shape), self._values.new_empty(shape)
            keys[:, :, :held] = self._keys[rows, :, :held]
            values[:, :, :held] = self._values[rows, :, :held]
            self._keys, self._values = keys, values
        elif not torch.equal(rows, torch.arange(len(rows), device=rows.device)):
            self._keys[:, :, :held] = self._keys[rows, :, :held]
            self._values[:, :, :held] = self._values[rows, :, :held]
