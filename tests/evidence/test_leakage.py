"""Copies and groups across the sides are told, with the metric without them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from evidence_examples import NOTHING, Application, classes, context

from assay.evaluation.metrics import Accuracy
from assay.evidence.context import Context
from assay.evidence.evidence import FINDINGS
from assay.evidence.leakage import find
from assay.samples.lookalikes import Lookalikes
from assay.samples.split import TEST, TRAIN, VALIDATION

_TEST, _TRAIN, _VALIDATION = 200, 300, 50


class Photos(Application):
    """An application that knows which of its units are copies, and may run out of time."""

    def __init__(self, pairs: Any = (), enough_for: int | None = None, ordinary: Any = None) -> None:
        super().__init__(Accuracy())
        self.pairs, self.enough_for, self.ordinary = pairs, enough_for, ordinary
        self.budget_s = 0.0

    def lookalikes(self, samples: Any, asked: np.ndarray, budget_s: float) -> Lookalikes | None:
        self.budget_s = budget_s
        if self.pairs is None:
            return None
        pairs = np.asarray(self.pairs, np.int64).reshape(-1, 2)
        return Lookalikes(pairs, np.sort(asked)[: self.enough_for], self.ordinary)


def trained(task: Photos, digests: dict[int, str] | None = None, groups: Any = None, **more: Any) -> Context:
    """200 test units, of which 180 are answered rightly, 300 training and 50 validation units, numbered in that order.

    The 20 wrong answers are those of the units 180 to 199.
    """
    count = _TEST + _TRAIN + _VALIDATION
    columns: dict[str, Any] = {"id": [f"{number}.png" for number in range(count)]}
    if digests is not None:
        columns["digest"] = [digests.get(number, f"digest {number}") for number in range(count)]
    if groups is not None:
        columns["group"] = groups
    side = np.repeat(np.asarray([TEST, TRAIN, VALIDATION], np.int8), [_TEST, _TRAIN, _VALIDATION])
    samples = SimpleNamespace(index=pa.table(columns), side=side, id=lambda unit: columns["id"][unit])
    sure = classes(_TEST, 0.9)
    made = context(NOTHING, NOTHING, sure, samples=samples, **more)
    return Context(**{**vars(made), "task": task})


def test_a_clean_test_side_is_good() -> None:
    found = find(trained(Photos(), {}))
    assert found.status == "good" and found.verdict.startswith("None of 200 test samples has a copy")
    assert found.numbers["share of the test side"].value == 0 and not found.figures and not found.next
    assert "All 200 test samples were compared with all 350" in found.certainty


def test_copies_are_counted_by_kind_and_the_metric_is_told_without_them() -> None:
    digests = {number: f"same {number % 10}" for number in (*range(10), *range(200, 210))}
    near = [(number, number + 300) for number in range(20, 40)] + [(100, 101), (5, 300), (220, 221)]
    found = find(trained(Photos(near), digests))
    values = {name: number.value for name, number in found.numbers.items()}
    assert values["exact copies"] == 10 and values["near copies"] == 20 and values["of a shared group"] == 0
    assert values["share of the test side"] == pytest.approx(30 / 200)
    assert values["accuracy on all"] == 0.9 and values["accuracy on copies"] == 1.0
    assert values["accuracy without copies"] == pytest.approx(150 / 170)
    assert found.numbers["accuracy without copies"].low < 150 / 170 < found.numbers["accuracy without copies"].high
    assert found.status == "act" and found.next
    assert "30 of 200" in found.verdict and "an exact copy or a near copy" in found.verdict
    gallery, table = found.figures
    assert gallery.data["items"][0]["title"] == "20" and "training: 320.png" in gallery.data["items"][0]["lines"]
    rows = table.data["rows"]
    assert len(rows) == 30 and rows[0] == ["20.png", "320.png", "training", "nearly the same"]
    assert ["9.png", "209.png", "training", "an exact copy"] in rows


def test_equal_content_that_is_ordinary_is_no_copy() -> None:
    digests = {number: "same" for number in (3, 4, 240)}
    found = find(trained(Photos(ordinary=np.asarray([4])), digests))
    assert found.numbers["exact copies"].value == 1 and found.figures[1].data["rows"][0][0] == "3.png"


def test_a_copy_on_the_validation_side_counts_too() -> None:
    found = find(trained(Photos([(3, 510)])))
    assert found.numbers["near copies"].value == 1 and found.status == "watch"
    assert found.figures[1].data["rows"] == [["3.png", "510.png", "validation", "nearly the same"]]


def test_a_group_on_two_sides_is_to_be_mended() -> None:
    groups: list[str | None] = [f"person {number % 50}" for number in range(_TEST)] + [None] * (_TRAIN + _VALIDATION)
    assert find(trained(Photos(), {}, groups)).status == "good"
    groups[400] = "person 7"
    found = find(trained(Photos(), {}, groups))
    assert found.numbers["of a shared group"].value == 4 and found.status == "act" and "--group" in found.next


def test_it_says_how_many_it_looked_at() -> None:
    task = Photos([(0, 300), (150, 301)], enough_for=100)
    found = find(trained(task, fit_seconds=500.0))
    assert task.budget_s == pytest.approx(20.0)
    assert "1 of 100 test samples" in found.verdict and "100 of 200 test samples were compared" in found.certainty
    low, high = found.numbers["share of the test side"].low, found.numbers["share of the test side"].high
    assert low is not None and high is not None and low < 0.01 < high
    find(trained(task, fit_seconds=500.0, thorough=False))
    assert task.budget_s == pytest.approx(5.0)
    find(trained(task, fit_seconds=1.0))
    assert task.budget_s == 1.0


def test_what_cannot_be_told_is_unknown() -> None:
    assert find(trained(Photos(None))).status == "unknown"
    exact = find(trained(Photos(None), {3: "same", 240: "same"}))
    assert exact.numbers["exact copies"].value == 1 and "equal content alone" in exact.certainty
    without_test = trained(Photos())
    assert find(Context(**{**vars(without_test), "test": NOTHING})).status == "unknown"


def test_where_all_are_copies_the_value_says_nothing() -> None:
    found = find(trained(Photos([(number, number + 200) for number in range(_TEST)])))
    assert "says nothing about new samples" in found.verdict and found.status == "act"
    assert found.numbers["accuracy without copies"].value is None


def test_it_is_one_of_the_findings() -> None:
    names = list(FINDINGS)
    assert names.index("leakage") > names.index("overfitting")
