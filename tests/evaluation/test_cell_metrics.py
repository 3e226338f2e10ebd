"""Matching of cells against every possible pairing, and the metrics against counts by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from assay.evaluation.cell_matching import best_threshold, matched, matched_outlines, overlaps
from assay.evaluation.cell_metrics import (
    CellF1,
    ClassAuc,
    ClassF1,
    CountError,
    DetectionF1,
    ForegroundDice,
    InstanceF1,
    OneClassF1,
)
from assay.evaluation.cells import Cells, centre_of, painted, spans_of

Array = np.ndarray


def cells(places: list[tuple[float, float]], labels: list[int] | None = None, shares: Array | None = None,
          outlines: tuple[Array, ...] = ()) -> Cells:  # fmt: skip
    x, y = np.asarray(places, np.float32).reshape(-1, 2).T
    label = np.asarray(labels if labels is not None else [0] * len(places), np.int64)
    each = np.zeros((len(places), 0), np.float32) if shares is None else shares
    return Cells(
        x, y, label, np.ones(len(places), np.float32), each, outlines or (np.zeros((0, 3), np.int32),) * len(x)
    )


def best_by_trying(found: Array, true: Array, radius: float) -> tuple[int, float]:
    """The most pairs within the radius, and the least sum of distances of so many."""
    apart = np.hypot(*(found[:, None] - true[None]).transpose(2, 0, 1))
    best = (0, 0.0)
    longer = max(len(found), len(true))
    padded = np.full((longer, longer), np.inf)
    padded[: len(found), : len(true)] = apart
    for order in permutations(range(longer)):
        used = padded[np.arange(longer), list(order)]
        used = used[used <= radius]
        if (len(used), -used.sum()) > (best[0], -best[1]):
            best = (len(used), float(used.sum()))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_all_pairings_is_found(seed: int) -> None:
    random = np.random.default_rng(seed)
    found, true = random.uniform(0, 14, (random.integers(0, 7), 2)), random.uniform(0, 14, (random.integers(0, 7), 2))
    pairs = matched(found, true, 4.0)
    apart = np.hypot(*(found[pairs[:, 0]] - true[pairs[:, 1]]).T)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert (apart <= 4.0).all()
    count, total = best_by_trying(found, true, 4.0)
    assert len(pairs) == count
    assert apart.sum() == pytest.approx(total)


def test_a_slide_of_cells_is_matched_quickly() -> None:
    true = np.random.default_rng(0).uniform(0, 20_000, (50_000, 2))
    assert len(matched(true + 1.0, true, 6.0)) == 50_000


def test_detection_counts_pairs() -> None:
    truth = cells([(0, 0), (20, 0), (40, 0)])
    told = cells([(3, 0), (4, 0), (41, 1), (90, 90)])
    assert DetectionF1(6).value([told], [truth]) == pytest.approx(2 * 2 / 7)
    assert CountError().value([told, cells([])], [truth, cells([(1, 1)])]) == pytest.approx(2 / 4)
    assert np.isnan(DetectionF1(6).value([cells([])], [cells([])]))


def test_cells_without_a_class_count_neither_for_nor_against_a_class() -> None:
    truth = cells([(0, 0), (20, 0), (40, 0), (60, 0)], [0, 1, -1, 1])
    told = cells([(0, 1), (20, 1), (40, 1), (80, 0)], [0, 0, 1, 1])
    # Class 0: one right of two told and one true; class 1: one told for nothing, two true; the unclassed is left out.
    assert CellF1(6, 2).value([told], [truth]) == pytest.approx((1 * 2 / 3 + 2 * 0) / 3)
    assert ClassF1(6, 2).value([told], [truth]) == pytest.approx((2 / 3 + 0) / 2)
    assert OneClassF1(CellF1(6, 2), 0, "a").value([told], [truth]) == pytest.approx(2 / 3)
    assert OneClassF1(CellF1(6, 2), 0, "a").name == "f1_a"
    assert DetectionF1(6).value([told], [truth]) == pytest.approx(2 * 3 / 8)


def test_the_auc_of_a_class_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(1)
    places = [(30.0 * number, 0.0) for number in range(60)]
    labels, share = random.integers(0, 3, 60), random.random(60).round(1)
    shares = np.stack([share, 1 - share, 0 * share], axis=1).astype(np.float32)
    told, truth = cells(places, [0] * 60, shares), cells(places, labels.tolist())
    assert ClassAuc(6, 0, "a").value([told], [truth]) == pytest.approx(roc_auc_score(labels == 0, share), abs=1e-6)


def test_outlines_match_from_half_an_overlap_on() -> None:
    first = np.asarray([[0, 0, 10]], np.int32)
    exactly, less = np.asarray([[0, 0, 5]], np.int32), np.asarray([[0, 0, 4]], np.int32)
    truth = cells([(5, 0)], outlines=(first,))
    assert len(matched_outlines(cells([(2, 0)], outlines=(exactly,)), truth)) == 1
    assert len(matched_outlines(cells([(2, 0)], outlines=(less,)), truth)) == 0
    assert InstanceF1().value([cells([(2, 0)], outlines=(exactly,))], [truth]) == 1.0
    assert ForegroundDice().value([cells([(2, 0)], outlines=(exactly,))], [truth]) == pytest.approx(2 * 5 / 15)
    assert len(matched_outlines(cells([]), truth)) == 0


def test_a_label_map_survives_its_spans() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, (23, 31)) * (random.random((23, 31)) < 0.7)
    ids, spans = spans_of(labels)
    assert ids.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(painted(spans, 23, 31), labels)
    x, y, radius = centre_of(spans[2])
    rows, columns = np.nonzero(labels == 3)
    assert (x, y) == pytest.approx((columns.mean(), rows.mean()))
    assert np.pi * radius**2 == pytest.approx(len(rows))
    assert spans_of(np.zeros((4, 4), int))[1] == ()


def test_cells_move_and_join() -> None:
    outline = np.asarray([[0, 1, 3]], np.int32)
    moved = cells([(1, 2)], outlines=(outline,)).moved(10, 20)
    assert (moved.x[0], moved.y[0]) == (11, 22)
    assert moved.outlines[0].tolist() == [[20, 11, 13]]
    assert len(Cells.joined([moved, Cells.none(), moved])) == 2


def by_hand(outlines: tuple[Array, ...], height: int, width: int) -> Array:
    """(height, width) the number of the last outline that covers each pixel, from 1."""
    canvas = np.zeros((height, width), np.int32)
    for number, spans in enumerate(outlines, 1):
        for row, first, last in spans.tolist():
            if 0 <= row < height:
                canvas[row, max(0, first) : max(0, last)] = number
    return canvas


@pytest.mark.parametrize(("height", "width"), [(80, 90), (30, 20), (1, 1)])
def test_outlines_are_painted_one_over_the_other_and_cut_at_the_edge(height: int, width: int) -> None:
    outlines = blobs(np.random.default_rng(0), 40).outlines
    assert np.array_equal(painted(outlines, height, width), by_hand(outlines, height, width))
    assert not painted((), height, width).any()


def counted_densely(found: Cells, true: Cells) -> tuple[Array, Array, Array]:
    """(F, N) pixels that outlines share, and their areas, from two whole pictures and a table of all pairs."""
    height, width = 80, 90
    first, second = by_hand(found.outlines, height, width), by_hand(true.outlines, height, width)
    table = np.zeros((len(found) + 1, len(true) + 1), np.int64)
    np.add.at(table, (first.ravel(), second.ravel()), 1)
    return table[1:, 1:], table[1:].sum(axis=1), table[:, 1:].sum(axis=0)


def blobs(random: np.random.Generator, count: int, reach: int = 70) -> Cells:
    """Outlines that overlap one another and the picture's left and upper edge; some cells have none."""
    outlines = []
    for _ in range(count):
        top, left, high = (int(value) for value in random.integers((-4, -4, 0), (reach, reach, 12)))
        rows = np.arange(top, top + high)
        starts = left + random.integers(0, 4, high)
        outlines.append(np.stack([rows, starts, starts + random.integers(1, 14, high)], axis=1).astype(np.int32))
    return cells([(0.0, 0.0)] * count, outlines=tuple(outlines))


