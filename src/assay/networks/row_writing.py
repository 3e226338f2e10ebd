"""A decoder that writes token by token, whatever computes what it says.

Shapes: R rows that are written at once, T tokens, V tokens of the vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Marks:
    """The tokens around a target, and the one after a source."""

    begin: int
    end: int
    source_end: int


class Decoding(ABC):
    """Rows that are being written; sampling and beam search drive it.

    Attributes:
        arrays: whether it takes and gives NumPy arrays instead of tensors.
    """

    arrays: ClassVar[bool] = False

    @abstractmethod
    def step(self, tokens: Any) -> Any:
        """Append tokens (R, T) int64 to the rows; the logits (R, V) of what follows the last of each."""

    @abstractmethod
    def keep(self, rows: Any, texts: Any = None) -> None:
        """Go on with some of the rows.

        Args:
            rows: (R',) int64, where each row to go on with is now; one may come several times.
            texts: (S',) int64, which of the other texts are still wanted, where some are dropped; their rows stay
                together, as many for each.
        """


def stepped(decoding: Any, tokens: np.ndarray[Any, Any]) -> Any:
    """The logits (R, V) of what follows, as the decoder gives them, for tokens (R, T) in an array."""
    if getattr(decoding, "arrays", False):
        return decoding.step(tokens)
    import torch

    with torch.inference_mode():
        return decoding.step(torch.from_numpy(tokens))


def kept(decoding: Decoding, rows: np.ndarray[Any, Any], texts: np.ndarray[Any, Any] | None) -> None:
    """Go on with some of the rows, whose numbers come in arrays."""
    if decoding.arrays:
        decoding.keep(rows, texts)
        return
    import torch

    with torch.inference_mode():
        decoding.keep(torch.from_numpy(rows), None if texts is None else torch.from_numpy(texts))
