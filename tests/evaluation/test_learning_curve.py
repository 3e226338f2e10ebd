"""Power laws that are known, read from made-up answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.evaluation.learning_curve import Answers, PowerLaw, crossing, fit_power_law
from assay.evaluation.metrics import Accuracy

UNITS = 4000


def answered(error: float, truths: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """One-hot answers of two classes that are wrong at random in that share."""
    wrong = np.random.default_rng(seed).random(len(truths)) < error
    return np.eye(2)[np.where(wrong, 1 - truths, truths)]


def law(slope: float, whole: int = 2000, error: float = 0.2, seed: int = 0) -> PowerLaw | None:
    truths = np.arange(UNITS) % 2
    sizes = [size for size in (whole // 8, whole // 4, whole // 2) for _ in range(2)]
    parts = [
        Answers(size, answered(error * (size / whole) ** -slope, truths, 100 * seed + place))
        for place, size in enumerate(sizes)
    ]
    own = Answers(whole, answered(error, truths, 100 * seed + 50))
    return fit_power_law(Accuracy(), parts, own, truths, np.arange(UNITS), seed)


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
        inside += told.low <= 0.2 * 4**-0.25 <= told.high
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


def certain(slope: float, error: float) -> PowerLaw:
    return PowerLaw(1000, error, slope, np.full(1000, error), np.full(1000, slope))


def test_curves_cross_where_their_errors_are_equal() -> None:
    first, second = certain(0.5, 0.3), certain(0.2, 0.2)
    met = crossing(first, second)
    assert met is not None
    size = met[0]
    assert first.at(size).value == pytest.approx(second.at(size).value) and size > 1000
    assert met[1] == pytest.approx(size) and met[2] == pytest.approx(size)


@pytest.mark.parametrize(("slope", "error"), [(0.1, 0.3), (0.2, 0.3), (0.2001, 0.3)])
def test_curves_that_never_meet_do_not_cross(slope: float, error: float) -> None:
    assert crossing(certain(slope, error), certain(0.2, 0.2)) is None
