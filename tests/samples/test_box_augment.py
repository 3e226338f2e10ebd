"""Changed pictures: the objects are where the pixels say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from assay.samples.box_augment import augment_boxes, packed
from assay.samples.box_spec import BoxSpec
from assay.samples.draws import Draws

SPEC = BoxSpec(3, 96, 128, (0.0, 0.0, 0.0), (1.0,) * 3, ("plate",), 1.0, 20.0)


def scene(count: int = 24, seed: int = 0) -> tuple[Any, Any, Any]:
    """Black pictures with one white rectangle each."""
    random = np.random.default_rng(seed)
    images, objects = np.zeros((count, 3, 96, 128), np.uint8), np.zeros((count, 1, 6), np.float32)
    for place in range(count):
        wide, high = (int(value) for value in random.integers(20, 50, 2))
        x, y = int(random.integers(0, 128 - wide)), int(random.integers(0, 96 - high))
        images[place, :, y : y + high, x : x + wide] = 255
        objects[place, 0, :4] = (x, y, x + wide, y + high)
    return torch.from_numpy(images), torch.from_numpy(objects), torch.ones(count, 1, dtype=torch.bool)


@pytest.mark.parametrize("name", ["flip", "scale", "mosaic", "all"])
def test_boxes_cover_what_is_bright_and_nothing_else(name: str) -> None:
    strength = {"flip": 0.5, "scale": 0.4, "mosaic": 0.6}
    chosen = strength if name == "all" else {name: strength[name]}
    image, objects, real = scene()
    changed, moved, there = augment_boxes(image, objects, real, chosen, SPEC, Draws(0, 0, np.arange(len(image))))
    seen = 0
    for picture, boxes, kept in zip(changed.float(), moved, there, strict=True):
        covered = torch.zeros(96, 128, dtype=torch.bool)
        for x0, y0, x1, y1, *_ in boxes[kept].tolist():
            inside = picture[0, round(y0 + 1.5) : round(y1 - 1.5), round(x0 + 1.5) : round(x1 - 1.5)]
            assert inside.numel() == 0 or inside.min() > 200
            covered[max(0, int(y0) - 2) : int(y1) + 3, max(0, int(x0) - 2) : int(x1) + 3] = True
            seen += 1
        assert ((picture[0] > 128) & ~covered).sum() < 220  # slivers of objects that are cut away
    assert seen >= len(image) // 2
    assert name == "flip" or not torch.equal(changed.float(), image.float())


def test_a_mosaic_holds_objects_of_other_pictures() -> None:
    image, objects, real = scene()
    _, moved, there = augment_boxes(image, objects, real, {"mosaic": 1.0}, SPEC, Draws(0, 0, np.arange(24)))
    assert there.sum(1).max() > 1
    assert moved.shape[1] == there.sum(1).max()


def test_an_object_of_which_little_is_left_is_hard() -> None:
    image, objects, real = scene(200)
    _, moved, there = augment_boxes(image, objects, real, {"mosaic": 1.0}, SPEC, Draws(0, 0, np.arange(200)))
    hard = moved[..., 5][there]
    assert 0 < hard.mean() < 0.5


def test_what_is_packed_stands_first_and_loses_nothing() -> None:
    objects = torch.arange(24, dtype=torch.float32).view(2, 2, 6).repeat(1, 2, 1)
    real = torch.tensor([[False, True, False, True], [False, False, True, False]])
    moved, there = packed(objects, real)
    assert there.tolist() == [[True, True], [True, False]]
    assert torch.equal(moved[0], objects[0, [1, 3]])
    assert torch.equal(moved[1, 0], objects[1, 2])
    assert not moved[1, 1].any()


def test_nothing_asked_changes_nothing() -> None:
    image, objects, real = scene(4)
    changed, moved, there = augment_boxes(image, objects, real, {}, SPEC, Draws(0, 0, np.arange(4)))
    assert torch.equal(changed, image)
    assert torch.equal(moved, objects)
    assert torch.equal(there, real)
