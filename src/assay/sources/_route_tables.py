"""The columns of a driving log: a CSV or Parquet table, an `.npz` of arrays, a structured `.npy`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._rows import TABLE_SUFFIXES, open_file
from assay.sources._values import numbers_or_times
from assay.sources.records import ProblemLog
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
ARRAY_SUFFIXES = (".npy", ".npz")
_HINT = "Expected a table with a header, such as time,gyro_z; or an .npz with an array for each of these."


@dataclass(frozen=True)
class Columns:
    """What a file holds.

    Attributes:
        file: its name.
        values: (N,) float64 of each column that holds numbers or times; NaN where a cell holds none.
        row: (N,) the rows' numbers as an editor counts them; from 0 in an array.
    """

    file: str
    values: Mapping[str, Array]
    row: Array


def is_log(name: str) -> bool:
    """Whether a file can hold a log by its ending."""
    return name.lower().removesuffix(".gz").endswith((*TABLE_SUFFIXES, *ARRAY_SUFFIXES))


def header_of(store: Store, name: str) -> tuple[str, ...]:
    """The names of a file's columns; none where it cannot be read."""
    try:
        if name.lower().endswith(ARRAY_SUFFIXES):
            return tuple(_arrays(store, name))
        return open_file(store, name).names
    except DataError:
        return ()


def read_columns(store: Store, name: str, log: ProblemLog, empty: bool = False) -> Columns:
    """All columns of a file.

    Args:
        store: holds it.
        name: of the file.
        log: takes what was found.
        empty: it may have no rows.

    Raises:
        DataError: it cannot be read, or holds no rows and must not be empty.
    """
    if name.lower().endswith(ARRAY_SUFFIXES):
        arrays = _arrays(store, name)
        count = len(next(iter(arrays.values()))) if arrays else 0
        columns = Columns(name, {key: np.asarray(value, float) for key, value in arrays.items()}, np.arange(count))
    else:
        columns = _table(store, name, log)
    if not len(columns.row) and not empty:
        raise DataError("there are no rows", _HINT, file=name)
    return columns


def _table(store: Store, name: str, log: ProblemLog) -> Columns:
    rows = open_file(store, name)
    parts: dict[str, list[Array]] = {column: [] for column in rows.names}
    numbers: list[Array] = []
    words: dict[str, int] = {}
    for batch, lines in rows.batches(log):
        numbers.append(np.asarray(lines))
        for column, values in zip(rows.names, batch.columns, strict=True):
            found, wrong = numbers_or_times(values)
            parts[column].append(found)
            if wrong.any() and column not in words:
                words[column] = int(lines[int(np.flatnonzero(wrong)[0])])
    values = {column: np.concatenate(found) if found else np.zeros(0) for column, found in parts.items()}
    for column, row in words.items():
        if np.isfinite(values[column]).any():  # a column of words is no sensor, and nobody's mistake
            log.add("no-number", "skipped", f"{name}: {column}", row)
    return Columns(name, values, np.concatenate(numbers) if numbers else np.zeros(0, np.int64))


def _arrays(store: Store, name: str) -> dict[str, Array]:
    """The columns of an array file, (N,) each; a column (N, K) becomes `NAME_x`, `NAME_y` and so on."""
    try:
        loaded = np.load(io.BytesIO(store.read(name)), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            found = {key: loaded[key] for key in loaded.dtype.names or ()}
        else:
            found = {key: loaded[key] for key in loaded.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise DataError(f"the array cannot be read ({error})", _HINT, file=name) from error
    columns: dict[str, Array] = {}
    for key, value in found.items():
        if value.ndim == 2 and value.shape[1] <= 4:
            columns |= {f"{key}_{axis}": value[:, place] for place, axis in enumerate("xyzw"[: value.shape[1]])}
        elif value.ndim == 1:
            columns[key] = value
    kinds = {value.dtype.kind for value in columns.values()}
    lengths = {len(value) for value in columns.values()}
    if not columns or len(lengths) != 1 or not kinds <= set("fiub"):
        shapes = ", ".join(f"{key} {value.shape}" for key, value in found.items()) or "no named columns"
        raise DataError(f"these are no columns of equal length ({shapes})", _HINT, file=name)
    return columns
