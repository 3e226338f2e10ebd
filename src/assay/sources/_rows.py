"""Tables of any format as re-iterable batches of columns, each row with its number in the file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._remote import RemoteStore
from assay.sources.records import ProblemLog
from assay.sources.source import Source
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
Numbered = tuple[pa.RecordBatch, Array]

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".psv", ".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
HasHeader = Callable[[list[list[str]]], bool]


@dataclass(frozen=True)
class Rows:
    """A table as it lies in its file.

    Attributes:
        file: how ids and problems name it.
        names: its columns, without duplicates and empty names.
        batches: called with a problem log (or None), iterates over the rows from the start: record batches with these
            names, and for each the rows' numbers as an editor counts them, (rows,) int64. Rows that cannot be read are
            left out and noted.
        typed: the columns have types of their own; else all of them are text.
        delimiter: what parts the columns of a text file; "" elsewhere.
        repaired: problems of the header.
    """

    file: str
    names: tuple[str, ...]
    batches: Callable[[ProblemLog | None], Iterator[Numbered]]
    typed: bool
    delimiter: str = ""
    repaired: tuple[tuple[str, int], ...] = ()


def table_names(names: list[str]) -> list[str]:
    """Those of some files that are tables by their ending, `.gz` of these included."""
    return [name for name in names if name.lower().removesuffix(".gz").endswith(TABLE_SUFFIXES)]


def open_rows(source: Source, encoding: str | None = None) -> Rows:
    """The rows of a table file, of the one table in a folder or archive, or of a table in memory.

    A file of JSON lines is taken where it is the only file.

    Raises:
        DataError: there is no table or more than one, or it cannot be read.
    """
    if source.path is None:
        from assay.sources._frames import frame_rows

        return frame_rows(source.value)
    store = source.store
    tables = table_names(store.names) if len(store.names) != 1 else store.names
    if len(tables) != 1:
        found = f"{len(tables)} tables ({', '.join(tables[:3])}, …)" if tables else "no table"
        raise DataError(
            f"there is {found}; one CSV, TSV or Parquet file is expected.",
            "Give the path of one table.",
            file=source.label,
        )
    return open_file(store, tables[0], encoding)


def open_file(store: Store, name: str, encoding: str | None = None, has_header: HasHeader | None = None) -> Rows:
    """The rows of one file of a store: Parquet by its content, else text, compressed with gzip or not.

    Args:
        store: holds the file.
        name: the file; JSON lines by its ending.
        encoding: of text; None for what the byte order mark says, or UTF-8.
        has_header: as `csv_rows` takes it.
    """
    from assay.sources._csv import csv_rows
    from assay.sources._json_lines import json_rows

    with store.open(name) as stream:
        head = stream.read(4)
    if head == b"PAR1":
        return _parquet_rows(store, name)
    if head == b"PK\3\4" or head == b"\xd0\xcf\x11\xe0":
        raise DataError(
            "this is a spreadsheet or an archive, not a table as text.",
            "Save it as CSV in the program that wrote it.",
            file=name,
        )
    if name.lower().removesuffix(".gz").endswith(JSON_SUFFIXES):
        return json_rows(store, name, encoding)
    return csv_rows(store, name, encoding, has_header)


def open_bytes(store: Store, name: str) -> BinaryIO:
    """A file as a stream, decompressed where it is gzip."""
    import gzip

    stream = store.open(name)
    if stream.read(2) == b"\x1f\x8b":
        stream.close()
        return io.BufferedReader(gzip.GzipFile(fileobj=store.open(name)))
    stream.close()
    return store.open(name)


def open_parquet(store: Store, name: str) -> Any:
    """A `pyarrow.parquet.ParquetFile`; a file in a folder is read in place, a member of an archive in memory."""
    from assay.arrow import pq

    if isinstance(store, RemoteStore):
        with reading_parquet(store.address(name)):
            return pq.ParquetFile(store.open(name), pre_buffer=True)
    path = store.path / name if store.path.is_dir() else store.path
    with reading_parquet(name):
        if path.is_file() and path.suffix.lower() not in (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"):
            return pq.ParquetFile(path, memory_map=True)
        return pq.ParquetFile(pa.BufferReader(store.read(name)))


@contextmanager
def reading_parquet(name: str) -> Iterator[None]:
    """Turns what Arrow says of a damaged file into a `DataError` that names it."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"the Parquet file is damaged ({error})", "Download or write it again.", file=name) from error


def repair_names(names: list[str]) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Column names that are all there and all different, and what had to be repaired, how often."""
    given: set[str] = set(names)
    taken: set[str] = set()
    repaired, empty, twice = [], 0, 0
    for place, name in enumerate(names):
        new = name
        if not name:
            empty += 1
            new = _free(f"column {place + 1}", given | taken)
        elif name in taken:
            twice += 1
            new = _free(name, given | taken)
        taken.add(new)
        repaired.append(new)
    problems = (("empty-column-name", empty), ("duplicate-column-name", twice))
    return tuple(repaired), tuple((kind, count) for kind, count in problems if count)


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})" if name in taken else name


def _parquet_rows(store: Store, name: str) -> Rows:
    names, repaired = repair_names(list(open_parquet(store, name).schema_arrow.names))

    def batches(log: ProblemLog | None) -> Iterator[Numbered]:
        first = 1
        try:
            for batch in open_parquet(store, name).iter_batches(batch_size=32768):
                yield (
                    pa.RecordBatch.from_arrays(batch.columns, names=list(names)),
                    np.arange(first, first + batch.num_rows),
                )
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"the Parquet file is damaged ({error})", "Write the file again.", file=name, row=first
            ) from error

    return Rows(name, names, batches, typed=True, repaired=repaired)
