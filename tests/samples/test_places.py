"""Places by name, and inputs in which a place says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.samples.image_places import image_parts, mask_images
from assay.samples.image_spec import ImageSpec
from assay.samples.table_places import mask_rows, table_parts
from assay.samples.table_spec import CategoryColumn, NumberColumn, TableSpec
from assay.targets.class_target import ClassTarget

TARGET = ClassTarget(("a", "b"))
NINTHS = [f"{row} {column}".strip() for row in ("top", "middle", "bottom") for column in ("left", "", "right")]


def images(height: int, width: int, channels: int = 3) -> ImageSpec:
    mean = tuple(10.4 + 20 * channel for channel in range(channels))
    return ImageSpec(channels, height, width, mean, (1.0,) * channels, "squash", TARGET)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (64, 96), (8, 9)])
def test_places_of_an_image(height: int, width: int) -> None:
    parts = image_parts(images(height, width))
    assert next(iter(parts)) == "rim"
    assert all(part.shape == (height, width) and part.any() and part.dtype == bool for part in parts.values())
    assert np.array_equal(sum(parts[name].astype(int) for name in NINTHS), np.ones((height, width)))
    rim = parts["rim"]
    depth = round(min(height, width) / 8)
    assert rim[:depth].all() and rim[:, -depth:].all() and not rim[depth:-depth, depth:-depth].any()
    for row, down in (("top", 0), ("bottom", -1)):
        for column, across in (("left", 0), ("right", -1)):
            corner = parts[f"{row} {column} corner"]
            assert corner[down, across]
            assert corner.mean() == pytest.approx(1 / 16, abs=0.03)
            assert parts[f"{row} {column}"][down, across]
    assert parts["centre"][height // 2, width // 2]
    assert parts["top right"][0, -1] and not parts["top right"][-1].any()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("each", [False, True])
def test_masked_images(dtype: torch.dtype, each: bool) -> None:
    spec = images(8, 8)
    image = torch.arange(2 * 3 * 64).view(2, 3, 8, 8).remainder(250).to(dtype)
    kept = torch.zeros(2, 8, 8, dtype=torch.bool)
    kept[0, 2:5, 3:6] = True
    kept[1] = kept[0]
    if each:
        kept[1] = ~kept[0]
    found = mask_images(image, kept if each else kept[0], spec)
    assert found.dtype == dtype and found.shape == image.shape
    numbers, before = (values.to(torch.float64).numpy() for values in (found, image))
    mean = np.asarray(spec.mean) if dtype == torch.float32 else np.asarray([10.0, 30.0, 50.0])
    for row in range(2):
        for channel in range(3):
            where = kept[row].numpy()
            np.testing.assert_array_equal(numbers[row, channel][where], before[row, channel][where])
            np.testing.assert_allclose(numbers[row, channel][~where], mean[channel], rtol=1e-6)


def test_a_place_of_another_image() -> None:
    first, second = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.full((1, 3, 8, 8), 200, dtype=torch.uint8)
    kept = torch.ones(8, 8, dtype=torch.bool)
    kept[0, 0] = False
    found = mask_images(first, kept, images(8, 8), second).to(torch.int64)
    assert found[0, :, 0, 0].tolist() == [200] * 3 and found.sum() == 3 * 200


@dataclass(frozen=True)
class Rows:
    numbers: Tensor
    categories: Tensor
    target: Any = None


TABLE = TableSpec(
    (NumberColumn("height", (0, 1, 5, 8, 9)), NumberColumn("weight", (-2, -1, 0, 1, 2), missing=True)),
    (CategoryColumn("colour", ("red", "blue")),),
    TARGET,
)
ROWS = Rows(torch.tensor([[1.0, 2.0], [3.0, float("nan")]]), torch.tensor([[1], [2]]))


def test_columns_are_the_places_of_a_row() -> None:
    parts = table_parts(TABLE)
    assert {name: part.tolist() for name, part in parts.items()} == {
        "height": [True, False, False], "weight": [False, True, False], "colour": [False, False, True]
    }  # fmt: skip


def test_masked_rows() -> None:
    kept = torch.tensor([True, False, False])
    found = mask_rows(ROWS, kept, TABLE)
    assert found.numbers.tolist() == [[1.0, 0.0], [3.0, 0.0]]
    assert found.categories.tolist() == [[0], [0]]
    assert found.numbers.dtype == torch.float32 and found.categories.dtype == torch.int64
    each = mask_rows(ROWS, torch.stack([kept, ~kept]), TABLE)
    assert each.numbers[0].tolist() == [1.0, 0.0] and each.categories.tolist() == [[0], [2]]
    assert each.numbers[1, 0] == 5.0 and bool(each.numbers[1, 1].isnan()), "what is missing stays so where it is kept"
    other = mask_rows(ROWS, kept, TABLE, Rows(torch.full((2, 2), 9.0), torch.full((2, 1), 1)))
    assert other.numbers.tolist() == [[1.0, 9.0], [3.0, 9.0]] and other.categories.tolist() == [[1], [1]]


def test_rows_of_numbers_alone_and_of_categories_alone() -> None:
    numbers = TableSpec(TABLE.numbers, (), TARGET)
    found = mask_rows(Rows(ROWS.numbers, torch.zeros(2, 0, dtype=torch.int64)), torch.tensor([False, True]), numbers)
    assert found.numbers[:, 0].tolist() == [5.0, 5.0] and found.categories.shape == (2, 0)
    categories = TableSpec((), TABLE.categories, TARGET)
    found = mask_rows(Rows(torch.zeros(2, 0), ROWS.categories), torch.tensor([False]), categories)
    assert found.numbers.shape == (2, 0) and found.categories.tolist() == [[0], [0]]
