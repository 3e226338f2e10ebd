"""Windows of cells over a picture: their shapes and sizes, learned from objects, and which of them hold an object.

Shapes: R, S rows and columns of cells; r, c of a window; n objects; M windows; D features of a cell, P of a
window; K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.baselines._hog_cells import features_of_cell, grid_shape

Array = np.ndarray[Any, Any]
#: Cells around an object's box that are looked at with it: what surrounds an edge tells whose edge it is.
MARGIN = 1
_CELLS = 36  # in a window, about, without those around it
_SMALLEST_CELL = 2.0  # pixels
_STEPS = 3  # sizes an octave
_TAILS = (0.02, 0.98)
_MOST_SIZES = 24
_MOST_SHAPES, _ALIKE = 4, 0.4
_AT_ONCE = 8  # outputs that are multiplied at a time


@dataclass(frozen=True)
class Windows:
    """All windows that are looked at.

    Attributes:
        shapes: rows and columns of cells of each shape of window.
        sizes: of a cell in pixels, ascending.
    """

    shapes: tuple[tuple[int, int], ...]
    sizes: tuple[float, ...]

    def boxes(self, shape: int, size: Array, top: Array, left: Array) -> Array:
        """(M, 4) x0, y0, x1, y1 in pixels of windows by the size (M,) of their cells and their first cell."""
        rows, columns = self.shapes[shape]
        return np.stack([left * size, top * size, (left + columns) * size, (top + rows) * size], axis=1)

    def around(self, objects: Array, shape: tuple[int, ...], most: int, least: float) -> list[tuple[Array, Array]]:
        """The windows that overlap each object best, of every shape.

        Args:
            objects: (n, 4 or more) boxes in pixels of the picture.
            shape: of the picture, (..., H, W).
            most: windows of an object.
            least: how much they overlap it at least; the best one counts from 0.4 on.

        Returns:
            For each shape of window (M, 4) int64: object, size, top, left; and (M,) the overlaps.
        """
        found = [self._near(objects, number, shape) for number in range(len(self.shapes))]
        places = np.concatenate([np.column_stack([place, np.full(len(place), number)])
                                 for number, (place, _) in enumerate(found)])  # fmt: skip
        overlap = np.concatenate([values for _, values in found])
        order = np.lexsort((-overlap, places[:, 0]))
        places, overlap = places[order], overlap[order]
        first = np.r_[True, places[1:, 0] != places[:-1, 0]] if len(places) else np.zeros(0, bool)
        starts = np.flatnonzero(first)
        rank = np.arange(len(places)) - np.repeat(starts, np.diff(np.r_[starts, len(places)]))
        keep = (rank < most) & (overlap >= np.where(rank == 0, 0.4, least))
        return [
            (places[keep & (places[:, 4] == number), :4], overlap[keep & (places[:, 4] == number)])
            for number in range(len(self.shapes))
        ]

    def _near(self, objects: Array, number: int, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Of each object and each size the windows about its centre that lie in the picture, and their overlaps."""
        rows, columns = self.shapes[number]
        sizes = np.asarray(self.sizes)
        limits = np.asarray([grid_shape(shape, size) for size in self.sizes])
        middle_x, middle_y = (objects[:, 0] + objects[:, 2]) / 2, (objects[:, 1] + objects[:, 3]) / 2
        steps = np.asarray([-1, 0, 1])
        left = np.rint(middle_x[:, None] / sizes - columns / 2).astype(np.int64)[:, :, None, None] + steps[:, None]
        top = np.rint(middle_y[:, None] / sizes - rows / 2).astype(np.int64)[:, :, None, None] + steps
        left, top = np.broadcast_arrays(
            left.clip(0, (limits[:, 1] - columns).clip(0)[:, None, None]),
            top.clip(0, (limits[:, 0] - rows).clip(0)[:, None, None]),
        )
        which, level = np.broadcast_arrays(np.arange(len(objects))[:, None, None, None],
                                           np.arange(len(sizes))[:, None, None])  # fmt: skip
        which, level = np.broadcast_to(which, left.shape), np.broadcast_to(level, left.shape)
        fits = (limits[:, 0] >= rows) & (limits[:, 1] >= columns)
        place = np.column_stack([part.ravel() for part in (which, level, top, left)])
        place = np.unique(place[fits[place[:, 1]]], axis=0)
        boxes = self.boxes(number, sizes[place[:, 1]], place[:, 2], place[:, 3])
        return place, paired_overlap(boxes, objects[place[:, 0], :4])


def fit_windows(objects: Array) -> Windows:
    """Shapes and sizes of windows for objects (n, 6) in pixels, x0, y0, x1, y1, class, difficult.

    The shapes are those of the commonest proportions in each class, the sizes those of each class without its few
    smallest and largest.
    """
    wide = (objects[:, 2] - objects[:, 0]).clip(1.0)
    high = (objects[:, 3] - objects[:, 1]).clip(1.0)
    shapes = dict.fromkeys(map(_shape, _proportions(np.log2(wide / high), objects[:, 4])))
    cells = np.sqrt(wide * high / _CELLS)
    ends = np.asarray([np.quantile(cells[objects[:, 4] == label], _TAILS) for label in np.unique(objects[:, 4])])
    low, top = max(_SMALLEST_CELL, float(ends[:, 0].min())), max(_SMALLEST_CELL, float(ends[:, 1].max()))
    steps = min(_MOST_SIZES, int(np.ceil(np.log2(top / low) * _STEPS - 1e-6)) + 1)
    return Windows(tuple(shapes), tuple(low * 2 ** (step / _STEPS) for step in range(steps)))


