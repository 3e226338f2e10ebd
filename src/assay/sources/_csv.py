"""Tables as text: the delimiter and encoding found out, rows counted as an editor counts lines."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DataError
from assay.sources._rows import Numbered, Rows, open_bytes, repair_names
from assay.sources.records import ProblemLog
from assay.sources.store import Store

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 4 << 20
_DELIMITERS = (",", "\t", ";", "|")
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")


def csv_rows(store: Store, name: str, encoding: str | None = None) -> Rows:
    """The rows of a text table: all columns as text.

    Args:
        store: holds the file.
        name: the file, compressed with gzip or not.
        encoding: overrides what the byte order mark says (UTF-8 where there is none).

    Raises:
        DataError: an empty or binary file, another encoding (with the place of the byte), or no header.
    """
    try:
        with open_bytes(store, name) as stream:
            head = stream.read(_HEAD_BYTES)
    except (EOFError, OSError) as error:
        raise DataError(f"the compressed file is damaged ({error})", file=name) from error
    encoding = encoding or _encoding(head)
    text = _text(head, encoding, store, name)
    delimiter = sniff_delimiter(text, name)
    first, lines = _first_row(text, delimiter)
    if first is None:
        raise DataError("the file is empty; a table with a header is expected.", file=name)
    headless = len(first) > 0 and all(_NUMBER.fullmatch(cell) for cell in first)
    cells = [f"column {place + 1}" for place in range(len(first))] if headless else [cell.strip() for cell in first]
    names, repaired = repair_names(cells)
    skip = lines - 1 if headless else lines
    reader = _CsvFile(store, name, names, delimiter, encoding, skip)
    notes = (*repaired, *((("no-header", 1),) if headless else ()))
    return Rows(name, names, reader.batches, typed=False, delimiter=delimiter, repaired=notes)


def sniff_delimiter(text: str, name: str = "") -> str:
    """The delimiter with which most of the first rows have as many cells as the header; "," for one column."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        rows = [row for row in _parse(text, delimiter, 60) if row]
        whole = rows[:-1] if len(rows) > 2 and len(text) >= _HEAD_BYTES // 4 else rows
        if not whole or len(whole[0]) < 2:
            continue
        alike = sum(len(row) == len(whole[0]) for row in whole) / len(whole)
        score = (round(alike, 1), len(whole[0]) + (1000 if delimiter == "\t" and ".tsv" in name.lower() else 0))
        if score > best_score:
            best, best_score = delimiter, score
    return best


class _CsvFile:
    """Reads one text table again and again, in blocks."""

    def __init__(
        self, store: Store, name: str, names: tuple[str, ...], delimiter: str, encoding: str, skip: int
    ) -> None:
        self._store, self._name, self._names = store, name, names
        self._delimiter, self._encoding, self._skip = delimiter, encoding, skip

    def batches(self, log: ProblemLog | None) -> Iterator[Numbered]:
        """Record batches of text with the line of each row; ragged rows are noted as `wrong-column-count`."""
        count = _LineCount(self._skip + 1)

        def refuse(row: Any) -> str:
            count.refused.append((row.number - self._skip - 1, row.text.count("\n")))
            return "skip"

        try:
            for batch in self._open(refuse):
                lines, refused = count.next(_newlines(batch))
                self._note(refused, log)
                blank = _blank(batch)
                if blank.any():
                    batch, lines = batch.filter(pa.array(~blank)), lines[~blank]
                yield batch, lines
            self._note(count.next(np.zeros(0, np.int64))[1], log)
        except (pa.ArrowException, UnicodeError, EOFError, OSError) as error:
            raise self._explained(error) from error

    def _note(self, refused: list[int], log: ProblemLog | None) -> None:
        for line in refused if log is not None else ():
            log.add("wrong-column-count", "skipped", self._name, line)  # type: ignore[union-attr]

    def _open(self, refuse: Any) -> Iterator[pa.RecordBatch]:
        from pyarrow import csv as arrow_csv

        with open_bytes(self._store, self._name) as stream:
            yield from arrow_csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    column_names=list(self._names),
                    skip_rows=self._skip,
                    encoding=self._encoding,
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=refuse,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self._names, pa.string()),
                    strings_can_be_null=False,
                ),
            )

    def _explained(self, error: BaseException) -> DataError:
        if isinstance(error, UnicodeError) or "UTF8" in str(error):
            return _undecodable(self._store, self._name, self._encoding)
        return DataError(f"the table cannot be read ({error})", "Check its quotes and delimiters.", file=self._name)


