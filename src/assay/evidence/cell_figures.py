"""What becomes of cells: which class is taken for which, how many are missed or found for nothing, and of which size.

Shapes: U pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from assay.evaluation.cell_matching import matched_cells, matched_outlines
from assay.evaluation.cell_metrics import CellF1, OneClassF1
from assay.evaluation.evaluation import Evaluation
from assay.evidence.finding import Figure
from assay.samples.cell_spec import CellSpec

Array = np.ndarray[Any, Any]
_NOTHING, _UNKNOWN = "none there", "class not known"


def cell_figures(evaluation: Evaluation, spec: CellSpec) -> Sequence[Figure]:
    """A matrix of classes with misses and false finds; F1 by class; counts; misses by size where outlines are known."""
    if not len(evaluation):
        return ()
    figures = [_matrix(evaluation, spec)]
    if spec.kinds:
        figures.append(_by_class(evaluation, spec))
    if spec.outlined:
        figures.append(_by_size(evaluation))
    return (*figures, _counts(evaluation))


def _pairs(found: Any, true: Any, spec: CellSpec) -> Array:
    return matched_outlines(found, true) if spec.outlined else matched_cells(found, true, spec.radius)


def _matrix(evaluation: Evaluation, spec: CellSpec) -> Figure:
    """How often each class was predicted as which; a row for finds where nothing is, a column for missed cells."""
    classes = list(spec.classes) if spec.kinds else ["cell"]
    count = len(classes)
    table = np.zeros((count + 2, count + 1), int)  # rows: classes, not known, nothing there; columns: classes, missed
    for found, true in zip(evaluation.outputs, evaluation.truths, strict=True):
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


def _by_size(evaluation: Evaluation) -> Figure:
    """The share of true cells that was found, by their area."""
    areas, hits = [], []
    for found, true in zip(evaluation.outputs, evaluation.truths, strict=True):
        right = np.zeros(len(true), bool)
        right[matched_outlines(found, true)[:, 1]] = True
        hits.append(right)
        areas.append(np.asarray([(one[:, 2] - one[:, 1]).sum() for one in true.outlines], float))
    area, hit = np.concatenate(areas), np.concatenate(hits)
    cuts = np.unique(np.quantile(area, [0, 0.25, 0.5, 0.75, 1])) if len(area) else np.zeros(0)
    rows = []
    for low, high in pairwise(cuts):
        part = (area >= low) & ((area < high) | (high == cuts[-1]))
        rows.append(
            [f"{low:.0f} to {high:.0f}", int(part.sum()), f"{100 * hit[part].mean():.0f} %" if part.any() else ""]
        )
    data = {"columns": ["area in pixels", "cells", "found"], "rows": rows}
    return Figure("table", "Which sizes are found", data, "A quarter of the true cells each.")


def _counts(evaluation: Evaluation) -> Figure:
    data = {
        "x": [len(true) for true in evaluation.truths],
        "y": [len(found) for found in evaluation.outputs],
        "x_label": "cells in the image",
        "y_label": "cells found",
        "diagonal": True,
    }
    return Figure("scatter", "How many cells", data, "A point an image; on the diagonal the count is right.")
