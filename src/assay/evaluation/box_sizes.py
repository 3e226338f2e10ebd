"""How boxes do on objects of one size: recall, and average precision as COCO's evaluation has it by area.

Shapes: U pictures, n boxes and m objects of a picture, N objects of all pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.evaluation.box_matching import NOBODY, Matches, areas, match
from assay.evaluation.box_metrics import BoxRecall, MeanAveragePrecision50, found_boxes
from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
#: COCO's borders between small, medium and large: the side of a square of the object's area, in pixels.
_COCO = (32.0, 96.0)
#: A group needs so many objects to be one, and such a share of all; with fewer objects in all nothing is grouped.
_FEW, _SHARE, _LEAST = 10, 0.05, 30


@dataclass(frozen=True)
class Size:
    """Objects from one size on and below another.

    Attributes:
        name: in words, with its borders.
        low: the side of a square of an object's area is at least this, in pixels of the picture.
        high: it is less than this.
        objects: how many there are.
    """

    name: str
    low: float
    high: float
    objects: int

    def holds(self, boxes: Array) -> Array:
        """(n,) bool: which boxes (n, 4 or more) are of this size."""
        side = sides(boxes)
        return np.asarray((side >= self.low) & (side < self.high))


class SizeAveragePrecision50(MeanAveragePrecision50):
    """The mean over classes of the average precision at an overlap of one half, for objects of one size.

    Objects of other sizes count for nothing, and neither do boxes of other sizes that find no object.

    Args:
        size: which objects.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self.name = f"map50 {size.name}"  # type: ignore[misc]

    def pair(self, found: Array, objects: Array) -> Matches:
        """See `MeanAveragePrecision.pair`."""
        objects = np.array(objects, np.float64)
        objects[:, 5] = (objects[:, 5] > 0) | ~self._size.holds(objects)
        matches = match(found, objects, self.at)
        other = ~self._size.holds(np.asarray(found)[matches.row])
        return replace(matches, ignored=matches.ignored | ((matches.taken == NOBODY) & other))


class SizeRecall(BoxRecall):
    """The share of the objects of one size that is found.

    Args:
        size: which objects.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self.name = f"recall {size.name}"  # type: ignore[misc]

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 3): objects of this size found; 0; objects of this size."""
        rows = []
        for found, objects in zip(outputs, truths, strict=True):
            own = self._size.holds(objects) & (np.asarray(objects)[:, 5] == 0)
            taken = match(found_boxes(found), objects, (0.5,)).taken[0]
            rows.append((float(own[taken[taken != NOBODY]].sum()), 0.0, float(own.sum())))
        return np.asarray(rows, float).reshape(-1, 3)


def sides(boxes: Array) -> Array:
    """(n,) the side of a square of each box's area; 0 for boxes of no area."""
    return np.asarray(np.sqrt(areas(np.asarray(boxes, np.float64).reshape(-1, np.shape(boxes)[-1])).clip(min=0)))


def size_groups(truths: Values) -> Sequence[Size]:
    """Small, medium and large objects as COCO has them; thirds of these objects where they are all of one such size.

    Empty where there are too few objects, or all are of the same size.
    """
    parts = [sides(objects)[np.asarray(objects)[:, 5] == 0] for objects in truths]
    side = np.concatenate([np.zeros(0), *parts])
    if len(side) < _LEAST:
        return ()
    names = (f"under {_COCO[0]:.0f} px", f"{_COCO[0]:.0f} to {_COCO[1]:.0f} px", f"{_COCO[1]:.0f} px and more")
    usual = _groups(side, (0.0, *_COCO, np.inf), names)
    if sum(one.objects >= max(_FEW, _SHARE * len(side)) for one in usual) > 1:
        return usual
    low, high = np.quantile(side, [1 / 3, 2 / 3])
    if not side.min() < low < high < side.max():
        return ()
    names = (f"under {low:.0f} px", f"{low:.0f} to {high:.0f} px", f"{high:.0f} px and more")
    return _groups(side, (0.0, float(low), float(high), np.inf), names)


def _groups(side: Array, edges: tuple[float, ...], names: tuple[str, ...]) -> list[Size]:
    """Those of the groups between edges that hold an object."""
    found = []
    for place, name in enumerate(names):
        low, high = edges[place], edges[place + 1]
        count = int(((side >= low) & (side < high)).sum())
        if count:
            found.append(Size(name, low, high, count))
    return found
