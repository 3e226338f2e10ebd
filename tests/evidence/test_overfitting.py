"""Overfitting: what the finding says of made-up trainings of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evidence_examples import NOTHING, always_first, classes, context, evaluation, mean_number, numbers

from assay.evaluation.metrics import R2, RootMeanSquaredError
from assay.evidence.finding import Finding
from assay.evidence.overfitting import find
from assay.samples.split import VALIDATION
from assay.serving.predictor import Classical

HALF = always_first(500)


def told(finding: Finding) -> tuple[str, str]:
    return finding.status, finding.verdict.partition(":")[0].partition(" (")[0]


def rising(*losses: float) -> list[dict[str, Any]]:
    return [{"step": step, "validation_loss": loss, "train_sample_loss": 0.1} for step, loss in enumerate(losses)]


def test_a_network_that_is_as_good_on_unseen_samples_fits() -> None:
    found = find(context(classes(1000, 0.96), classes(500, 0.95), classes(500, 0.95), HALF))
    assert told(found) == ("good", "It fits well")
    assert found.next == ""
    assert found.numbers["gap"].value == pytest.approx(0.01)
    assert found.numbers["gap"].low < 0 < found.numbers["gap"].high  # type: ignore[operator]
    assert found.certainty == "1,000 training against 1,000 unseen samples (validation and test)."


def test_a_network_that_is_worse_on_unseen_samples_overfits() -> None:
    found = find(context(classes(1000, 1.0), classes(500, 0.8), classes(500, 0.8), HALF))
    assert told(found) == ("watch", "It overfits, memorising more than it learns")
    assert found.next == "Try --set weight_decay=2000; or collect more data."
    assert "No change was tried: this application has no side trainings." in found.certainty


def test_a_small_gap_counts_once_the_validation_loss_has_turned() -> None:
    sides = (classes(4000, 1.0), classes(2000, 0.965), classes(2000, 0.965), HALF)
    assert told(find(context(*sides)))[0] == "good"
    assert told(find(context(*sides, history=rising(1.0, 0.9, 0.95))))[0] == "good"
    found = find(context(*sides, history=rising(1.0, 0.5, 0.9)))
    assert told(found)[0] == "watch"
    assert found.figures[0].data["series"][0]["y"] == [1.0, 0.5, 0.9]


def test_a_gap_with_many_mistakes_on_both_sides_is_no_memorising() -> None:
    found = find(context(classes(1000, 0.94), classes(500, 0.87), classes(500, 0.87), HALF))
    assert told(found) == ("good", "It fits, though unseen samples are answered less well")
    assert found.next == "More data would narrow the gap."


def test_a_gap_within_chance_is_none() -> None:
    found = find(context(classes(40, 1.0), classes(20, 0.9), classes(20, 0.9), always_first(20)))
    assert told(found)[0] == "good"


def test_a_network_near_guessing_underfits() -> None:
    found = find(context(classes(1000, 0.55), classes(500, 0.55), classes(500, 0.55), HALF))
    assert told(found) == ("act", "It underfits")
    assert found.next == "Try a longer training (--budget); or take a larger network."


def test_a_network_worse_than_guessing_underfits() -> None:
    assert told(find(context(classes(1000, 0.1), classes(500, 0.1), classes(500, 0.1), HALF)))[0] == "act"


@pytest.mark.parametrize("groups", [None, np.arange(200) % 20])
def test_few_independent_samples_say_nothing(groups: Any) -> None:
    count = 20 if groups is None else 200
    found = find(context(classes(1000, 1.0), NOTHING, classes(count, 0.5, groups), always_first(count)))
    assert told(found) == ("unknown", "Too few independent samples to say")
    assert f"{count} unseen samples (test)" in found.certainty


def test_nothing_set_aside_says_nothing() -> None:
    found = find(context(classes(1000, 1.0), NOTHING, NOTHING, NOTHING))
    assert told(found) == ("unknown", "Too few independent samples to say")
    assert found.numbers["gap"].value is None and found.figures == ()


@pytest.mark.parametrize("right", [0.5, 0.95])
def test_without_a_floor_only_the_gap_is_judged(right: float) -> None:
    found = find(context(classes(1000, right), classes(500, right), classes(500, right)))
    assert found.status == "watch"
    assert "does not overfit" in found.verdict and "fits well" not in found.verdict
    assert told(find(context(classes(1000, 1.0), classes(500, 0.7), classes(500, 0.7))))[1].startswith("It overfits")


@pytest.mark.parametrize(("right", "kind"), [(0.55, "It underfits"), (0.95, "It fits well")])
def test_without_a_test_side_guessing_is_asked_about_validation(right: float, kind: str) -> None:
    made = context(classes(1000, right), classes(500, right), NOTHING, NOTHING)
    made.task.guesses = HALF  # type: ignore[attr-defined]
    assert told(find(made))[1] == kind
    ((floor, view),) = made.task.asked  # type: ignore[attr-defined]
    assert isinstance(floor, Classical) and floor.model is made.floor.model  # type: ignore[union-attr]
    assert view == ("view", VALIDATION)


def test_a_test_side_is_not_asked_again() -> None:
    made = context(classes(1000, 0.95), classes(500, 0.95), classes(500, 0.95), HALF)
    find(made)
    assert made.task.asked == []  # type: ignore[attr-defined]


def test_where_guessing_is_perfect_nothing_shows() -> None:
    same = np.zeros(500, int)
    right = evaluation(np.eye(2)[same], same)
    found = find(context(classes(1000, 0.9), NOTHING, right, always_first(500, same)))
    assert told(found) == (
        "unknown", "Always the same answer is perfect on unseen samples, so they cannot show what it learned",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "new", "status"), [(0.2, 0.21, "good"), (0.05, 0.5, "watch"), (0.98, 0.98, "act"), (2.0, 2.0, "act")]
)
def test_the_explained_variance_of_numbers(own: float, new: float, status: str) -> None:
    """The floor's R² lies a little below 0, that of a network with errors of two deviations at -3."""
    unseen = numbers(600, new, seed=1)
    found = find(context(numbers(1000, own), NOTHING, unseen, mean_number(unseen), metric=R2()))
    assert found.status == status


def test_a_metric_that_is_not_defined_is_no_gap() -> None:
    constant = evaluation(np.ones(100), np.ones(100))
    found = find(context(numbers(1000, 0.1), NOTHING, constant, constant, metric=R2()))
    assert told(found)[0] == "unknown"
    assert found.numbers["gap"].value is None


@pytest.mark.parametrize(
    ("own", "new", "status"), [(20.0, 21.0, "good"), (5.0, 60.0, "watch"), (95.0, 95.0, "act"), (300.0, 300.0, "act")]
)
@pytest.mark.parametrize("scale", [0.001, 1000.0])
def test_an_error_is_judged_by_that_of_guessing(own: float, new: float, status: str, scale: float) -> None:
    """Per cent of the deviation of the truths, in whatever unit: a gap of .05 means nothing by itself."""
    unseen = numbers(4000, scale * new / 100, scale, seed=1)
    sides = (numbers(4000, scale * own / 100, scale), NOTHING, unseen)
    found = find(context(*sides, mean_number(unseen), metric=RootMeanSquaredError()))
    assert found.status == status
    if status == "watch":
        assert found.numbers["gap"].value == pytest.approx(0.55 * scale, rel=0.1)
        assert (
            told(find(context(*sides, metric=RootMeanSquaredError())))[1]
            == "It overfits, memorising more than it learns"
        )
