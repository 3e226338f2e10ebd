"""Which boxes of a picture find which objects, as COCO's evaluation pairs them.

Boxes found are (n, 6): x0, y0, x1, y1, score, class; objects (m, 6): x0, y0, x1, y1, class, difficult (as VOC calls
them, and COCO crowds). Within a class the boxes choose in the order of their scores, each the object that it overlaps
most of those still free; a difficult object counts for nothing, and neither does the box that finds it (Lin et al.
2014, `pycocotools.cocoeval`).

Shapes: n boxes, m objects, T thresholds of overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: The overlaps of COCO's mean average precision.
OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
#: Boxes of a class in one picture that are looked at.
MOST = 100
NOBODY = -1


@dataclass(frozen=True)
class Matches:
    """What came of the boxes and the objects of one picture.

    Attributes:
        score: (n,) of each box that was looked at, by class and from the best on.
        label: (n,) int64, its class.
        row: (n,) int64, its row among the boxes found.
        taken: (T, n) int64, the object that it finds, a row among the objects; `NOBODY` where it finds none.
        ignored: (T, n) bool, it found a difficult object.
        wanted: (m,) int64, the class of each object that counts; `NOBODY` where it is difficult.
    """

    score: Array
    label: Array
    row: Array
    taken: Array
    ignored: Array
    wanted: Array

    @property
    def right(self) -> Array:
        """(T, n) bool: it finds an object that counts."""
        return np.asarray((self.taken != NOBODY) & ~self.ignored)


def overlaps(first: Array, second: Array) -> Array:
    """(n, m) float64 intersection over union of boxes (n, 4 or more) and (m, 4 or more).

    >>> import numpy as np
    >>> overlaps(np.asarray([[0, 0, 2, 2]]), np.asarray([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    one, other = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    wide = np.minimum(one[..., 2], other[..., 2]) - np.maximum(one[..., 0], other[..., 0])
    high = np.minimum(one[..., 3], other[..., 3]) - np.maximum(one[..., 1], other[..., 1])
    shared = wide.clip(min=0) * high.clip(min=0)
    both = areas(one) + areas(other) - shared
    return np.asarray(np.divide(shared, both, out=np.zeros_like(shared), where=both > 0))


def areas(boxes: Array) -> Array:
    """(...) float64 area of boxes (..., 4 or more), square pixels."""
    values = np.asarray(boxes, np.float64)
    return np.asarray((values[..., 2] - values[..., 0]) * (values[..., 3] - values[..., 1]))


def match(found: Array, objects: Array, at: tuple[float, ...] = OVERLAPS, most: int = MOST) -> Matches:
    """Pair the boxes of one picture with its objects.

    Args:
        found: (n, 6 or more), see the module.
        objects: (m, 6), see the module.
        at: the thresholds of overlap.
        most: boxes of a class that are looked at.
    """
    found, objects = np.asarray(found, np.float64), np.asarray(objects, np.float64)
    labels, classes, difficult = found[:, 5].astype(np.int64), objects[:, 4].astype(np.int64), objects[:, 5] > 0
    rows: list[Array] = []
    taken: list[Array] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        own = own[np.argsort(-found[own, 4], kind="stable")][:most]
        theirs = np.flatnonzero(classes == label)
        theirs = theirs[np.argsort(difficult[theirs], kind="stable")]  # those that count first
        rows.append(own)
        chosen = _greedy(overlaps(found[own], objects[theirs]), difficult[theirs], at)
        taken.append(np.where(chosen == NOBODY, NOBODY, np.append(theirs, NOBODY)[chosen]))
    row = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    all_taken = np.concatenate(taken, axis=1) if taken else np.zeros((len(at), 0), np.int64)
    ignored = (all_taken != NOBODY) & np.append(difficult, False)[all_taken]
    return Matches(found[row, 4], labels[row], row, all_taken, ignored, np.where(difficult, NOBODY, classes))


def _greedy(overlap: Array, difficult: Array, at: tuple[float, ...]) -> Array:
    """(T, n) the column of `overlap` (n, m) that each row takes; difficult columns stand last."""
    count, columns = overlap.shape
    chosen = np.full((len(at), count), NOBODY, np.int64)
    if not columns:
        return chosen
    free = np.ones((len(at), columns), bool)
    least = np.minimum(np.asarray(at), 1 - 1e-10)
    counting, every = int((~difficult).sum()), np.arange(len(at))
    for box in np.flatnonzero(overlap.max(axis=1) >= least.min()):
        could = free & (overlap[box][None] >= least[:, None])
        for part in (slice(0, counting), slice(counting, columns)):
            if part.stop <= part.start:
                continue
            values = np.where(could[:, part], overlap[box][None, part], -1.0)
            # The last of equals, as pycocotools takes it.
            best = values.shape[1] - 1 - values[:, ::-1].argmax(axis=1)
            take = (values[every, best] >= 0) & (chosen[:, box] == NOBODY)
            chosen[take, box] = best[take] + part.start
        took = chosen[:, box] != NOBODY
        free[every[took], chosen[took, box]] = False
    return chosen
