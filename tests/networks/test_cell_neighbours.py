"""Classes of cells beside those of their neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evaluation.cells import Cells
from assay.networks.cell_neighbours import best_weight, reach_of, with_neighbours

REACH = 20.0


def cells_at(places: list[tuple[float, float]], shares: list[list[float]], sure: float = 1.0) -> Cells:
    x, y = np.asarray(places, np.float32).T
    each = np.asarray(shares, np.float32)
    nothing = (np.zeros((0, 3), np.int32),) * len(x)
    return Cells(x, y, each.argmax(axis=1), np.full(len(x), sure, np.float32), each, nothing)


def test_a_doubtful_cell_follows_the_sure_ones_about_it() -> None:
    cells = cells_at([(0, 0), (6, 0), (0, 6), (500, 0)], [[0.55, 0.45], [0.1, 0.9], [0.1, 0.9], [0.55, 0.45]])
    told = with_neighbours(cells, 1.0, REACH)
    assert told.label.tolist() == [1, 1, 1, 0]
    near = np.exp(-36 / (2 * (REACH / 2) ** 2))
    assert told.shares[0, 0] == pytest.approx((0.55 + 2 * near * 0.1) / (1 + 2 * near), rel=1e-5)
    assert told.shares[3].tolist() == cells.shares[3].tolist()


def test_what_is_hardly_a_cell_tells_little() -> None:
    cells = cells_at([(0, 0), (6, 0)], [[0.55, 0.45], [0.1, 0.9]], sure=0.01)
    assert with_neighbours(cells, 1.0, REACH).label.tolist() == [0, 1]


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=2, max_size=20), st.floats(0, 2))
def test_shares_stay_shares(places: list[tuple[float, float]], weight: float) -> None:
    random = np.random.default_rng(len(places))
    cells = cells_at(places, random.dirichlet([1, 1, 1], len(places)).tolist())
    told = with_neighbours(cells, weight, REACH)
    assert told.shares.sum(axis=1) == pytest.approx(1, abs=1e-5) and (told.shares >= 0).all()
    assert told.places.tolist() == cells.places.tolist()


def pictures(grouped: bool) -> list[tuple[Cells, np.ndarray, np.ndarray]]:
    """Cells that a network tells apart badly, in groups of one class or mixed."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(20):
        label = np.repeat([0, 1], 20) if grouped else random.integers(0, 2, 40)
        places = random.uniform(0, 40, (40, 2)) + np.repeat([[0, 0], [300, 0]], 20, axis=0)
        logit = 1.5 * random.standard_normal(40) + 0.8 * (2 * label - 1)
        share = 1 / (1 + np.exp(-logit))
        cells = cells_at([tuple(place) for place in places], np.stack([1 - share, share], axis=1).tolist())
        found.append((cells, np.arange(40), label))
    return found


def test_neighbours_count_where_kinds_keep_together_and_only_there() -> None:
    assert best_weight(pictures(grouped=True), REACH) >= 0.4
    assert best_weight(pictures(grouped=False), REACH) <= 0.1


def test_neighbours_lie_within_what_a_tile_sees() -> None:
    assert reach_of(5.0, 32) == 32 and reach_of(2.0, 32) == 16


def test_no_cells_and_no_weight_change_nothing() -> None:
    lone = Cells.none(3)
    assert with_neighbours(lone, 1.0, REACH) is lone
    cells = cells_at([(0, 0), (1, 1)], [[0.6, 0.4], [0.1, 0.9]])
    assert with_neighbours(cells, 0.0, REACH) is cells
