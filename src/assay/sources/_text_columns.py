"""Which columns of a table are text to be read, and whether its first row is a header."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import SettingError, did_you_mean
from assay.sources._columns import Column, holds_media, profile
from assay.sources._languages import is_language
from assay.sources._rows import Rows
from assay.sources._table_target import TARGET_NAMES
from assay.sources._text_values import count_words
from assay.sources._values import is_text
from assay.sources.records import ProblemLog

#: What data sets call a column of text.
TEXT_NAMES = (
    "text", "sentence", "message", "review", "comment", "body", "content", "document", "tweet", "utterance", "query",
    "question", "context", "answer", "answers", "description", "title", "headline", "sms", "post", "abstract",
    "summary", "source", "src", "tgt", "trg", "translation",
)  # fmt: skip
_OTHER_NAMES = ("id", "index", "split", "group", "author", "user", "date", "score", "rating", "sentiment", "language",
                "name", "type", "topic", "intent", "emotion", "polarity", "stars", "lang")  # fmt: skip

#: Mean words of a value, and the share of different values, from which a column is text.
WORDS, DIFFERENT = 3.0, 0.3
_WORDS_WITH_NAME = 1.5
_LOOK_AT, _LOOK_AT_CHARACTERS = 1000, 2000
_RUN = 10
_LONG_CELL = 40


@dataclass(frozen=True)
class Look:
    """What the first rows of a table hold.

    Attributes:
        texts: the columns of text.
        others: all other columns.
        rows: how many rows were looked at.
    """

    texts: tuple[str, ...]
    others: tuple[Column, ...]
    rows: int

    def useful(self, without: Collection[str] = ()) -> list[Column]:
        """The columns beside the texts from which something can be learnt."""
        return [column for column in self.others if column.used and column.name not in without]


def look(rows: Rows, least_words: float = WORDS) -> Look | None:
    """What a thousand rows near the start hold; None where there are none, or where they name or hold media.

    Args:
        rows: the table.
        least_words: mean words from which a column is text.
    """
    first = next((batch for batch, _ in rows.batches(None) if batch.num_rows), None)
    if first is None:
        return None
    head = first.take(pa.array(spread_rows(first.num_rows, _LOOK_AT)))
    if any(map(holds_media, head.slice(0, 100).columns)):
        return None
    names = head.schema.names
    texts = tuple(name for name in names if _is_prose(name, head.column(name), least_words))
    rest = select(replace(rows, batches=lambda log: iter([(head, np.arange(head.num_rows))])), texts)
    return Look(texts, tuple(profile(rest, ProblemLog())), head.num_rows)


def spread_rows(rows: int, wanted: int) -> np.ndarray[Any, Any]:
    """(about `wanted`,) the numbers of some rows from end to end, ascending, since files may be sorted by class.

    They come in short runs, so that classes that take turns are all among them.
    """
    if rows <= wanted:
        return np.arange(rows)
    starts = np.linspace(0, rows - _RUN, wanted // _RUN).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(_RUN))


def select(rows: Rows, without: Collection[str]) -> Rows:
    """A table without some of its columns."""
    names = [name for name in rows.names if name not in without]
    return replace(
        rows,
        names=tuple(names),
        batches=lambda log: ((batch.select(names), numbers) for batch, numbers in rows.batches(log)),
    )


def named_columns(asked: str, names: Sequence[str], file: str) -> tuple[str, ...]:
    """The columns that a user names, one or several with commas between; raises `SettingError` for an unknown one."""
    if asked in names:
        return (asked,)
    chosen = tuple(part.strip() for part in asked.split(","))
    for name in chosen:
        if name not in names:
            raise SettingError(f"{file} has no column {name!r}.", did_you_mean(name, names))
    return chosen


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row of a table with a text and its class names the columns.

    It does not where one of its cells stands again below, as a class does. Else it does where it holds a usual name; it
    does not where one of its cells is a number or as long as a sentence.
    """
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    first = [cell.strip() for cell in rows[0]] if rows else []
    below = [{row[place].strip() for row in rows[1:] if len(row) > place} for place in range(len(first))]
    if any(cell and cell in others for cell, others in zip(first, below, strict=True)):
        return False
    return any(map(_is_usual, first)) or not any(map(_is_value, first))


def names_columns(rows: list[list[str]]) -> bool:
    """Whether the first row of a table of sentence pairs names the columns: by a usual name, or by two languages."""
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])
    return any(map(_is_usual, first)) or sum(is_language(cell.strip()) for cell in first) > 1


def _is_usual(cell: str) -> bool:
    return re.sub(r"[\W_\d]+$", "", cell.strip().lower()) in {*TEXT_NAMES, *TARGET_NAMES, *_OTHER_NAMES}


def _is_value(cell: str) -> bool:
    """Whether a cell of the first row is a value rather than a name."""
    number = re.fullmatch(r"[+-]?\d+([.,]\d+)?", cell) is not None
    return number or len(cell) > _LONG_CELL or count_words(cell) > 4


def _is_prose(name: str, column: pa.Array, least_words: float) -> bool:
    """Whether a column's values are mostly different, of several words, and of letters rather than digits."""
    if not is_text(column.type):
        return False
    begun = pc.utf8_slice_codeunits(column.cast(pa.string()), 0, _LOOK_AT_CHARACTERS)
    values = [value for value in begun.to_pylist() if value and not value.isspace()]
    if not values or len(set(values)) < DIFFERENT * len(values):
        return False
    usual = name.lower().rsplit(".", 1)[-1] in TEXT_NAMES or is_language(name.rsplit(".", 1)[-1])
    mean_words = sum(map(count_words, values)) / len(values)
    if mean_words < (min(_WORDS_WITH_NAME, least_words) if usual else least_words):
        return False
    together = "".join("".join(values[:200]).split())
    digits = sum(map(str.isdigit, together))
    structured = sum(value.lstrip()[:1] in ("{", "[") for value in values)
    return digits <= 0.3 * len(together) and structured < 0.5 * len(values)
