"""Diagnosis: the metrics against scikit-learn, thresholds chosen for a sensitivity, net benefit by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from assay.evaluation import diagnosis
from assay.evidence.diagnosis_figures import net_benefit

Array = np.ndarray[Any, Any]


def outputs(count: int = 300, classes: int = 2, seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    truths = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) + 1.2 * np.eye(classes)[truths]
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True), truths


def test_metrics_agree_with_scikit_learn() -> None:
    shares, truths = outputs()
    whole = diagnosis.with_thresholds(shares, 2, 0.6, 0.3)
    found = {metric.name: metric.value(whole, truths) for metric in diagnosis.diagnosis_metrics(2, True)}
    called, flagged = shares[:, 1] >= 0.6, shares[:, 1] >= 0.3
    assert found["auc"] == pytest.approx(reference.roc_auc_score(truths, shares[:, 1]))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truths, called))
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(truths, called))
    assert found["sensitivity"] == pytest.approx(reference.recall_score(truths, flagged))
    assert found["specificity"] == pytest.approx(reference.recall_score(truths, flagged, pos_label=0))
    assert found["log_loss"] == pytest.approx(reference.log_loss(truths, shares))


def test_metrics_of_several_classes_agree_with_scikit_learn() -> None:
    shares, truths = outputs(classes=4)
    found = {metric.name: metric.value(shares, truths) for metric in diagnosis.diagnosis_metrics(4, False)}
    assert found["auc"] == pytest.approx(reference.roc_auc_score(truths, shares, multi_class="ovr"))
    assert found["accuracy"] == pytest.approx((shares.argmax(axis=1) == truths).mean())
    assert "sensitivity" not in found


def test_what_was_not_settled_is_unknown() -> None:
    shares, truths = outputs()
    found = {metric.name: metric.value(shares, truths) for metric in diagnosis.diagnosis_metrics(2, True)}
    assert np.isnan(found["sensitivity"]) and np.isnan(found["specificity"])
    assert found["accuracy"] == pytest.approx((shares.argmax(axis=1) == truths).mean())


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9, 0.95, 0.99, 1.0])
def test_the_operating_point_has_the_wanted_sensitivity_and_the_best_specificity(wanted: float) -> None:
    shares, truths = outputs(400, seed=2)
    scores, ill = shares[:, 1], truths == 1
    point = diagnosis.choose_thresholds(scores, ill, wanted).operating
    assert (scores[ill] >= point).mean() >= wanted - 1e-9
    least = np.sort(scores[ill])[scores[ill] >= point]
    higher = np.nextafter(np.sort(scores[ill])[(scores[ill] < point).sum()], 2)
    assert len(least) and (scores[ill] >= higher).mean() < wanted


def test_the_threshold_of_calling_ill_counts_both_sides_alike() -> None:
    """Many more ill than healthy units: the threshold is that of equal numbers, far above one half."""
    random = np.random.default_rng(0)
    ill = random.random(20_000) < 0.9
    logits = random.normal(size=len(ill)) + np.where(ill, 1.0, -1.0) + np.log(9)
    scores = 1 / (1 + np.exp(-logits))
    found = diagnosis.choose_thresholds(scores, ill, 0.95).decision
    assert found == pytest.approx(0.9, abs=0.03)


def test_without_both_sides_nothing_is_settled() -> None:
    found = diagnosis.choose_thresholds(np.asarray([0.1, 0.9]), np.asarray([True, True]), 0.95)
    assert np.isnan(found.decision) and np.isnan(found.operating)


def test_a_temperature_changes_no_decision() -> None:
    shares, _ = outputs()
    whole = diagnosis.with_thresholds(shares, 2, 0.7, 0.2)
    for temperature in (0.5, 3.0):
        other = diagnosis.sharpened(whole, 2, temperature)
        assert other.shape == whole.shape and not np.allclose(other, whole)
        assert np.array_equal(diagnosis.called(other, 2), diagnosis.called(whole, 2))
        flagged = [diagnosis.scores_of(one, 2) >= diagnosis.thresholds_of(one, 2)[1] for one in (other, whole)]
        assert np.array_equal(*flagged)


def test_net_benefit_by_hand() -> None:
    scores, ill = np.asarray([0.9, 0.6, 0.4, 0.1]), np.asarray([True, False, True, False])
    assert net_benefit(scores, ill, np.asarray([0.5]))[0] == pytest.approx(1 / 4 - 1 / 4 * 1)
    assert net_benefit(scores, ill, np.asarray([0.2]))[0] == pytest.approx(2 / 4 - 1 / 4 * 0.25)
    assert net_benefit(np.ones(4), ill, np.asarray([0.2]))[0] == pytest.approx(0.5 - 0.5 * 0.25)


def test_the_interval_of_sensitivity_is_that_of_the_ill_alone() -> None:
    from assay.evaluation.intervals import estimate, wilson

    shares, truths = outputs(200, seed=3)
    truths[:150] = 0
    whole, groups = diagnosis.with_thresholds(shares, 2, 0.5, 0.3), np.arange(200)
    found = estimate(diagnosis.Sensitivity(2), whole, truths, groups)
    assert (found.low, found.high) == wilson(found.value, int((truths == 1).sum()))
    other = estimate(diagnosis.Specificity(2), whole, truths, groups)
    assert (other.low, other.high) == wilson(other.value, int((truths == 0).sum()))
