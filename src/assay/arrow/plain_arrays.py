"""Columns of Python values that are asked as Arrow's arrays are."""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from assay.arrow.missing import missing
from assay.arrow.plain_types import (
    BOOL,
    BYTES,
    FLOATS,
    NULL,
    STRING,
    TEXTS,
    TIME,
    WHOLE,
    ArrowInvalid,
    ArrowNotImplementedError,
    DataType,
    shown,
    stored,
    type_of,
)

_WHOLE = re.compile(r"-?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)


class Scalar:
    """A single value."""

    def __init__(self, value: Any, kind: DataType) -> None:
        self.value, self.type = value, kind

    def __getattr__(self, name: str) -> Any:
        raise missing(f"what is done with a value here ({name})")

    def as_py(self) -> Any:
        """As Python's."""
        return shown(self.value, self.type)

    @property
    def is_valid(self) -> bool:
        """Whether it is not missing."""
        return self.value is not None


class Array:
    """A column: values as `stored` keeps them, None where missing. It stands in for chunked columns, too."""

    def __init__(self, stored_values: list[Any], kind: DataType) -> None:
        self.stored, self.type = stored_values, kind

    def __getattr__(self, name: str) -> Any:
        raise missing(f"what is done with a column here ({name})")

    def __len__(self) -> int:
        return len(self.stored)

    def __iter__(self) -> Iterator[Scalar]:
        return (Scalar(value, self.type) for value in self.stored)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Array(self.stored[place], self.type)
        return Scalar(self.stored[place], self.type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and (self.type, self.stored) == (other.type, other.stored)

    __hash__ = None  # type: ignore[assignment]

    @property
    def null_count(self) -> int:
        """How many values are missing."""
        return sum(value is None for value in self.stored)

    @property
    def nbytes(self) -> int:
        """About what it takes."""
        return sum(8 if value is None or isinstance(value, int | float) else sys.getsizeof(value)
                   for value in self.stored)  # fmt: skip

    @property
    def chunks(self) -> list[Array]:
        """The column, which is in one piece."""
        return [self]

    def chunk(self, place: int) -> Array:
        """The only piece."""
        return self.chunks[place]

    @property
    def num_chunks(self) -> int:
        """One."""
        return 1

    def combine_chunks(self) -> Array:
        """Itself."""
        return self

    def to_pylist(self) -> list[Any]:
        """The values as Python's."""
        return [shown(value, self.type) for value in self.stored]

    def to_numpy(self, zero_copy_only: bool = True) -> np.ndarray[Any, Any]:
        """The values as an array; of numbers NaN where missing."""
        if self.type == TIME:
            return np.asarray([_NAT if value is None else value for value in self.stored], np.int64).view("M8[us]")
        if self.type.name in (*WHOLE, *FLOATS) and self.null_count:
            return np.asarray([math.nan if value is None else value for value in self.stored], float)
        if self.type.name in _NUMPY and not self.null_count:
            return np.asarray(self.stored, _NUMPY[self.type.name])
        found = np.empty(len(self), object)
        found[:] = self.to_pylist()
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """For NumPy."""
        found = self.to_numpy(False)
        return found if dtype is None else found.astype(dtype)

    def buffers(self) -> list[bytes | None]:
        """Of texts and bytes: all of them one behind another, third."""
        whole = (value for value in self.stored if value is not None)
        return [None, None, b"".join(value.encode() if isinstance(value, str) else value for value in whole)]

    def filter(self, mask: Iterable[Any]) -> Array:
        """The values where a mask is true."""
        return Array(list(itertools.compress(self.stored, _plain(mask))), self.type)

    def take(self, places: Iterable[Any]) -> Array:
        """The values at some places."""
        return Array([None if place is None else self.stored[place] for place in _plain(places)], self.type)

    def slice(self, offset: int = 0, length: int | None = None) -> Array:
        """A stretch of the values."""
        return Array(self.stored[offset : None if length is None else offset + length], self.type)

    def drop_null(self) -> Array:
        """The values that are not missing."""
        return Array([value for value in self.stored if value is not None], self.type)

    def fill_null(self, value: Any) -> Array:
        """The values, another in the place of missing ones."""
        return Array([value if one is None else one for one in self.stored], self.type)

    def unique(self) -> Array:
        """Each value once."""
        return Array(list(dict.fromkeys(self.stored)), self.type)

    def is_valid(self) -> Array:
        """Whether each is there."""
        return Array([value is not None for value in self.stored], BOOL)

    def is_null(self) -> Array:
        """Whether each is missing."""
        return Array([value is None for value in self.stored], BOOL)

    def equals(self, other: object) -> bool:
        """Whether another column is of the same type and values."""
        return self == other

    def field(self, name: str) -> Array:
        """Of structs: a field of each."""
        kind = dict(self.type.parts)[name]
        return Array([None if value is None else value[name] for value in self.stored], kind)

    def flatten(self) -> Array:
        """Of lists: the values of all."""
        return Array([one for value in self.stored for one in value or ()], self.type.value_type)

    def cast(self, kind: DataType, safe: bool = True) -> Array:
        """The values as another type; raises `ArrowInvalid` where one does not fit."""
        if kind == self.type:
            return self
        return Array([None if value is None else _cast(value, self.type, kind, safe) for value in self.stored], kind)


_NAT = np.iinfo(np.int64).min
_NUMPY = {"double": "f8", "float": "f4", "halffloat": "f2", "bool": "?", **{name: name for name in WHOLE}}


def array(values: Any, type: DataType | None = None, from_pandas: bool = False) -> Array:
    """A column of any values, of the type that they are of unless another is named; `from_pandas`: NaN is missing."""
    if isinstance(values, Array):
        return values if type is None else values.cast(type)
    known = type or _type_of_numpy(values)
    plain = _plain(values)
    if from_pandas:
        plain = [None if isinstance(value, float) and value != value else value for value in plain]
    kind = type_of(plain) if known is None else known
    return Array([stored(value, kind) for value in plain], kind)


def _plain(values: Any) -> list[Any]:
    """Python's values of a column, an array or any other sequence."""
    if isinstance(values, Array):
        return values.stored
    if isinstance(values, np.ndarray):
        return list(values.astype("M8[us]").astype(object)) if values.dtype.kind == "M" else values.tolist()
    return [value.as_py() if isinstance(value, Scalar) else value for value in values]


def _type_of_numpy(values: Any) -> DataType | None:
    if not isinstance(values, np.ndarray) or values.dtype.kind in "OM" or values.ndim != 1:
        return None
    if values.dtype.kind in "US":
        return STRING
    names = {"float64": "double", "float32": "float", "float16": "halffloat"}
    return DataType(names.get(values.dtype.name, values.dtype.name))


def scalar(value: Any, type: DataType | None = None) -> Scalar:
    """A value by itself."""
    kind = type or type_of([value])
    return Scalar(stored(value, kind), kind)


def nulls(count: int, type: DataType = NULL) -> Array:
    """A column of missing values."""
    return Array([None] * count, type)


def concat_arrays(arrays: Iterable[Array]) -> Array:
    """Columns one behind another."""
    parts = list(arrays)
    return Array([value for part in parts for value in part.stored], parts[0].type)


def as_column(value: Any) -> Array:
    """A column of a column or of any values."""
    return value if isinstance(value, Array) else array(value)


def _cast(value: Any, old: DataType, new: DataType, safe: bool) -> Any:
    if old.name in TEXTS and new.name in (*FLOATS, *WHOLE):
        if not _NUMBER.fullmatch(value):
            raise ArrowInvalid(f"{value!r} is no number")
        return stored(float(value), new) if new.name in FLOATS else _whole_of(value, new)
    if new.name in TEXTS and not old.parts:
        return value.decode() if old.name in BYTES else written(value, old)
    if old.name in TEXTS and new.name in BYTES:
        return value.encode()
    if new.name in FLOATS and old.name in (*FLOATS, *WHOLE, "bool", "timestamp[us]"):
        return stored(float(value), new)
    if new.name in WHOLE and old.name in (*FLOATS, *WHOLE, "bool", "timestamp[us]"):
        return stored(value if safe or not math.isfinite(value) else int(value), new)
    if new.name == "list" and old.name == "list":
        return [None if one is None else _cast(one, old.value_type, new.value_type, safe) for one in value]
    if new.name == old.name or {new.name, old.name} <= {"int64", "timestamp[us]"}:
        return stored(value, new)
    raise ArrowNotImplementedError(f"unsupported cast from {old} to {new}")


def _whole_of(text: str, kind: DataType) -> int:
    try:
        if not _WHOLE.fullmatch(text):
            raise ValueError
        return int(stored(int(text), kind))
    except (ValueError, OverflowError):
        raise ArrowInvalid(f"{text!r} is no whole number") from None


def written(value: Any, kind: DataType) -> str:
    """A value as Arrow writes it."""
    if kind == BOOL:
        return "true" if value else "false"
    if kind == TIME:
        return str(shown(value, kind).isoformat(" ", "microseconds"))
    if kind.name not in FLOATS:
        return str(shown(value, kind))
    if not math.isfinite(value):
        return str(value)
    sign, digits, exponent = _digits(str(np.asarray(value, _NUMPY[kind.name])))
    places = len(digits) + exponent  # before the point
    if -5 <= places <= 10:
        if places <= 0:
            return f"{sign}0.{'0' * -places}{digits}"
        whole, rest = digits[:places].ljust(places, "0"), digits[places:]
        return f"{sign}{whole}{'.' if rest else ''}{rest}"
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{places - 1:+d}"


def _digits(text: str) -> tuple[str, str, int]:
    """Of a number in Python's form: its sign, its digits, and the power of ten of the last of them."""
    number, _, power = text.partition("e")
    sign = "-" if number.startswith("-") else ""
    whole, _, rest = number.lstrip("-").partition(".")
    rest = "" if rest == "0" else rest
    digits = (whole + rest).lstrip("0")
    kept = digits.rstrip("0")
    return (sign, kept, int(power or 0) - len(rest) + len(digits) - len(kept)) if kept else (sign, "0", 0)
