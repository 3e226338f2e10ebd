"""Types of columns, as Arrow names them, and what a list of Python values is of."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


class ArrowException(Exception):
    """What Arrow cannot do with the values that it is given."""


class ArrowInvalid(ValueError, ArrowException):
    """Values that do not fit."""


class ArrowTypeError(TypeError, ArrowException):
    """Values of another type."""


class ArrowNotImplementedError(NotImplementedError, ArrowException):
    """What Arrow does with no values of that type."""


@dataclass(frozen=True)
class DataType:
    """The type of a column.

    Attributes:
        name: as Arrow writes it.
        parts: of a list its values' type, of a struct its fields, each (name, type).
    """

    name: str
    parts: tuple[tuple[str, DataType], ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(f"{name}: {kind}" for name, kind in self.parts)
        return f"{self.name}<{inner}>" if self.parts else self.name

    @property
    def value_type(self) -> DataType:
        """Of a list: its values' type."""
        return self.parts[0][1]


NULL, BOOL, INT64, DOUBLE = DataType("null"), DataType("bool"), DataType("int64"), DataType("double")
STRING, LARGE_STRING, TIME = DataType("string"), DataType("large_string"), DataType("timestamp[us]")
TEXTS = ("string", "large_string")
BYTES = ("binary", "large_binary")
WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
FLOATS = ("halffloat", "float", "double")
_RANGES = {f"{sign}int{bits}": range(0, 1 << bits) if sign else range(-(1 << bits - 1), 1 << bits - 1)
           for sign in ("", "u") for bits in (8, 16, 32, 64)}  # fmt: skip
_ALL_BITS = range(-(1 << 63), 1 << 64)
_NARROW: dict[str, Any] = {"float": np.float32, "halffloat": np.float16}
_ZERO = datetime.datetime(1970, 1, 1)
_KINDS = ((bool | np.bool_, BOOL), (int | np.integer, INT64), (float | np.floating, DOUBLE), (str, STRING),
          (bytes, DataType("binary")), (datetime.date | np.datetime64, TIME))  # fmt: skip


def list_of(kind: DataType) -> DataType:
    """The type of lists."""
    return DataType("list", (("item", kind),))


def struct_of(fields: Iterable[tuple[str, DataType]] | dict[str, DataType]) -> DataType:
    """The type of objects with these fields."""
    return DataType("struct", tuple(fields.items() if isinstance(fields, dict) else fields))


def _named(*names: str) -> Callable[[DataType], bool]:
    return lambda kind: kind.name in names


class types:
    """Whether a type is of a kind."""

    is_null, is_boolean = staticmethod(_named("null")), staticmethod(_named("bool"))
    is_integer, is_floating = staticmethod(_named(*WHOLE)), staticmethod(_named(*FLOATS))
    is_string, is_large_string = staticmethod(_named("string")), staticmethod(_named("large_string"))
    is_binary, is_large_binary = staticmethod(_named("binary")), staticmethod(_named("large_binary"))
    is_timestamp = is_temporal = staticmethod(_named("timestamp[us]"))
    is_list, is_struct = staticmethod(_named("list")), staticmethod(_named("struct"))
    is_nested = staticmethod(_named("list", "struct"))
    is_dictionary = is_date = is_decimal = is_large_list = is_string_view = is_fixed_size_list = staticmethod(_named())


def stored(value: Any, kind: DataType) -> Any:
    """A value as a column of a type keeps it: moments as microseconds; raises what Arrow raises where it is another."""
    if value is None or kind == NULL:
        return None
    if kind.name in TEXTS:
        if not isinstance(value, str):
            raise ArrowTypeError(f"expected a text, got a {type(value).__name__}")
        value.encode()  # a half of a surrogate pair is no text
        return value
    if kind.name in FLOATS:
        return _float(value, kind)
    if kind.name in WHOLE:
        return _whole(value, kind)
    if kind == TIME:
        return _microseconds(value)
    if kind.name == "list":
        if isinstance(value, dict) or not hasattr(value, "__iter__"):
            raise ArrowTypeError(f"expected a list, got a {type(value).__name__}")
        return [stored(one, kind.value_type) for one in value]
    if kind.name == "struct":
        if not isinstance(value, dict):
            raise ArrowTypeError(f"expected an object, got a {type(value).__name__}")
        return {name: stored(value.get(name), part) for name, part in kind.parts}
    if kind == BOOL and not isinstance(value, bool | np.bool_):
        raise ArrowInvalid(f"expected true or false, got a {type(value).__name__}")
    return bool(value) if kind == BOOL else value


def shown(value: Any, kind: DataType) -> Any:
    """What `stored` kept, as Python's."""
    if value is None:
        return None
    if kind == TIME:
        return _ZERO + datetime.timedelta(microseconds=value)
    if kind.name == "list":
        return [shown(one, kind.value_type) for one in value]
    return {name: shown(value[name], part) for name, part in kind.parts} if kind.name == "struct" else value


def type_of(values: Sequence[Any]) -> DataType:
    """The type that all values are of; raises `ArrowInvalid` where there is none."""
    kinds = {_type_of(value) for value in values if value is not None}
    kinds.discard(NULL)
    if len(kinds) <= 1:
        return kinds.pop() if kinds else NULL
    if kinds == {INT64, DOUBLE}:
        return DOUBLE
    if all(kind.name == "list" for kind in kinds):
        return list_of(type_of([one for value in values if value is not None for one in value]))
    if all(kind.name == "struct" for kind in kinds):
        rows = [value for value in values if value is not None]
        names = dict.fromkeys(str(name) for row in rows for name in row)
        return struct_of((name, type_of([row.get(name) for row in rows])) for name in names)
    raise ArrowInvalid(f"values of mixed types: {', '.join(sorted(map(str, kinds)))}")


def _type_of(value: Any) -> DataType:
    """The type of a single value."""
    for kinds, found in _KINDS:
        if isinstance(value, kinds):
            return found
    if isinstance(value, list | tuple | np.ndarray):
        return list_of(type_of(list(value)))
    if isinstance(value, dict):
        return struct_of((str(name), _type_of(one) if one is not None else NULL) for name, one in value.items())
    raise ArrowInvalid(f"no column can hold a {type(value).__name__}")


def _float(value: Any, kind: DataType) -> float:
    if not isinstance(value, int | float | np.number | np.bool_):
        raise ArrowInvalid(f"expected a number, got a {type(value).__name__}")
    if kind.name not in _NARROW:
        return float(value)
    with np.errstate(over="ignore"):  # beyond the largest is infinite
        return float(_NARROW[kind.name](value))


def _whole(value: Any, kind: DataType) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):  # the last two of NaN and of infinity
        raise ArrowInvalid(f"{value!r} is no whole number") from None
    if isinstance(value, str | bytes) or number != value:
        raise ArrowInvalid(f"{value!r} is no whole number")
    if number not in _ALL_BITS and isinstance(value, int):
        raise OverflowError(f"{value} is too large")
    if number not in _RANGES[kind.name]:
        raise ArrowInvalid(f"{value} is no {kind}")
    return number


def _microseconds(value: Any) -> int:
    """A moment since 1970, a time zone left aside."""
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, datetime.datetime):
        return (value.replace(tzinfo=None) - _ZERO) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return (value - _ZERO.date()).days * 86_400_000_000
    return _whole(value, INT64)