class _LineCount:
    """The line of each row: refused rows and line breaks inside quoted cells move the others down."""

    def __init__(self, first_line: int) -> None:
        self._line = first_line  # of the record that comes next
        self._record = 0  # its number
        self.refused: list[tuple[int, int]] = []  # records not yet passed: number, line breaks inside

    def next(self, inside: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], list[int]]:
        """The lines of the next rows, and those of the refused rows before the last of them.

        Args:
            inside: (rows,) line breaks inside each row; no rows at the end of the file.
        """
        rows = len(inside)
        numbers = np.array([number for number, _ in self.refused], np.int64)
        breaks = np.concatenate([[0], np.cumsum([lines for _, lines in self.refused])]).astype(np.int64)
        every = np.arange(self._record, self._record + rows + len(numbers))
        valid = np.setdiff1d(every, numbers, assume_unique=True)[:rows]
        before = np.concatenate([[0], np.cumsum(inside)]).astype(np.int64)
        lines = self._line + valid - self._record + before[:-1] + breaks[np.searchsorted(numbers, valid)]
        passed = int(np.searchsorted(numbers, valid[-1])) if rows else len(numbers)
        above = before[np.searchsorted(valid, numbers[:passed])]
        refused = self._line + numbers[:passed] - self._record + above + breaks[:passed]
        if rows:
            self._line = int(lines[-1] + inside[-1]) + 1
            self._record = int(valid[-1]) + 1
        del self.refused[:passed]
        return lines, refused.tolist()


def _newlines(batch: pa.RecordBatch) -> np.ndarray[Any, Any]:
    """(rows,) line breaks inside the cells of each row."""
    total = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        data = column.buffers()[2]
        if data is not None and b"\n" in memoryview(data).tobytes():
            total += pc.count_substring(column, "\n").to_numpy(zero_copy_only=False)
    return total


def _blank(batch: pa.RecordBatch) -> np.ndarray[Any, Any]:
    """(rows,) whether all cells of a row are empty: an empty line, which is no row."""
    blank = np.ones(batch.num_rows, bool)
    for column in batch.columns:
        if not blank.any():
            break
        blank &= pc.equal(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return blank


def _encoding(head: bytes) -> str:
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def _text(head: bytes, encoding: str, store: Store, name: str) -> str:
    """The first part of the file as text; raises `DataError` where it is none."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head).removeprefix("\ufeff")
    except LookupError as error:
        raise DataError(
            f"there is no encoding {encoding!r}.", "Known are utf-8, utf-16, latin-1, cp1252, …."
        ) from error
    except UnicodeError as error:
        raise _undecodable(store, name, encoding) from error
    if "\0" in text:
        raise DataError("this is not a table as text (it holds zero bytes).", "Save it as CSV in UTF-8.", file=name)
    return text


def _undecodable(store: Store, name: str, encoding: str) -> DataError:
    """An error that names the first byte which is no text in this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    start, row = 0, 1
    with open_bytes(store, name) as stream:
        while block := stream.read(1 << 20):
            pending = decoder.getstate()[0] if isinstance(decoder.getstate()[0], bytes) else b""
            try:
                row += decoder.decode(block).count("\n")
            except UnicodeDecodeError as error:
                place = start - len(pending) + error.start
                row += (pending + block)[: error.start].count(b"\n")
                return DataError(
                    f"byte {place + 1} ({error.object[error.start]:#04x}) is no {encoding.upper()} text.",
                    "Save the file as UTF-8, or name its encoding (latin-1, cp1252, …).",
                    file=name,
                    row=row,
                )
            start += len(block)
    return DataError(f"the text is not {encoding.upper()}, or ends too early.", "Save the file as UTF-8.", file=name)


def _parse(text: str, delimiter: str, rows: int) -> list[list[str]]:
    found = []
    try:
        for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            found.append(row)
            if len(found) >= rows:
                break
    except csv.Error:
        pass
    return found


def _first_row(text: str, delimiter: str) -> tuple[list[str] | None, int]:
    """The cells of the first row that is not empty, and the number of lines up to its end."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                return row, reader.line_num
    except csv.Error:
        pass
    return None, 0
