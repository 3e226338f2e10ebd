"""How much two images differ once the one is laid over the other as well as it goes.

The window of the first image that the second shows is found by Gauss-Newton steps, together with gain and offset of the
light (Lucas and Kanade 1981; Baker and Matthews 2004). Compared are then the details: what an image shows beside its
smooth shades, equally strong in all places (local contrast normalisation, Jarrett et al. 2009). Two photographs may
have the same sky, but not the same details.

Shapes: P pairs of images of T x T pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.samples._descriptors import WINDOWS, sampling
from assay.sources._parallel import ordered_map

Array = np.ndarray[Any, Any]
#: What the alignment fits: four edges of a window, and a gain.
FITTED = 5
_STEPS = 5
_BLOCK = 128
_COARSE = 32
#: The smallest and the largest share of a side that a copy may show, and how far over the edge it may reach.
_LEAST, _MOST, _OVER = 0.85, 1.03, 0.03
#: A pixel from here on may be cut off at white.
_WHITE = 250.0
_RIDGE = 1e-3
#: The most that a step moves an edge, as a share of a side.
_FARTHEST = 0.03
#: Details are seen against the mean of so many pixels a side; noise and compression have about this standard deviation
#: in grey values.
_REACH, _NOISE = 9, 1.0
#: Below so many waves along one direction an image does not change in it.
_ONE_WAY = 1.5


def differences(images: Array, first: Array, second: Array, window: Array, mirrored: Array) -> Array:
    """One minus the correlation of the details of aligned pairs, (P,), from 0 for copies to about 1.

    Args:
        images: (N, T, T) uint8.
        first: (P,) the image of which the other may show a part.
        second: (P,) the other image.
        window: (P,) the number of the window (`_descriptors.WINDOWS`) to begin with.
        mirrored: (P,) bool, whether the second is mirrored.
    """

    def compare(part: slice) -> Array:
        a, b = (images[places[part]].astype(np.float32) for places in (first, second))
        b = np.where(mirrored[part, None, None], b[:, :, ::-1], b)
        begin = WINDOWS[window[part]]
        return np.minimum(_difference(a, b, begin), _difference(a, b, _aligned(a, b, begin)))

    parts = [slice(start, start + _BLOCK) for start in range(0, len(first), _BLOCK)]
    found = list(ordered_map(compare, parts, chunk=1))
    return np.concatenate(found) if found else np.zeros(0)


def waves(images: Array) -> Array:
    """(N,) how many waves the details of images (N, T, T) consist of: the participation ratio of their power.

    0 for an image that changes in one direction alone, such as a horizon: any other of that kind can be laid over it.
    """
    found = []
    for start in range(0, len(images), _BLOCK):
        fine = _details(images[start : start + _BLOCK].astype(np.float32))
        power = np.abs(np.fft.rfft2(fine)) ** 2  # (B, T, T // 2 + 1)
        ways = np.minimum(_participation(power.sum(axis=1)), _participation(power.sum(axis=2)))
        found.append(np.where(ways < _ONE_WAY, 0.0, _participation(power.reshape(len(fine), -1))))
    return np.concatenate(found) if found else np.zeros(0)


def _participation(power: Array) -> Array:
    """(N,) how many of the values (N, K) share the sum: K where all are equal, 1 where one has all."""
    return np.asarray(power.sum(axis=1) ** 2 / np.maximum((power**2).sum(axis=1), 1e-9))


def _aligned(a: Array, b: Array, windows: Array) -> Array:
    """(P, 4) the windows of `a` that `b` shows."""
    a, b = _smooth(_shrunk(a)), _smooth(_shrunk(b))
    size = a.shape[1]
    place = ((np.arange(size) + 0.5) / size).astype(np.float32)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    aim = _centred(b[inner])
    for _ in range(_STEPS):
        seen = _cut(a, windows)
        down, along = _slopes(seen, windows)
        columns = (seen, down, along, down * place[:, None], along * place)
        matrix = np.concatenate([_centred(column[inner]) for column in columns], axis=2)  # (P, pixels, FITTED)
        scale = np.sqrt((matrix**2).sum(axis=1)) + 1e-6
        matrix /= scale[:, None]
        turned = matrix.transpose(0, 2, 1)
        normal = (turned @ matrix).astype(float) + _RIDGE * np.eye(FITTED)
        found = np.linalg.solve(normal, (turned @ aim).astype(float))[:, :, 0] / scale
        gain = np.where(np.abs(found[:, :1]) > 0.1, found[:, :1], 1.0)
        windows = _bounded(windows + np.clip(found[:, 1:] / gain, -_FARTHEST, _FARTHEST))
    return windows


def _difference(a: Array, b: Array, windows: Array) -> Array:
    """(P,) one minus the correlation of the details, without pixels that only one of the two shows as white."""
    seen = _cut(a, windows)
    free = _smooth(((seen >= _WHITE) != (b >= _WHITE)).astype(np.float32)) < 0.2
    first, second = ((_details(image) * free)[:, 2:-2, 2:-2] for image in (seen, b))
    shared, own, other = ((x * y).sum(axis=(1, 2)) for x, y in ((first, second), (first, first), (second, second)))
    return np.asarray(1 - shared / np.sqrt(np.maximum(own * other, 1e-6)))


def _details(images: Array) -> Array:
    """What images show beside smooth shades, of about equal strength in all places, less where only noise is."""
    images = _smooth(images)
    fine = images - _mean(images)
    return np.asarray(fine / np.sqrt(_mean(fine**2) + _NOISE**2))


def _mean(images: Array) -> Array:
    """The mean of the pixels about each pixel; the edge is repeated."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(images, (0, _REACH, _REACH), mode="nearest"))


def _cut(images: Array, windows: Array) -> Array:
    """(P, T, T) the windows of images, brought to their full size."""
    size = images.shape[1]
    rows, columns = (sampling(windows[:, axis], windows[:, axis + 2], size) for axis in (0, 1))
    return rows @ images @ columns.transpose(0, 2, 1)


def _bounded(windows: Array) -> Array:
    extent = np.clip(windows[:, 2:], _LEAST, _MOST)
    start = np.clip(windows[:, :2], -_OVER, 1 + _OVER - extent)
    return np.concatenate([start, extent], axis=1)


def _slopes(seen: Array, windows: Array) -> tuple[Array, Array]:
    """How images change when their windows move down and to the right by a whole side, both (P, T, T)."""
    down, along = np.gradient(seen, axis=(1, 2))
    size = seen.shape[1]
    down *= (size / windows[:, 2, None, None]).astype(np.float32)
    along *= (size / windows[:, 3, None, None]).astype(np.float32)
    return down, along


def _centred(images: Array) -> Array:
    """(P, pixels, 1) without the mean."""
    flat = images.reshape(len(images), -1, 1)
    return np.asarray(flat - flat.mean(axis=1, keepdims=True))


def _smooth(images: Array) -> Array:
    """A blur over three pixels each way, which noise and compression survive least."""
    from scipy.ndimage import correlate1d

    for axis in (1, 2):
        images = correlate1d(images, np.asarray([0.25, 0.5, 0.25], np.float32), axis, mode="nearest")
    return images


def _shrunk(images: Array) -> Array:
    """Images of at most `_COARSE` pixels a side, by means of whole blocks."""
    factor = max(1, images.shape[1] // _COARSE)
    size = images.shape[1] // factor
    return np.asarray(images.reshape(len(images), size, factor, size, factor).mean(axis=(2, 4)))
