"""Labelled boxes, cells and areas of masks as things that can be covered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from assay.evaluation.cells import Cells
from assay.evaluation.things import BoxThings, CellThings, MaskThings
from assay.samples.box_spec import BoxSpec
from assay.samples.cell_spec import CellSpec
from assay.samples.cell_tiles import tiles_of
from assay.samples.mask_spec import MaskSpec
from assay.samples.mask_windows import WindowShares
from assay.tasks.cell_detection import CellBatch
from assay.tasks.object_detection import BoxBatch
from assay.tasks.segmentation import MaskBatch

Array = np.ndarray[Any, Any]


def test_boxes_lie_in_the_field_and_hard_ones_are_none() -> None:
    spec = BoxSpec(3, 64, 64, (0.0,) * 3, (1.0,) * 3, ("cat", "dog"))
    things = BoxThings(spec)
    objects = torch.tensor([[[0, 0, 40, 40, 0, 0], [10, 10, 20, 20, 1, 0], [50, 50, 60, 60, 1, 1], [0, 0, 0, 0, 0, 0]]])
    real = torch.tensor([[True, True, True, False]])
    batch = BoxBatch(index=torch.arange(1), image=torch.zeros(1, 3, 64, 64), frame=torch.tensor([[128, 128]]),
                     objects=objects.float(), objects_mask=real)  # fmt: skip
    (places,) = things.places(batch)
    assert places.shape == (64, 64) and places[5, 5] == 1 and places[15, 15] == 2 and places[55, 55] == 0
    assert things.names(batch) == [["cat", "dog"]] and things.sizes(batch) == ["128 x 128"]
    found = np.asarray([[0, 0, 82, 80, 0.9, 0], [20, 20, 40, 40, 0.9, 0]])  # in pixels of the picture; the dog as a cat
    assert [one.tolist() for one in things.found(batch, [found])] == [[True, False]]
    assert [one.tolist() for one in things.found(batch, [found[:0]])] == [[False, False]]


def test_areas_of_masks_are_things_but_specks() -> None:
    spec = MaskSpec(("ground", "cat", "dog"), 0, 32, 1.0, 255.0, True, (0.0,) * 3, (1.0,) * 3, (0.8, 0.1, 0.1))
    target = np.zeros((1, 32, 32), np.uint8)
    target[0, 2:8, 2:8], target[0, 20:26, 20:26], target[0, 30, 30], target[0, 2:8, 20:26] = 1, 1, 1, 2
    target[0, 12:16] = 255
    batch = MaskBatch(index=torch.arange(1), image=torch.zeros(1, 3, 32, 32), target=torch.from_numpy(target),
                      place=torch.tensor([[32, 32, 32, 32, 0, 0]]))  # fmt: skip
    things = MaskThings(spec)
    (places,) = things.places(batch)
    assert [places[5, 5], places[22, 22], places[30, 30], places[5, 22], places[14, 14]] == [1, 2, 0, 3, 0]
    assert things.names(batch) == [["cat", "cat", "dog"]]
    told = target[0].copy()
    told[20:23, 20:26], told[2:8, 20:26] = 0, 1
    shares = (np.arange(3)[:, None, None] == told).astype(np.float16)
    (hits,) = things.found(batch, [WindowShares(shares, np.zeros(6))])
    assert hits.tolist() == [True, False, False]


def test_cells_are_disks_or_what_is_outlined_around_them() -> None:
    spec = CellSpec(64, 16, (200.0,) * 3, (50.0,) * 3, ("round", "long"), False, 6.0, 5.0, 1e-3, 4, True)
    numbers = next(tiles_of(64, 64, 64, 16)).numbers
    marked = torch.tensor([[[10, 12, 0, 5], [40, 40, 1, 5], [50, 20, -1, 5], [0, 0, -2, 0]]]).float()
    batch = CellBatch(index=torch.arange(1), image=torch.zeros(1, 3, 64, 64), place=torch.from_numpy(numbers)[None],
                      cells=marked)  # fmt: skip
    things = CellThings(spec)
    (places,) = things.places(batch)
    assert [places[12, 10], places[40, 45], places[20, 50], places[60, 60]] == [1, 2, 3, 0]
    assert places[12, 17] == 0
    assert things.names(batch) == [["round", "long", "a cell"]] and things.sizes(batch) == ["64 x 64"]
    x, y = np.asarray([[11, 12], [41, 40], [50, 21]], np.float32).T
    nothing = (np.zeros((0, 3), np.int32),) * 3
    told = Cells(x, y, np.asarray([0, 0, 1]), np.ones(3, np.float32), np.zeros((3, 2), np.float32), nothing)
    assert [one.tolist() for one in things.found(batch, [told])] == [[True, False, True]]
    depth = torch.zeros(1, 64, 64, dtype=torch.uint8)
    depth[0, 10:15, 8:20] = 100
    outlined = CellThings(replace(spec, outlined=True))
    (places,) = outlined.places(replace(batch, depth=depth))
    assert places[12, 18] == 1 and places[40, 40] == 0
