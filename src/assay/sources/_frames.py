"""Tables in memory: Arrow, data frames, lists of rows, and pairs of arrays (X, y)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._rows import Numbered, Rows, repair_names
from assay.sources._text_values import mended
from assay.sources.records import ProblemLog

#: How ids and problems name data in memory.
MEMORY = "data"
TARGET = "target"


def is_frame(value: Any) -> bool:
    """Whether data in memory is a table: Arrow, a data frame, a list of dicts, or arrays (X of two dimensions, y)."""
    if is_pair(value):
        inputs, target = value
        return is_frame(inputs) or (_dimensions(inputs) == 2 and _dimensions(target) == 1)
    rows = isinstance(value, list) and len(value) > 0 and all(isinstance(row, dict) for row in value[:100])
    return rows or hasattr(value, "__arrow_c_stream__") or isinstance(value, pa.Table | pa.RecordBatch)


def is_pair(value: Any) -> bool:
    """Whether data in memory is (X, y)."""
    return isinstance(value, tuple) and len(value) == 2


def frame_rows(value: Any) -> Rows:
    """The rows of a table in memory, counted from 1.

    Raises:
        DataError: values that are no table.
    """
    table = _pair_table(*value) if is_pair(value) else frame_table(value)
    names, repaired = repair_names([str(name) for name in table.column_names])
    table = table.rename_columns(list(names))

    def batches(log: ProblemLog | None) -> Iterator[Numbered]:
        first = 1
        for batch in table.to_batches(max_chunksize=32768):
            yield batch, np.arange(first, first + batch.num_rows)
            first += batch.num_rows

    return Rows(MEMORY, names, batches, typed=True, repaired=repaired)


def frame_table(value: Any) -> pa.Table:
    """Arrow, a data frame, a list of dicts or an array (N, D), as an Arrow table."""
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = dict.fromkeys(str(name) for row in value for name in row)
        return pa.table({name: _column([row.get(name) for row in value]) for name in names})
    if hasattr(value, "iloc") and hasattr(value, "columns"):  # pandas, whose columns may hold values of mixed types
        columns = [_column(value.iloc[:, place]) for place in range(value.shape[1])]
        return pa.Table.from_arrays(columns, names=[str(name) for name in value.columns])
    if hasattr(value, "__arrow_c_stream__"):
        return pa.table(value)
    if _dimensions(value) == 2:
        array = np.asarray(value)
        return pa.Table.from_arrays(
            [_column(array[:, place]) for place in range(array.shape[1])],
            names=[f"x{place}" for place in range(array.shape[1])],
        )
    raise DataError(
        f"a {type(value).__name__} is no table; a data frame, a list of dicts or (X, y) is expected.",
        "Convert it, for instance with pandas.DataFrame(…).",
    )


def _pair_table(inputs: Any, target: Any) -> pa.Table:
    table = frame_table(inputs)
    column = _column(target if hasattr(target, "dtype") else list(target))
    if len(column) != table.num_rows:
        raise DataError(f"X has {table.num_rows} rows, but y has {len(column)}.", "Give as many targets as rows.")
    name = str(getattr(target, "name", None) or TARGET)
    while name in table.column_names:
        name += "_"
    return table.append_column(name, column)


def _column(values: Sequence[Any] | Any) -> pa.Array:
    """A column from any sequence; values of mixed types become text."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "US":
        values = values.astype(str).astype(object)
    if isinstance(values, np.ndarray) and values.dtype == np.float16:
        values = values.astype(np.float32)
    try:
        column = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        texts = [None if value is None or value != value else mended(str(value)) for value in values]
        column = pa.array(texts, pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _dimensions(value: Any) -> int:
    if hasattr(value, "ndim"):
        return int(value.ndim)
    if isinstance(value, list) and value:
        return 1 + _dimensions(value[0]) if isinstance(value[0], list | tuple | np.ndarray) else 1
    return 0
