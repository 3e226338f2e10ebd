"""Reading the values of a table's columns: missing ones, numbers in three styles, dates in several formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError

#: What stands for a missing value, in lower case and without spaces around.
MISSING = ("", "na", "n/a", "nan", "null", "?", "-", "none", "<na>", "#n/a", "nat")

#: How numbers are written: 1234.5 or 1.2e3; 1.234,5 or 1234,5; 1,234.5.
NUMBER_STYLES = {
    "plain": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$",
    "decimal-comma": r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?([eE][+-]?\d+)?$",
    "thousands": r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$",
}

#: How dates are written, the commonest first; a time of day may follow. Of formats that fit equally the first is taken.
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")

_DATE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?$"
_TIME = r"^(\S+?)[T ](\d{1,2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?\s*(?:Z|[+-]\d{2}:?\d{2})?$"


def present_text(column: pa.Array) -> pa.Array:
    """A column as text without spaces around its values, null where a value is missing."""
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    absent = pc.is_in(pc.utf8_lower(text), value_set=pa.array(MISSING))
    return pc.if_else(absent, pa.scalar(None, pa.string()), text)


def is_number(texts: pa.Array, style: str) -> np.ndarray[Any, Any]:
    """(rows,) whether each text is a number in a style; null is none."""
    matched = pc.fill_null(pc.match_substring_regex(texts, NUMBER_STYLES[style]), False)
    return np.asarray(matched.to_numpy(zero_copy_only=False), bool)


def all_numbers(texts: pa.Array) -> pa.Array | None:
    """Texts as doubles where every one is a plain finite number and none is missing, else None; quick."""
    try:
        numbers = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return None
    whole = numbers.null_count == 0 and pc.all(pc.is_finite(numbers)).as_py() is not False
    return numbers if whole else None


def as_number(column: pa.Array, style: str) -> tuple[pa.Array, np.ndarray[Any, Any]]:
    """A column as doubles, and which of its values were there but no finite numbers.

    Args:
        column: (rows,) text in a style of `NUMBER_STYLES`, or any numeric type.
        style: how text is read; plain numbers are understood in the style "thousands", too.

    Returns:
        (rows,) doubles, null where missing or no number; (rows,) bool.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
        if style == "plain" and (numbers := all_numbers(column)) is not None:
            return numbers, np.zeros(len(column), bool)
        text = present_text(column)
        valid = is_number(text, style) | (is_number(text, "plain") if style == "thousands" else False)
        wrong = ~valid & text.is_valid().to_numpy(zero_copy_only=False)
        text = pc.if_else(pa.array(valid), text, pa.scalar(None, pa.string()))
        if style == "decimal-comma":
            text = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
        elif style == "thousands":
            text = pc.replace_substring(text, ",", "")
        return _finite(pc.cast(text, pa.float64()), wrong)
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.float64()), np.zeros(len(column), bool)
    numbers = pc.cast(column, pa.float64(), safe=False)
    wrong = pc.fill_null(pc.is_inf(numbers), False).to_numpy(zero_copy_only=False)
    return _finite(numbers, np.asarray(wrong, bool))


def as_category(column: pa.Array) -> pa.Array:
    """A column as text, null where a value is missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        whole, _ = as_number(column, "plain")
        return _number_text(whole)
    return present_text(column)


def as_class(column: pa.Array, style: str) -> pa.Array:
    """A column of numbers that name classes as text: 1, 1.0 and "1" are the class "1"."""
    return _number_text(as_number(column, style)[0])


def as_date(column: pa.Array, form: str) -> pa.Array:
    """A column as timestamps in microseconds (a time zone is left aside), null where missing or no date."""
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        local = column if getattr(column.type, "tz", None) is None else pc.local_timestamp(column)
        return pc.cast(local, pa.timestamp("us"), safe=False)
    text = pc.replace_substring_regex(present_text(column), _TIME, r"\1 \2")
    parsed = [pc.strptime(text, f"{form}{time}", "us", error_is_null=True) for time in ("", " %H:%M", " %H:%M:%S")]
    return pc.coalesce(*parsed).cast(pa.timestamp("us"))


def date_like(texts: pa.Array) -> np.ndarray[Any, Any]:
    """(rows,) whether each text has the look of a date."""
    return np.asarray(pc.match_substring_regex(texts, _DATE).to_numpy(zero_copy_only=False), bool)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def as_text(column: pa.Array, name: str, file: str) -> pa.Array:
    """A column as text, numbers as they are written; raises `DataError` for lists and objects."""
    if pa.types.is_nested(column.type):
        raise DataError(f"the column {name!r} holds {column.type}, and text is wanted.",
                        "Join its words with spaces, or name another column with --text.", file=file)  # fmt: skip
    return column.cast(pa.string())


def _finite(numbers: pa.Array, wrong: np.ndarray[Any, Any]) -> tuple[pa.Array, np.ndarray[Any, Any]]:
    finite = pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
    return finite, wrong


def _number_text(numbers: pa.Array) -> pa.Array:
    values = numbers.to_numpy(zero_copy_only=False)
    whole = np.nan_to_num(values, nan=0.5) % 1 == 0
    whole &= np.abs(np.nan_to_num(values)) < 2**53
    integers = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
    return pc.if_else(pa.array(whole), integers, numbers.cast(pa.string()))


def as_seconds(column: pa.Array) -> np.ndarray[Any, Any] | None:
    """(rows,) seconds since 1970 of dates, or of texts such as 2024-05-01T12:00:00.25Z; None where it holds others."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _since_1970(column)
    if not is_text(column.type):
        return None
    text = pc.replace_substring(present_text(column), "Z", "")
    try:
        return None if text.null_count == len(text) else _since_1970(pc.cast(text, pa.timestamp("ns")))
    except pa.ArrowInvalid:
        return None


def _since_1970(column: pa.Array) -> np.ndarray[Any, Any]:
    whole = pc.cast(pc.cast(column, pa.timestamp("ns"), safe=False), pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray(whole, float) * 1e-9


def numbers_or_times(column: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(rows,) numbers, seconds since 1970 for dates, and (rows,) which values are neither."""
    kind, none = column.type, np.zeros(len(column), bool)
    if not is_text(kind) and (dates := as_seconds(column)) is not None:
        return dates, none
    types = (pa.types.is_dictionary, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if not (is_text(kind) or any(is_one(kind) for is_one in types)):
        return np.full(len(column), np.nan), none
    found, wrong = as_number(column, "plain")
    if wrong.any() and (dates := as_seconds(column)) is not None:
        return dates, none
    return np.asarray(found.to_numpy(zero_copy_only=False), float), np.asarray(wrong, bool)
