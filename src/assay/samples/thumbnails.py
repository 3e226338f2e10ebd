"""Every image as a small grey picture, from its file or from the cache of decoded samples: what copies are found by.

Shapes: N images, T pixels a side, H height, W width, C channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.progress import Progress
from assay.sources._parallel import ordered_map
from assay.sources.decode import decode_image
from assay.sources.records import Records

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: Pixels a side, and where images are smaller than `_SMALL` pixels.
SIDE, SMALL_SIDE = 64, 32
_SMALL = 48
_AT_ONCE = 1024


def thumbnail(image: Array, side: int) -> Array:
    """An image (H, W, C) of any type as a grey picture (side, side) uint8; its proportions are not kept."""
    from PIL import Image

    grey = image[:, :, 0] if image.shape[2] == 1 else image.mean(axis=2, dtype=np.float32)
    if image.dtype != np.uint8:
        grey = grey * np.float32(255 / max(float(np.quantile(grey, 0.999)), 1e-9))
    picture = Image.fromarray(np.rint(grey).clip(0, 255).astype(np.uint8))
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def thumbnails_of_records(records: Records, progress: Progress) -> Array:
    """(N, T, T) uint8 of all rows; black where an image cannot be decoded.

    Args:
        records: rows whose `location` tells `load` where an image lies.
        progress: is told how many images are done.
    """
    load, locations = records.loader, records.index().column("location").to_pylist()

    def make(location: str) -> tuple[Array, int]:
        try:
            image = decode_image(load(location), least_side=2 * SIDE)
        except DataError:
            return np.zeros((SIDE, SIDE), np.uint8), 0
        return thumbnail(image, SIDE), min(image.shape[:2])

    found = np.zeros((len(locations), SIDE, SIDE), np.uint8)
    least = np.zeros(len(locations), np.int64)
    for row, (picture, smaller) in enumerate(ordered_map(make, locations)):
        found[row], least[row] = picture, smaller
        if row % 64 == 63:
            progress.advance(row + 1)
    return _fitting(found, least)


def thumbnails_of_samples(samples: Samples, name: str = "image") -> Array:
    """(N, T, T) uint8 of all windows, out of a field (N, C, H, W)."""
    windows = np.arange(len(samples.unit))
    pieces: list[Array] = []
    for start in range(0, len(windows), _AT_ONCE):
        images = samples.field(name, windows[start : start + _AT_ONCE])
        pieces.append(thumbnails_of(np.asarray(images)))
    return np.concatenate(pieces)


def thumbnails_of(images: Array) -> Array:
    """(N, T, T) uint8 of images (N, C, H, W) of one size: what `thumbnail` gives for each, but for the last bit."""
    side = SMALL_SIDE if min(images.shape[2:]) < _SMALL else SIDE
    grey = images[:, 0].astype(np.float32) if images.shape[1] == 1 else images.mean(axis=1, dtype=np.float32)
    if images.dtype != np.uint8:
        most = np.quantile(grey, 0.999, axis=(1, 2), keepdims=True)
        grey = grey * (255 / np.maximum(most, 1e-9)).astype(np.float32)
    down, across = (_resizing(size, side) for size in grey.shape[1:])
    small: Array = np.rint(down @ np.rint(grey).clip(0, 255) @ across.T)
    return small.astype(np.uint8)


def _resizing(size: int, side: int) -> Array:
    """(side, size) weights that bring `size` pixels to `side`, by the triangle filter that Pillow takes."""
    scale = max(1.0, size / side)
    centres = (np.arange(side) + 0.5) * size / side
    away = np.abs(np.arange(size) + 0.5 - centres[:, None]) / scale
    weights = np.maximum(0, 1 - away)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _fitting(pictures: Array, least: Array) -> Array:
    """Pictures of half the side where most images are so small that the whole would show nothing more."""
    known = least[least > 0]
    if not len(known) or np.median(known) >= _SMALL:
        return pictures
    half = pictures.reshape(len(pictures), SMALL_SIDE, 2, SMALL_SIDE, 2).mean(axis=(2, 4))
    return np.asarray(np.rint(half), np.uint8)
