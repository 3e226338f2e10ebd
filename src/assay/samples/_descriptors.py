"""Small grey images as vectors whose products say which of them look alike, mirrored or cropped a little, too.

A vector holds the low frequencies of an image (its discrete cosine transform without the mean), each times its
frequency: natural images have amplitudes that fall as 1/f (Field 1987), so that all count alike, and gain and offset of
the light do not count. Mirroring changes the sign of the odd horizontal frequencies and nothing else.

Shapes: N images of T x T pixels, D frequencies, V windows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_FREQUENCIES = 9
_BLOCK = 1024
#: Standard deviation of the low frequencies, in grey values of 255, below which an image shows nothing.
_FLAT = 0.5

#: Parts of an image (top, left, height, width, as shares) that a slightly cropped copy may show: the whole first, then
#: what is left of .95 of each side in its corners and in the centre, and .9 in the centre.
WINDOWS = np.asarray(
    [
        (0.0, 0.0, 1.0, 1.0),
        (0.0, 0.0, 0.95, 0.95),
        (0.0, 0.05, 0.95, 0.95),
        (0.05, 0.0, 0.95, 0.95),
        (0.05, 0.05, 0.95, 0.95),
        (0.025, 0.025, 0.95, 0.95),
        (0.05, 0.05, 0.9, 0.9),
    ]
)


def sampling(start: Array, extent: Array, size: int) -> Array:
    """(P, size, size) weights that read `size` pixels of `size` in the stretch from `start` on of `extent` (shares).

    Linear between pixels; what lies outside repeats the edge.
    """
    places = (start[:, None] + extent[:, None] * (np.arange(size) + 0.5) / size) * size - 0.5
    places = np.clip(places, 0, size - 1).astype(np.float32)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, :, None] - np.arange(size, dtype=np.float32))))


def describe(images: Array) -> tuple[Array, Array]:
    """The vectors of every window of every image.

    Args:
        images: (N, T, T) uint8.

    Returns:
        (V, N, D) float32 of length 1, or 0 where an image shows nothing; and (D,) the signs that mirror a vector.
    """
    size = images.shape[1]
    basis, weight, signs = _basis(size)
    rows, columns = (sampling(WINDOWS[:, axis], WINDOWS[:, axis + 2], size) for axis in (0, 1))
    found = np.zeros((len(WINDOWS), len(images), len(weight)), np.float32)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK].astype(np.float32)
        for number in range(len(WINDOWS)):
            across = block @ (basis @ columns[number]).T  # (n, T, F)
            spectrum = (basis @ rows[number]) @ across  # (n, F, F)
            values = spectrum.reshape(len(block), -1)[:, 1:]
            shown = np.sqrt((values**2).sum(axis=1)) / size > _FLAT
            values = values * weight
            length = np.sqrt((values**2).sum(axis=1, keepdims=True))
            found[number, start : start + _BLOCK] = np.where(shown[:, None], values / np.maximum(length, 1e-9), 0)
    return found, signs


@cache
def _basis(size: int) -> tuple[Array, Array, Array]:
    """(F, T) cosines; (D,) the weight of each frequency; (D,) the signs of mirroring."""
    number = np.arange(_FREQUENCIES)
    basis = np.cos(np.pi * number[:, None] * (np.arange(size) + 0.5) / size) * np.sqrt(2 / size)
    basis[0] /= np.sqrt(2)
    weight = np.hypot(number[:, None], number).ravel()[1:]
    signs = np.broadcast_to(np.where(number % 2, -1.0, 1.0), (_FREQUENCIES, _FREQUENCIES)).ravel()[1:]
    return basis.astype(np.float32), weight.astype(np.float32), signs.astype(np.float32)
