"""Intervals against a published table and SciPy, and how often they hold on simulated data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import difference, estimate, paired_shares, wilson
from assay.evaluation.metrics import Accuracy, BinaryAuc, LogLoss, MeanAbsoluteError, RootMeanSquaredError

CASES = [(0, 10), (1, 10), (5, 10), (10, 10), (0, 1), (1, 1), (171, 180), (999, 1000)]
#: Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
PUBLISHED = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("right", "count"), CASES)
def test_wilson_as_scipy_says(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("right", "count", "low", "high"), PUBLISHED)
def test_wilson_as_published(right: int, count: int, low: float, high: float) -> None:
    assert wilson(right / count, count) == pytest.approx((low, high), abs=5e-5)


def test_nothing_to_count_gives_the_widest_interval() -> None:
    assert wilson(0.0, 0) == wilson(float("nan"), 5) == (0.0, 1.0)


def simulated_errors(random: np.random.Generator, groups: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulated: errors that units of a group share in part; the mean absolute error is known."""
    group = np.repeat(np.arange(groups), size)
    return random.exponential(1.0, groups)[group] + random.exponential(1.0, groups * size), group


@pytest.mark.parametrize(("groups", "size"), [(120, 1), (60, 5)])
def test_bootstrap_coverage_on_simulated_data(groups: int, size: int) -> None:
    """Simulated: 95 % intervals hold the truth in about 95 of 100 cases, also where units share a group."""
    random, held = np.random.default_rng(0), 0
    for trial in range(200):
        errors, group = simulated_errors(random, groups, size)
        found = estimate(MeanAbsoluteError(), errors, np.zeros(len(errors)), group, seed=trial)
        held += found.low <= 2.0 <= found.high  # type: ignore[operator]
    assert 0.89 <= held / 200 <= 0.99


def test_groups_that_are_ignored_make_intervals_too_narrow() -> None:
    """Simulated: the reason for resampling whole groups."""
    errors, group = simulated_errors(np.random.default_rng(1), 60, 20)
    whole = estimate(MeanAbsoluteError(), errors, np.zeros(len(errors)), group)
    alone = estimate(MeanAbsoluteError(), errors, np.zeros(len(errors)), np.arange(len(errors)))
    assert whole.high - whole.low > 1.5 * (alone.high - alone.low)  # type: ignore[operator]


def test_accuracy_of_single_units_takes_wilson() -> None:
    outputs = np.eye(2)[np.ones(40, int)]
    found = estimate(Accuracy(), outputs, np.ones(40, int), np.arange(40))
    assert found.value == 1 and (found.low, found.high) == wilson(1.0, 40)


def test_paired_differences_rarely_find_what_is_not_there() -> None:
    """Simulated: of two models that are equally good, the interval leaves zero out in about 5 of 100 cases."""
    random, false = np.random.default_rng(2), 0
    for trial in range(200):
        shared = random.normal(0, 1, 150)
        first, second = (shared + random.normal(0, 0.5, 150) for _ in range(2))
        found = difference(MeanAbsoluteError(), first, second, np.zeros(150), np.arange(150), seed=trial)
        false += not found.low <= 0 <= found.high  # type: ignore[operator]
    assert 1 <= false <= 22


def test_paired_differences_find_what_unpaired_intervals_miss() -> None:
    random = np.random.default_rng(3)
    shared = np.abs(random.normal(0, 3, 200))
    first, second = shared, shared + 0.1 + random.normal(0, 0.1, 200)
    zeros, units = np.zeros(200), np.arange(200)
    found = difference(MeanAbsoluteError(), first, second, zeros, units)
    assert 0 < found.low <= found.value <= found.high  # type: ignore[operator]
    one, other = (estimate(MeanAbsoluteError(), errors, zeros, units) for errors in (first, second))
    assert one.high > other.low  # type: ignore[operator]


def test_a_positive_difference_speaks_for_the_first_whichever_way_is_better() -> None:
    good, bad = np.asarray([[0.1, 0.9]] * 9 + [[0.9, 0.1]]), np.asarray([[0.4, 0.6]] * 5 + [[0.6, 0.4]] * 5)
    truths, units = np.ones(10, int), np.arange(10)
    for metric in (Accuracy(), LogLoss()):
        assert difference(metric, good, bad, truths, units).value > 0
        assert difference(metric, bad, good, truths, units).value < 0


