"""What becomes of cells: which class is taken for which, what goes wrong, and which sizes are missed.

Shapes: U pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.evaluation.cell_errors import JOINED, MISSED, NOTHING, OTHER, PLACED, TWICE, cell_errors
from assay.evaluation.cell_matching import judged, matched_cells, matched_outlines
from assay.evaluation.cell_metrics import CellF1, OneClassF1
from assay.evaluation.evaluation import Evaluation
from assay.evaluation.metrics import Values
from assay.evidence._by_diameter import found_by_diameter
from assay.evidence.finding import Figure
from assay.samples.cell_spec import CellSpec
from assay.task_parts import Confusion

Array = np.ndarray[Any, Any]
_NOTHING, _UNKNOWN = "none there", "class not known"
_WORDS = {
    MISSED: "cells at which nothing is found",
    NOTHING: "finds at which no cell is",
    PLACED: "a find near a cell, or outlined otherwise, that is no match",
    JOINED: "several cells found as one",
    TWICE: "finds of a cell that is found already",
    OTHER: "found, but of another class",
}
_LOST = {MISSED: "missed", NOTHING: "found where none is", PLACED: "placed or outlined badly",
         JOINED: "found as one", TWICE: "found twice"}  # fmt: skip


def cell_figures(evaluation: Evaluation, spec: CellSpec) -> Sequence[Figure]:
    """A matrix of classes with misses and false finds; F1 by class; counts; misses by size where outlines are known."""
    if not len(evaluation):
        return ()
    figures = [_matrix(evaluation, spec), _errors(evaluation, spec)]
    if spec.kinds:
        figures.append(_by_class(evaluation, spec))
    if spec.outlined:
        figures.extend(_by_size(evaluation))
    return (*figures, _counts(evaluation))


def _pairs(found: Any, true: Any, spec: CellSpec) -> Array:
    return matched_outlines(found, true) if spec.outlined else matched_cells(found, true, spec.radius)


def _matrix(evaluation: Evaluation, spec: CellSpec) -> Figure:
    """How often each class was predicted as which; a row for finds where nothing is, a column for missed cells."""
    classes = list(spec.classes) if spec.kinds else ["cell"]
    count = len(classes)
    table = np.zeros((count + 2, count + 1), int)  # rows: classes, not known, nothing there; columns: classes, missed
    for found, true in judged(evaluation.outputs, evaluation.truths):
        pairs = _pairs(found, true, spec)
        meant = np.where(true.label < 0, count, true.label) if spec.kinds else np.zeros(len(true), int)
        predicted = found.label if spec.kinds else np.zeros(len(found), int)
        np.add.at(table, (meant[pairs[:, 1]], predicted[pairs[:, 0]]), 1)
        missed = np.setdiff1d(np.arange(len(true)), pairs[:, 1])
        np.add.at(table, (meant[missed], np.full(len(missed), count)), 1)
        wrong = np.setdiff1d(np.arange(len(found)), pairs[:, 0])
        np.add.at(table, (np.full(len(wrong), count + 1), predicted[wrong]), 1)
    rows = [*classes, _UNKNOWN, _NOTHING]
    kept = [place for place in range(count + 2) if place != count or table[count].any()]
    data = {"rows": [rows[place] for place in kept], "columns": [*classes, "missed"], "counts": table[kept].tolist()}
    how = "where outlines share at least half" if spec.outlined else f"within {spec.radius:g} pixels"
    caption = f"Rows are true classes, columns predicted ones; a cell counts as found {how}."
    return Figure("matrix", "What is taken for what", data, caption)


def _by_class(evaluation: Evaluation, spec: CellSpec) -> Figure:
    whole = CellF1(spec.radius, spec.kinds)
    rows = []
    for number, label in enumerate(spec.classes):
        measured = evaluation.measure(OneClassF1(whole, number, label))
        there = sum(int((true.label == number).sum()) for true in evaluation.truths)
        rows.append({"label": f"{label} ({there:,})", **vars(measured)})
    data = {"rows": rows, "x": "F1 of finding a cell and telling its class"}
    return Figure("intervals", "How good by class", data, "95 % intervals over images; in brackets how many there are.")


def _errors(evaluation: Evaluation, spec: CellSpec) -> Figure:
    """How often each kind of error occurs, and what F1 would gain without it."""
    found = cell_errors(evaluation.outputs, evaluation.truths, spec)
    kinds = [name for name in _WORDS if (spec.outlined or name != JOINED) and (spec.kinds or name != OTHER)]
    order = sorted(kinds, key=lambda name: -found.gains.get(name, -1.0))
    rows = [[name, _WORDS[name], found.counts[name], f"{100 * found.gains[name]:.1f}" if name in found.gains else ""]
            for name in order]  # fmt: skip
    data = {"columns": ["error", "what that is", "how many", "points of F1"], "rows": rows}
    how = "The last column is what F1 of finding would gain, were all errors of this kind mended and no other."
    worst = max(found.gains, key=lambda name: found.gains[name])
    if found.gains[worst] <= 0:
        return Figure("table", "What goes wrong", data, f"No cell is missed or found for nothing. {how}")
    words = f"Most is lost to cells that are {_LOST[worst]}: {100 * found.gains[worst]:.1f} points of F1. {how}"
    return Figure("table", "What goes wrong", data, words)


def cell_confusions(outputs: Values, truths: Values, spec: CellSpec) -> list[Confusion]:
    """Classes of which found cells say another, the commonest first."""
    rows: dict[tuple[int, int], list[int]] = {}
    counts: dict[tuple[int, int], int] = {}
    boxes: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
    for place, (found, true) in enumerate(judged(outputs, truths)) if spec.kinds else ():
        pairs = _pairs(found, true, spec)
        labels = zip(found.label[pairs[:, 0]].tolist(), true.label[pairs[:, 1]].tolist(), strict=True)
        for (told, meant), (x, y) in zip(labels, true.places[pairs[:, 1]].tolist(), strict=True):
            if 0 <= meant != told:
                counts[meant, told] = counts.get((meant, told), 0) + 1
                if place not in rows.setdefault((meant, told), []):
                    rows[meant, told].append(place)
                    around = (x - spec.size, y - spec.size, x + spec.size, y + spec.size)
                    boxes.setdefault((meant, told), []).append(around)
    order = sorted(rows, key=lambda key: -counts[key])
    return [Confusion(spec.classes[one[0]], spec.classes[one[1]], tuple(rows[one]), tuple(boxes[one])) for one in order]


def _by_size(evaluation: Evaluation) -> tuple[Figure, ...]:
    """The share of true cells that is found, by their diameter; nothing where there are too few."""
    areas, hits = [np.zeros(0)], [np.zeros(0, bool)]
    for found, true in judged(evaluation.outputs, evaluation.truths):
        right = np.zeros(len(true), bool)
        right[matched_outlines(found, true)[:, 1]] = True
        hits.append(right)
        areas.append(np.asarray([(one[:, 2] - one[:, 1]).sum() for one in true.outlines], float))
    what = (
        "True cells by the diameter of the disk of the same area, in four groups of about equally many; one is found "
        "where outlines share at least half."
    )
    return found_by_diameter(2 * np.sqrt(np.concatenate(areas) / np.pi), np.concatenate(hits), what)


def _counts(evaluation: Evaluation) -> Figure:
    data = {
        "x": [len(true) for true in evaluation.truths],
        "y": [len(found) for found, _ in judged(evaluation.outputs, evaluation.truths)],
        "x_label": "cells in the image",
        "y_label": "cells found",
        "diagonal": True,
    }
    return Figure("scatter", "How many cells", data, "A point an image; on the diagonal the count is right.")
