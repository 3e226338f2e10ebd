"""What stands in for `pyarrow.compute`: the functions that reading what is to be answered needs."""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from assay.arrow.missing import missing
from assay.arrow.plain_arrays import Array, Scalar, as_column, scalar
from assay.arrow.plain_types import BOOL, DOUBLE, FLOATS, INT64, LARGE_STRING, STRING, TIME, ArrowInvalid, DataType

#: What `strptime` reads of a moment, as the C library does: fewer digits, and spaces before a number.
_PARTS = {"Y": r"(?P<Y>\d{1,4})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "H": r"(?P<H>\d{1,2})",
          "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})"}  # fmt: skip
_MOST = {"m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 61)}


def __getattr__(name: str) -> Any:
    """Any other function needs Arrow."""
    raise missing(f"what is done with columns here ({name})")


def _each(function: Callable[..., Any], kind: DataType | None = None) -> Callable[..., Array]:
    """A function of a value for a whole column; missing values stay missing."""

    def whole(values: Array, *others: Any, **named: Any) -> Array:
        done = [None if value is None else function(value, *others, **named) for value in values.stored]
        return Array(done, kind or values.type)

    return whole


def _pairs(function: Callable[[Any, Any], Any], kind: DataType | None = None) -> Callable[[Any, Any], Array]:
    """A function of two values for two columns, of which one may be a single value; missing where either is."""

    def whole(first: Array, second: Any) -> Array:
        pairs = zip(first.stored, _repeated(second, len(first)), strict=True)
        done = [None if one is None or other is None else function(one, other) for one, other in pairs]
        return Array(done, kind or first.type)

    return whole


def _repeated(value: Any, rows: int) -> Sequence[Any]:
    """A column's values, or a single value for each row."""
    if isinstance(value, Array):
        return value.stored
    return [value.value if isinstance(value, Scalar) else value] * rows


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as RE2 takes it: classes are of ASCII, and `$` is the end."""
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), re.ASCII)


utf8_trim_whitespace, utf8_lower = _each(str.strip), _each(str.lower)
utf8_length = _each(len, INT64)
utf8_slice_codeunits = _each(lambda text, start, stop: text[start:stop])
binary_length = _each(lambda value: len(value.encode() if isinstance(value, str) else value), INT64)
count_substring = _each(lambda text, pattern: text.count(pattern), INT64)
match_substring = _each(lambda text, pattern: pattern in text, BOOL)
match_substring_regex = _each(lambda text, pattern: _compiled(pattern).search(text) is not None, BOOL)
replace_substring = _each(lambda text, pattern, replacement: text.replace(pattern, replacement))
replace_substring_regex = _each(lambda text, pattern, replacement: _compiled(pattern).sub(replacement, text))
is_finite, is_inf = _each(math.isfinite, BOOL), _each(math.isinf, BOOL)
list_value_length = _each(len, INT64)
invert = _each(operator.not_, BOOL)
equal, not_equal = _pairs(operator.eq, BOOL), _pairs(operator.ne, BOOL)
greater = _pairs(operator.gt, BOOL)


def divide(dividend: Array, divisor: Any) -> Array:
    """The quotient of numbers with a point; by 0 it is infinite or no number."""
    if dividend.type.name not in FLOATS:  # Arrow leaves the rest of whole numbers aside
        raise missing(f"dividing {dividend.type}")
    with np.errstate(all="ignore"):
        return _pairs(lambda one, other: float(np.float64(one) / other), DOUBLE)(dividend, divisor)


def cast(values: Array, target_type: DataType, safe: bool = True) -> Array:
    """See `Array.cast`."""
    return values.cast(target_type, safe)


def fill_null(values: Array, fill_value: Any) -> Array:
    """See `Array.fill_null`."""
    return values.fill_null(fill_value.value if isinstance(fill_value, Scalar) else fill_value)


def unique(values: Array) -> Array:
    """See `Array.unique`."""
    return values.unique()


def drop_null(values: Array) -> Array:
    """See `Array.drop_null`."""
    return values.drop_null()


def list_flatten(values: Array) -> Array:
    """See `Array.flatten`."""
    return values.flatten()


def is_valid(values: Array) -> Array:
    """See `Array.is_valid`."""
    return values.is_valid()


def is_null(values: Array) -> Array:
    """See `Array.is_null`."""
    return values.is_null()


def is_in(values: Array, value_set: Any) -> Array:
    """Whether each value is among some."""
    known = set(as_column(value_set).stored)
    return Array([value in known for value in values.stored], BOOL)


def index_in(values: Array, value_set: Any) -> Array:
    """The place of each value among some, missing where it is not."""
    places = {value: place for place, value in enumerate(as_column(value_set).stored)}
    return Array([places.get(value) for value in values.stored], INT64)


def if_else(condition: Array, left: Any, right: Any) -> Array:
    """A value of the first where a condition holds, else of the second."""
    rows = len(condition)
    kind = next((one.type for one in (left, right) if isinstance(one, Array | Scalar)), None) or scalar(left).type
    each = zip(condition.stored, _repeated(left, rows), _repeated(right, rows), strict=True)
    return Array([None if holds is None else one if holds else other for holds, one, other in each], kind)


def coalesce(*columns: Array) -> Array:
    """The first value of each row that is not missing."""
    rows = zip(*(column.stored for column in columns), strict=True)
    return Array([next((one for one in row if one is not None), None) for row in rows], columns[0].type)


def binary_join_element_wise(*parts: Any) -> Array:
    """The texts of each row, joined by the last; missing where one of them is."""
    rows = next(len(part) for part in parts if isinstance(part, Array))
    *texts, ends = (_repeated(part, rows) for part in parts)
    kinds = {part.type for part in parts if isinstance(part, Array | Scalar)}
    joined = [None if None in row else end.join(row) for *row, end in zip(*texts, ends, strict=True)]
    return Array(joined, LARGE_STRING if LARGE_STRING in kinds else STRING)


def all(values: Array) -> Scalar:
    """Whether all are true, missing ones aside; missing where there is none."""
    return Scalar(_over(values, lambda known: False not in known), BOOL)


def any(values: Array) -> Scalar:
    """Whether one is true, missing ones aside; missing where there is none."""
    return Scalar(_over(values, lambda known: True in known), BOOL)


def sum(values: Array) -> Scalar:
    """The sum, missing ones aside; missing where there is none."""
    return Scalar(_over(values, functools.partial(functools.reduce, operator.add)), values.type)


def count_distinct(values: Array) -> Scalar:
    """How many values there are, missing ones aside."""
    return Scalar(len(set(values.drop_null().stored)), INT64)


def _over(values: Array, function: Callable[[list[Any]], Any]) -> Any:
    known = values.drop_null().stored
    return function(known) if known else None


def strptime(values: Array, format: str, unit: str, error_is_null: bool = False) -> Array:
    """Texts as moments; missing where one is none."""
    if unit != "us" or not error_is_null:
        raise missing(f"moments in {unit}")
    return Array([None if text is None else _moment(text, format) for text in values.stored], TIME)


@lru_cache(maxsize=64)
def _moments(form: str) -> re.Pattern[str]:
    """What a form of dates is as a pattern."""
    pattern = ""
    for piece in re.findall(r"%.|\s+|.", form):
        code = _PARTS.get(piece[1:]) if piece[0] == "%" else None
        if piece[0] == "%" and code is None:
            raise ArrowInvalid(f"unknown {piece} in a form of dates")
        pattern += rf"\s*{code}" if code else r"\s*" if piece.isspace() else re.escape(piece)
    return re.compile(pattern, re.ASCII)


def _moment(text: str, form: str) -> int | None:
    """Microseconds since 1970; a day behind its month's end is one of the next, as the C library has it."""
    found = _moments(form).fullmatch(text)
    if found is None:
        return None
    parts = {name: int(value) for name, value in found.groupdict().items()}
    if not {"Y", "m", "d"} <= parts.keys():
        return None
    for name, (low, high) in _MOST.items():
        if not low <= parts.get(name, low) <= high:
            return None
    days = int(np.datetime64(f"{parts['Y']:04}-{parts['m']:02}-01").astype(np.int64)) + parts["d"] - 1
    seconds = parts.get("H", 0) * 3600 + parts.get("M", 0) * 60 + parts.get("S", 0)
    return (days * 86400 + seconds) * 1_000_000