def test_equal_answers_differ_by_nothing() -> None:
    values = np.random.default_rng(0).normal(size=50)
    found = difference(RootMeanSquaredError(), values, values, np.zeros(50), np.arange(50))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_bootstrap_of_a_metric_that_is_no_sum() -> None:
    random = np.random.default_rng(0)
    truths = random.integers(0, 2, 120)
    score = np.clip(0.5 + 0.2 * (truths - 0.5) + random.normal(0, 0.2, 120), 0, 1)
    outputs = np.stack([1 - score, score], 1)
    found = estimate(BinaryAuc(), outputs, truths, np.arange(120))
    assert found.low < found.value < found.high  # type: ignore[operator]
    assert 0.05 < found.high - found.low < 0.3  # type: ignore[operator]
    assert estimate(BinaryAuc(), outputs, truths, np.arange(120)) == found, "the same seed draws the same"


def test_paired_shares_as_published() -> None:
    """Bonett and Price 2012, as R's statpsych gives it: `ci.prop.ps(.05, 12, 4, 26, 6)`."""
    gains = np.repeat([0, -1, 1], [18, 4, 26])
    assert paired_shares(gains) == pytest.approx((0.2548067, 0.6251933), abs=1e-6)


@pytest.mark.parametrize("unlike", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("units", [10, 40, 150])
def test_paired_shares_find_what_is_not_there_in_five_of_a_hundred_cases_at_most(units: int, unlike: float) -> None:
    """Exact, over all outcomes: two models equally good, of which just one is right about a share `unlike` of units."""
    chance = 0.0
    for count, often in enumerate(stats.binom.pmf(np.arange(units + 1), units, unlike)):
        for won, so in enumerate(stats.binom.pmf(np.arange(count + 1), count, 0.5)):
            low, high = paired_shares(np.repeat([1, -1, 0], [won, count - won, units - count]))
            chance += often * so * (low > 0 or high < 0)
    assert chance <= 0.055


def test_intervals_of_several_differences_hold_together() -> None:
    """Of five networks no better than another, the one that looks best is seldom called better."""
    gains = np.asarray([1.0] * 30 + [-1.0] * 20 + [0.0] * 450)
    one, five = (np.subtract(*paired_shares(gains, among)[::-1]) for among in (1, 5))
    assert five / one == pytest.approx(stats.norm.ppf(0.995) / stats.norm.ppf(0.975))
    random, found = np.random.default_rng(3), {1: 0, 5: 0}
    truths, groups = np.zeros(300, int), np.arange(300)
    for _ in range(400):
        other, *others = np.eye(2)[(random.random((6, 300)) > 0.8).astype(int)]
        best = max(others, key=lambda answers: (answers.argmax(axis=1) == truths).mean())
        for among in found:
            low = difference(Accuracy(), best, other, truths, groups, among=among).low
            found[among] += low is not None and low > 0
    assert found[1] > 0.05 * 400 >= found[5]


def test_a_few_units_more_are_no_difference() -> None:
    """Four units that only the first has right: by McNemar's exact test chance does as much in one of eight cases."""
    truths, units = np.zeros(40, int), np.arange(40)
    right, wrong = np.eye(2)[np.zeros(40, int)], np.eye(2)[(units < 4).astype(int)]
    found = difference(Accuracy(), right, wrong, truths, units)
    assert found.value == pytest.approx(0.1)
    assert found.low < 0 < found.value < found.high  # type: ignore[operator]
    assert difference(Accuracy(), wrong, right, truths, units).high == pytest.approx(-found.low)  # type: ignore[operator]


def test_groups_that_are_all_right_leave_a_doubt() -> None:
    outputs, truths, groups = np.eye(2)[np.ones(100, int)], np.ones(100, int), np.repeat(np.arange(20), 5)
    found = estimate(Accuracy(), outputs, truths, groups)
    assert (found.value, found.low, found.high) == (1.0, *wilson(1.0, 20))


def test_too_little_to_say() -> None:
    assert np.isnan(estimate(Accuracy(), [], [], np.zeros(0, int)).value)
    found = estimate(MeanAbsoluteError(), np.ones(4), np.zeros(4), np.asarray([0, 0, 1, 1]))
    assert (found.value, found.low, found.high) == (1.0, None, None)
    one_class = estimate(BinaryAuc(), np.asarray([[0.3, 0.7]] * 5), np.ones(5, int), np.arange(5))
    assert np.isnan(one_class.value) and one_class.low is None


def test_some_of_an_evaluation() -> None:
    whole = Evaluation(np.arange(4) + 10, ["a", "b", "c", "d"], np.arange(4), np.arange(4), np.arange(4.0), 1.0)
    some = whole.only(np.asarray([True, False, False, True]))
    assert (some.outputs, some.truths.tolist(), some.units.tolist()) == (["a", "d"], [0, 3], [10, 13])  # type: ignore[union-attr]
    assert whole.only(np.asarray([2])).losses.tolist() == [2.0] and len(some) == 2
