"""Windows with and without objects, gathered from pictures, for the machines of `_hog_detector`.

Hard negatives are those windows in which an earlier machine found what is not there (Dalal & Triggs 2005;
Felzenszwalb et al. 2010).

Shapes: M windows, n objects of a picture, K classes, P features of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.baselines._hog_cells import cell_grids, grid_shape
from assay.baselines._hog_detector import HogDetector, Machine
from assay.baselines._linear_svm import fit_linear_svms, fit_ridge
from assay.baselines._windows import Windows, features_of_window, offsets, paired_overlap, suppressed, window_rows

Array = np.ndarray[Any, Any]
_WINDOWS_OF_OBJECT = 3
_GOOD, _BAD = 0.65, 0.35  # overlaps from which a window holds an object, and up to which it holds none
_RANDOM, _MINED = 30, 20  # windows without an object in a picture
_MOST_ROWS = 20_000  # of some 9 kB
_STRENGTH, _RIDGE = 100.0, 0.1


@dataclass
class Gathered:
    """The windows of one shape.

    Attributes:
        rows: pieces (M, P) of features.
        wanted: pieces (M, K): 1 holds an object of the class, -1 holds none, 0 neither is clear.
        moves: pieces (M, 4) from the window to its object's box; NaN where it holds none.
    """

    rows: list[Array] = field(default_factory=list)
    wanted: list[Array] = field(default_factory=list)
    moves: list[Array] = field(default_factory=list)

    def add(self, rows: Array, wanted: Array, moves: Array | None = None) -> None:
        """Add windows."""
        self.rows.append(rows)
        self.wanted.append(wanted)
        self.moves.append(np.full((len(rows), 4), np.nan) if moves is None else moves)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.rows))


class Gatherer:
    """Gathers windows of all shapes and fits the machines.

    Args:
        windows: what is looked at.
        classes: K.
        channels: of the pictures.
        random: draws windows without objects.
    """

    def __init__(self, windows: Windows, classes: int, channels: int, random: np.random.Generator) -> None:
        self.windows, self.classes, self.channels, self.random = windows, classes, channels, random
        self.gathered = [Gathered() for _ in windows.shapes]

    def full(self, share: float = 1.0) -> bool:
        """Whether no more windows fit into that share of the memory."""
        return sum(one.count for one in self.gathered) >= share * _MOST_ROWS

    def look(self, image: Array, objects: Array) -> None:
        """Take the windows on the objects (n, 6) of a picture (C, H, W), and some at random."""
        grids = list(cell_grids(image, self.windows.sizes))
        counting = objects[objects[:, 5] == 0]
        found = self.windows.around(counting, image.shape, _WINDOWS_OF_OBJECT, _GOOD) if len(counting) else []
        for shape, (places, _) in enumerate(found):
            boxes = self._placed(shape, places[:, 1:])
            wanted = self._wanted(boxes, objects)
            wanted[np.arange(len(places)), counting[places[:, 0], 4].astype(np.int64)] = 1
            moves = offsets(boxes, counting[places[:, 0]])
            self.gathered[shape].add(self._rows(grids, shape, places[:, 1:]), wanted, moves)
        for shape in range(len(self.windows.shapes)):
            places = self._drawn(shape, image.shape)
            wanted = self._wanted(self._placed(shape, places), objects)
            clear = (wanted == -1).all(axis=1)
            self.gathered[shape].add(self._rows(grids, shape, places[clear]), wanted[clear])

    def mine(self, detector: HogDetector, image: Array, objects: Array) -> None:
        """Take the windows in which a detector finds most surely what is not there."""
        grids = list(cell_grids(image, self.windows.sizes))
        for shape, candidates in detector.candidates(grids, -1.0, 10 * _MINED):
            boxes = detector.placed(shape, candidates)
            wanted = self._wanted(boxes, objects)
            wrong = np.flatnonzero(wanted[np.arange(len(boxes)), candidates.label] == -1)
            chosen = wrong[suppressed(boxes[wrong], candidates.margin[wrong], 0.7, _MINED)]
            rows = detector.rows(grids, shape, candidates.at(chosen))
            self.gathered[shape].add(rows, wanted[chosen].clip(max=0))

    def fit(self, limit_s: float, before: HogDetector | None = None) -> HogDetector:
        """Machines for what was gathered so far, begun from those of before, in about so many seconds."""
        machines = []
        for shape, gathered in enumerate(self.gathered):
            rows, wanted = np.concatenate(gathered.rows), np.concatenate(gathered.wanted)
            gathered.rows, gathered.wanted = [rows], [wanted]
            start = None
            if before is not None:
                machine = before.machines[shape]
                start = np.concatenate([machine.weights, machine.offset[None]])
            weights, offset = fit_linear_svms(rows, wanted, _STRENGTH, start, limit_s=limit_s / len(self.gathered))
            offset = np.where((wanted > 0).any(axis=0), offset, np.float32(-1e3))  # never seen in this shape
            if before is None:
                moves, shift = self._regression(rows, np.concatenate(gathered.moves))
            else:
                moves, shift = before.machines[shape].moves, before.machines[shape].shift
            machines.append(Machine(weights, offset, moves, shift))
        return HogDetector(self.windows, tuple(machines))

    def drop_easy(self, detector: HogDetector) -> None:
        """Forget windows without objects that all machines tell safely."""
        for gathered, machine in zip(self.gathered, detector.machines, strict=True):
            rows, wanted = gathered.rows[0], gathered.wanted[0]
            keep = (wanted > 0).any(axis=1) | ((rows @ machine.weights + machine.offset) > -1.1).any(axis=1)
            moves = np.concatenate(gathered.moves)[keep]
            gathered.rows, gathered.wanted, gathered.moves = [rows[keep]], [wanted[keep]], [moves]

    def counts(self) -> tuple[int, int]:
        """How many windows with and without an object there are."""
        held = [(wanted > 0).any(axis=1) for one in self.gathered for wanted in one.wanted]
        return int(sum(one.sum() for one in held)), int(sum((~one).sum() for one in held))

    def _regression(self, rows: Array, moves: Array) -> tuple[Array, Array]:
        known = np.isfinite(moves).all(axis=1)
        if known.sum() < 50:  # too few to tell
            return np.zeros((rows.shape[1], 4), np.float32), np.zeros(4, np.float32)
        return fit_ridge(rows[known], moves[known], _RIDGE)

    def _wanted(self, boxes: Array, objects: Array) -> Array:
        """(M, K) int8 what each window is to each class, by the objects (n, 6) that it overlaps."""
        wanted = np.full((len(boxes), self.classes), -1, np.int8)
        for thing in objects:
            label = int(thing[4])
            overlap = paired_overlap(boxes, np.broadcast_to(thing[:4], (len(boxes), 4)))
            unclear = (overlap >= _BAD) & (wanted[:, label] < 0)
            wanted[unclear, label] = 0
            if not thing[5]:
                wanted[overlap >= _GOOD, label] = 1
        return wanted

    def _drawn(self, shape: int, size: tuple[int, ...]) -> Array:
        """(M, 3) level, top, left of windows drawn at random, of each size as many."""
        rows, columns = self.windows.shapes[shape]
        limits = np.asarray([grid_shape(size, cell) for cell in self.windows.sizes]) - (rows, columns)
        fitting = np.flatnonzero((limits >= 0).all(axis=1))
        if not len(fitting):
            return np.zeros((0, 3), np.int64)
        level = self.random.choice(fitting, max(1, _RANDOM // len(self.windows.shapes)))
        top, left = (np.floor(self.random.random(len(level)) * (limits[level, axis] + 1)) for axis in (0, 1))
        return np.column_stack([level, top, left]).astype(np.int64)

    def _placed(self, shape: int, places: Array) -> Array:
        sizes = np.asarray(self.windows.sizes)[places[:, 0]]
        return self.windows.boxes(shape, sizes, places[:, 1], places[:, 2])

    def _rows(self, grids: Sequence[Array], shape: int, places: Array) -> Array:
        """(M, P) the features of windows (M, 3)."""
        size = self.windows.shapes[shape]
        rows = np.zeros((len(places), features_of_window(size, self.channels)), np.float32)
        for level in np.unique(places[:, 0]):
            own = places[:, 0] == level
            rows[own] = window_rows(grids[level], size, places[own, 1], places[own, 2])
        return rows
