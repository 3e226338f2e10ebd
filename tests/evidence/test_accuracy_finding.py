"""How good it is on unseen data, and when that is not good at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evidence_examples import NOTHING, always_first, classes, context, evaluation

from assay.evaluation.metrics import R2
from assay.evidence.accuracy import find
from assay.task import Confusion


@pytest.mark.parametrize(
    ("count", "right", "status", "step"),
    [(200, 0.9, "good", ""), (200, 0.5, "act", "no better than guessing"), (20, 0.9, "unknown", "Only 20 independent")],
)
def test_what_is_to_be_done(count: int, right: float, status: str, step: str) -> None:
    side = replace(classes(count, right), losses=np.ones(count))
    found = find(context(side, side, side, always_first(count)))
    assert found.status == status and step in found.next
    assert found.verdict.startswith(f"On {count} test samples its accuracy is {100 * right:.1f} % [")
    assert len(found.figures[-1].data["items"]) == 12


@pytest.mark.parametrize(("loss", "title", "shown"), [(0.0, "Some answers", 4), (np.nan, "Worst answers", 12)])
def test_answers_that_are_all_perfect_are_not_called_the_worst(loss: float, title: str, shown: int) -> None:
    side = replace(classes(60, 1.0), losses=np.full(60, loss))
    gallery = find(context(side, side, side, always_first(60))).figures[-1]
    assert gallery.title == title and len(gallery.data["items"]) == shown


def test_a_metric_that_is_not_defined_is_neither_good_nor_guessing() -> None:
    constant = evaluation(np.ones(100), np.ones(100))
    found = find(context(constant, constant, constant, constant, metric=R2()))
    assert found.status == "unknown" and "guessing" not in found.next
    assert found.numbers["r2"].value is None


def test_without_a_test_side_nobody_knows() -> None:
    side = classes(50, 0.9)
    assert find(context(side, side, NOTHING)).status == "unknown"


def test_what_is_taken_for_what_is_shown_with_its_samples() -> None:
    side = classes(50, 0.9)
    made = context(side, side, side)
    assert "What is taken for what" not in [figure.title for figure in find(made).figures]
    made.task.confused = (Confusion("one", "won", (3, 4, 5)), Confusion("two", "to", (7,)))  # type: ignore[attr-defined]
    (figure,) = [figure for figure in find(made).figures if figure.title == "What is taken for what"]
    items = figure.data["items"]
    assert [item["title"] for item in items] == ["one taken for won (3)"] * 2 + ["two taken for to (1)"]
    assert [item["lines"][0] for item in items] == ["3", "4", "7"] and "2 confusions" in figure.caption


@pytest.mark.parametrize("thorough", [True, False])
def test_full_evidence_tells_how_it_does_in_use(thorough: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from assay.evidence.finding import Number
    from assay.task_parts import InUse

    side = classes(200, 0.9)
    made = replace(context(side, side, side, always_first(200)), thorough=thorough)
    used = InUse("It listens well.", {"false alarms": Number(0.5, 0.0, 1.6, "an hour")}, "For an hour.")
    monkeypatch.setattr(type(made.task), "in_use", lambda self, predictor, samples: used, raising=False)
    found = find(made)
    assert ("It listens well." in found.verdict) == ("For an hour." in found.certainty) == thorough
    assert ("false alarms" in found.numbers) == thorough
    assert "accuracy" in found.numbers
