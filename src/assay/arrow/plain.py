"""What stands in for `pyarrow`: see the package."""

from __future__ import annotations

from typing import Any

from assay.arrow.missing import missing
from assay.arrow.plain_arrays import Array, Scalar, array, concat_arrays, nulls, scalar
from assay.arrow.plain_tables import Field, RecordBatch, Schema, Table, concat_tables, table
from assay.arrow.plain_types import (
    TIME,
    ArrowException,
    ArrowInvalid,
    ArrowNotImplementedError,
    ArrowTypeError,
    DataType,
    list_of,
    struct_of,
    types,
)

ChunkedArray = Array
list_, struct, schema, field = list_of, struct_of, Schema, Field
_NAMES = {"null": "null", "bool_": "bool", "float64": "double", "float32": "float", "string": "string",
          "large_string": "large_string", "binary": "binary", "large_binary": "large_binary",
          **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}}  # fmt: skip


def timestamp(unit: str, tz: str | None = None) -> DataType:
    """The type of moments, which are in microseconds."""
    if unit != "us" or tz is not None:
        raise missing(f"moments in {unit}")
    return TIME


def PythonFile(stream: Any, mode: str | None = None) -> Any:
    """The stream itself."""
    return stream


def __getattr__(name: str) -> Any:
    """The type of a name; else what needs Arrow."""
    if name in _NAMES:
        kind = DataType(_NAMES[name])
        return lambda: kind
    raise missing(f"what is done with tables here ({name})")


__all__ = ["Array", "ArrowException", "ArrowInvalid", "ArrowNotImplementedError", "ArrowTypeError", "ChunkedArray",
           "DataType", "Field", "PythonFile", "RecordBatch", "Scalar", "Schema", "Table", "array", "concat_arrays",
           "concat_tables", "field", "list_", "nulls", "scalar", "schema", "struct", "table", "timestamp",
           "types"]  # fmt: skip
