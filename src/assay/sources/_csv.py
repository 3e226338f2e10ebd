"""Tables as text: the delimiter and encoding found out, rows counted as an editor counts lines."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError
from assay.sources._decoding import DAMAGED, check_encoding, damaged, encoding_of, is_utf8, not_text, undecodable
from assay.sources._lines import lines_of
from assay.sources._quotes import quotes_are_literal
from assay.sources._rows import HasHeader, Numbered, Rows, open_bytes, repair_names
from assay.sources.records import ProblemLog
from assay.sources.store import Store

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 4 << 20
_MOST_BLOCK_BYTES = 1 << 30
_DELIMITERS = ("\t", ",", ";", "|")  # of those that fit equally, the first is taken
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")


def csv_rows(
    store: Store,
    name: str,
    encoding: str | None = None,
    has_header: HasHeader | None = None,
    delimiter: str | None = None,
) -> Rows:
    """The rows of a text table: all columns as text.

    Args:
        store: holds the file.
        name: the file, compressed with gzip or not.
        encoding: overrides what the byte order mark says (UTF-8 where there is none).
        has_header: says of the first rows whether the first of them names the columns; by default it does unless all
            of its cells are numbers.
        delimiter: what parts the cells; None to find it out.

    Raises:
        DataError: an empty or binary file, another encoding (with the place of the byte), or no header.
    """
    try:
        with open_bytes(store, name) as stream:
            head = stream.read(_HEAD_BYTES)
    except DAMAGED as error:
        raise damaged(name, error) from error
    encoding = encoding or encoding_of(head)
    text = _text(head, encoding, store, name)
    delimiter = delimiter or sniff_delimiter(text, name)
    quoting = csv.QUOTE_NONE if delimiter == "\t" and _quotes_are_literal(store, name, encoding) else csv.QUOTE_MINIMAL
    first, lines = _first_row(text, delimiter, quoting)
    if first is None:
        raise DataError("the file is empty; a table with a header is expected.", "Save the table again.", file=name)
    headless = not (has_header or _has_header)(_parse(text, delimiter, 200, quoting))
    cells = [f"column {place + 1}" for place in range(len(first))] if headless else [cell.strip() for cell in first]
    names, repaired = repair_names(cells)
    skip = lines - 1 if headless else lines
    reader = _CsvFile(store, name, names, delimiter, encoding, skip, quoting != csv.QUOTE_NONE)
    notes = (*repaired, *((("no-header", 1),) if headless else ()))
    return Rows(name, names, reader.batches, typed=False, delimiter=delimiter, repaired=notes)


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row is a header, by its cells alone: not all of them are numbers."""
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])
    return not (first and all(_NUMBER.fullmatch(cell) for cell in first))


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


def _quotes_are_literal(store: Store, name: str, encoding: str) -> bool:
    """See `quotes_are_literal`; a file without any is not looked at line by line."""
    with open_bytes(store, name) as stream:
        if not any(b'"' in block for block in iter(lambda: stream.read(_BLOCK_BYTES), b"")):
            return False
    return quotes_are_literal(line or "" for line in lines_of(store, name, encoding))


