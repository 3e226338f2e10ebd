"""Keyed random numbers: uniform, independent of batch and order, another for another key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assay.samples.draws import Draws, key_of, mix, order, uniform


def test_uniform_over_windows_and_columns() -> None:
    values = Draws(1, 2, np.arange(20000)).uniform("shift", 2).numpy()
    for column in values.T:
        assert stats.kstest(column, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.03
    assert values.min() >= 0 and values.max() < 1


def test_uniform_over_epochs_seeds_and_names() -> None:
    one = np.asarray([7])
    for values in (
        [float(Draws(0, epoch, one).uniform("a")[0]) for epoch in range(2000)],
        [float(Draws(seed, 0, one).uniform("a")[0]) for seed in range(2000)],
        [float(Draws(0, 0, one).uniform(f"name {number}")[0]) for number in range(2000)],
    ):
        assert stats.kstest(values, "uniform").pvalue > 0.001


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.integers(0, 2**40), st.integers(0, 1000))
def test_a_window_draws_the_same_in_any_batch(index: list[int], seed: int, epoch: int) -> None:
    together = Draws(seed, epoch, np.asarray(index)).uniform("x", 3)
    for row, window in enumerate(index):
        assert (Draws(seed, epoch, np.asarray([window])).uniform("x", 3)[0] == together[row]).all()


def test_integers_reach_both_ends_evenly() -> None:
    values = Draws(0, 0, np.arange(30000)).integers("x", -2, 3).numpy()
    counts = np.bincount(values + 2, minlength=6)
    assert len(counts) == 6 and stats.chisquare(counts).pvalue > 0.001


def test_mix_is_the_published_generator() -> None:
    """The first numbers of SplitMix64 from state 0, as in its authors' reference implementation."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        states = np.arange(3, dtype=np.uint64) * golden
    assert [hex(int(value)) for value in mix(states)] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 5))
def test_order_is_a_permutation_that_its_key_decides(count: int, seed: int) -> None:
    index = np.arange(count)
    assert np.array_equal(np.sort(order(index, "epoch", seed)), index)
    assert np.array_equal(order(index, "epoch", seed), order(index[::-1].copy(), "epoch", seed))


def test_keys_depend_on_the_order_of_their_parts() -> None:
    assert len({int(key_of(*parts)) for parts in [(1, 2), (2, 1), (1,), ("1",), (1, 2, 0), (-1,)]}) == 6


def test_an_empty_batch_draws_nothing() -> None:
    assert Draws(0, 0, np.zeros(0, int)).uniform("x", 2).shape == (0, 2)
    assert uniform(key_of(0), np.zeros((0, 3), int)).shape == (0, 3)


@pytest.mark.parametrize("seed", [0, 2**63, -1])
def test_any_integer_is_a_seed(seed: int) -> None:
    assert 0 <= float(Draws(seed, 0, np.asarray([3])).uniform("x")[0]) < 1
