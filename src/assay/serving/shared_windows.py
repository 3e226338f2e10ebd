"""Windows of a stream whose energies are computed once, though each value of the sound lies in many windows.

Shapes: T values of a stretch of sound, M bands, F frames of a window, C classes, H hops, W windows that are wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from assay.serving.ears import Ear, Probabilities, WholeWindows

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]


class Front(Protocol):
    """The first layer of a network that takes sounds: band energies of frames, each of its own stretch of sound."""

    window: int
    hop: int

    def __call__(self, sound: Tensor) -> Tensor:
        """(B, T) to (B, M, F)."""

    def frames(self, values: int) -> int:
        """F for a sound of so many values."""


class SharedWindows:
    """An `Ear` that keeps the energies of the frames in its last window.

    Args:
        front: the network's first layer.
        judge: energies (W, M, F) to probabilities (W, C).
        length: values of a window.
    """

    def __init__(self, front: Front, judge: Callable[[Tensor], Array], length: int) -> None:
        self._front, self._judge = front, judge
        self._frames = front.frames(length)
        self._last: Tensor | None = None

    def hear(self, sound: Array, hop: int, wanted: Array) -> Array:
        """See `Ear`; a hop is a multiple of the front's."""
        with torch.inference_mode():
            energies = self._known(torch.from_numpy(sound))
            self._last = energies[:, -self._frames :].clone()
            if not wanted.any():
                return np.zeros((0, 0), np.float32)
            windows = energies.unfold(1, self._frames, hop // self._front.hop)[:, 1:].transpose(0, 1)
            return self._judge(windows[torch.from_numpy(wanted)])

    def _known(self, sound: Tensor) -> Tensor:
        """(M, F + new frames) energies of a stretch of sound, those of its first window from before."""
        if self._last is None:
            return self._front(sound[None])[0]
        return torch.cat([self._last, self._front(sound[None, self._frames * self._front.hop :])[0]], dim=1)


def ear_of(network: Any, judge: Callable[[Tensor], Array], whole: Probabilities, length: int, hop: int) -> Ear:
    """A `SharedWindows` where the network has `front` and `judge` and its frames fit the hop, else `WholeWindows`.

    Args:
        network: what classifies.
        judge: energies (W, M, F) to probabilities (W, C), through `network.judge`.
        whole: windows (W, T) float32 to the same.
        length: values of a window.
        hop: values between two windows.
    """
    front = getattr(network, "front", None)
    if front is None or not hasattr(network, "judge") or hop % front.hop:
        return WholeWindows(whole, length)
    return SharedWindows(front, judge, length)
