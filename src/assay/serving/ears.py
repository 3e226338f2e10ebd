"""What hears the windows of a stream: the form of it, and the plain one that takes each window by itself.

Shapes: T samples, B windows that are classified together, W windows that are wanted, C classes, H hops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
#: Takes windows (B, T) float32 and gives the probability of each class (B, C).
Probabilities = Callable[[Array], Array]


class Ear(Protocol):
    """What hears the windows of one stream, each of them a hop later than the one before."""

    def hear(self, sound: Array, hop: int, wanted: Array) -> Array:
        """The probabilities of each class in the windows that somebody wants to know, (W, C).

        Every window is shown, in turn, wanted or not, so that what windows have in common can be computed once.

        Args:
            sound: (T,) float32, the last window of the call before (silence before the first) and the hops after it.
            hop: values between two windows.
            wanted: (H,) bool, for each window that ends with one of the hops; W of them are wanted.
        """


@dataclass(frozen=True)
class WholeWindows:
    """An `Ear` that classifies each window by itself.

    Attributes:
        probabilities: what classifies windows (B, T) float32 as (B, C).
        length: values of a window, T.
    """

    probabilities: Probabilities
    length: int

    def hear(self, sound: Array, hop: int, wanted: Array) -> Array:
        """See `Ear`."""
        if not wanted.any():
            return np.zeros((0, 0), np.float32)
        ends = np.flatnonzero(wanted) + 1
        return self.probabilities(np.stack([sound[end * hop : end * hop + self.length] for end in ends]))
