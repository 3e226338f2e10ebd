"""Deletion and insertion: known answers for answers that are sums of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evaluation.faithfulness import SIDE, area, blocks, curves, mean, pool, rank_correlation

Array = np.ndarray[Any, Any]
TERMS = np.asarray([[8.0, 4.0, 2.0, 1.0], [1.0, 2.0, 4.0, 8.0]])


def left_of(terms: Array) -> Any:
    """An answer is the sum of the terms (B, ...) whose places are kept."""
    return lambda kept: (terms * kept).reshape(len(terms), -1).sum(axis=1)


def test_curves_of_a_sum() -> None:
    found = curves(left_of(TERMS), TERMS)
    np.testing.assert_allclose(found.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.deletion, [[15, 7, 3, 1, 0]] * 2)
    np.testing.assert_allclose(found.insertion, [[15, 14, 12, 8, 0]] * 2)
    np.testing.assert_allclose(found.random[:, :, 0], 15)
    np.testing.assert_allclose(found.random[:, :, -1], 0)


def test_gains_are_against_the_mean_over_all_orders() -> None:
    """In random order a quarter of the sum goes at each step on average: the area is half of the whole."""
    found = curves(left_of(TERMS), TERMS, orders=4000)
    expected = 7.5 - area(found.shares, np.asarray([15, 7, 3, 1, 0]))
    np.testing.assert_allclose(found.deletion_gains, expected, atol=0.1)
    np.testing.assert_allclose(found.insertion_gains, expected, atol=0.1)
    assert (found.beaten > 0.9).all()


def test_weights_turned_round_lose_what_right_ones_gain() -> None:
    right, wrong = (curves(left_of(TERMS), weights) for weights in (TERMS, -TERMS))
    np.testing.assert_allclose(wrong.deletion, right.insertion)
    assert (wrong.deletion_gains < 0).all() and (wrong.insertion_gains < 0).all()
    assert (wrong.beaten == 0).all()


def test_by_size_a_negative_weight_counts_as_its_size() -> None:
    signs = np.asarray([[1, -1, 1, -1], [-1, -1, 1, 1]])
    np.testing.assert_allclose(curves(left_of(TERMS), TERMS * signs, by_size=True).deletion,
                               curves(left_of(TERMS), TERMS).deletion)  # fmt: skip


def test_weights_that_say_nothing_gain_nothing() -> None:
    random = np.random.default_rng(0)
    terms = random.normal(0, 1, (400, 9)) ** 2
    found = curves(left_of(terms), np.zeros_like(terms), orders=8)
    interval = mean(found.deletion_gains, np.arange(400))
    assert interval.low is not None and interval.high is not None
    assert interval.low < 0 < interval.high


@pytest.mark.parametrize("shape", [(28, 28), (30, 17), (5, 9), (224, 224)])
def test_blocks_of_an_image(shape: tuple[int, int]) -> None:
    block = blocks(shape)
    rows, columns = (min(size, SIDE) for size in shape)
    assert block.shape == shape
    assert np.array_equal(np.unique(block), np.arange(rows * columns))
    for number in np.unique(block):
        down, across = np.nonzero(block == number)
        assert len(down) == (np.ptp(down) + 1) * (np.ptp(across) + 1), "a block is a rectangle"


def test_blocks_of_a_row_are_its_columns() -> None:
    assert np.array_equal(blocks((5,)), np.arange(5))


def test_whole_blocks_go() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (3, 28, 28))
    block = blocks((28, 28))
    asked: list[Array] = []

    def left(kept: Array) -> Array:
        asked.append(kept)
        return np.zeros(len(kept))

    found = curves(left, weights)
    for kept in asked:
        by_block = pool(kept, block)
        assert np.isin(by_block, (0, 4)).all()
    assert len(found.shares) == 13 and found.shares[0] == 0 and found.shares[-1] == 1


@given(st.integers(2, 40), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_as_much_goes_in_every_order(parts: int, seed: int) -> None:
    """Of an answer that only counts its parts, every order leaves the same."""
    weights = np.random.default_rng(seed).normal(0, 1, (2, parts))
    found = curves(lambda kept: kept.sum(axis=1) / parts, weights, seed=seed)
    for curve in (found.deletion, found.insertion, *found.random):
        np.testing.assert_allclose(curve, np.broadcast_to(1 - found.shares, curve.shape), atol=1e-12)
    assert np.abs(found.deletion_gains).max() < 1e-12


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    first, second = np.random.default_rng(0).integers(0, 6, (2, 5, 20)).astype(float)
    expected = [spearmanr(one, other).statistic for one, other in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    assert rank_correlation(np.ones((1, 4)), TERMS[:1])[0] == 0
