"""Whether there is enough data, read from made-up learning curves."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evidence_examples import NOTHING, Linear, classes, context, evaluation, fitted, numbers

from assay.evaluation.learning_curve import FLATTENING
from assay.evaluation.metrics import RootMeanSquaredError
from assay.evidence.data import find
from assay.evidence.finding import Finding
from assay.evidence.words import three_digits
from assay.task import Amount

TRAINING = 8000
UNITS = 4000


def wrong_in(share: float, seed: int) -> Any:
    """Answers to two classes in turn of which that share is wrong, drawn at random."""
    truths = np.arange(UNITS) % 2
    wrong = np.random.default_rng(seed).random(UNITS) < share
    return evaluation(np.eye(2)[np.where(wrong, 1 - truths, truths)], truths)


def told(
    slope: float,
    error: float,
    classical: tuple[float, float] | None = None,
    divisors: tuple[int, ...] = (8, 16),
    amount: Amount | None = None,
) -> Finding:
    """The finding about a network with that error and slope, and about a classical model with others."""

    def side_run(divisor: int, seed: int) -> Any:
        answers = wrong_in(error * divisor**slope, seed)
        outputs = lambda view: answers.outputs[view]  # noqa: E731
        return SimpleNamespace(units=np.arange(TRAINING // divisor), predictor=SimpleNamespace(outputs=outputs))

    def classical_runs(seconds: float, units: Any) -> dict[int, Any]:
        assert classical is not None
        asked.append(seconds)
        return {divisor: fitted(Linear(), wrong_in(classical[1] * divisor ** classical[0], 50 + divisor))
                for divisor in divisors}  # fmt: skip

    asked: list[float] = []
    nested = {divisor: (side_run(divisor, divisor), side_run(divisor, 100 + divisor)) for divisor in divisors}
    side = SimpleNamespace(halves=(1, 2), classical=classical_runs, nested=lambda: nested)
    test = wrong_in(error, 1)
    baseline = None if classical is None else fitted(Linear(), wrong_in(classical[1], 2))
    samples = SimpleNamespace(side=np.zeros(TRAINING), view_of=lambda units: units)
    made = replace(context(test, test, test, baseline=baseline, side=side), samples=samples)  # type: ignore[arg-type]
    made.task.amount = lambda samples, units, spec: amount  # type: ignore[method-assign]
    return find(made)


def test_a_steep_curve_asks_for_more_data() -> None:
    found = told(0.5, 0.2)
    assert found.status == "act" and found.verdict.startswith("More data would help.")
    twice = found.numbers["with twice the data"]
    assert twice.value == pytest.approx(1 - 0.2 * 2**-0.5, abs=0.02)
    assert twice.low is not None and twice.high is not None and twice.low < 1 - 0.2 * 2**-0.5 < twice.high
    assert found.numbers["with four times the data"].value == pytest.approx(0.9, abs=0.02)
    assert "cross" not in found.verdict


def test_a_flat_curve_has_enough() -> None:
    found = told(0.0, 0.03)
    assert found.status == "good" and found.verdict.startswith("There is enough: twice the 8,000")


@pytest.mark.parametrize(
    ("own", "other", "says"),
    [
        ((0.5, 0.1), (0.1, 0.2), "From about"),  # crossed long ago, at 1,400
        ((0.5, 0.3), (0.05, 0.2), "short of that"),  # will cross at 20,000
        ((0.05, 0.2), (0.5, 0.3), "Up to about"),
        ((0.2, 0.1), (0.2, 0.3), "ahead of a linear model all the way from 500 to 64,000"),
        ((0.2, 0.3), (0.2, 0.1), "stay behind a linear model all the way from 500 to 64,000"),
        ((0.2, 0.2), (0.2, 0.2), "cannot be told"),
    ],
)
def test_where_the_two_cross_is_told(own: tuple[float, float], other: tuple[float, float], says: str) -> None:
    found = told(*own, classical=other)
    assert says in found.verdict
    met = found.numbers.get("the two cross at")
    if "about" in says or "short" in says:
        steps = np.log(own[1] / other[1]) / (own[0] - other[0])
        true = TRAINING * np.exp(steps / FLATTENING if steps > 0 else steps)
        assert met is not None and met.low is not None and met.high is not None and met.low < true < met.high
    assert (met is None or met.low is None) == ("all the way" in says or "cannot" in says)


def test_both_curves_stand_on_one_plot() -> None:
    found = told(0.5, 0.3, classical=(0.05, 0.2))
    data = found.figures[0].data
    assert data["log_x"] and [mark["label"].split(":")[0] for mark in data["marks"]] == ["this data set", "they cross"]
    assert [one["label"] for one in data["series"] if one["label"]] == ["network", "a linear model"]
    points = [one for one in data["series"] if one.get("loose")]
    assert [one["x"] for one in points] == [[500, 1000, 8000]] * 2
    laws = [one for one in data["series"] if not one.get("loose")]
    assert all(None not in one["low"] + one["high"] for one in laws)
    assert [one["x"][0] for one in laws] == pytest.approx([500, 8000] * 2)
    assert laws[1]["x"][-1] == pytest.approx(64000)


def test_one_size_beside_the_whole_is_enough_for_a_law_and_none_is_not() -> None:
    assert told(0.5, 0.2, divisors=(8,)).numbers["slope"].value == pytest.approx(0.5, abs=0.1)
    nothing = told(0.5, 0.2, classical=(0.1, 0.2), divisors=())
    assert nothing.status == "unknown" and not nothing.numbers


def test_numbers_are_told_in_their_own_unit() -> None:
    test = numbers(500, 2.0)
    made = context(test, test, test, metric=RootMeanSquaredError(), side=None)
    assert find(made).status == "unknown"


@pytest.mark.parametrize("count", [0, 5, 60])
def test_too_few_test_samples_are_said(count: int) -> None:
    side = classes(count, 0.8) if count else NOTHING
    found = find(context(side, side, side, side=SimpleNamespace(halves=(1, 2))))
    assert found.status == "unknown" and f"Only {count}" in found.verdict


def test_what_is_plainly_little_is_said_even_where_no_slope_can_be_seen() -> None:
    side = classes(5, 0.8)
    made = context(side, side, side, side=SimpleNamespace(halves=(1, 2)))
    little = Amount(0.6, "minutes of driving", "35 seconds of driving to learn from is little.")
    made.task.amount = lambda samples, units, spec: little  # type: ignore[method-assign]
    found = find(made)
    assert found.status == "act" and found.verdict.startswith(little.little)
    assert found.numbers["minutes of driving to learn from"].value == 0.6


def test_a_curve_goes_by_what_the_data_is_counted_in() -> None:
    plain = told(0.5, 0.2, (0.2, 0.3))
    found = told(0.5, 0.2, (0.2, 0.3), amount=Amount(TRAINING / 50, "minutes of speech"))
    assert found.numbers["minutes of speech to learn from"].value == TRAINING / 50
    assert "minutes of speech to learn from" not in plain.numbers and found.verdict == plain.verdict
    before, after = plain.figures[0].data, found.figures[0].data
    assert (before["x"], after["x"]) == ("training samples", "minutes of speech to learn from")
    for one, other in zip(before["series"], after["series"], strict=True):
        assert other["x"] == pytest.approx(np.asarray(one["x"]) / 50) and other["y"] == one["y"]
    assert [mark["x"] for mark in after["marks"]] == pytest.approx([mark["x"] / 50 for mark in before["marks"]])
    assert after["marks"][0]["label"] == f"this data set: {three_digits(TRAINING / 50)}"
    assert f"The {TRAINING:,} training samples are {three_digits(TRAINING / 50)} minutes of speech." in (
        found.figures[0].caption
    )
