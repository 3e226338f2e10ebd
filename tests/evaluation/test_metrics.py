"""Every metric against scikit-learn, and under weights against the units repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from assay.evaluation.metrics import (
    R2,
    Accuracy,
    BinaryAuc,
    LabelsF1,
    LogLoss,
    MacroF1,
    MeanAbsoluteError,
    Metric,
    RootMeanSquaredError,
    SubsetAccuracy,
)


def classes(count: int, kinds: int, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    scores = random.random((count, kinds)).round(1) + 0.05
    return scores / scores.sum(1, keepdims=True), random.integers(0, kinds, count)


def numbers(count: int, kinds: int, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    truth = random.normal(1e5, 3, count)
    return truth + random.normal(0, 2, count), truth


def labels(count: int, kinds: int, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.random((count, kinds)), (random.random((count, kinds)) < 0.4).astype(np.float32)


def log_loss(truth: Any, scores: Any, weights: Any) -> float:
    return float(sklearn_metrics.log_loss(truth, scores, labels=range(scores.shape[1]), sample_weight=weights))


def rmse(truth: Any, answer: Any, weights: Any) -> float:
    return float(sklearn_metrics.root_mean_squared_error(truth, answer, sample_weight=weights))


Reference = Callable[[Any, Any, Any], float]
CASES: list[tuple[Metric, Callable[[int, int, int], tuple[Any, Any]], int, Reference]] = [
    (Accuracy(), classes, 4, lambda t, s, w: sklearn_metrics.accuracy_score(t, s.argmax(1), sample_weight=w)),
    (MacroF1(), classes, 4, lambda t, s, w: sklearn_metrics.f1_score(t, s.argmax(1), average="macro", sample_weight=w)),
    (LogLoss(), classes, 3, log_loss),
    (BinaryAuc(), classes, 2, lambda t, s, w: sklearn_metrics.roc_auc_score(t, s[:, 1], sample_weight=w)),
    (R2(), numbers, 1, lambda t, a, w: sklearn_metrics.r2_score(t, a, sample_weight=w)),
    (RootMeanSquaredError(), numbers, 1, rmse),
    (MeanAbsoluteError(), numbers, 1, lambda t, a, w: sklearn_metrics.mean_absolute_error(t, a, sample_weight=w)),
    (SubsetAccuracy(), labels, 3, lambda t, s, w: sklearn_metrics.accuracy_score(t, s >= 0.5, sample_weight=w)),
    (LabelsF1(), labels, 3, lambda t, s, w: sklearn_metrics.f1_score(t, s >= 0.5, average="micro", sample_weight=w)),
]  # fmt: skip
names = [case[0].name for case in CASES]


@pytest.mark.parametrize(("metric", "make", "kinds", "reference"), CASES, ids=names)
@pytest.mark.parametrize("seed", range(3))
def test_as_scikit_learn_says(metric: Metric, make: Any, kinds: int, reference: Reference, seed: int) -> None:
    outputs, truths = make(83, kinds, seed)
    assert metric.value(outputs, truths) == pytest.approx(reference(truths, outputs, None), rel=1e-6)
    weights = np.random.default_rng(seed).integers(0, 4, 83).astype(float)
    found = metric.aggregate(metric.statistics(outputs, truths), weights)
    assert found == pytest.approx(reference(truths[weights > 0], outputs[weights > 0], weights[weights > 0]), rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CASES), st.lists(st.integers(0, 3), min_size=5, max_size=25), st.integers(0, 100))
def test_a_weight_is_a_repetition(case: Any, counts: list[int], seed: int) -> None:
    metric, make, kinds, _ = case
    outputs, truths = make(len(counts), kinds, seed)
    repeated = np.repeat(np.arange(len(counts)), counts)
    if not len(repeated):
        return
    weighed = metric.aggregate(metric.statistics(outputs, truths), np.asarray(counts, float))
    assert weighed == pytest.approx(metric.value(outputs[repeated], truths[repeated]), rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("metric", [case[0] for case in CASES], ids=names)
def test_names_and_directions(metric: Metric) -> None:
    assert metric.name == metric.name.lower()
    assert metric.higher_is_better == (metric.name not in ("log_loss", "rmse", "mae"))


def test_what_is_not_defined_is_not_a_number() -> None:
    assert np.isnan(BinaryAuc().value(np.asarray([[0.2, 0.8]] * 3), np.asarray([1, 1, 1])))
    assert np.isnan(R2().value(np.asarray([1.0, 2.0]), np.asarray([3.0, 3.0])))
    assert np.isnan(LabelsF1().value(np.zeros((3, 2)), np.zeros((3, 2))))
    assert np.isnan(Accuracy().aggregate(np.ones((3, 2)), np.zeros(3)))


def test_a_certain_mistake_costs_a_finite_loss() -> None:
    assert LogLoss().value(np.asarray([[1.0, 0.0]]), np.asarray([1])) == pytest.approx(-np.log(1e-12))


def test_macro_f1_leaves_out_classes_that_do_not_occur() -> None:
    scores = np.eye(5)[[0, 0, 1]]
    assert MacroF1().value(scores, np.asarray([0, 1, 1])) == pytest.approx(2 / 3)
