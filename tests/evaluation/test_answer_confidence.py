"""Confidences of answers that are more or less good: known answers, SciPy beside, and what holds for any of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from assay.evaluation.answer_confidence import MANY, ConfidenceMap, RankCorrelation, fit_map, selective_curve, surest
from assay.evaluation.metrics import Additive


class Mean(Additive):
    """The mean of the truths."""

    name = "mean"

    def statistics(self, outputs: Any, truths: Any) -> Any:
        return np.stack([np.asarray(truths, float), np.ones(len(truths))], axis=1)

    def from_sums(self, sums: Any) -> Any:
        return sums[:, 0] / sums[:, 1]


def drawn(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Confidences, and answers that are good half as often as they say."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.05, 0.95, count)
    return confidence, (random.uniform(size=count) < confidence / 2).astype(float)


def test_the_correlation_is_scipys() -> None:
    random = np.random.default_rng(1)
    confidence = random.integers(0, 6, 80) / 6  # with ties
    goodness = confidence + random.normal(size=80)
    assert RankCorrelation().value(confidence, goodness) == pytest.approx(spearmanr(confidence, goodness).statistic)
    assert np.isnan(RankCorrelation().value(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize(("count", "kind"), [(300, "logistic"), (2 * MANY, "isotonic")])
def test_a_map_brings_confidences_to_the_scale_of_what_they_are_worth(count: int, kind: str) -> None:
    known = fit_map(*drawn(count), np.arange(count))
    assert known is not None and known.kind == kind
    asked = np.linspace(0.1, 0.9, 9)
    assert np.abs(known(asked) - asked / 2).max() < (0.12 if kind == "logistic" else 0.1)
    assert (np.diff(known(np.linspace(-1, 2, 50))) >= 0).all()
    assert ConfidenceMap.from_json(known.to_json()) == known


def test_few_independent_units_give_no_map() -> None:
    confidence, goodness = drawn(400)
    assert fit_map(confidence, goodness, np.repeat(np.arange(4), 100)) is None


@given(st.lists(st.booleans(), min_size=60, max_size=60))
def test_no_map_is_ever_certain(right: list[bool]) -> None:
    known = fit_map(np.linspace(0, 1, 60), np.asarray(right, float), np.arange(60))
    assert known is not None
    assert min(known.expected) > 0 and max(known.expected) < 1


@pytest.mark.parametrize(
    "damaged",
    [
        {"stated": [0.5, 0.2], "expected": [0.1, 0.2], "kind": "logistic"},
        {"stated": [0.2, 0.5], "expected": [0.3, 0.2], "kind": "logistic"},
        {"stated": [0.2, 0.5], "expected": [0.3, 1.2], "kind": "logistic"},
        {"stated": [], "expected": [], "kind": "logistic"},
    ],
)
def test_a_damaged_map_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="knots"):
        ConfidenceMap.from_json(damaged)


def test_leaving_out_the_least_sure() -> None:
    confidence = np.asarray([0.9, 0.1, 0.5, 0.9])
    assert surest(confidence, 0.5).tolist() == [True, False, False, True]
    assert surest(confidence, 0.0).sum() == 0 and surest(confidence, 1.0).all()
    goodness = np.asarray([1.0, 0.0, 0.0, 1.0])
    curve = selective_curve(Mean(), confidence, goodness, confidence, np.asarray([0.5, 0.75, 1.0]))
    assert curve.tolist() == [1.0, 2 / 3, 0.5]
