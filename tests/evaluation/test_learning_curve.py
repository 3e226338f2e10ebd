"""Power laws that are known, read from made-up answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.evaluation.learning_curve import FLATTENING, Answers, PowerLaw, fit_power_law, meeting
from assay.evaluation.metrics import Accuracy

UNITS = 4000


def answered(error: float, truths: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """One-hot answers of two classes that are wrong at random in that share."""
    wrong = np.random.default_rng(seed).random(len(truths)) < error
    return np.eye(2)[np.where(wrong, 1 - truths, truths)]


def law(slope: float, whole: int = 2000, error: float = 0.2, seed: int = 0, doubt_seed: int = 0) -> PowerLaw | None:
    truths = np.arange(UNITS) % 2
    sizes = [size for size in (whole // 8, whole // 4, whole // 2) for _ in range(2)]
    parts = [
        Answers(size, answered(error * (size / whole) ** -slope, truths, 100 * seed + place))
        for place, size in enumerate(sizes)
    ]
    own = Answers(whole, answered(error, truths, 100 * seed + 50))
    return fit_power_law(Accuracy(), parts, own, truths, np.arange(UNITS), seed, doubt_seed)


@pytest.mark.parametrize("slope", [0.1, 0.25, 0.5])
def test_the_slope_is_found(slope: float) -> None:
    found = law(slope)
    assert found is not None
    assert found.slope == pytest.approx(slope, abs=0.04)
    assert np.quantile(found.slopes, 0.025) < slope < np.quantile(found.slopes, 0.975)


def test_intervals_hold_what_more_data_brings() -> None:
    inside = 0
    for seed in range(20):
        found = law(0.25, seed=seed)
        assert found is not None
        told = found.at(8000)
        assert told.low is not None and told.high is not None and told.low <= told.value <= told.high
        inside += told.low <= 0.2 * 4 ** (-0.25 * FLATTENING) <= told.high
    assert inside >= 18


def test_at_its_own_size_it_is_the_error_at_hand() -> None:
    found = law(0.3)
    assert found is not None
    told = found.at(2000)
    assert told.value == pytest.approx(found.error) and told.low is not None and told.low < found.error


def test_one_size_tells_no_slope() -> None:
    truths = np.arange(UNITS) % 2
    parts = [Answers(100, answered(0.3, truths, seed)) for seed in range(2)]
    assert fit_power_law(Accuracy(), parts, Answers(200, answered(0.2, truths, 5)), truths, np.arange(UNITS)) is None


def test_answers_without_a_mistake_stay_finite() -> None:
    truths = np.arange(UNITS) % 2
    parts = [Answers(size, np.eye(2)[truths]) for size in (100, 200)]
    found = fit_power_law(Accuracy(), parts, Answers(400, np.eye(2)[truths]), truths, np.arange(UNITS))
    assert found is not None and found.slope == 0 and np.isfinite(found.at(800).value)


def certain(slope: float, error: float, doubt: float = 0.0, seed: int = 0) -> PowerLaw:
    slopes = np.random.default_rng(seed).normal(slope, doubt, 1000)
    return PowerLaw(1000, error, slope, np.full(1000, error), slopes)


def test_curves_meet_where_their_errors_are_equal() -> None:
    first, second = certain(0.5, 0.3), certain(0.2, 0.2)
    met = meeting(first, second, 125, 8000)
    assert met.order == "overtakes" and met.at is not None
    assert first.at(met.at.value).value == pytest.approx(second.at(met.at.value).value) and met.at.value > 1000
    assert met.at.low == pytest.approx(met.at.value) and met.at.high == pytest.approx(met.at.value)
    other = meeting(second, first, 125, 8000)
    assert other.order == "overtaken" and other.at is not None and other.at.value == pytest.approx(met.at.value)


@pytest.mark.parametrize(
    ("slope", "error", "order"), [(0.1, 0.3, "second"), (0.21, 0.3, "second"), (0.3, 0.1, "first")]
)
def test_curves_that_do_not_meet_in_reach(slope: float, error: float, order: str) -> None:
    met = meeting(certain(slope, error), certain(0.2, 0.2), 125, 8000)
    assert met.order == order and met.at is None


def test_the_interval_of_the_meeting_holds_it() -> None:
    inside = 0
    true = 1000 * (0.3 / 0.2) ** (1 / (0.4 * FLATTENING))
    for seed in range(40):
        off = np.random.default_rng([seed, 1]).normal(0, 0.03, 2)
        met = meeting(certain(0.6 + off[0], 0.3, 0.03, seed), certain(0.2 + off[1], 0.2, 0.03, 100 + seed), 125, 8000)
        assert met.order == "overtakes" and met.at is not None and met.at.low is not None and met.at.high is not None
        inside += met.at.low <= true <= met.at.high
    assert inside >= 34


def test_without_certainty_the_order_is_unknown() -> None:
    met = meeting(certain(0.3, 0.2, 0.1, 1), certain(0.25, 0.21, 0.1, 2), 125, 8000)
    assert met.order == "unknown"
    assert met.at is None or met.at.low is None


def test_the_doubt_of_two_laws_is_not_shared() -> None:
    one, other = law(0.25), law(0.25, doubt_seed=1)
    assert one is not None and other is not None
    assert abs(np.corrcoef(one.slopes, other.slopes)[0, 1]) < 0.9
    assert one.slope == other.slope
