"""Marked cells that look wrong, and what goes wrong with found ones: both planted in made-up pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from assay.evaluation.cell_doubts import MISSING, MOVED, NOTHING, OTHER, cell_doubts
from assay.evaluation.cell_errors import JOINED, MISSED, PLACED, TWICE, cell_errors
from assay.evaluation.cell_errors import NOTHING as FALSE
from assay.evaluation.cell_errors import OTHER as TAKEN
from assay.evaluation.cells import Cells, spans_of
from assay.samples.cell_spec import CellSpec

Array = np.ndarray[Any, Any]
SIDE, CLASSES = 240, ("round", "long")
SPEC = CellSpec(256, 32, (200.0,) * 3, (40.0,) * 3, CLASSES, False, 6.0, 6.0, 1e-3, 40, True)


def cells(places: Array, label: Array, sure: Array | None = None, shares: Array | None = None) -> Cells:
    count = len(places)
    x, y = np.asarray(places, np.float32).reshape(-1, 2).T
    probability = np.ones(count, np.float32) if sure is None else sure.astype(np.float32)
    each = np.zeros((count, 0), np.float32) if shares is None else shares.astype(np.float32)
    nothing = (np.zeros((0, 3), np.int32),) * count
    return Cells(x, y, np.asarray(label, np.int64), probability, each, nothing, False, SIDE, SIDE)


def true_cells(number: int) -> Cells:
    """Sixteen cells, one in each square of 60 pixels."""
    random = np.random.default_rng(number)
    corners = np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2) * 60
    return cells(corners + random.integers(12, 48, (16, 2)), random.integers(0, 2, 16))


def answered(true: Cells, seed: int) -> Cells:
    """What a network says: nearly all cells, surely; weak strays."""
    random = np.random.default_rng([seed, 3])
    seen = true.only(random.random(len(true)) > 0.03)
    stray = random.uniform(0, SIDE, (4, 2))
    places = np.concatenate([seen.places + random.normal(0, 1, (len(seen), 2)), stray])
    sure = np.r_[random.beta(9, 2, len(seen)), random.uniform(0.05, 0.3, 4)]
    label = np.r_[seen.label, random.integers(0, 2, 4)]
    right = random.uniform(0.96, 0.995, len(label))
    return cells(places, label, sure, np.where(np.arange(2) == label[:, None], right[:, None], 1 - right[:, None]))


def planted(true: list[Cells]) -> tuple[list[Cells], dict[int, str]]:
    """One of four errors at the first cell of every fourth picture, and which."""
    labels, kinds = list(true), {}
    for number in range(0, len(true), 4):
        kind = (MISSING, OTHER, MOVED, NOTHING)[number // 4 % 4]
        one = true[number]
        if kind == MISSING:
            labels[number] = one.only(np.arange(1, 16))
        elif kind == OTHER:
            labels[number] = replace(one, label=np.r_[1 - one.label[0], one.label[1:]])
        elif kind == MOVED:
            labels[number] = replace(one, x=np.r_[one.x[0] + 14, one.x[1:]].astype(np.float32))
        else:
            places = np.concatenate([one.places, [free_place(one)]])
            labels[number] = cells(places, np.r_[one.label, 0])
        kinds[number] = kind
    return labels, kinds


def free_place(one: Cells) -> Array:
    """A place that is far from all cells."""
    places = np.stack(np.meshgrid(np.arange(10, 230, 5), np.arange(10, 230, 5)), axis=-1).reshape(-1, 2)
    apart = np.hypot(*(places[:, None] - one.places[None]).transpose(2, 0, 1)).min(axis=1)
    return np.asarray(places[apart.argmax()])


def test_planted_errors_are_named_and_little_else() -> None:
    true = [true_cells(number) for number in range(160)]
    labels, kinds = planted(true)
    doubts = cell_doubts([answered(one, number) for number, one in enumerate(true)], labels, SPEC)
    assert doubts.labels == sum(map(len, labels)) and doubts.agreed > 0.9
    named = {(one.row, one.kind) for one in doubts.found}
    for kind in (MISSING, OTHER, MOVED, NOTHING):
        wanted = {(row, which) for row, which in kinds.items() if which == kind}
        told = {one for one in named if one[1] == kind}
        assert len(wanted & told) >= 0.8 * len(wanted), kind
        # Cells that it misses altogether look like marks where nothing is.
        assert kind == NOTHING or len(told - wanted) <= 0.1 * len(wanted), kind
    for one in doubts.found:
        mark, find = one.place
        assert (mark is None) == (one.kind == MISSING) and (find is None) == (one.kind in (OTHER, NOTHING))


def test_a_weak_network_is_not_believed() -> None:
    """Where it contradicts many marks however sure it is, few of what it says is taken for a missing mark."""
    true = [true_cells(number) for number in range(40)]
    half = [one.only(np.arange(16) % 2 == 0) for one in true]
    doubts = cell_doubts([answered(one, number) for number, one in enumerate(true)], half, SPEC)
    assert sum(one.kind == MISSING for one in doubts.found) < 0.2 * 320
    assert cell_doubts([Cells.none(2)] * 3, true[:3], SPEC).found == ()
    assert cell_doubts([], [], SPEC).labels == 0


def test_errors_of_points() -> None:
    true = cells(np.asarray([[20, 20], [60, 20], [100, 20], [140, 20]]), np.asarray([0, 0, 1, 0]))
    found = cells(np.asarray([[20, 21], [22, 24], [69, 20], [100, 20], [200, 200]]), np.asarray([0, 0, 0, 0, 1]))
    told = cell_errors([found], [true], SPEC)
    assert told.counts == {MISSED: 1, FALSE: 1, PLACED: 1, JOINED: 0, TWICE: 1, TAKEN: 1}
    assert told.gains[MISSED] > 0 and abs(told.gains[PLACED] - 2 / 9) < 1e-9  # one pair more among nine


def outlined(*boxes: tuple[int, int, int, int]) -> Cells:
    """Rectangles x0, y0, x1, y1 as cells."""
    labels = np.zeros((SIDE, SIDE), np.int32)
    for number, (x0, y0, x1, y1) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = number
    spans = spans_of(labels)[1]
    middles = np.asarray([[(x0 + x1) / 2, (y0 + y1) / 2] for x0, y0, x1, y1 in boxes])
    return replace(cells(middles, np.zeros(len(boxes), int)), outlines=spans, outlined=True)


def test_errors_of_outlines() -> None:
    spec = replace(SPEC, outlined=True, classes=("cell",))
    true = outlined((10, 10, 20, 20), (40, 10, 50, 20), (52, 10, 62, 20), (100, 10, 120, 30), (200, 10, 210, 20))
    found = outlined((10, 10, 20, 20), (40, 10, 62, 20), (100, 10, 110, 22), (150, 150, 160, 160))
    told = cell_errors([found], [true], spec)
    assert told.counts == {MISSED: 1, FALSE: 1, PLACED: 1, JOINED: 1, TWICE: 0, TAKEN: 0}
    assert told.gains[JOINED] > told.gains[FALSE] > 0
