"""Cells in a picture, as an output or as a truth, and what a user reads of them.

Shapes: N cells, C classes, K spans of an outline, R runs: spans of all outlines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: How the total over all classes is called where there is one number, or one map, of each class.
TOTAL = "all"


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one picture, in its pixels: the middle of the first pixel is (0, 0).

    Attributes:
        x, y: (N,) float32, the centres.
        label: (N,) int64, the number of each one's class; -1 where it is not known.
        probability: (N,) float32, how sure it is that there is a cell; 1 of a truth.
        shares: (N, C) float32, the probabilities of the classes; (N, 0) of a truth.
        outlines: N arrays (K, 3) int32, the rows that a cell covers: row, first column, one after the last column; of
            length 0 where only its centre is known.
        outlined: whether outlines are known at all.
        width, height: of the picture in pixels; 0 where nobody asks.
        ignored: of a truth: outlines, each (K, 3), of regions in which nobody could tell what is a cell.
    """

    x: Array
    y: Array
    label: Array
    probability: Array
    shares: Array
    outlines: tuple[Array, ...]
    outlined: bool = False
    width: int = 0
    height: int = 0
    ignored: tuple[Array, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def places(self) -> Array:
        """(N, 2) float64: x and y."""
        return np.stack([self.x, self.y], axis=1).astype(np.float64).reshape(-1, 2)

    def only(self, chosen: Array) -> Cells:
        """Some of the cells, by position or as (N,) bool."""
        at = np.arange(len(self))[chosen]
        outlines = tuple(self.outlines[place] for place in at)
        arrays = (self.x[at], self.y[at], self.label[at], self.probability[at], self.shares[at])
        return Cells(*arrays, outlines, self.outlined, self.width, self.height, self.ignored)

    def moved(self, right: float, down: float) -> Cells:
        """The same cells in a picture that begins so many pixels to the left of and above this one."""
        step = np.asarray([down, right, right]).astype(np.int32)
        outlines = tuple(outline + step if len(outline) else outline for outline in self.outlines)
        x, y = (self.x + right).astype(np.float32), (self.y + down).astype(np.float32)
        ignored = tuple(region + step for region in self.ignored)
        return replace(self, x=x, y=y, outlines=outlines, ignored=ignored)

    @staticmethod
    def none(classes: int = 0, outlined: bool = False) -> Cells:
        """No cells."""
        nothing = np.zeros(0, np.float32)
        shares = np.zeros((0, classes), np.float32)
        return Cells(nothing, nothing, np.zeros(0, np.int64), nothing, shares, (), outlined)

    @staticmethod
    def joined(parts: Sequence[Cells]) -> Cells:
        """All cells of several parts, at least one."""
        names = ("x", "y", "label", "probability", "shares")
        x, y, label, sure, shares = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        outlines = tuple(outline for part in parts for outline in part.outlines)
        first = parts[0]
        return Cells(
            x, y, label, sure, shares, outlines, any(part.outlined for part in parts), first.width, first.height
        )


@dataclass(frozen=True)
class Cell:
    """One cell as a user reads it.

    Attributes:
        x, y: the centre in pixels, from the left and from the top.
        kind: its class; empty where there are no classes.
        probability: how sure it is that there is a cell.
        kind_probability: how sure its class is, given that there is a cell; None where there are no classes.
        polygon: its outline, pairs of x and y; None where only centres are found.
    """

    x: float
    y: float
    kind: str
    probability: float
    kind_probability: float | None = None
    polygon: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True)
class CellCount:
    """The cells of a picture.

    Attributes:
        count: how many.
        by_class: how many of each class; empty where there are no classes.
        per_megapixel: cells on a million pixels of the picture, of all classes and of each, see `beside_total`.
        width, height: of the picture, in pixels.
        cells: each of them.
    """

    count: int
    by_class: dict[str, int]
    per_megapixel: dict[str, float]
    width: int
    height: int
    cells: tuple[Cell, ...]


