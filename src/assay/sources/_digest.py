"""Hashes of content: of a sample (to find exact duplicates) and of a whole source (its fingerprint)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np

from assay.arrow import pa, pc

_UNIT, _RECORD, _MISSING = "\x1f", "\x1e", "\x00"
#: Of so few rows it is quicker to join texts one by one than to begin with Arrow: a request to a server has one row.
_FEW = 16


def content_digest(payload: bytes | memoryview) -> str:
    """A 128-bit hash of a sample's bytes, in hexadecimal."""
    return blake2b(payload, digest_size=16).hexdigest()


def text_digest(*texts: str) -> str:
    """A 128-bit hash of texts that is the same however their characters are composed and their words are spaced."""
    folded = (" ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split()) for text in texts)
    return content_digest(_UNIT.join(folded).encode())


def array_digest(array: np.ndarray[Any, Any]) -> str:
    """A 128-bit hash of an array's values, shape and type, in hexadecimal."""
    content = np.ascontiguousarray(array)
    hashed = blake2b(f"{content.dtype.str}{content.shape}".encode(), digest_size=16)
    hashed.update(content.data)
    return hashed.hexdigest()


def row_digests(columns: list[pa.Array], rows: int) -> pa.Array:
    """A 128-bit hash for each row over the values of all columns, missing ones included.

    Args:
        columns: string, double or timestamp columns of `rows` values each.
        rows: how many rows there are.

    Returns:
        A string array of `rows` hexadecimal hashes.
    """
    numbers = [column for column in columns if not pa.types.is_string(column.type)]
    values = np.empty((rows, len(numbers)), "<i8")
    for place, column in enumerate(numbers):
        values[:, place] = _as_integers(column)
    block, width = values.tobytes(), 8 * len(numbers)
    texts = _joined([column for column in columns if pa.types.is_string(column.type)], rows).cast(pa.large_binary())
    return pa.array(
        [content_digest(block[row * width : (row + 1) * width] + text) for row, text in enumerate(texts.to_pylist())],
        pa.string(),
    )


def _as_integers(column: pa.Array) -> np.ndarray[Any, Any]:
    """(rows,) the bits of doubles or timestamps as integers; all missing values alike, no negative zero."""
    if pa.types.is_timestamp(column.type):
        return np.asarray(pc.fill_null(column.cast(pa.int64()), np.iinfo(np.int64).min).to_numpy())
    values: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False) + 0.0
    values[np.isnan(values)] = np.nan
    return values.astype("<f8").view("<i8")


class Fingerprint:
    """A hash over ids, digests and targets that does not depend on how the rows are cut into batches."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next rows."""
        columns = [batch.column(name) for name in ("id", "digest", "target") if name in batch.schema.names]
        if batch.num_rows <= _FEW and all(pa.types.is_string(column.type) for column in columns):
            self._hash.update(_joined_one_by_one(columns))
            return
        joined = _joined(columns, batch.num_rows)
        data = joined.buffers()[2]
        if data is not None:
            self._hash.update(memoryview(data)[: pc.sum(pc.binary_length(joined)).as_py() or 0])

    def value(self) -> str:
        """The fingerprint of all rows so far, in hexadecimal."""
        return self._hash.hexdigest()


def fingerprint_of(batches: Iterable[pa.RecordBatch]) -> str:
    """The fingerprint of all rows of some record batches."""
    fingerprint = Fingerprint()
    for batch in batches:
        fingerprint.add(batch)
    return fingerprint.value()


def _joined_one_by_one(columns: list[pa.Array]) -> bytes:
    """The bytes of all that `_joined` gives of columns of text."""
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    texts = (_UNIT.join([*(_MISSING if value is None else value for value in row), _RECORD]) for row in rows)
    return "".join(texts).encode()


def _joined(columns: list[pa.Array], rows: int) -> pa.Array:
    """One string for each row, in a fresh array; missing values differ from empty ones."""
    texts = [pc.fill_null(_as_text(column), _MISSING) for column in columns]
    if not texts:
        return pa.array([""] * rows, pa.large_string())
    end = pa.scalar(_RECORD, pa.large_string())
    return pc.binary_join_element_wise(*texts, end, pa.scalar(_UNIT, pa.large_string()))


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        if pa.types.is_struct(column.type.value_type):
            return pa.array([None if row is None else repr(row) for row in column.to_pylist()], pa.large_string())
        values = column.cast(pa.list_(pa.string()))
        return pc.binary_join(values, "\x1d").cast(pa.large_string())
    return column.cast(pa.large_string())
