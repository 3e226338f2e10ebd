"""As many cells as calibrated probabilities sum to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from assay.evaluation.cells import Cells
from assay.networks.cell_counting import expected, fit_counting, least_counted
from assay.networks.cell_decoding import CellReadings, Deciding, tile_cells
from assay.networks.cell_networks import _counting, _finding
from assay.samples.cell_spec import CellSpec
from assay.samples.cell_tiles import tiles_of


def drawn(pictures: int, missed: float = 0.0) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Candidates whose true odds are the square of what they say, times 2; a share of all cells is no candidate."""
    random, found = np.random.default_rng(0), []
    for _ in range(pictures):
        odds = np.exp(random.uniform(-2, 2, 80))
        true = random.random(80) < 2 * odds**2 / (1 + 2 * odds**2)
        found.append((odds / (1 + odds), true, round(true.sum() * (1 + missed))))
    return found


def test_what_is_learned_is_how_odds_and_cells_go_together() -> None:
    taught = fit_counting(drawn(60))
    assert taught is not None
    assert taught[0] == pytest.approx(2.0, abs=0.15)
    assert taught[1] == pytest.approx(np.log(2), abs=0.15)


def test_what_is_expected_is_what_is_there_cells_without_a_candidate_counted() -> None:
    pictures = drawn(60, missed=0.2)
    taught = fit_counting(pictures)
    assert taught is not None
    told = sum(expected(probability, *taught) for probability, _, _ in pictures)
    assert told == pytest.approx(sum(count for _, _, count in pictures), abs=1e-3)


def test_nothing_is_learned_of_few_or_where_sureness_tells_the_wrong_way() -> None:
    assert fit_counting([]) is None
    assert fit_counting(drawn(60)[:1]) is not None
    few = [(probability[:10], true[:10], int(true[:10].sum())) for probability, true, _ in drawn(1)]
    assert fit_counting(few) is None
    assert fit_counting([(1 - probability, true, count) for probability, true, count in drawn(20)]) is None
    assert fit_counting([(probability, true, len(true)) for probability, true, _ in drawn(20)]) is None


def test_so_many_of_the_surest_are_kept() -> None:
    probability = np.array([0.5, 0.7, 0.6, 0.2], np.float32)
    assert expected(probability, 1.0, 0.0) == pytest.approx(2.0)
    assert least_counted(probability, 1.0, 0.0) == pytest.approx(0.6)
    assert least_counted(probability, 1.0, -9.0) == float("inf")
    assert least_counted(probability, 1.0, 9.0) == pytest.approx(0.2)
    assert least_counted(np.zeros(0), 1.0, 0.0) == float("inf")


def test_a_faint_tile_keeps_as_many_as_are_expected_where_a_threshold_would_drop_them() -> None:
    """Two tiles of four candidates each, of .4 and of .8: two and three of them are cells."""
    spec = CellSpec(64, 16, (128.0,) * 3, (50.0,) * 3, (), False, 6.0, 5.0, 1e-3, 8, True)
    middle = np.zeros((2, 64, 64), np.float32)
    for place, value in enumerate((0.4, 0.8)):
        for number, (row, column) in enumerate(((10, 10), (10, 50), (50, 10), (50, 50))):
            middle[place, row, column] = value + 0.01 * number
    network = SimpleNamespace(maps=lambda image, views: CellReadings(middle, middle > 0.05))
    places = torch.from_numpy(np.stack([next(iter(tiles_of(64, 64, 64, 16))).numbers] * 2))
    image = torch.zeros(2, 3, 64, 64)
    counts = [len(cells) for cells in tile_cells(network, image, places, spec, Deciding(0.5, 1))]
    assert counts == [0, 4]
    found = tile_cells(network, image, places, spec, Deciding(0.5, 1, counting=(1.0, 0.0)))
    assert [len(cells) for cells in found] == [2, 3]
    assert found[0].probability.tolist() == pytest.approx([0.43, 0.42])


def test_who_gives_a_threshold_is_asked_for_no_counting() -> None:
    asked = SimpleNamespace(views=1, threshold=0.5, neighbours=0.0, count_slope=2.0, count_offset=1.0)
    assert Deciding.of({}, asked).counting == (2.0, 1.0)
    assert Deciding.of({"threshold": 0.3}, asked) == Deciding(0.3, 1)


def tile_of(sure: list[float], true: list[bool]) -> tuple[Cells, np.ndarray, Cells]:
    """Candidates 30 pixels apart; where one is true, a cell is known at its place."""
    x = np.arange(len(sure), dtype=np.float32) * 30
    nothing = (np.zeros((0, 3), np.int32),) * len(sure)
    shares = np.zeros((len(sure), 0), np.float32)
    cells = Cells(x, x * 0, np.zeros(len(x), np.int64), np.asarray(sure, np.float32), shares, nothing)
    return cells, np.stack([x, x * 0, x * 0], axis=1)[np.asarray(true)].astype(float), cells


@pytest.mark.parametrize("faint", [True, False])
def test_counting_is_taken_where_it_counts_better_and_finds_as_well(faint: bool) -> None:
    """In faint tiles every second of the candidates of .4 is a cell; where none are faint, .5 tells all apart."""
    sure = [0.9] * 10 + [0.1] * 10
    clear = tile_of(sure, [True] * 10 + [False] * 10)
    doubtful = tile_of([0.42, 0.40] * 10, [True, False] * 10)
    tiles = [doubtful if faint and place < 4 else clear for place in range(8)]
    by_threshold = [[own.only(own.probability >= cut) for own, _, _ in tiles] for cut in (0.3, 0.5)]
    best = max((_finding(kept, tiles, 6.0) for kept in by_threshold), key=lambda one: one[0])
    slope, offset = _counting(tiles, 6.0, best)
    assert (slope > 0) == faint
    if faint:
        kept = [own.only(own.probability >= least_counted(own.probability, slope, offset)) for own, _, _ in tiles]
        assert _finding(kept, tiles, 6.0)[1] < best[1]
