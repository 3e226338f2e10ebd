"""A linear machine for each class and shape of window, slid over the cells of a picture.

Shapes: C, H, W of a picture; M boxes; K classes; P features of a window; R, S rows and columns of windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.baselines._hog_cells import cell_grids
from assay.baselines._windows import Windows, moved, suppressed, window_rows, window_scores

Array = np.ndarray[Any, Any]
#: A margin so far below the hyperplane that nothing is there.
LOWEST = -1.2
_CANDIDATES = 200  # of a class in a picture
_OVERLAP = 0.4  # that two boxes of a class may have
_MOST = 100  # boxes of a class in a picture


@dataclass(frozen=True)
class Machine:
    """What was learned for one shape of window.

    Attributes:
        weights: (P, K) of the support vector machines.
        offset: (K,).
        moves: (P, 4) of the regression of an object's box on the window's features.
        shift: (4,).
    """

    weights: Array
    offset: Array
    moves: Array
    shift: Array


@dataclass(frozen=True)
class Candidates:
    """Windows of one shape whose margin is worth a look.

    Attributes:
        level: (M,) which size of cell.
        top: (M,) its first row of cells.
        left: (M,) its first column.
        label: (M,) the class.
        margin: (M,) the machine's.
    """

    level: Array
    top: Array
    left: Array
    label: Array
    margin: Array

    def best(self, count: int) -> Candidates:
        """The `count` of the largest margins of each class."""
        order = np.lexsort((-self.margin, self.label))
        labels = self.label[order]
        starts = np.searchsorted(labels, labels, "left")
        return self.at(order[np.arange(len(order)) - starts < count])

    def at(self, places: Array) -> Candidates:
        """Those at some places."""
        return Candidates(*(getattr(self, name)[places] for name in ("level", "top", "left", "label", "margin")))


@dataclass(frozen=True)
class HogDetector:
    """All machines of all shapes of windows."""

    windows: Windows
    machines: tuple[Machine, ...]

    def find(self, image: Array) -> tuple[Array, Array, Array]:
        """Boxes (M, 4) in pixels of a picture (C, H, W) uint8, their margins (M,) and classes (M,), best first."""
        grids = list(cell_grids(image, self.windows.sizes))
        boxes, margins, labels = [np.zeros((0, 4))], [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
        for shape, candidates in self.candidates(grids, LOWEST, _CANDIDATES):
            boxes.append(self._boxes(grids, shape, candidates))
            margins.append(candidates.margin)
            labels.append(candidates.label)
        return _without_doubles(np.concatenate(boxes), np.concatenate(margins), np.concatenate(labels))

    def candidates(self, grids: list[Array], least: float, count: int) -> Iterator[tuple[int, Candidates]]:
        """For each shape of window the `count` of each class whose margin is largest, and larger than `least`."""
        for shape, machine in enumerate(self.machines):
            parts = []
            for level, grid in enumerate(grids):
                scores = window_scores(grid, self.windows.shapes[shape], machine.weights)
                if scores is None:
                    continue
                scores += machine.offset
                top, left, label = np.nonzero(scores > least)
                found = Candidates(np.full(len(top), level), top, left, label, scores[top, left, label])
                parts.append(found.best(count))
            if parts:
                names = ("level", "top", "left", "label", "margin")
                whole = Candidates(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
                yield shape, whole.best(count)

    def rows(self, grids: list[Array], shape: int, candidates: Candidates) -> Array:
        """The features (M, P) of candidates of a shape."""
        rows = np.zeros((len(candidates.level), len(self.machines[shape].weights)), np.float32)
        for level in np.unique(candidates.level):
            own = candidates.level == level
            size = self.windows.shapes[shape]
            rows[own] = window_rows(grids[level], size, candidates.top[own], candidates.left[own])
        return rows

    def placed(self, shape: int, candidates: Candidates) -> Array:
        """The windows (M, 4) of candidates, in pixels."""
        sizes = np.asarray(self.windows.sizes)[candidates.level]
        return self.windows.boxes(shape, sizes, candidates.top, candidates.left)

    def _boxes(self, grids: list[Array], shape: int, candidates: Candidates) -> Array:
        machine = self.machines[shape]
        by = self.rows(grids, shape, candidates) @ machine.moves + machine.shift
        return moved(self.placed(shape, candidates), by)


def _without_doubles(boxes: Array, margins: Array, labels: Array) -> tuple[Array, Array, Array]:
    """The boxes that are left when each class has found each object once, by falling margin."""
    kept = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        kept.append(own[suppressed(boxes[own], margins[own], _OVERLAP, _MOST)])
    places = np.concatenate(kept)
    places = places[np.argsort(-margins[places], kind="stable")]
    return boxes[places], margins[places], labels[places]
