"""Ways in which rows of a table get worse, each at five strengths: missing cells, noise in numbers, wrong categories.

Shapes: B rows, P numbers, Q categories.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.table_spec import NumberColumn, TableSpec
from assay.task import Corruption

#: The share of the cells that is missing, or that holds another row's category.
MISSING = (0.05, 0.1, 0.2, 0.3, 0.5)
SHUFFLED = (0.05, 0.1, 0.2, 0.3, 0.5)
#: The deviation of the noise, as a share of the column's.
NOISE = (0.05, 0.1, 0.2, 0.4, 0.8)
#: Between the quartiles of a normal distribution lie so many of its deviations.
_QUARTILES = 1.349


def table_corruptions(spec: TableSpec) -> dict[str, Corruption]:
    """Those that suit the columns, by name, for batches with the fields `numbers` (B, P) and `categories` (B, Q)."""
    found: dict[str, Callable[[Any, int, Draws], Any]] = {"missing values": _missing}
    if spec.numbers:
        spread = torch.tensor([_spread(column) for column in spec.numbers])
        found["noise in numbers"] = lambda batch, at, draws: replace(
            batch, numbers=noise(batch.numbers, NOISE[at - 1] * spread, draws)
        )
    if spec.categories:
        found["shuffled categories"] = lambda batch, at, draws: replace(
            batch, categories=shuffle(batch.categories, SHUFFLED[at - 1], draws)
        )
    return {name: Corruption(change) for name, change in found.items()}


def drop(cells: Tensor, share: float, nothing: float, draws: Draws, name: str) -> Tensor:
    """Cells (B, P), a share of them replaced by what stands for a missing value."""
    chosen = draws.uniform(f"missing {name}", cells.shape[1]) < share
    return torch.where(chosen, torch.full_like(cells, nothing), cells)


def noise(numbers: Tensor, deviation: Tensor, draws: Draws) -> Tensor:
    """Numbers (B, P) with Gaussian noise of a deviation by column (P,); a missing one stays missing."""
    uniform = draws.uniform("noise", numbers.shape[1]).double().clamp(min=2.0**-25)
    noisy: Tensor = numbers + torch.special.ndtri(uniform) * deviation
    return noisy.to(numbers.dtype)


def shuffle(categories: Tensor, share: float, draws: Draws) -> Tensor:
    """Categories (B, Q), a share of the cells with that of another row of the batch in the same column."""
    others = categories[torch.argsort(draws.uniform("other row"), stable=True)]
    chosen = draws.uniform("shuffled", categories.shape[1]) < share
    return torch.where(chosen, others, categories)


def _missing(batch: Any, strength: int, draws: Draws) -> Any:
    share = MISSING[strength - 1]
    numbers, categories = batch.numbers, batch.categories
    if numbers.shape[1]:
        numbers = drop(numbers, share, float("nan"), draws, "numbers")
    if categories.shape[1]:
        categories = drop(categories, share, 0, draws, "categories")
    return replace(batch, numbers=numbers, categories=categories)


def _spread(column: NumberColumn) -> float:
    """The deviation as the quartiles tell it, which a few outliers do not change; else from the whole range."""
    least, low, _, high, most = column.quantiles
    return (high - low) / _QUARTILES or (most - least) / 4
