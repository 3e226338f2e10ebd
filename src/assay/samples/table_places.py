"""The columns of a row as its places, and rows in which a column says nothing.

Shapes: B rows, P number columns, Q category columns; the places are the numbers, then the categories, (P + Q,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.table_spec import TableSpec

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
_MEDIAN = 2  # of a column's five quantiles


def table_parts(spec: TableSpec) -> Mapping[str, Array]:
    """Every column by its name, each a bool array (P + Q,)."""
    names = [*(column.name for column in spec.numbers), *(column.name for column in spec.categories)]
    return dict(zip(names, np.eye(len(names), dtype=bool), strict=True))


def mask_rows(batch: Any, kept: Tensor, spec: TableSpec, instead: Any = None) -> Any:
    """Rows with the training median, and the code of no category, wherever nothing is kept; or with other rows' cells.

    Args:
        batch: has the fields `numbers` (B, P) and `categories` (B, Q).
        kept: (P + Q,) or (B, P + Q) bool.
        spec: the columns.
        instead: a batch of as many other rows; None for the medians.
    """
    import torch

    count = len(spec.numbers)
    if instead is None:
        numbers = torch.tensor([column.quantiles[_MEDIAN] for column in spec.numbers], dtype=batch.numbers.dtype)
        categories = torch.zeros_like(batch.categories)
    else:
        numbers, categories = instead.numbers, instead.categories
    return replace(
        batch,
        numbers=torch.where(kept[..., :count], batch.numbers, numbers),
        categories=torch.where(kept[..., count:], batch.categories, categories),
    )
