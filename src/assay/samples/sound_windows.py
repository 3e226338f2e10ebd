"""Sounds of any length as windows of one, and as whole numbers for the cache.

Shapes: T values of a window, B sounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
#: Full scale in the cache.
SCALE = 32767


def window_of(samples: Array, length: int) -> Array:
    """(length,) int16: a sound (N,) float from -1 to 1 in the middle of silence; of a longer one its loudest part."""
    if len(samples) > length:
        start = loudest(samples, length)
        samples = samples[start : start + length]
    window = np.zeros(length, np.int16)
    begin = (length - len(samples)) // 2
    window[begin : begin + len(samples)] = np.round(np.clip(samples, -1, 1) * SCALE)
    return window


def loudest(samples: Array, length: int) -> int:
    """Where the stretch of that length with the most energy begins."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    return int(np.argmax(energy[length:] - energy[:-length]))


def as_waves(sounds: Tensor) -> Tensor:
    """Sounds (B, T), as they are in the cache or float already, as float32 from -1 to 1."""
    import torch

    return sounds.float() if sounds.is_floating_point() else sounds.to(torch.float32) / SCALE