class _CsvFile:
    """Reads one text table again and again, in blocks."""

    def __init__(
        self,
        store: Store,
        name: str,
        names: tuple[str, ...],
        delimiter: str,
        encoding: str,
        skip: int,
        quoted: bool,
    ) -> None:
        self._store, self._name, self._names = store, name, names
        self._delimiter, self._encoding, self._skip, self._quoted = delimiter, encoding, skip, quoted
        self._block_bytes = _BLOCK_BYTES

    def batches(self, log: ProblemLog | None) -> Iterator[Numbered]:
        """Record batches of text with the line of each row; ragged rows are noted as `wrong-column-count`."""
        given = noted = 0
        while True:
            try:
                for batch, lines, refused in self._read():
                    self._note([line for line in refused if line > noted], log)
                    noted = max([noted, *refused])
                    new = lines > given
                    if len(lines) and new.any():
                        given = int(lines[-1])
                        yield batch.filter(pa.array(new)) if not new.all() else batch, lines[new]
                return
            except (pa.ArrowException, UnicodeError, *DAMAGED) as error:
                if "straddling" not in str(error) or self._block_bytes >= _MOST_BLOCK_BYTES:
                    raise self._explained(error) from error
                self._block_bytes *= 8  # a row larger than a block: read again in larger ones, behind what was given

    def _read(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray[Any, Any], list[int]]]:
        """Record batches, the line of each row, and the lines of rows refused before the last of them."""
        count = _LineCount(self._skip + 1)

        def refuse(row: Any) -> str:
            count.refused.append((row.number - self._skip - 1, row.text.count("\n")))
            return "skip"

        for batch in self._open(refuse):
            lines, refused = count.next(_newlines(batch))
            blank = _blank(batch)
            if blank.any():
                batch, lines = batch.filter(pa.array(~blank)), lines[~blank]
            yield batch, lines, refused
        yield pa.RecordBatch.from_pydict({}), np.zeros(0, np.int64), count.next(np.zeros(0, np.int64))[1]

    def _note(self, refused: list[int], log: ProblemLog | None) -> None:
        for line in refused if log is not None else ():
            log.add("wrong-column-count", "skipped", self._name, line)  # type: ignore[union-attr]

    def _open(self, refuse: Any) -> Iterator[pa.RecordBatch]:
        from assay.arrow import arrow_csv

        with open_bytes(self._store, self._name) as stream:
            checked = _Checked(stream) if is_utf8(self._encoding) else stream
            yield from arrow_csv.open_csv(
                pa.PythonFile(checked, mode="r"),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=self._block_bytes,
                    column_names=list(self._names),
                    skip_rows=self._skip,
                    encoding=self._encoding,
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter,
                    quote_char='"' if self._quoted else False,
                    newlines_in_values=self._quoted,
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
            return undecodable(self._store, self._name, self._encoding)
        if isinstance(error, DAMAGED) and not isinstance(error, pa.ArrowException):
            return damaged(self._name, error)
        return DataError(f"the table cannot be read ({error})", "Check its quotes and delimiters.", file=self._name)


class _Checked(io.RawIOBase):
    """A stream that raises `UnicodeDecodeError` at the first byte that is no UTF-8.

    Arrow checks the cells that it keeps; a row with too many of them it decodes before it asks what to do with it, and
    what that raises it prints and drops.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._decoder = stream, codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; raises `UnicodeDecodeError`."""
        block = self._stream.read(size)
        self._decoder.decode(block, final=not block)
        return block


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


def _text(head: bytes, encoding: str, store: Store, name: str) -> str:
    """The first part of the file as text; raises `DataError` where it is none."""
    check_encoding(encoding)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head).removeprefix("\ufeff")
    except UnicodeError as error:
        raise undecodable(store, name, encoding) from error
    if "\0" in text:
        raise not_text(name, encoding)
    return text


def _parse(text: str, delimiter: str, rows: int, quoting: int = csv.QUOTE_MINIMAL) -> list[list[str]]:
    found = []
    try:
        for row in csv.reader(_lines(text), delimiter=delimiter, quoting=quoting):  # type: ignore[arg-type]
            found.append(row)
            if len(found) >= rows:
                break
    except csv.Error:
        pass
    return found


def _first_row(text: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> tuple[list[str] | None, int]:
    """The cells of the first row that is not empty, and the number of lines up to its end."""
    reader = csv.reader(_lines(text), delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                return row, reader.line_num
    except csv.Error:
        pass
    return None, 0


def _lines(text: str) -> list[str]:
    """Lines with their ends; other than `str.splitlines`, nothing but a line feed ends one."""
    return io.StringIO(text, newline="").readlines()
