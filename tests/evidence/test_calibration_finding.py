"""Calibration: what the finding says of made-up answers, honest, too sure, too modest, and of numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evidence_examples import NOTHING, context, evaluation
from scipy.special import softmax

from assay.evaluation.calibration import sharpen
from assay.evidence.calibration import find
from assay.evidence.context import Context
from assay.evidence.finding import Finding
from assay.report.figures import draw
from assay.targets.class_target import ClassTarget
from assay.targets.labels_target import LabelsTarget
from assay.targets.number_target import NumberTarget
from assay.targets.task import TargetTask

Array = np.ndarray[Any, Any]
CLASSES = ClassTarget(("cat", "dog", "owl", "fox"))


class Made(TargetTask):
    """Answers of a target and nothing else."""

    name = "made-up"
    read = read_inputs = recognise = fit_spec = encode = networks = objective = predict = baselines = None  # type: ignore[assignment]


def drawn(count: int, off: float = 1.0, seed: int = 0, shares: Any = None) -> tuple[Array, Array]:
    """Probabilities `off` times as sharp as the truth about labels of four classes."""
    random = np.random.default_rng(seed)
    prior = np.log(shares if shares is not None else np.full(4, 0.25))
    logits = 2.2 * random.standard_normal((count, 4)) + prior
    honest = softmax(logits, axis=1)
    truths = (honest.cumsum(axis=1) < random.random((count, 1))).sum(axis=1).clip(max=3)
    return softmax(off * logits, axis=1), truths


def made(validation: Any, test: Any, temperature: float = 1.0, target: Any = CLASSES, groups: Any = None) -> Context:
    more: dict[str, Any] = {
        "task": Made(),  # type: ignore[abstract]
        "spec": SimpleNamespace(target=target),
        "predictor": SimpleNamespace(temperature=temperature),
    }
    sides = [one if one is NOTHING else evaluation(*one) for one in (validation, test)]
    if groups is not None:
        sides[1] = evaluation(*test, groups)
    return context(NOTHING, *sides, **more)


def drawable(found: Finding) -> bool:
    return all("<svg" in draw(figure) for figure in found.figures)


def test_an_honest_confidence_is_good() -> None:
    found = find(made(drawn(800), drawn(2000, seed=1)))
    assert found.status == "good" and found.next == ""
    assert found.verdict.startswith("When it says 9") or found.verdict.startswith("When it says 8")
    assert found.numbers["ECE"].value < 0.05 and found.numbers["ECE"].low == 0  # type: ignore[operator]
    assert found.numbers["ECE, without the noise of the bins"].value < found.numbers["ECE"].value  # type: ignore[operator]
    coverage = found.numbers["coverage of 90 % sets"]
    assert coverage.low < 0.9 < coverage.high  # type: ignore[operator]
    assert 1 < found.numbers["classes in a set"].value < 3  # type: ignore[operator]
    assert found.numbers["temperature"].value == 1.0
    assert drawable(found) and [figure.kind for figure in found.figures] == ["lines", "bars", "intervals"]


@pytest.mark.parametrize(("off", "words"), [(3.0, "more sure of itself than"), (0.35, "less sure of itself than")])
def test_a_confidence_that_misleads_is_told(off: float, words: str) -> None:
    found = find(made(drawn(800, off), drawn(2000, off, seed=1)))
    assert found.status in ("watch", "act") and words in found.verdict and found.next
    assert found.numbers["ECE"].low > 0.03  # type: ignore[operator]


def test_what_scaling_has_mended_is_shown() -> None:
    """The answers come scaled; what they were before is worked out."""
    shares, truths = drawn(2000, 2.5, seed=1)
    validation = drawn(800, 2.5)
    scaled = [(sharpen(one[0], 2.5), one[1]) for one in (validation, (shares, truths))]
    found = find(made(*scaled, temperature=2.5))
    plain = find(made(validation, (shares, truths)))
    assert found.status == "good" and plain.status == "act"
    assert found.numbers["ECE before scaling"].value == pytest.approx(plain.numbers["ECE"].value, abs=1e-6)
    assert found.numbers["ECE"].value < 0.5 * found.numbers["ECE before scaling"].value  # type: ignore[operator]
    assert [one["label"] for one in found.figures[0].data["series"]] == ["as delivered", "before scaling", "perfect"]


def test_few_validation_samples_are_the_reason_given() -> None:
    found = find(made(drawn(30, 3.0), drawn(2000, 3.0, seed=1)))
    assert "Only 30 validation samples" in found.next and "--split 70/15/15" in found.next
    assert "coverage of 90 % sets" not in found.numbers
    good = find(made(NOTHING, drawn(2000, seed=1)))
    assert good.status == "good" and "validation" in good.next


@pytest.mark.parametrize("groups", [None, np.arange(2000) % 60])
def test_few_independent_test_samples_say_nothing(groups: Any) -> None:
    count = 60 if groups is None else 2000
    found = find(made(drawn(800), drawn(count, seed=1), groups=groups))
    assert found.status == "unknown" and "Only 60 independent" in found.verdict and not found.numbers


def test_no_test_side_says_nothing() -> None:
    assert find(made(drawn(800), NOTHING)).status == "unknown"


def test_a_class_that_its_sets_miss_is_named() -> None:
    """The rare class looks like another one in the test: its own sets, from the validation side, hold it too seldom."""
    shares, truths = drawn(3000, seed=1, shares=[0.4, 0.3, 0.25, 0.05])
    rare = np.flatnonzero(truths == 3)
    shares[rare] = np.roll(shares[rare], 1, axis=1)
    found = find(made(drawn(1500, shares=[0.4, 0.3, 0.25, 0.05]), (shares, truths)))
    if found.status == "watch" and "fox" in found.verdict:
        assert "fox" in found.next
    assert found.numbers["coverage of the smallest class"].high < 0.85  # type: ignore[operator]


def test_one_class_missing_in_the_test_side() -> None:
    shares, truths = drawn(2000, seed=1)
    kept = truths != 2
    found = find(made(drawn(800), (shares[kept], truths[kept])))
    assert found.status in ("good", "watch", "act") and len(found.figures[2].data["rows"]) == 3


@pytest.mark.parametrize("wrong", [0, 1, 400])
def test_probabilities_of_exactly_nought_and_one(wrong: int) -> None:
    truths = np.arange(1000) % 4
    shares = np.eye(4)[np.where(np.arange(1000) < wrong, (truths + 1) % 4, truths)]
    found = find(made((shares, truths), (shares, truths)))
    assert found.status == ("act" if wrong == 400 else "good")
    assert all(one.value is None or np.isfinite(one.value) for one in found.numbers.values())
    assert drawable(found)


def test_guessing_with_an_honest_confidence_is_calibrated() -> None:
    random = np.random.default_rng(0)
    shares = np.full((1000, 4), 0.25) + 0.001 * random.random((1000, 4))
    shares /= shares.sum(axis=1, keepdims=True)
    found = find(made((shares, random.integers(0, 4, 1000)), (shares, random.integers(0, 4, 1000))))
    assert found.status == "good" and "When it says 25 %" in found.verdict


def test_answers_without_a_class_each_are_not_judged() -> None:
    labels = LabelsTarget(("red", "round"))
    side = (np.full((500, 2), 0.5), np.ones((500, 2)))
    found = find(made(side, side, target=labels))
    assert found.status == "unknown" and "probability" in found.verdict


# Numbers -------------------------------------------------------------------------------------------------------------

NUMBER = NumberTarget(0.0, 1.0)


def numbers(count: int, error: float, seed: int) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    truths = 10 * random.standard_normal(count)
    return truths + error * random.standard_normal(count), truths


def test_intervals_of_numbers_keep_their_promise() -> None:
    found = find(made(numbers(800, 1.0, 0), numbers(1000, 1.0, 1), target=NUMBER))
    assert found.status == "good"
    assert found.numbers["half the width of an interval"].value == pytest.approx(1.645, rel=0.1)
    coverage = found.numbers["coverage of 90 % intervals"]
    assert coverage.low < 0.9 < coverage.high  # type: ignore[operator]
    assert drawable(found) and [figure.kind for figure in found.figures] == ["lines", "intervals"]


@pytest.mark.parametrize(("error", "status"), [(1.25, "watch"), (3.0, "act"), (0.3, "watch")])
def test_intervals_that_break_it_are_told(error: float, status: str) -> None:
    found = find(made(numbers(800, 1.0, 0), numbers(1000, error, 1), target=NUMBER))
    assert found.status == status and found.next


def test_few_validation_samples_promise_no_interval() -> None:
    found = find(made(numbers(30, 1.0, 0), numbers(1000, 1.0, 1), target=NUMBER))
    assert found.status == "unknown" and "30" in found.verdict
    assert find(made(NOTHING, numbers(1000, 1.0, 1), target=NUMBER)).status == "unknown"
