"""What stands in for `pyarrow.csv`: a table of text read row by row, all columns as text."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from assay.arrow.plain_arrays import Array
from assay.arrow.plain_tables import RecordBatch
from assay.arrow.plain_types import STRING, ArrowInvalid

#: Options, by the names that Arrow gives them.
ReadOptions = ParseOptions = ConvertOptions = SimpleNamespace
_ROWS = 4096


@dataclass(frozen=True)
class InvalidRow:
    """A row with another number of cells than there are columns.

    Attributes:
        number: its number, counted from 1 with the lines before the table.
        text: of which only the line breaks inside are kept.
    """

    number: int
    text: str


def open_csv(stream: Any, read_options: Any, parse_options: Any, convert_options: Any) -> Iterator[RecordBatch]:
    """The rows in batches; `invalid_row_handler` is told of rows that are left out.

    Raises:
        ArrowInvalid: cells larger than Python's reader takes.
        UnicodeError: bytes that are not of the encoding.
    """
    names = read_options.column_names
    with io.TextIOWrapper(stream, read_options.encoding, newline="") as text:
        lines = _without_mark(text)
        for _ in range(read_options.skip_rows):
            next(lines, None)
        rows = _rows(lines, len(names), read_options.skip_rows, parse_options)
        for part in iter(lambda: list(itertools.islice(rows, _ROWS)), []):
            yield RecordBatch([Array(list(cells), STRING) for cells in zip(*part, strict=True)], names)


def _rows(lines: Iterator[str], width: int, skipped: int, options: Any) -> Iterator[list[str]]:
    quoted = options.quote_char is not False
    reader = csv.reader(
        lines, delimiter=options.delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=False
    )
    refuse: Callable[[InvalidRow], str] = options.invalid_row_handler
    before = 0
    try:
        for number, row in enumerate(reader, skipped + 1):
            cells = row or [""] * width  # an empty line
            if len(cells) == width:
                yield cells
            else:
                refuse(InvalidRow(number, "\n" * (reader.line_num - before - 1)))
            before = reader.line_num
    except csv.Error as error:
        raise ArrowInvalid(f"row {before + skipped + 1}: {error}") from error


def _without_mark(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines, without a byte order mark before the first."""
    mark = codecs.BOM_UTF8.decode()
    for number, line in enumerate(text):
        yield line if number else line.removeprefix(mark)