def beside_total(classes: Iterable[str]) -> dict[str, str]:
    """By class what it is called beside the total: its own name, but "all (class)" where that is the total's.

    >>> beside_total(["tumour", "all"])
    {'tumour': 'tumour', 'all': 'all (class)'}
    """
    names = list(classes)
    other = f"{TOTAL} (class)"
    while other in names:
        other += " (class)"
    return {name: other if name == TOTAL else name for name in names}


def spans_of(labels: Array) -> tuple[Array, tuple[Array, ...]]:
    """The ids in a label map (H, W) of integers, 0 being nothing, ascending; and the rows that each covers.

    >>> import numpy as np
    >>> ids, spans = spans_of(np.array([[0, 5, 5], [0, 0, 5]]))
    >>> ids.tolist(), spans[0].tolist()
    ([5], [[0, 1, 3], [1, 2, 3]])
    """
    height, width = labels.shape
    framed = np.zeros((height, width + 1), labels.dtype)
    framed[:, :width] = labels
    flat = framed.ravel()
    change = np.flatnonzero(np.diff(flat, prepend=flat.dtype.type(0)))
    ends = np.r_[change[1:], flat.size]
    owner = flat[change]
    real = owner != 0
    begin, end, owner = change[real], ends[real], owner[real]
    order = np.argsort(owner, kind="stable")
    rows = begin // (width + 1)
    spans = np.stack([rows, begin % (width + 1), end - rows * (width + 1)], axis=1)[order].astype(np.int32)
    ids, first = np.unique(owner[order], return_index=True)
    return ids, tuple(np.split(spans, first[1:])) if len(ids) else ()


def centre_of(spans: Array) -> tuple[float, float, float]:
    """The centroid (x, y) of what rows (K, 3) cover, and the radius of a disk of the same area, in pixels."""
    row, first, last = spans.astype(np.float64).T
    length = last - first
    area = float(length.sum())
    x = float((length * (first + last - 1) / 2).sum() / area)
    return x, float((length * row).sum() / area), float(np.sqrt(area / np.pi))


def painted(outlines: Sequence[Array], height: int, width: int) -> Array:
    """(height, width) int32: 1, 2, … where each outline lies, the later above; what lies outside is cut off."""
    return painted_band(runs_of(outlines), 0, height, width)


def covers(area: Array, x: Array, y: Array) -> Array:
    """(N,) bool: whether the pixels nearest to places (N,) lie in an area (H, W) bool; what lies outside does not."""
    row, column = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
    inside = (row >= 0) & (column >= 0) & (row < area.shape[0]) & (column < area.shape[1])
    found = np.zeros(len(row), bool)
    found[inside] = area[row[inside], column[inside]]
    return found


def runs_of(outlines: Sequence[Array]) -> Array:
    """(R, 4) int64: row, first column, one after the last, and number from 1 of what outlines cover, row by row."""
    parts = [
        np.column_stack([spans, np.full(len(spans), number)]) for number, spans in enumerate(outlines, 1) if len(spans)
    ]
    runs = np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, 4), np.int64)
    return np.asarray(runs[np.argsort(runs[:, 0], kind="stable")])


def painted_band(runs: Array, top: int, height: int, width: int) -> Array:
    """(height, width) int32: as `painted`, of runs (R, 4) as `runs_of` gives them those from the row `top` on."""
    begin, end = np.searchsorted(runs[:, 0], [top, top + height])
    row, first, last, number = runs[begin:end].T
    first, last = first.clip(0, width), last.clip(0, width)
    length = last - first
    start = (row - top) * width + first
    place = np.repeat(start - np.cumsum(length) + length, length) + np.arange(length.sum())
    canvas = np.zeros(height * width, np.int32)
    canvas[place] = np.repeat(number, length)  # where a place stands twice, the last number stays
    return canvas.reshape(height, width)
