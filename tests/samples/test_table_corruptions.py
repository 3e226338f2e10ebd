"""Rows get worse by the share that is said, in the cells that it is meant for, and the same way every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from assay.samples.draws import Draws
from assay.samples.table_corruptions import MISSING, NOISE, SHUFFLED, table_corruptions
from assay.samples.table_spec import CategoryColumn, NumberColumn, TableSpec
from assay.targets.class_target import ClassTarget
from assay.tasks.table import TableBatch

COUNT = 4000
#: Standard normal, ten times as wide, and one that is nearly always the same.
COLUMNS = (
    NumberColumn("a", (-4.0, -0.6745, 0.0, 0.6745, 4.0)),
    NumberColumn("b", (-40.0, -6.745, 0.0, 6.745, 40.0)),
    NumberColumn("c", (0.0, 0.0, 0.0, 0.0, 8.0)),
)
SPEC = TableSpec(COLUMNS, (CategoryColumn("d", ("x", "y", "z")),), ClassTarget(("no", "yes")))


def batch(rows: slice = slice(None)) -> TableBatch:
    random = np.random.default_rng(0)
    numbers = torch.from_numpy((random.standard_normal((COUNT, 3)) * [1, 10, 0]).astype(np.float32))
    numbers[::10, 0] = float("nan")
    codes = torch.from_numpy(random.integers(1, 4, (COUNT, 1)))
    return TableBatch(index=torch.arange(COUNT)[rows], numbers=numbers[rows], categories=codes[rows])


def worse(name: str, strength: int, given: TableBatch | None = None) -> Any:
    given = given or batch()
    return table_corruptions(SPEC)[name].change(given, strength, Draws(0, 0, given.index.numpy()))


@pytest.mark.parametrize("strength", [1, 2, 3, 4, 5])
def test_a_share_of_the_cells_is_missing(strength: int) -> None:
    found, before = worse("missing values", strength), batch()
    known = ~before.numbers.isnan()
    gone = found.numbers.isnan() & known
    assert gone.sum() / known.sum() == pytest.approx(MISSING[strength - 1], abs=0.02)
    assert (found.categories == 0).float().mean().item() == pytest.approx(MISSING[strength - 1], abs=0.03)
    assert torch.equal(found.numbers[known & ~gone], before.numbers[known & ~gone])


@pytest.mark.parametrize("strength", [1, 3, 5])
def test_noise_is_a_share_of_each_columns_deviation(strength: int) -> None:
    found, before = worse("noise in numbers", strength), batch()
    assert found.numbers.dtype == torch.float32
    assert torch.equal(found.numbers.isnan(), before.numbers.isnan())
    change = (found.numbers - before.numbers).numpy()
    wanted = NOISE[strength - 1] * np.asarray([1.0, 10.0, 2.0])
    assert np.nanstd(change, axis=0) == pytest.approx(wanted, rel=0.05)
    assert torch.equal(found.categories, before.categories)


@pytest.mark.parametrize("strength", [1, 5])
def test_a_share_of_the_categories_is_another_rows(strength: int) -> None:
    found, before = worse("shuffled categories", strength), batch()
    changed = (found.categories != before.categories).float().mean().item()
    assert changed == pytest.approx(SHUFFLED[strength - 1] * 2 / 3, abs=0.02)
    counts = [torch.bincount(one.categories[:, 0], minlength=4).numpy() / COUNT for one in (found, before)]
    assert counts[0] == pytest.approx(counts[1], abs=0.03)
    assert torch.equal(found.numbers.nan_to_num(), before.numbers.nan_to_num())


def test_the_same_row_gets_worse_the_same_way_in_any_batch() -> None:
    for name in ("missing values", "noise in numbers"):
        whole, part = worse(name, 3), worse(name, 3, batch(slice(100, 200)))
        assert torch.equal(whole.numbers[100:200].nan_to_num(-9), part.numbers.nan_to_num(-9))


def test_only_what_suits_the_columns_is_tried() -> None:
    assert list(table_corruptions(SPEC)) == ["missing values", "noise in numbers", "shuffled categories"]
    numbers = TableSpec(COLUMNS, (), SPEC.target)
    assert list(table_corruptions(numbers)) == ["missing values", "noise in numbers"]
    given = TableBatch(
        index=torch.arange(3), numbers=torch.zeros(3, 3), categories=torch.zeros((3, 0), dtype=torch.int64)
    )
    changed = table_corruptions(numbers)["missing values"].change(given, 5, Draws(0, 0, np.arange(3)))
    assert changed.categories.shape == (3, 0)
