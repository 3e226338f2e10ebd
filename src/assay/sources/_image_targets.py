"""What the target column of an image table means: one label, several labels, or a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import SettingError
from assay.sources._table_target import MOST_CLASSES
from assay.sources._values import as_category, as_class, as_number, is_text, present_text
from assay.sources.source import DataOptions

KINDS = ("class", "labels", "number")
_SEPARATOR = "|"


def read_targets(column: pa.Array, options: DataOptions, name: str = "target") -> tuple[pa.Array, str]:
    """A raw target column as Assay's, and its kind.

    Args:
        column: (rows,) text, numbers, bool, or lists of these.
        options: `extra["target_kind"]` ("class", "labels" or "number") overrides what the values say.
        name: for messages.

    Returns:
        (rows,) text ("class"), lists of text ("labels") or doubles ("number"), null where missing; the kind.

    Raises:
        SettingError: an unknown kind, or "number" for values that are none.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    numbers = None if _is_list(column.type) else _numbers(column)
    kind = options.extra.get("target_kind") or _kind(column, numbers)
    if kind not in KINDS:
        raise SettingError(
            f"a target is of the kind 'class', 'labels' or 'number', not {kind!r}.",
            "Leave it out to have it told from the values.",
        )
    if kind == "labels":
        return _labels(column), kind
    if kind == "class":
        return (as_category(column) if numbers is None else as_class(column, "plain")), kind
    if numbers is None:
        raise SettingError(f"column {name!r} does not hold numbers.", "Choose another column with --target.")
    return numbers, kind


def class_names(values: np.ndarray[Any, Any]) -> list[str]:
    """Values of a label array as text; whole numbers without a fraction."""
    if values.dtype.kind == "f" and (values % 1 == 0).all():
        values = values.astype(np.int64)
    return [str(value) for value in values.tolist()]


def _kind(column: pa.Array, numbers: pa.Array | None) -> str:
    if _is_list(column.type):
        return "labels"
    if numbers is not None:
        values = numbers.drop_null().to_numpy()
        return "number" if (values % 1 != 0).any() or len(np.unique(values)) > MOST_CLASSES else "class"
    if is_text(column.type) and pc.any(pc.match_substring(column, _SEPARATOR)).as_py():
        return "labels"
    return "class"


def _numbers(column: pa.Array) -> pa.Array | None:
    """The column as doubles where all of its values are numbers, else None."""
    if pa.types.is_boolean(column.type):
        return None
    try:
        numbers, wrong = as_number(column, "plain")
    except (pa.ArrowException, TypeError):
        return None
    return None if wrong.any() or numbers.null_count == len(numbers) else numbers


def _labels(column: pa.Array) -> pa.Array:
    if _is_list(column.type):
        return column.cast(pa.list_(pa.string()))
    rows = [
        None if value is None else [label.strip() for label in value.split(_SEPARATOR) if label.strip()]
        for value in present_text(column).to_pylist()
    ]
    return pa.array(rows, pa.list_(pa.string()))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
