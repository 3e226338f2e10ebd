"""Temperatures, reliability and calibration errors against known answers, other implementations and simulations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from assay.evaluation.calibration import (
    Brier,
    calibration_error,
    fit_temperature,
    reliability,
    sharpen,
    top_label,
)
from assay.evaluation.metrics import LogLoss

Array = np.ndarray[Any, Any]


def answers(count: int, temperature: float, classes: int = 5, seed: int = 0) -> tuple[Array, Array]:
    """Probabilities whose logits are `temperature` times those that the labels were drawn from."""
    random = np.random.default_rng(seed)
    logits = 2 * random.standard_normal((count, classes))
    honest = softmax(logits, axis=1)
    truths = (honest.cumsum(axis=1) < random.random((count, 1))).sum(axis=1).clip(max=classes - 1)
    return softmax(logits * temperature, axis=1).astype(np.float32), truths


# Temperature ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.3, 0.8, 1.7, 6.0])
def test_sharpening_is_softmax_of_divided_logits(temperature: float) -> None:
    logits = 5 * np.random.default_rng(1).standard_normal((200, 7))
    found = sharpen(softmax(logits, axis=1).astype(np.float32), temperature)
    assert np.abs(found - softmax(logits / temperature, axis=1)).max() < 1e-5


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float32, (6, 4), elements=st.floats(0, 1, width=32)).filter(lambda given: (given.sum(1) > 1e-3).all()),
    st.floats(0.1, 10),
)
def test_sharpening_never_changes_the_answer(given: Array, temperature: float) -> None:
    shares = given / given.sum(axis=1, keepdims=True)
    changed = sharpen(shares, temperature)
    assert np.array_equal(changed.argmax(axis=1), shares.argmax(axis=1))
    assert np.allclose(changed.sum(axis=1), 1)


def test_a_temperature_of_one_changes_nothing_and_others_can_be_undone() -> None:
    shares = answers(100, 1.0)[0]
    assert sharpen(shares, 1.0) is shares
    assert np.allclose(sharpen(sharpen(shares, 0.4), 1 / 0.4), shares, atol=1e-7)


def test_certainty_stays_what_it_is_and_can_be_cooled() -> None:
    certain = np.eye(3)
    assert np.allclose(sharpen(certain, 0.5), certain, atol=1e-30)
    warm = sharpen(certain, 10.0)
    assert np.isfinite(warm).all() and (np.diag(warm) > 0.99).all() and (warm > 0).all()


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    shares, truths = answers(20_000, temperature)
    assert fit_temperature(shares, truths, np.arange(len(truths))) == pytest.approx(temperature, rel=0.03)


def test_it_is_the_temperature_of_least_log_loss() -> None:
    """A grid over the log loss of divided logits, as Guo et al. define it."""
    shares, truths = answers(3000, 1.8, seed=2)
    logits = np.log(shares.astype(float))
    grid = np.linspace(1.0, 3.0, 4001)
    losses = [-log_softmax(logits / at, axis=1)[np.arange(len(truths)), truths].mean() for at in grid]
    found = fit_temperature(shares, truths, np.arange(len(truths)))
    assert found == pytest.approx(grid[int(np.argmin(losses))], abs=0.01)
    before, after = (LogLoss().value(one, truths) for one in (shares, sharpen(shares, found)))
    assert after < before


def test_few_units_or_groups_fit_nothing() -> None:
    shares, truths = answers(49, 3.0)
    assert fit_temperature(shares, truths, np.arange(49)) == 1.0
    shares, truths = answers(980, 3.0)
    assert fit_temperature(shares, truths, np.arange(980) % 49) == 1.0
    assert fit_temperature(shares, truths, np.arange(980) % 98) > 2


def test_an_honest_confidence_is_mostly_left_alone() -> None:
    """A nat in all is asked for: by chance that is gained in about 16 of 100 (chi-squared of one above 2)."""
    found = [fit_temperature(*answers(300, 1.0, seed=seed), np.arange(300)) for seed in range(60)]
    assert np.mean(np.asarray(found) == 1.0) > 0.7
    assert all(0.7 < one < 1.4 for one in found)


def test_one_who_is_always_right_does_not_become_certain() -> None:
    count = 1000
    shares = np.full((count, 4), 0.1)
    truths = np.arange(count) % 4
    shares[np.arange(count), truths] = 0.7
    found = sharpen(shares, fit_temperature(shares, truths, np.arange(count)))
    assert 0.99 < found.max() < 1 - 1e-4


@pytest.mark.parametrize("wrong", [0, 30])
def test_probabilities_of_exactly_nought_and_one(wrong: int) -> None:
    truths = np.arange(300) % 3
    shares = np.eye(3)[np.where(np.arange(300) < wrong, (truths + 1) % 3, truths)]
    temperature = fit_temperature(shares, truths, np.arange(300))
    confidence, right = top_label(sharpen(shares, temperature), truths)
    assert np.mean(confidence) == pytest.approx(1 - wrong / 300, abs=0.01) and confidence.max() < 1
    assert np.isfinite(calibration_error(confidence, right, np.arange(300)).error.value)


# Reliability and error -----------------------------------------------------------------------------------------------


def test_bins_hold_equally_many() -> None:
    confidence = np.random.default_rng(0).random(3000)
    found = reliability(confidence, np.zeros(3000))
    assert len(found.count) == 15 and found.count.min() > 195 and found.count.max() < 205
    assert (np.diff(found.confidence) > 0).all()


def test_equal_confidences_share_a_bin() -> None:
    confidence = np.repeat([0.5, 0.9, 1.0], [50, 100, 850])
    right = np.repeat([0.0, 1.0, 1.0], [50, 100, 850])
    found = reliability(confidence, right)
    assert found.confidence == pytest.approx([0.5, 0.9, 1.0])
    assert found.count.tolist() == [50, 100, 850] and found.right.tolist() == [0, 1, 1]
    assert calibration_error(confidence, right, np.arange(1000)).error.value == pytest.approx(0.025 + 0.01)


def test_reliability_equals_that_of_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    random = np.random.default_rng(3)
    confidence = random.random(1500)
    right = (random.random(1500) < confidence**2).astype(float)
    share, mean = calibration.calibration_curve(right, confidence, n_bins=15, strategy="quantile")
    found = reliability(confidence, right)
    assert found.right == pytest.approx(share, abs=0.015) and found.confidence == pytest.approx(mean, abs=0.002)


def test_few_units_make_few_bins() -> None:
    assert len(reliability(np.linspace(0, 1, 100), np.ones(100)).count) == 5
    assert len(reliability(np.linspace(0, 1, 30), np.ones(30)).count) == 1


@pytest.mark.parametrize(("count", "off"), [(400, 0.0), (400, 0.06), (3000, 0.01), (3000, 0.1)])
def test_the_interval_holds_the_true_error(count: int, off: float) -> None:
    """Simulated: of 100 draws at least 88, which a promise of 95 misses in fewer than one of 500."""
    inside, plain, corrected = 0, [], []
    for seed in range(100):
        random = np.random.default_rng([seed, count])
        confidence = 1 - 0.5 * random.beta(0.5, 2.0, count)
        right = (random.random(count) < confidence - off).astype(float)
        found = calibration_error(confidence, right, np.arange(count))
        assert found.error.low is not None and found.error.high is not None
        inside += found.error.low <= off <= found.error.high
        plain.append(found.error.value)
        corrected.append(found.debiased.value)
    assert inside >= 88
    assert abs(np.mean(corrected) - off) < abs(np.mean(plain) - off) + 0.003


def test_units_of_a_group_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    confidence = np.repeat(0.6 + 0.4 * random.random(100), 10)
    right = np.repeat((random.random(100) < 0.8).astype(float), 10)
    alone, grouped = (calibration_error(confidence, right, np.arange(1000) // size).error for size in (1, 10))
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)  # type: ignore[operator]


def test_the_brier_score_of_certainty() -> None:
    truths = np.asarray([0, 1, 1])
    assert Brier().value(np.eye(2)[truths], truths) == 0
    assert Brier().value(np.eye(2)[1 - truths], truths) == 2
    assert Brier().value(np.full((3, 2), 0.5), truths) == pytest.approx(0.5)


def test_the_brier_score_equals_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    shares, truths = answers(400, 1.0, classes=2)
    assert Brier().value(shares, truths) == pytest.approx(2 * metrics.brier_score_loss(truths, shares[:, 1]), rel=1e-5)
