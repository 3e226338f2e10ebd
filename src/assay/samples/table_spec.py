"""What a row of a table is, learned from the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.targets.target import Target, target_from_json
from assay.task_export import Preparation


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers (or dates, as days since `origin_s`).

    Attributes:
        name: the column's name.
        quantiles: five values, the 0, 25, 50, 75 and 100 % quantiles of the training rows.
        origin_s: for a date, seconds since 1970 of day 0; None for a number.
        missing: whether the training rows hold missing values.
    """

    name: str
    quantiles: tuple[float, ...]
    origin_s: float | None = None
    missing: bool = False


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories: code 0 is missing or unseen, code i is `values[i - 1]`."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class TableSpec:
    """The columns that the network sees, in order, and the target."""

    numbers: tuple[NumberColumn, ...]
    categories: tuple[CategoryColumn, ...]
    target: Target
    columns: tuple[Mapping[str, Any], ...] = ()

    @property
    def category_sizes(self) -> tuple[int, ...]:
        """How many codes each category column has, code 0 included."""
        return tuple(len(column.values) + 1 for column in self.categories)

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = (
            f"numbers of {len(self.numbers)} columns as float32, NaN where missing, times in seconds",
            f"categories of {len(self.categories)} columns as their place in the spec's values from 1, 0 if unknown",
        )
        return Preparation(("scale and embed numbers, mark missing ones, embed categories",), outside)

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {
            "numbers": [vars(column) for column in self.numbers],
            "categories": [vars(column) for column in self.categories],
            "target": self.target.to_json(),
            "columns": [dict(column) for column in self.columns],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TableSpec:
        """The inverse of `to_json`."""
        numbers = [{**column, "quantiles": tuple(column["quantiles"])} for column in data["numbers"]]
        return TableSpec(
            tuple(NumberColumn(**column) for column in numbers),
            tuple(CategoryColumn(column["name"], tuple(column["values"])) for column in data["categories"]),
            target_from_json(data["target"]),
            tuple(data["columns"]),
        )
