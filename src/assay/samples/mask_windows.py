"""Pictures cut into windows that overlap, and what the network says about windows joined to one mask without seams.

Shapes: H, W pixels of a picture as it came; h, w of it shrunk; S the side of a window; C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.samples.mask_spec import MaskSpec, starts
from assay.samples.pixel_values import as_colour
from assay.sources.decode import resize
from assay.sources.label_mask import VOID, LabelMask

Array = np.ndarray[Any, Any]
#: Along a window's edge its say counts this share of what it counts in the middle.
_LEAST = 0.02
#: Rows of the picture for which probabilities are enlarged at once.
_ROWS = 512
#: Probabilities are kept in steps, each by its lower end: as runs they then take little.
_SURE = np.asarray([0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99], np.float32)
_MIDDLES = np.append((_SURE[:-1] + _SURE[1:]) / 2, np.float32(0.997))


@dataclass(frozen=True, eq=False)
class WindowShares:
    """What is said about a window.

    Attributes:
        shares: (C, S, S) float16, the probability of each class at each pixel.
        place: (6,) int: H and W of the picture, h and w, the window's first row and column.
    """

    shares: Array
    place: Array


@dataclass(frozen=True, eq=False)
class Segmented:
    """What is said about a picture.

    Attributes:
        mask: the class of each pixel.
        confidence: the mean over the pixels of the probability of the class answered.
        sure: the probability of the likeliest class at each pixel of the shrunk picture (h, w), in steps; None where
            that is not known.
    """

    mask: LabelMask
    confidence: float
    sure: LabelMask | None = None

    def sureness(self) -> Array | None:
        """(h, w) float32, the probability of the likeliest class, about; None where that is not known."""
        return None if self.sure is None else np.asarray(_MIDDLES[self.sure.array()])


def cut(image: Array, mask: LabelMask | None, spec: MaskSpec) -> tuple[list[Array], list[Array], list[Array]]:
    """The windows of a picture.

    Args:
        image: (H, W, any) as `decode_values` gives it.
        mask: of the same size; None where there is none.
        spec: scale and side.

    Returns:
        Windows (3, S, S) uint8, their masks (S, S) uint8 (none without a mask), and their places (6,) int32; what a
        window has beyond the picture repeats its edge, and is void in the mask.
    """
    height, width = image.shape[:2]
    high, wide = (max(1, round(length * spec.scale)) for length in (height, width))
    colour = resize(as_colour(image, spec.pixels), high, wide)
    below, beside = max(0, spec.side - high), max(0, spec.side - wide)
    colour = np.pad(colour, ((0, below), (0, beside), (0, 0)), mode="edge").transpose(2, 0, 1)
    classes = None
    if mask is not None:
        classes = np.pad(
            shrunk(mask.array(), high, wide), ((0, below), (0, beside)), mode="constant", constant_values=VOID
        )
    images, masks, places = [], [], []
    for top in starts(high, spec.side):
        for left in starts(wide, spec.side):
            part = np.s_[..., top : top + spec.side, left : left + spec.side]
            images.append(np.ascontiguousarray(colour[part]))
            places.append(np.asarray([height, width, high, wide, top, left], np.int32))
            if classes is not None:
                masks.append(np.ascontiguousarray(classes[part]))
    return images, masks, places


def shrunk(mask: Array, height: int, width: int) -> Array:
    """Class numbers (H, W) in another size: each pixel takes the class at its middle."""
    if mask.shape == (height, width):
        return mask
    rows, columns = (
        ((np.arange(size) + 0.5) * length / size).astype(np.int64)
        for size, length in zip((height, width), mask.shape, strict=True)
    )
    return np.asarray(mask[rows[:, None], columns])


def merge(windows: Sequence[WindowShares]) -> Segmented:
    """The one answer of all windows of a picture.

    Where windows overlap, their probabilities are averaged with weights that fall towards each window's edge, so that
    the answer changes from one to the next without a seam. They are enlarged to the picture's own size before each
    pixel takes its likeliest class, so that outlines stay smooth.
    """
    height, width, high, wide = (int(number) for number in windows[0].place[:4])
    shares = _joined(windows, high, wide)
    sure = shares.max(axis=0)
    steps = LabelMask.of(np.searchsorted(_SURE, sure, side="right") - 1)
    if (height, width) == (high, wide):
        best = shares.argmax(axis=0).astype(np.uint8)
    else:
        best, sure = _enlarged(shares, height, width)
    return Segmented(LabelMask.of(best), float(sure.mean(dtype=np.float64)), steps)


def _joined(windows: Sequence[WindowShares], high: int, wide: int) -> Array:
    """(C, h, w) float32, the windows' weighted mean."""
    if len(windows) == 1:
        return np.asarray(windows[0].shares[:, :high, :wide], np.float32)
    side = windows[0].shares.shape[-1]
    ramp = np.maximum(1 - np.abs((np.arange(side) + 0.5) / side * 2 - 1), _LEAST).astype(np.float32)
    weight = ramp[:, None] * ramp
    total = np.zeros((windows[0].shares.shape[0], high, wide), np.float32)
    weights = np.zeros((high, wide), np.float32)
    for window in windows:
        top, left = (int(number) for number in window.place[4:])
        down, across = min(side, high - top), min(side, wide - left)
        total[:, top : top + down, left : left + across] += window.shares[:, :down, :across] * weight[:down, :across]
        weights[top : top + down, left : left + across] += weight[:down, :across]
    return total / weights


def _enlarged(shares: Array, height: int, width: int) -> tuple[Array, Array]:
    """The likeliest class (H, W) uint8 and its probability (H, W) of bilinearly enlarged shares, in strips of rows."""
    high, wide = shares.shape[1:]
    best, sure = np.zeros((height, width), np.uint8), np.zeros((height, width), np.float32)
    left, right, across = _between(width, wide)
    for begin in range(0, height, _ROWS):
        rows = slice(begin, min(begin + _ROWS, height))
        above, below, down = (values[rows] for values in _between(height, high))
        strip = shares[:, above] * (1 - down)[:, None] + shares[:, below] * down[:, None]
        strip = strip[:, :, left] * (1 - across) + strip[:, :, right] * across
        best[rows], sure[rows] = strip.argmax(axis=0), strip.max(axis=0)
    return best, sure


def _between(size: int, length: int) -> tuple[Array, Array, Array]:
    """For each of `size` places the two of `length` between which it lies, and how far it is from the first."""
    at = ((np.arange(size) + 0.5) * length / size - 0.5).clip(0, length - 1)
    first = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, length - 1), (at - first).astype(np.float32)


def picture_of(images: Array, places: Array) -> Array:
    """(h, w, 3) uint8, the picture whose windows these are.

    Args:
        images: (N, 3, S, S) uint8.
        places: (N, 6), see `WindowShares`.
    """
    high, wide = (int(number) for number in places[0, 2:4])
    whole = np.zeros((3, high, wide), np.uint8)
    for image, place in zip(images, places, strict=True):
        top, left = (int(number) for number in place[4:])
        part = whole[:, top : top + image.shape[1], left : left + image.shape[2]]
        part[...] = image[:, : part.shape[1], : part.shape[2]]
    return np.ascontiguousarray(whole.transpose(1, 2, 0))