@pytest.mark.parametrize("band", [1, 200, 1 << 20])
@pytest.mark.parametrize("seed", range(8))
def test_what_outlines_share_is_what_a_table_of_all_pairs_says(
    seed: int, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.evaluation.cell_matching._BAND", band)
    random = np.random.default_rng(seed)
    found, true = blobs(random, int(random.integers(0, 25))), blobs(random, int(random.integers(0, 25)))
    table, own, other = counted_densely(found, true)
    pairs, shared, areas, others = overlaps(found, true)
    assert pairs.tolist() == np.argwhere(table).tolist()
    assert shared.tolist() == table[table > 0].tolist()
    assert areas.tolist() == own.tolist() and others.tolist() == other.tolist()
    dice = ForegroundDice().statistics([found], [true])[0]
    assert dice.tolist() == [table.sum(), own.sum() + other.sum()]


def test_matching_of_many_outlines_takes_little_memory() -> None:
    """4,900 cells on 16 million pixels: a table of all pairs is 190 MB, two pictures of numbers as much again."""
    import tracemalloc

    grid = [(row, column) for row in range(0, 3990, 57) for column in range(0, 3990, 57)]
    disc = np.asarray([[row, -round((400 - row**2) ** 0.5), round((400 - row**2) ** 0.5)] for row in range(-19, 20)])
    outlines = tuple((disc + np.asarray([row + 20, column + 20, column + 20])).astype(np.int32) for row, column in grid)
    many = cells([(0.0, 0.0)] * len(grid), outlines=outlines)
    shifted = cells([(0.0, 0.0)] * len(grid), outlines=tuple(outline + np.asarray([0, 3, 3]) for outline in outlines))
    tracemalloc.start()
    pairs = matched_outlines(many, shifted)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pairs.tolist() == [[number, number] for number in range(len(grid))]
    assert most < 80e6, most


def test_of_thresholds_with_as_good_an_f1_the_one_that_counts_best_is_taken() -> None:
    tried, scores = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 0.9, 0.901, 0.899])
    assert best_threshold(tried, scores, np.array([0.0, 30.0, 12.0, 7.0])) == 0.4
    assert best_threshold(tried, scores, np.array([0.0, 7.0, 7.0, 7.0])) == 0.3
