"""`table`: rows and columns of words and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay.report import _svg as art
from assay.report._words import clean, decimals_for, escape, finite, plain

MOST_ROWS = 200
#: A table of more rows scrolls in its own box.
_LONG = 25
_NUMBER = re.compile(r"[-\u2212]?\d[\d.,\s]*%?")
_DASH = "\u2013"


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Write a table that scrolls inside its own box where it is wider than the page.

    Data:
        columns: list of str.
        rows: list of rows of str, number or null (a dash); at most 200 are written.
        first_is_header?: bool, whether the first cell of a row names it (true by default).
    """
    columns = [str(column) for column in data.get("columns") or ()]
    rows = [list(row) for row in data.get("rows") or ()]
    if not rows:
        return art.nothing()
    count = max(len(columns), *(len(row) for row in rows[:MOST_ROWS]))
    filled = [row + [None] * (count - len(row)) for row in rows[:MOST_ROWS]]
    numeric = [_is_numeric([row[place] for row in filled]) for place in range(count)]
    decimals = [decimals_for([finite(row[place]) for row in filled]) for place in range(count)]
    head = "".join(
        f'<th scope="col"{_align(right)}>{escape(name)}</th>'
        for name, right in zip(columns + [""] * (count - len(columns)), numeric, strict=True)
    )
    header = data.get("first_is_header", True)
    body = "".join(f"<tr>{_row(row, numeric, decimals, bool(header))}</tr>" for row in filled)
    long = " long" if len(filled) > _LONG else ""
    return (
        f'<div class="scroll{long}" role="region" tabindex="0" aria-label="{escape(title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        + art.left_out(len(rows) - MOST_ROWS, "more rows are not shown.")
    )


def _align(right: bool) -> str:
    return ' class="number"' if right else ""


def _is_number(value: Any) -> bool:
    return not isinstance(value, (str, bool)) and value is not None


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(_is_number(value) or _NUMBER.fullmatch(str(value)) for value in known)


def _row(row: Sequence[Any], numeric: Sequence[bool], decimals: Sequence[int], header: bool) -> str:
    cells = []
    for place, value in enumerate(row):
        words = escape(_cell(value, decimals[place] if numeric[place] else None))
        first = header and place == 0
        tag, scope = ("th", ' scope="row"') if first else ("td", "")
        cells.append(f"<{tag}{scope}{_align(numeric[place] and not first)}>{words}</{tag}>")
    return "".join(cells)


def _cell(value: Any, decimals: int | None) -> str:
    if value is None:
        return _DASH
    if not _is_number(value):
        return clean(value)
    number = finite(value)
    if number is None:
        return _DASH
    # A column's common decimals must not turn a small number into zero.
    return plain(number, None if decimals is None or 0 < abs(number) < 0.5 * 10.0**-decimals else decimals)
