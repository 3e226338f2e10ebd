"""What the columns of a table hold: one pass over all rows counts, then each column gets its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.sources._audio_header import is_audio_name
from assay.sources._image_header import is_image_name
from assay.sources._rows import Rows
from assay.sources._values import (
    DATE_FORMATS,
    NUMBER_STYLES,
    all_numbers,
    as_date,
    date_like,
    is_number,
    is_text,
    present_text,
)
from assay.sources.records import ProblemLog

#: With fewer values, "nearly all different" says nothing.
FEWEST = 20
_ID_NAMES = ("id", "index", "row", "rowid", "uuid", "guid", "key", "no", "nr")
_DISTINCT_TOTAL = 5_000_000


@dataclass(frozen=True)
class Column:
    """What one column holds.

    Attributes:
        name: as in the header.
        type: "number", "category" or "date" for a feature; "id", "text", "constant", "missing", "nested" and
            "ambiguous" for what is left out.
        missing: how many values are missing.
        distinct: how many different values there are (at least, where there are very many).
        format: how text is read: one of `NUMBER_STYLES` or `DATE_FORMATS`; "" for typed and category columns.
        rows: how many values there are, missing ones included.
        words: values of a number column that are no numbers.
        fractions: whether a number column holds more than whole numbers.
        unique: nearly all values differ.
    """

    name: str
    type: str
    missing: int
    distinct: int
    format: str = ""
    rows: int = 0
    words: int = 0
    fractions: bool = False
    unique: bool = False

    @property
    def used(self) -> bool:
        """Whether the column is a feature."""
        return self.type in ("number", "category", "date")

    def fact(self) -> dict[str, Any]:
        """The column as `facts["columns"]` shows it, enough to read another table the same way."""
        return {
            "name": self.name,
            "type": self.type,
            "missing": self.missing,
            "distinct": self.distinct,
            "format": self.format,
        }

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> Column:
        """The column that a fact describes."""
        return cls(
            str(fact["name"]),
            str(fact["type"]),
            int(fact.get("missing", 0)),
            int(fact.get("distinct", 0)),
            str(fact.get("format", "")),
        )


def profile(rows: Rows, log: ProblemLog) -> list[Column]:
    """The type of every column, from one pass over all rows; ragged rows are noted on the way."""
    limit = max(1000, min(100_000, _DISTINCT_TOTAL // max(1, len(rows.names))))
    tallies = [_Tally(name, limit) for name in rows.names]
    for batch, _ in rows.batches(log):
        for tally, column in zip(tallies, batch.columns, strict=True):
            tally.add(column)
    comma = _what_commas_mean(tallies, rows.delimiter)
    return [tally.column(comma) for tally in tallies]


def keep_all(columns: Sequence[Column]) -> list[Column]:
    """The same columns, none of them left out: for features that the user chose one by one."""
    kept = []
    for column in columns:
        numeric = column.format in NUMBER_STYLES or column.type == "missing"
        kind = column.type if column.used or column.type == "nested" else "number" if numeric else "category"
        kept.append(Column(**{**vars(column), "type": kind}))
    return kept


def holds_media(column: pa.Array) -> bool:
    """Whether a column holds images or recordings, or names of such files."""
    if pa.types.is_binary(column.type) or pa.types.is_struct(column.type):
        return True
    if not is_text(column.type):
        return False
    values = [value for value in column.to_pylist() if value]
    return bool(values) and sum(is_image_name(value) or is_audio_name(value) for value in values) >= 0.5 * len(values)


class _Tally:
    """Counts the values of one column, batch by batch."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.rows = self.present = 0
        self.numbers = dict.fromkeys(("plain", "decimal-comma", "thousands", "either"), 0)
        self.dotted = self.dates = self.letters = self.spaces = 0
        self.date_formats = dict.fromkeys(DATE_FORMATS, 0)
        self.typed = ""  # "number", "date" or "nested" where the column has a type of its own
        self.fractions = False
        self._distinct: set[Any] = set()
        self._limit = limit
        self._seen_when_full = 0
        self._counts_up, self._last = True, None  # type: tuple[bool, int | None]

    def add(self, column: pa.Array) -> None:
        """Count the next values."""
        self.rows += len(column)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            self._add_numbers(column)
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            self.typed = "date"
            self.present += len(column) - column.null_count
            self._add_distinct(pc.unique(column.drop_null()))
        elif pa.types.is_null(kind):
            return
        elif is_text(kind) and (numbers := all_numbers(column)) is not None:
            self.present += len(column)
            self.numbers["plain"] += len(column)
            self._add_dots(column)
            self._add_plain(numbers, in_order=True)
        elif is_text(kind) or pa.types.is_boolean(kind):
            self._add_text(present_text(column).drop_null())
        else:
            self.typed = "nested"
            self.present += len(column) - column.null_count

    def column(self, comma: str) -> Column:
        """The verdict after the last batch; `comma` says what commas in numbers mean where they could be either."""
        style = self._style() or comma
        words = 0 if self.typed else self.present - self._numeric(style)
        kind, form = self._kind(style, words)
        fractions = self.fractions or (style == "decimal-comma" and self.numbers[style] > 0)
        return Column(
            self.name,
            kind,
            self.rows - self.present,
            len(self._distinct),
            form,
            self.rows,
            words if kind == "number" else 0,
            fractions,
            self._nearly_unique(),
        )

    def _add_numbers(self, column: pa.Array) -> None:
        """Count values of a numeric type."""
        self.typed = "number"
        values = pc.cast(column, pa.float64(), safe=False).drop_null()
        values = values.filter(pc.is_finite(values))
        self.present += len(values)
        self._add_plain(values, len(values) == len(column))

    def _add_text(self, values: pa.Array) -> None:
        """Count values of text, of which none is missing."""
        self.present += len(values)
        counted = pc.value_counts(values)
        texts, counts = counted.field("values"), counted.field("counts").to_numpy()
        plain = is_number(texts, "plain")
        self.numbers["plain"] += int(counts[plain].sum())
        numbers = texts.filter(pa.array(plain))
        self._add_dots(numbers, counts[plain])
        self.letters += int((pc.utf8_length(texts).to_numpy() * counts).sum())
        self.spaces += int((pc.count_substring(texts, " ").to_numpy() * counts).sum())
        if plain.all():
            self._add_plain(pc.cast(values, pa.float64()), in_order=True)
            return
        words = texts.filter(pa.array(~plain))
        self._add_words(words, counts[~plain])
        self._add_plain(pc.cast(numbers, pa.float64()), in_order=False)
        self._add_distinct(words)

    def _add_dots(self, numbers: pa.Array, counts: np.ndarray[Any, Any] | int = 1) -> None:
        dots = pc.match_substring(numbers, ".").to_numpy(zero_copy_only=False)
        self.dotted += int((dots * counts).sum())

    def _add_plain(self, numbers: pa.Array, in_order: bool) -> None:
        """Take in plain numbers: `in_order` where they are all values of these rows, in their order."""
        values = numbers.to_numpy()
        self.fractions = self.fractions or bool((values % 1 != 0).any())
        self._add_distinct(pc.unique(numbers) if not self._seen_when_full else numbers)
        self._add_steps(values if in_order and not self.fractions else None)

    def _add_words(self, texts: pa.Array, counts: np.ndarray[Any, Any]) -> None:
        decimal, thousands = is_number(texts, "decimal-comma"), is_number(texts, "thousands")
        self.numbers["decimal-comma"] += int(counts[decimal & ~thousands].sum())
        self.numbers["thousands"] += int(counts[thousands & ~decimal].sum())
        self.numbers["either"] += int(counts[decimal & thousands].sum())
        likely = date_like(texts)
        if likely.any():
            candidates, weight = texts.filter(pa.array(likely)), counts[likely]
            for form in DATE_FORMATS:
                parsed = pc.is_valid(as_date(candidates, form)).to_numpy(zero_copy_only=False)
                self.date_formats[form] += int(weight[parsed].sum())

    def _add_steps(self, values: np.ndarray[Any, Any] | None) -> None:
        """Follow whether the values just count up, row by row."""
        if values is None or self.present != self.rows:
            self._counts_up = False
        elif self._counts_up and len(values):
            steps = np.diff(values, prepend=values[0] - 1 if self._last is None else self._last)
            self._counts_up = bool((steps == 1).all())
            self._last = int(values[-1])

    def _add_distinct(self, unique: pa.Array) -> None:
        if self._seen_when_full == 0:
            self._distinct.update(unique.to_pylist())
            if len(self._distinct) > self._limit:
                self._seen_when_full = self.present

    def _style(self) -> str:
        """How numbers are written: a style, or "" where commas could be either."""
        decimal, thousands, either = (self.numbers[name] for name in ("decimal-comma", "thousands", "either"))
        if decimal + thousands + either == 0 or self.dotted > 2 * (decimal + thousands + either):
            return "plain" if not thousands + either or decimal else "thousands"
        if decimal == thousands == 0:
            return "thousands" if self.dotted else ""
        return "decimal-comma" if decimal > thousands else "thousands"

    def _numeric(self, style: str) -> int:
        count = self.numbers["plain"]
        if style in ("decimal-comma", "thousands"):
            count += self.numbers["either"] + self.numbers[style]
        elif style == "":
            count += self.numbers["either"]
        return count

    def _nearly_unique(self) -> bool:
        seen = self._seen_when_full or self.present
        return seen >= FEWEST and len(self._distinct) >= 0.95 * seen

    def _kind(self, style: str, words: int) -> tuple[str, str]:
        """The column's type and format."""
        if self.typed == "nested":
            return "nested", ""
        if self.present == 0:
            return "missing", ""
        numeric = self.typed == "number" or self._numeric(style) >= self._enough_numbers() * self.present
        form = "plain" if self.typed == "number" else style if numeric else ""
        if len(self._distinct) == 1 and self.present == self.rows and self.rows > 1:
            return "constant", form
        if numeric:
            return ("ambiguous" if form == "" else "id" if self._is_row_number() else "number"), form
        best = max(self.date_formats, key=lambda name: self.date_formats[name])
        if self.typed == "date" or self.date_formats[best] >= 0.95 * self.present:
            return "date", "" if self.typed == "date" else best
        return self._text_kind(), ""

    def _enough_numbers(self) -> float:
        return 0.9 if len(self._distinct) > FEWEST else 0.97

    def _is_row_number(self) -> bool:
        named = self.name.lower() in _ID_NAMES or self.name.lower().endswith(("_id", " id")) or self.name == ""
        named = named or self.name.lower().startswith(("unnamed:", "column 1"))
        if self.fractions or (self._seen_when_full == 0 and len(self._distinct) < self.rows) or self.present < 3:
            return False
        return (self._counts_up and (named or self.rows >= FEWEST)) or (
            self.name.lower() in _ID_NAMES and self.dotted == 0 and self._nearly_unique()
        )

    def _text_kind(self) -> str:
        length, words = self.letters / self.present, self.spaces / self.present + 1
        if self._nearly_unique():
            return "text" if words >= 3 or length > 40 else "id"
        return "text" if length > 60 and len(self._distinct) > 0.5 * self.present else "category"


def _what_commas_mean(tallies: Sequence[_Tally], delimiter: str) -> str:
    """A number style for columns whose commas could be either, from the other columns; "" where nothing tells."""
    if any(tally.numbers["decimal-comma"] and tally._style() == "decimal-comma" for tally in tallies):
        return "decimal-comma"
    if any(tally.dotted for tally in tallies):
        return "thousands"
    return "decimal-comma" if delimiter == ";" else ""
