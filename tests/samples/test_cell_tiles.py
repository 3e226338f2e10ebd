"""Tiles cover a picture once, and what changes a picture moves its cells along."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from assay.evaluation.cells import Cells, spans_of
from assay.samples.cell_augment import Seen, cells_augmented, moved, stain_changed
from assay.samples.cell_tiles import Tile, cut, depth_map, tiles_of
from assay.samples.draws import Draws


@settings(deadline=None, max_examples=60)
@given(some.integers(1, 700), some.integers(1, 700), some.sampled_from([(64, 16), (128, 32), (256, 32)]))
def test_each_pixel_belongs_to_one_tile(height: int, width: int, form: tuple[int, int]) -> None:
    side, margin = form
    count = np.zeros((height, width), int)
    for tile in tiles_of(height, width, side, margin):
        assert Tile.of(tile.numbers) == tile
        count[tile.first_y : tile.last_y, tile.first_x : tile.last_x] += 1
        assert tile.left % (side - 2 * margin) == tile.top % (side - 2 * margin) == 0
        if tile.left:
            assert tile.first_x - tile.left == margin
        assert tile.last_x - tile.left <= side and tile.last_y - tile.top <= side
    assert (count == 1).all()


def test_beyond_the_edge_a_picture_is_mirrored() -> None:
    picture = np.arange(12).reshape(3, 4, 1)
    part = cut(picture, 2, 1, 4)
    assert part[:, :, 0].tolist() == [[6, 7, 7, 6], [10, 11, 11, 10], [10, 11, 11, 10], [6, 7, 7, 6]]


def test_depth_rises_inward_and_falls_between_cells_that_touch() -> None:
    labels = np.zeros((20, 30), int)
    labels[3:16, 2:14], labels[3:16, 14:26] = 1, 2
    spans = spans_of(labels)[1]
    nothing = np.zeros(2, np.float32)
    cells = Cells(nothing, nothing, np.zeros(2, np.int64), nothing, np.zeros((2, 0)), spans, True)
    depth = depth_map(cells, 20, 30)
    assert ((depth > 0) == (labels > 0)).all()
    assert depth[9, 7] == 255 and depth[9, 13] < 60 and depth[9, 14] < 60


def seen(count: int = 6, side: int = 48) -> Seen:
    """Black pictures with one white spot each, where the cell is."""
    random = np.random.default_rng(0)
    image, cells = torch.zeros(count, 3, side, side), torch.full((count, 4, 4), -2.0)
    depth = torch.zeros(count, side, side, dtype=torch.uint8)
    for row in range(count):
        x, y = random.integers(18, 30, 2).tolist()
        image[row, :, y - 1 : y + 2, x - 1 : x + 2] = 255
        depth[row, y - 1 : y + 2, x - 1 : x + 2] = 200
        cells[row, 0] = torch.tensor([x, y, 1, 4])
    return Seen(image, cells, depth, torch.ones(count, side, side, dtype=torch.bool))


@pytest.mark.parametrize("strength", [{"flip": 1.0}, {"flip": 1.0, "scale": 0.3}, {"crop": 32.0, "flip": 1.0}])
def test_cells_move_with_their_picture(strength: dict[str, float]) -> None:
    before = seen()
    after = moved(before, strength, Draws(1, 2, np.arange(6)))
    side = int(strength.get("crop", 48))
    assert after.image.shape == (6, 3, side, side)
    compared = 0
    for row in range(6):
        x, y, label, radius = after.cells[row, 0].tolist()
        if label < 0 or not 3 <= min(x, y) <= max(x, y) < side - 3:
            continue
        light = after.image[row, 0]
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        centre = (float((light * columns).sum() / light.sum()), float((light * rows).sum() / light.sum()))
        assert centre == pytest.approx((x, y), abs=0.2)
        assert after.depth is not None and after.depth[row, round(y), round(x)] == 200
        assert 4 / 1.31 <= radius <= 4 * 1.31
        compared += 1
    assert compared >= 3


def test_what_lies_beyond_the_picture_is_not_valid() -> None:
    before = seen()
    valid = before.valid.clone()
    valid[:, :, 24:] = False
    after = moved(Seen(before.image, before.cells, None, valid), {"flip": 1.0}, Draws(0, 0, np.arange(6)))
    assert after.depth is None
    assert after.valid.float().mean() == pytest.approx(0.5, abs=0.01)


def test_without_a_change_nothing_changes() -> None:
    before = seen()
    same = cells_augmented(before, {}, True, Draws(0, 0, np.arange(6)))
    assert torch.equal(same.image, before.image) and torch.equal(same.cells, before.cells)
    image = torch.rand(6, 3, 8, 8) * 200 + 30
    torch.testing.assert_close(stain_changed(image, 0.0, Draws(0, 0, np.arange(6))), image, atol=0.01, rtol=1e-3)
    assert (stain_changed(image, 0.3, Draws(0, 0, np.arange(6))) - image).abs().mean() > 1