def _proportions(ratios: Array, labels: Array) -> list[float]:
    """The logarithms of width over height that windows shall have, the commonest first.

    Those of a class (n,) are cut into up to three equal groups where they differ much; groups of several classes that
    are much alike share a shape.
    """
    found: list[tuple[float, float]] = []
    for label in np.unique(labels):
        own = ratios[labels == label]
        spread = float(np.quantile(own, 0.9) - np.quantile(own, 0.1))
        count = 1 if spread < 0.5 else 2 if spread < 0.9 else 3
        found += [(len(own) / count, float(np.quantile(own, (part + 0.5) / count))) for part in range(count)]
    kept: list[float] = []
    for _, ratio in sorted(found, reverse=True):
        if all(abs(ratio - other) >= _ALIKE for other in kept) and len(kept) < _MOST_SHAPES:
            kept.append(ratio)
    return kept


def _shape(ratio: float) -> tuple[int, int]:
    """Rows and columns of a window whose width over height is 2 to the `ratio`."""
    side = np.sqrt(_CELLS)
    stretch = 2.0 ** (min(3.0, max(-3.0, ratio)) / 2)
    return max(2, round(side / stretch)), max(2, round(side * stretch))


def window_rows(grid: Array, shape: tuple[int, int], top: Array, left: Array) -> Array:
    """The features (M, P) of some windows of a grid (R, S, D), each with `MARGIN` cells around it."""
    whole = (shape[0] + 2 * MARGIN, shape[1] + 2 * MARGIN)
    views = np.lib.stride_tricks.sliding_window_view(_padded(grid), whole, axis=(0, 1))  # (R', S', D, r, c)
    return np.ascontiguousarray(views[top, left].transpose(0, 2, 3, 1)).reshape(len(top), -1)


def window_scores(grid: Array, shape: tuple[int, int], weights: Array) -> Array | None:
    """The products (R', S', K) of all windows of a grid (R, S, D) with weights (P, K); None where none fits.

    Each cell is multiplied once with all parts of the weights, which are then added where they meet.
    """
    (rows, columns), (high, wide) = shape, grid.shape[:2]
    if high < rows or wide < columns:
        return None
    outputs, count = weights.shape[1], (rows + 2 * MARGIN) * (columns + 2 * MARGIN)
    scores = np.zeros((high - rows + 1, wide - columns + 1, outputs), np.float32)
    padded = _padded(grid)
    flat = padded.reshape(-1, grid.shape[2])
    for start in range(0, outputs, _AT_ONCE):
        some = weights[:, start : start + _AT_ONCE].reshape(count, grid.shape[2], -1)
        products = flat @ some.transpose(1, 0, 2).reshape(grid.shape[2], -1)
        products = products.reshape(*padded.shape[:2], count, -1)
        for place in range(count):
            down, right = divmod(place, columns + 2 * MARGIN)
            part = products[down : down + scores.shape[0], right : right + scores.shape[1], place]
            scores[..., start : start + _AT_ONCE] += part
    return scores


def features_of_window(shape: tuple[int, int], channels: int) -> int:
    """P, for a shape of window and pictures of so many channels."""
    return (shape[0] + 2 * MARGIN) * (shape[1] + 2 * MARGIN) * features_of_cell(channels)


def _padded(grid: Array) -> Array:
    """A grid with its outermost cells repeated around it."""
    return np.pad(grid, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")


def paired_overlap(first: Array, second: Array) -> Array:
    """(M,) intersection over union of boxes (M, 4), pair by pair."""
    wide = (np.minimum(first[:, 2], second[:, 2]) - np.maximum(first[:, 0], second[:, 0])).clip(0)
    high = (np.minimum(first[:, 3], second[:, 3]) - np.maximum(first[:, 1], second[:, 1])).clip(0)
    area = [(box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (first, second)]
    return np.asarray(wide * high / (area[0] + area[1] - wide * high).clip(1e-9))


def offsets(windows: Array, objects: Array) -> Array:
    """(M, 4) how an object's box differs from a window's: shifts in sides of the window, logarithms of sizes."""
    side = np.stack([windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]], axis=1)
    wanted = np.stack([objects[:, 2] - objects[:, 0], objects[:, 3] - objects[:, 1]], axis=1).clip(1.0)
    shift = ((objects[:, :2] + objects[:, 2:4]) - (windows[:, :2] + windows[:, 2:4])) / (2 * side)
    return np.concatenate([shift, np.log(wanted / side)], axis=1)


def moved(windows: Array, by: Array) -> Array:
    """The inverse of `offsets`: windows (M, 4) moved and stretched, by no more than half a side."""
    side = np.stack([windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]], axis=1)
    by = by.clip(-0.5, 0.5)
    middle = (windows[:, :2] + windows[:, 2:4]) / 2 + by[:, :2] * side
    half = side * np.exp(by[:, 2:]) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def suppressed(boxes: Array, scores: Array, most: float, count: int) -> Array:
    """The places of the boxes (M, 4) that overlap no better one by more than `most`, at most `count`, best first."""
    order: Array = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order) and len(kept) < count:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        repeated = np.broadcast_to(boxes[best], (len(rest), 4))
        order = rest[paired_overlap(repeated, boxes[rest]) <= most]
    return np.asarray(kept, np.int64)
