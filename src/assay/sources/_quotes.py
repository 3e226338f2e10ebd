"""Whether quotation marks in a tab-separated file enclose cells, as a spreadsheet writes them, or just stand there."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CELL = r'(?:"[^"]*+(?:""[^"]*+)*+"|[^"\t]*+)'
_RECORD = re.compile(rf"{_CELL}(?:\t{_CELL})*+")
#: Well-formed rows with enclosed cells after which no more are looked at.
_CONVINCING = 10_000
_MOST_CHARACTERS = 1 << 24


def quotes_are_literal(lines: Iterable[str]) -> bool:
    """Whether quotation marks of a tab-separated file are to be kept as they stand.

    They are where some row is not what a writer that encloses cells would have written (a mark inside a cell that is
    not enclosed, one without an end), while the tabs alone give nearly every line its cells.

    Args:
        lines: the file's lines, without their ends.
    """
    record: list[str] = []
    tabs, seen, whole, marks, length, convincing = 0, 0, 0, 0, 0, 0
    for line in lines:
        if line:
            tabs = tabs if seen else line.count("\t")
            seen += 1
            whole += line.count("\t") == tabs
        if not record and '"' not in line:
            continue
        record.append(line)
        marks, length = marks + line.count('"'), length + len(line)
        if marks % 2 and length < _MOST_CHARACTERS:
            continue  # the cell may go on in the next line
        if not _is_enclosed(record, tabs):
            return whole >= 0.9 * seen
        record, marks, length, convincing = [], 0, 0, convincing + 1
        if convincing >= _CONVINCING:
            return False
    return bool(record) and whole >= 0.9 * seen


def _is_enclosed(record: list[str], tabs: int) -> bool:
    """Whether some lines are one row with enclosed cells, rather than rows of which two hold a mark each."""
    if len(record) > 1 and all(line.count("\t") == tabs for line in record):
        return False
    return _RECORD.fullmatch("\n".join(record)) is not None
