"""Tables that hold texts: one file, a file for each side of the split, or data in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from assay.arrow import pa
from assay.errors import AssayError, DataError
from assay.sources._csv import csv_rows
from assay.sources._decoding import text_blocks
from assay.sources._frames import frame_rows, is_frame
from assay.sources._labelled_lines import labelled_rows
from assay.sources._lines import is_about, lines_of
from assay.sources._rows import JSON_SUFFIXES, HasHeader, Numbered, Rows, open_file, table_names
from assay.sources._splits import given_sides, side_of_name
from assay.sources._text_columns import spread_rows
from assay.sources._text_values import LONGEST, mended
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Source
from assay.sources.store import Store

_FEW_OTHERS, _MOST_FILES = 2, 20
_LOOK_AT_LINES, _SOME_ROWS = 200, 2000


@dataclass(frozen=True)
class Part:
    """A table, and the side of the split that its file stands for (None where sides are not told by files)."""

    rows: Rows
    side: str | None = None


def table_files(source: Source, encoding: str | None = None) -> list[str]:
    """The files of a source that are one table, or one for each side; empty where there is no such set.

    Tables are known by their ending. A file of another ending is one where tabs cut its lines into the same number of
    cells, or where labels stand before its lines (see `labelled_rows`).
    """
    store = source.store
    names = [name for name in store.names if not is_about(name)]
    if len(store.names) == 1:
        names = store.names
    tables = [*table_names(names), *(name for name in names if _ends(name, JSON_SUFFIXES[:-1]))]
    json = [name for name in names if _ends(name, JSON_SUFFIXES[-1:])]
    chosen = sorted(tables) or json or names
    if len(names) - len(chosen) > _FEW_OTHERS or not _are_one_set(chosen):
        return []
    if tables:
        return chosen
    is_table = _is_json_table if json else _is_loose_table
    return chosen if all(is_table(store, name, encoding) for name in chosen) else []


def has_tables(names: list[str]) -> bool:
    """Whether there are tables among some files, by their ending."""
    return bool(table_names(names)) or any(_ends(name, JSON_SUFFIXES) for name in names)


def open_parts(source: Source, options: DataOptions, has_header: HasHeader) -> list[Part]:
    """The tables of a source, that of the training side first.

    Args:
        source: files or data in memory.
        options: `split` and `extra["encoding"]`.
        has_header: as `csv_rows` takes it.

    Raises:
        DataError: there is no table, or several that are no sides of one data set.
    """
    if source.path is None:
        return [Part(_flat(_memory_rows(source)))]
    encoding = options.extra.get("encoding")
    names = table_files(source, encoding)
    if not names:
        raise DataError(
            "there is no table, or several that are not named after the sides of a split.",
            "Give one file, or files named train, validation and test.",
            file=source.label,
        )
    sides = (given_sides(names, options) if len(names) > 1 else None) or dict.fromkeys(names)
    parts = [Part(_flat(_open(source.store, name, encoding, has_header)), sides[name]) for name in names]
    return sorted(parts, key=lambda part: (part.side or side_of_name(part.rows.file)) != "train")


def first_rows(source: Source, has_header: HasHeader) -> Rows | None:
    """The table that a source is recognised by, even where its encoding is none that `open_parts` would take.

    Of a large table in memory it is some rows from end to end. None where there is no table that can be read.
    """
    if source.path is None:
        source = Source(value=_some_rows(source.value))
    for encoding in (None, "latin-1"):
        try:
            extra = {} if encoding is None else {"encoding": encoding}
            rows = open_parts(source, DataOptions(extra=extra), has_header)[0].rows
            next(rows.batches(None), None)
        except AssayError:
            continue
        return rows
    return None


def is_text_list(value: Any) -> bool:
    """Whether data in memory is a list of strings."""
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(item, str) for item in value[:100])


def is_text_pair(value: Any) -> bool:
    """Whether data in memory is a list of strings and a sequence of as many values."""
    pair = isinstance(value, tuple) and len(value) == 2 and is_text_list(value[0])
    return pair and hasattr(value[1], "__len__") and not isinstance(value[1], str)


def strings(values: Sequence[Any]) -> pa.Array:
    """Strings in memory as a column; raises `DataError` for an item that is none."""
    for place, value in enumerate(values, 1):
        if value is not None and not isinstance(value, str):
            raise DataError(
                f"item {place} is of type {type(value).__name__}; strings are expected.",
                "Convert all items to strings.",
            )
    return pa.array([mended(value) for value in values], pa.string())


def chained(parts: Sequence[Part]) -> Rows:
    """The rows of all parts one after the other, with the columns of the first."""

    def batches(log: ProblemLog | None) -> Iterator[Numbered]:
        for part in parts:
            for batch, numbers in part.rows.batches(log):
                yield batch.select(list(parts[0].rows.names)), numbers

    return replace(parts[0].rows, batches=batches)


def _memory_rows(source: Source) -> Rows:
    value = source.value
    if is_text_list(value) and not is_text_pair(value):
        value = pa.table({"text": strings(value)})
    if is_text_pair(value):
        texts, targets = value
        if len(texts) != len(targets):
            raise DataError(
                f"there are {len(texts)} texts, but {len(targets)} targets.", "Give as many targets as texts."
            )
        return frame_rows((pa.table({"text": strings(texts)}), targets))
    if not is_frame(value):
        raise DataError(
            f"{source.label} is no table of texts.", "Expected a data frame, or a list of dicts or strings."
        )
    return frame_rows(value)


def _some_rows(value: Any) -> Any:
    """Data in memory with about `_SOME_ROWS` of its rows, as far as it can be cut; arrays of numbers have no text."""
    if isinstance(value, tuple) and len(value) == 2 and hasattr(value[1], "__len__"):
        return tuple(map(_some_rows, value)) if is_text_list(value[0]) or hasattr(value[0], "columns") else None
    if isinstance(value, pa.Table):
        return value.take(pa.array(spread_rows(value.num_rows, _SOME_ROWS)))
    if hasattr(value, "iloc"):
        return value.iloc[spread_rows(len(value), _SOME_ROWS)]
    if isinstance(value, list):
        return [value[row] for row in spread_rows(len(value), _SOME_ROWS)]
    return value


def _open(store: Store, name: str, encoding: str | None, has_header: HasHeader) -> Rows:
    if has_tables([name]):
        return open_file(store, name, encoding, has_header)
    return labelled_rows(store, name, encoding) or csv_rows(store, name, encoding, has_header, "\t")


def _are_one_set(names: Sequence[str]) -> bool:
    if len(names) > _MOST_FILES:
        return False
    sides = [side_of_name(name) for name in names]
    return len(names) == 1 or (None not in sides and "train" in sides and len(set(sides)) > 1)


def _ends(name: str, suffixes: tuple[str, ...]) -> bool:
    return name.lower().removesuffix(".gz").endswith(suffixes)


def _is_json_table(store: Store, name: str, encoding: str | None) -> bool:
    """Whether a file called JSON begins with an array, or with an object on a line by itself."""
    head = next(text_blocks(store, name, encoding), "").lstrip()
    first, _, rest = head.partition("\n")
    return head.startswith("[") or (first.rstrip().endswith("}") and rest.lstrip().startswith("{"))


def _is_loose_table(store: Store, name: str, encoding: str | None) -> bool:
    """Whether a file that is not named as a table is one."""
    if labelled_rows(store, name, encoding) is not None:
        return True
    lines = [line for line in islice(lines_of(store, name, encoding, LONGEST), _LOOK_AT_LINES) if line]
    tabs = [line.count("\t") for line in lines]
    common = max(set(tabs), key=tabs.count, default=0)
    return common > 0 and tabs.count(common) >= 0.95 * len(tabs)


def _flat(rows: Rows) -> Rows:
    """A table in which the fields of structs are columns, `NAME.FIELD`."""
    if not rows.typed:
        return rows
    first = next((batch for batch, _ in rows.batches(None)), None)
    if first is None or not any(pa.types.is_struct(column.type) for column in first.columns):
        return rows

    def batches(log: ProblemLog | None) -> Iterator[Numbered]:
        for batch, numbers in rows.batches(log):
            yield pa.Table.from_batches([batch]).flatten().combine_chunks().to_batches()[0], numbers

    names = pa.Table.from_batches([first.slice(0, 1)]).flatten().column_names
    return replace(rows, names=tuple(names), batches=batches)
