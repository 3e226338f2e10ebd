"""Parts of pictures, enlarged: what is small in a large picture is seen only so.

Shapes: H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.report.explained import overlay
from assay.samples.mask_windows import shrunk
from assay.sources.decode import resize

Array = np.ndarray[Any, Any]
#: How many times the longer side of what is shown the part has, and pixels that it has at least.
_AROUND, _LEAST = 3.0, 48
#: Pixels of a dash.
_DASH = 5
#: What weighs more than this share of the most weighs much; what is shown is enlarged where it is less of the picture.
_HEAVY, _PART = 0.3, 0.75


def close_up(picture: Array, box: Sequence[float], size: int) -> tuple[Array, float, tuple[int, int]]:
    """A square part of a picture around a box, as far as the picture reaches.

    Args:
        picture: (H, W, 3) uint8.
        box: x0, y0, x1, y1 in its pixels.
        size: the longer side of what comes out, in pixels.

    Returns:
        The part, enlarged or shrunk; how many of its pixels make one of the picture; its first column and row.
    """
    height, width = picture.shape[:2]
    side = max(_LEAST, round(_AROUND * max(box[2] - box[0], box[3] - box[1])))
    starts, ends = [], []
    for low, high, length in ((box[0], box[2], width), (box[1], box[3], height)):
        start = min(max(0, round((low + high - side) / 2)), max(0, length - side))
        starts.append(start)
        ends.append(min(length, start + side))
    part = picture[starts[1] : ends[1], starts[0] : ends[0]]
    scale = size / max(part.shape[:2])
    high, wide = (max(1, round(length * scale)) for length in part.shape[:2])
    return resize(part, high, wide), scale, (starts[0], starts[1])


def overlaid_close_up(picture: Array, weights: Array, size: int) -> str:
    """A picture in grey with what weighed in colour, as a data URI: of it the part where all that weighed much lies.

    Args:
        picture: (H, W, 3) uint8.
        weights: (H, W).
        size: the longer side of what comes out, in pixels.
    """
    box = _heavy(weights)
    if box is None:
        return overlay(picture, weights, size)
    part, scale, (left, top) = close_up(picture, box, size)
    high, wide = (max(1, round(side / scale)) for side in part.shape[:2])
    return overlay(part, shrunk(weights[top : top + high, left : left + wide], *part.shape[:2]), size)


def _heavy(weights: Array) -> tuple[int, int, int, int] | None:
    """The box x0, y0, x1, y1 around all places that weigh much; None where it is no small part."""
    from scipy.ndimage import uniform_filter

    strong = np.abs(uniform_filter(np.nan_to_num(np.asarray(weights, float)), max(1, round(min(weights.shape) / 48))))
    heavy = strong >= _HEAVY * strong.max()
    rows, columns = np.flatnonzero(heavy.any(axis=1)), np.flatnonzero(heavy.any(axis=0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    small = max(box[2] - box[0], box[3] - box[1]) * _AROUND < _PART * min(weights.shape)
    return box if small and strong.max() > 0 else None


def framed(picture: Array, box: Sequence[float], colours: tuple[Any, Any] = ((255, 255, 255), (0, 0, 0))) -> Array:
    """A copy of a picture (H, W, 3) uint8 with a dashed frame around a box, a little apart, seen on light and dark."""
    drawn = np.array(picture)
    height, width = drawn.shape[:2]
    x0, y0 = (min(max(0, round(value) - 3), length - 2) for value, length in zip(box[:2], (width, height), strict=True))
    x1, y1 = (min(length - 2, round(value) + 2) for value, length in zip(box[2:], (width, height), strict=True))
    x1, y1 = max(x0, x1), max(y0, y1)
    across, down = np.arange(x0, x1 + 2), np.arange(y0, y1 + 2)
    for thick in (0, 1):
        for column in (x0 + thick, x1 + 1 - thick):
            drawn[down, column] = _dashes(len(down), colours)
        for row in (y0 + thick, y1 + 1 - thick):
            drawn[row, across] = _dashes(len(across), colours)
    return drawn


def _dashes(count: int, colours: tuple[Any, Any]) -> Array:
    """(count, 3) the two colours in turn."""
    return np.asarray(colours, np.uint8)[np.arange(count) // _DASH % 2]
