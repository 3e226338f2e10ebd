"""Pictures of cells with boxes around them, in any layout of boxes: each becomes a centre with an extent."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.sources._cell_records import Marked, cells_array, known_label
from assay.sources.boxes import read_boxes, recognise_boxes
from assay.sources.records import Records, records_from_table
from assay.sources.source import DataOptions, Recognition, Source

Array = np.ndarray[Any, Any]
#: Boxes are first of all for the detection of objects.
_SHARE = 0.7


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like pictures with boxes; less well than it fits the detection of objects."""
    found = recognise_boxes(source)
    return None if found is None else Recognition(_SHARE * found.score, found.why)


def read(source: Source, options: DataOptions) -> Records:
    """The pictures with a cell in the middle of each box, as large as the box; see `boxes.read_boxes`."""
    found = read_boxes(source, options)
    table = pa.Table.from_batches(list(found.batches()))
    target = table["target"].combine_chunks()
    target = target if isinstance(target, pa.ListArray) else pa.concat_arrays(target.chunks)
    counts = pc.fill_null(pc.list_value_length(target), 0).to_numpy()
    flat = target.flatten()
    left, top, right, bottom = (
        np.asarray(pc.struct_field(flat, name), np.float64) for name in ("x0", "y0", "x1", "y1")
    )
    labels = [known_label(label) for label in pc.struct_field(flat, "label").to_pylist()]
    x, y = (left + right - 1) / 2, (top + bottom - 1) / 2
    radius = np.sqrt(np.maximum((right - left) * (bottom - top), 0)) / 2
    ends = np.cumsum([0, *counts.tolist()])
    cells = [
        Marked(x[a:b], y[a:b], labels[a:b], radius[a:b]) for a, b in itertools.pairwise(ends)
    ]  # fmt: skip
    place = table.column_names.index("target")
    known = Counter(label for label in labels if label is not None)
    facts = {**found.facts, "cells": len(labels), "marked_by": "points", "classes": len(known)}
    return replace(
        records_from_table(table.set_column(place, "target", cells_array(cells)), f"{found.fingerprint}-cells",
                           rows_per_batch=64, problems=found.problems, load=found.load, facts=facts),
        sides_cut=found.sides_cut,
    )  # fmt: skip
