"""Tables of JSON: an object a line, or one array of objects; keys are columns, objects inside give `KEY.INNER`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._decoding import text_blocks
from assay.sources._lines import lines_of, whole_text
from assay.sources._rows import Numbered, Rows
from assay.sources._text_values import LONGEST, mended
from assay.sources.records import ProblemLog
from assay.sources.store import Store

_ROWS, _BATCH_CHARACTERS = 4096, 1 << 24
#: A line with more characters is skipped as `overlong-line`.
_LONGEST_LINE = 2 * LONGEST
_INT64 = range(-(1 << 63), 1 << 63)


def json_rows(store: Store, name: str, encoding: str | None = None) -> Rows:
    """The rows of a JSON file; a first pass finds the columns and their types.

    A column is int64, double, bool, string, a list of int64 or of strings; where its values are of several kinds, or
    nested deeper, they become text: JSON, where they were none.

    Args:
        store: holds the file.
        name: the file, compressed with gzip or not.
        encoding: as `text_blocks` takes it.

    Raises:
        DataError: there is no object in it, or it is no text.
    """
    reader = _JsonFile(store, name, encoding)
    kinds: dict[str, set[str]] = {}
    for _, row, _ in reader.objects(None):
        for key, value in row.items():
            seen = kinds.setdefault(key, set())
            if value is not None:
                seen.add(_kind(value))
    if not kinds:
        what = f" ({reader.first_fault})" if reader.first_fault else ""
        raise DataError(f"there is no JSON object in any line{what}.", "Write an object a line.", file=name)
    reader.types = {key: _type(seen) for key, seen in kinds.items()}
    return Rows(name, tuple(kinds), reader.batches, typed=True)


class _JsonFile:
    """Reads one JSON file again and again."""

    def __init__(self, store: Store, name: str, encoding: str | None) -> None:
        self._store, self._name, self._encoding = store, name, encoding
        self.types: dict[str, pa.DataType] = {}
        self.first_fault = ""

    def objects(self, log: ProblemLog | None) -> Iterator[tuple[int, dict[str, Any], int]]:
        """Every object as a flat row: its line (in an array: its number), its values, its characters."""
        head = next((block.lstrip() for block in text_blocks(self._store, self._name, self._encoding)), "")
        values = self._array(log) if head.startswith("[") else self._lines(log)
        for number, value, length in values:
            if isinstance(value, dict):
                yield number, _flat(value), length
            else:
                self._fault("not-an-object", number, "it is no object", log)

    def batches(self, log: ProblemLog | None) -> Iterator[Numbered]:
        """Record batches and the number of each row; lines that are no objects are noted."""
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        size = 0
        for number, row, length in self.objects(log):
            rows.append(row)
            numbers.append(number)
            size += length
            if len(rows) >= _ROWS or size >= _BATCH_CHARACTERS:
                yield self._batch(rows, numbers, log), np.asarray(numbers)
                rows, numbers, size = [], [], 0
        if rows:
            yield self._batch(rows, numbers, log), np.asarray(numbers)

    def _lines(self, log: ProblemLog | None) -> Iterator[tuple[int, Any, int]]:
        for number, line in enumerate(lines_of(self._store, self._name, self._encoding, _LONGEST_LINE), 1):
            if line is None:
                self._fault("overlong-line", number, f"it has more than {_LONGEST_LINE} characters", log)
            elif line and not line.isspace():
                try:
                    yield number, json.loads(line), len(line)
                except (ValueError, RecursionError) as error:
                    self._fault("broken-json-line", number, str(error), log)

    def _array(self, log: ProblemLog | None) -> Iterator[tuple[int, Any, int]]:
        text = whole_text(self._store, self._name, self._encoding) or ""
        for number, value in enumerate(parse_json(text, self._name), 1):
            yield number, value, 256

    def _fault(self, kind: str, number: int, why: str, log: ProblemLog | None) -> None:
        self.first_fault = self.first_fault or f"line {number}: {why}"
        if log is not None:
            log.add(kind, "skipped", self._name, number)

    def _batch(self, rows: list[dict[str, Any]], numbers: list[int], log: ProblemLog | None) -> pa.RecordBatch:
        columns = {}
        for key, kind in self.types.items():
            values = [_as(row.get(key), kind) for row in rows]
            try:
                columns[key] = pa.array(values, kind)
            except UnicodeEncodeError:
                columns[key] = pa.array(self._mended(values, numbers, log), kind)
        return pa.RecordBatch.from_pydict(columns)

    def _mended(self, values: list[Any], numbers: list[int], log: ProblemLog | None) -> list[Any]:
        """Values whose text is valid Unicode; halves of surrogate pairs become U+FFFD and are noted."""
        whole = []
        for value, number in zip(values, numbers, strict=True):
            new = [mended(part) for part in value] if isinstance(value, list) else mended(value)
            if new != value and log is not None:
                log.add("lone-surrogate", "repaired", self._name, number)
            whole.append(new)
        return whole


def parse_json(text: str, file: str) -> Any:
    """The value of a JSON text; raises `DataError` with the line where it is broken."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"this is no JSON: {error.msg} (column {error.colno})."
        raise DataError(
            message, "Write it again with a program that writes JSON.", file=file, row=error.lineno
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"this JSON cannot be read ({error}).", "Write one JSON object a line, or a list of them.", file=file
        ) from error


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """An object without objects directly inside it."""
    row: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            row.update({mended(f"{key}.{name}"): deeper for name, deeper in inner.items()})
        else:
            row[mended(key)] = inner
    return row


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value in _INT64 else "large"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "text"
    kinds = {_kind(item) for item in value if item is not None} if isinstance(value, list) else {"json"}
    if not kinds:
        return "list"
    return {"text": "list of text", "int": "list of int"}.get(kinds.pop(), "json") if len(kinds) == 1 else "json"


def _type(kinds: set[str]) -> pa.DataType:
    if not kinds:
        return pa.null()
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds <= {"int", "float"}:
        return pa.int64() if kinds == {"int"} else pa.float64()
    if kinds <= {"list", "list of int"} and "list of int" in kinds:
        return pa.list_(pa.int64())
    return pa.list_(pa.string()) if kinds <= {"list", "list of text"} else pa.string()


def _as(value: Any, kind: pa.DataType) -> Any:
    if kind == pa.string() and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return float(value) if kind == pa.float64() and value is not None else value
