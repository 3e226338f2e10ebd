"""Peaks, outlines, and the loss of a network that finds cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.errors import SettingError
from assay.evaluation.cells import Cells
from assay.networks.cell_decoding import Deciding, cells_of, merged_cells, outlines_around, strongest, tile_cells
from assay.networks.cell_loss import cell_losses, peaks
from assay.networks.cell_network import CellMaps
from assay.samples.cell_spec import CellSpec
from assay.samples.cell_tiles import tiles_of

SPEC = CellSpec(64, 16, (128.0,) * 3, (50.0,) * 3, ("a", "b"), False, 6.0, 5.0, 1e-3, 8, True)


def logit(values: torch.Tensor) -> torch.Tensor:
    return torch.logit(values.clamp(1e-6, 1 - 1e-6))


def table(*cells: tuple[float, float, float]) -> torch.Tensor:
    found = torch.full((1, 8, 4), -2.0)
    for row, (x, y, label) in enumerate(cells):
        found[0, row] = torch.tensor([x, y, label, 0.0])
    return found


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_peaks_are_found_where_they_were_put(stride: int) -> None:
    wanted = [(12.3, 30.8), (40.0, 9.5), (50.2, 55.1)]
    side = 64 // stride
    middle = peaks(table(*((x, y, 0) for x, y in wanted)), side, side, stride, 7.0)
    found = cells_of(CellMaps(logit(middle), None, None, None, stride), 0.3, 3.0, 7.0)[0]
    places = found.places[np.lexsort((found.y, found.x))]
    np.testing.assert_allclose(places, sorted(wanted), atol=0.35 * stride)


def test_of_close_peaks_the_surer_stays() -> None:
    places = np.array([[0.0, 0], [2, 0], [4, 0], [20, 0]])
    assert strongest(places, np.array([0.5, 0.9, 0.6, 0.1]), 3.0).tolist() == [1, 3]
    assert strongest(places, np.array([0.9, 0.5, 0.6, 0.1]), 3.0).tolist() == [0, 2, 3]
    assert strongest(places[:0], np.zeros(0), 3.0).tolist() == []


def test_cells_of_two_tiles_count_once() -> None:
    one = Cells(*(np.asarray([v], np.float32) for v in (10, 10)), np.zeros(1, np.int64), np.asarray([0.9], np.float32),
                np.zeros((1, 2), np.float32), (np.zeros((0, 3), np.int32),))  # fmt: skip
    other = one.moved(1.0, 1.0)
    assert len(merged_cells([one, other], SPEC)) == 1
    assert len(merged_cells([one, other.moved(10, 0)], SPEC)) == 2


def test_touching_cells_are_cut_along_the_valley() -> None:
    depth = np.zeros((20, 40))
    rows, columns = np.mgrid[:20, :40]
    for x in (12, 26):
        depth = np.maximum(depth, 1 - np.hypot(rows - 10, columns - x) / 9)
    outlines = outlines_around(np.array([[12.0, 10], [26.0, 10]]), depth > 0.05, depth)
    areas = [int((one[:, 2] - one[:, 1]).sum()) for one in outlines]
    assert abs(areas[0] - areas[1]) < 12
    assert outlines[0][:, 2].max() <= 20 and outlines[1][:, 1].min() >= 18


def test_the_loss_is_least_where_everything_is_right() -> None:
    cells = table((20, 20, 1), (44, 40, -1))
    depth = torch.zeros(1, 64, 64, dtype=torch.uint8)
    depth[0, 15:26, 15:26] = 200
    valid = torch.ones(1, 64, 64, dtype=torch.bool)
    middle = peaks(cells, 32, 32, 2, 5.0)
    kind = torch.zeros(1, 2, 32, 32)
    kind[:, 1] = 8.0
    inside, deep = (depth[:, ::2, ::2] > 0).float(), depth[:, ::2, ::2].float() / 255

    def loss(middle: torch.Tensor, kind: torch.Tensor, inside: torch.Tensor) -> float:
        maps = CellMaps(logit(middle), kind, logit(inside), logit(deep), 2)
        return float(cell_losses(maps, cells, depth, valid, 5.0, 2 / 4096, 0.0))

    best = loss(middle, kind, inside)
    assert loss(torch.zeros_like(middle), kind, inside) > best + 0.3
    assert loss(middle, -kind, inside) > best + 3
    assert loss(middle, kind, 1 - inside) > best + 1


def test_a_cell_without_a_class_says_nothing_about_classes() -> None:
    valid = torch.ones(1, 64, 64, dtype=torch.bool)
    kind = torch.randn(1, 2, 32, 32, requires_grad=True)
    maps = CellMaps(torch.zeros(1, 32, 32), kind, None, None, 2)
    cell_losses(maps, table((20, 20, -1)), None, valid, 5.0, 1e-3, 0.0).sum().backward()
    assert kind.grad is not None and not kind.grad.any()


def test_what_lies_beyond_the_picture_does_not_count() -> None:
    middle = torch.randn(1, 32, 32, requires_grad=True)
    valid = torch.zeros(1, 64, 64, dtype=torch.bool)
    valid[:, :, :32] = True
    cell_losses(CellMaps(middle, None, None, None, 2), table((10, 10, 0)), None, valid, 5.0, 1e-3, 0.0).sum().backward()
    assert middle.grad is not None
    assert not middle.grad[:, :, 16:].any() and middle.grad[:, :, :16].any()


class _Asked(torch.nn.Module):
    """Keeps with how many views it was asked."""

    views = 4
    threshold = torch.tensor(0.5)
    neighbours = torch.tensor(0.0)
    count_slope = torch.tensor(0.0)
    count_offset = torch.tensor(0.0)

    def maps(self, image: torch.Tensor, views: int | None = None) -> CellMaps:
        self.asked = views
        return CellMaps(torch.full((len(image), 32, 32), -5.0), None, None, None, 2)


@pytest.mark.parametrize(("options", "views"), [({}, 4), ({"views": "1"}, 1), ({"views": 8}, 8)])
def test_an_answer_takes_as_many_views_as_it_is_asked_for(options: dict[str, object], views: int) -> None:
    network, tile = _Asked(), next(iter(tiles_of(64, 64, 64, 16)))
    place = torch.from_numpy(tile.numbers)[None]
    tile_cells(network, torch.zeros(1, 3, 64, 64), place, SPEC, Deciding.of(options, network))
    assert network.asked == views


@pytest.mark.parametrize("views", ["3", "0", "many"])
def test_other_numbers_of_views_are_refused(views: str) -> None:
    with pytest.raises(SettingError, match="--views"):
        Deciding.of({"views": views}, _Asked())
