"""What goes wrong with cells, by kind, as `assay.evaluation.box_errors` has it for boxes.

A find that has no partner is an error of one kind, the first that holds:

* joined: its outline covers most of several true cells;
* badly placed: a true cell that nothing else found is near, or overlaps it, but too little;
* twice: the true cell at which it lies has been found already;
* nothing there: no true cell is near.

A true cell is missed where no find is its partner and none is badly placed or joined at it. A pair may be of another
class.

Shapes: F found and N true cells of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cell_matching import judged, matched, matched_cells, matched_outlines, overlaps
from assay.evaluation.cells import Cells
from assay.evaluation.metrics import Values

if TYPE_CHECKING:
    from assay.samples.cell_spec import CellSpec

Array = np.ndarray[Any, Any]
JOINED, PLACED, TWICE, NOTHING, MISSED, OTHER = (
    "joined", "badly placed", "twice", "nothing there", "missed", "another class",
)  # fmt: skip
#: A find covers most of a cell; it overlaps a cell a little; in radii, how far it is still near one.
_MOST, _LITTLE, _NEAR = 0.5, 0.1, 2.0


@dataclass(frozen=True)
class CellErrors:
    """The errors in some pictures.

    Attributes:
        counts: of each kind, in finds; of those that are missed in true cells.
        gains: by how much F1 would rise, were all errors of a kind mended and no other; none for classes.
    """

    counts: dict[str, int]
    gains: dict[str, float]


def cell_errors(outputs: Values, truths: Values, spec: CellSpec) -> CellErrors:
    """The errors of all pictures."""
    counts = dict.fromkeys((MISSED, NOTHING, PLACED, JOINED, TWICE, OTHER), 0)
    pairs = found = true = covered = 0
    for told, meant in judged(outputs, truths):
        one, hits, held = _of_picture(told, meant, spec)
        for name, count in one.items():
            counts[name] += count
        pairs, found, true, covered = pairs + hits, found + len(told), true + len(meant), covered + held
    return CellErrors(counts, _gains(counts, pairs, found, true, covered))


def _gains(counts: dict[str, int], pairs: int, found: int, true: int, covered: int) -> dict[str, float]:
    """See `CellErrors.gains`; `covered` true cells lie in finds that join several."""

    def f1(more: int, finds: int) -> float:
        return 2 * (pairs + more) / max(1, finds + true)

    mended = {
        MISSED: f1(counts[MISSED], found + counts[MISSED]),
        NOTHING: f1(0, found - counts[NOTHING]),
        PLACED: f1(counts[PLACED], found),
        JOINED: f1(covered, found - counts[JOINED] + covered),
        TWICE: f1(0, found - counts[TWICE]),
    }
    return {name: value - f1(0, found) for name, value in mended.items()}


def _of_picture(told: Cells, meant: Cells, spec: CellSpec) -> tuple[dict[str, int], int, int]:
    """How often each kind occurs, how many pairs there are, and how many true cells lie in finds that join several."""
    pairs = matched_outlines(told, meant) if spec.outlined else matched_cells(told, meant, spec.radius)
    finds = np.delete(np.arange(len(told)), pairs[:, 0])
    lone = np.delete(np.arange(len(meant)), pairs[:, 1])
    joined, placed, twice = (_by_outline if spec.outlined else _by_place)(told, meant, finds, lone, spec)
    held = np.unique(np.concatenate([np.zeros(0, np.int64), *joined.values()]))
    kinds = told.label[pairs[:, 0]] != meant.label[pairs[:, 1]]
    counts = {
        JOINED: len(joined), PLACED: len(placed), TWICE: twice,
        NOTHING: len(finds) - len(joined) - len(placed) - twice,
        MISSED: len(np.setdiff1d(lone, [*held.tolist(), *placed.values()])),
        OTHER: int((kinds & (meant.label[pairs[:, 1]] >= 0)).sum()) if spec.kinds else 0,
    }  # fmt: skip
    return counts, len(pairs), len(held)


def _by_place(
    told: Cells, meant: Cells, finds: Array, lone: Array, spec: CellSpec
) -> tuple[dict[int, Array], dict[int, int], int]:
    """Finds that join several cells (never), those badly placed with their cells, and how many find a cell again."""
    from scipy.spatial import cKDTree

    near = matched(told.places[finds], meant.places[lone], _NEAR * spec.radius)
    placed = {int(finds[find]): int(lone[cell]) for find, cell in near}
    rest = np.delete(finds, near[:, 0])
    if not len(meant) or not len(rest):
        return {}, placed, 0
    return {}, placed, int((cKDTree(meant.places).query(told.places[rest])[0] <= spec.radius).sum())


def _by_outline(
    told: Cells, meant: Cells, finds: Array, lone: Array, spec: CellSpec
) -> tuple[dict[int, Array], dict[int, int], int]:
    """The same by what outlines share."""
    pairs, shared, own, other = overlaps(told, meant)
    starts = np.searchsorted(pairs[:, 0], np.arange(len(told) + 1))
    inside = shared / np.maximum(other[pairs[:, 1]], 1) > _MOST
    share = shared / np.maximum(own[pairs[:, 0]] + other[pairs[:, 1]] - shared, 1)
    rows = {int(find): slice(starts[find], starts[find + 1]) for find in finds}
    joined = {find: np.intersect1d(pairs[row, 1][inside[row]], lone)
              for find, row in rows.items() if inside[row].sum() > 1}  # fmt: skip
    placed: dict[int, int] = {}
    held = {int(cell) for cells in joined.values() for cell in cells}
    free = {int(cell) for cell in lone} - held
    left = [find for find in rows if find not in joined]
    for find in sorted(left, key=lambda find: -share[rows[find]].max(initial=0.0)):
        partners = zip(share[rows[find]].tolist(), pairs[rows[find], 1].tolist(), strict=True)
        best = max((one for one in partners if one[1] in free and one[0] >= _LITTLE), default=None)
        if best is not None:
            placed[find] = best[1]
            free.remove(best[1])
    again = [find for find in left if find not in placed and shared[rows[find]].sum() > _LITTLE * own[find]]
    return joined, placed, len(again)
