"""Tables of file paths beside the files that they name: which file a path means, which column holds the paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError
from assay.sources._rows import Rows
from assay.sources._values import is_text
from assay.sources.records import ProblemLog
from assay.sources.source import Source
from assay.sources.store import Store, unreadable

Array = np.ndarray[Any, Any]
Resolve = Callable[[str], str | None]
IsSample = Callable[[str], bool]
_MOST_FOLDERS = 20


def whole_table(rows: Rows, log: ProblemLog) -> tuple[pa.RecordBatch, Array]:
    """All rows as one batch, and their numbers; paths and labels are small. Raises `DataError` where there are none."""
    parts = list(rows.batches(log))
    table = pa.Table.from_batches([batch for batch, _ in parts]).combine_chunks() if parts else None
    if table is None or not table.num_rows:
        raise DataError("the table has no rows.", "Save the table with a row for each file.", file=rows.file)
    return table.to_batches()[0], np.concatenate([numbers for _, numbers in parts])


def path_column(head: pa.RecordBatch, resolve: Resolve, is_sample: IsSample, is_other: IsSample) -> str | None:
    """The column whose values name files that exist, or at least look like samples; None where there is none.

    Args:
        head: some rows.
        resolve: gives the file that a path means.
        is_sample: whether a name is a sample's.
        is_other: whether a name is that of another kind of sample; a column of such is not the one.
    """
    best, best_score = None, 0.3
    for name, column in zip(head.schema.names, head.columns, strict=True):
        if not is_text(column.type):
            continue
        values = [value for value in column.to_pylist() if value]
        if not values or sum(map(is_other, values)) > 0.5 * len(values):
            continue
        existing = sum(resolve(value) is not None for value in values) / len(values)
        looking = sum(map(is_sample, values)) / len(values)
        score = looking + existing if looking or existing > 0.5 else 0.0
        if score > best_score:
            best, best_score = name, score
    return best


def table_store(source: Source, table: str, is_sample: IsSample, endings: Sequence[str] = ()) -> tuple[Store, Resolve]:
    """The files that paths in a table mean, and how a path is found among them (None: there is no such file).

    Args:
        source: the table by itself, or a folder or an archive that holds it.
        table: its name in the source's store.
        is_sample: as `path_column` takes it.
        endings: what paths may lack, where the files are not listed.
    """
    store = source.store
    if source.path is not None and is_one_file(source):
        beside = Beside(source.path.parent, None, endings)
        return beside, beside.resolve
    return store, resolver(store.names, table, is_sample)


def is_one_file(source: Source) -> bool:
    """Whether a source is one file by itself, and no archive."""
    if source.path is None or not source.path.is_file():
        return False
    return source.store.names == [source.path.name]


def resolver(names: Sequence[str], table: str, is_sample: IsSample) -> Resolve:
    """Find a path as it stands, beside the table, or by its end with or without an ending, if only one file fits."""
    known = set(names)
    folder = table.rpartition("/")[0]
    short: dict[str, list[str]] = {}
    for name in filter(is_sample, names):
        base = name.rsplit("/", 1)[-1]
        for key in {base, base.rsplit(".", 1)[0]}:
            short.setdefault(key, []).append(name)

    def resolve(value: str) -> str | None:
        tidy = os.path.normpath(value.strip()).replace("\\", "/")
        beside = os.path.normpath(f"{folder}/{tidy}").replace("\\", "/") if folder else tidy
        if beside in known:
            return beside
        if tidy in known:
            return tidy
        fitting = short.get(tidy.rsplit("/", 1)[-1], [])
        if len(fitting) > 1:
            end = f"/{tidy}"
            fitting = [name for name in fitting if f"/{name}".endswith(end) or _stem(f"/{name}").endswith(end)]
        return fitting[0] if len(fitting) == 1 else None

    return resolve


def present_rows(
    places: Sequence[str | None],
    targets: pa.Array,
    numbers: Sequence[int | None],
    files: Sequence[str],
    log: ProblemLog,
) -> Array:
    """(rows,) bool, which rows name a file that exists and have a target; the others are noted.

    Args:
        places: the file of each row, None where there is none.
        targets: null where a row has none.
        numbers: where each row stands in its table.
        files: the table of each row.
        log: takes the notes.
    """
    keep = np.ones(len(places), bool)
    labelled = targets.is_valid().to_pylist()
    for row, place in enumerate(places):
        if place is None or not labelled[row]:
            keep[row] = False
            log.add("missing-file" if place is None else "missing-target", "skipped", files[row], numbers[row])
    return keep


def unique_ids(
    samples: pa.Table, numbers: Sequence[int | None], files: Sequence[str], log: ProblemLog, conflict: str
) -> tuple[pa.Table, Array]:
    """Rows that repeat another are left out; a file with two targets is named by its row instead.

    Args:
        samples: columns `id`, `target`, ….
        numbers: where each row stands in its table.
        files: the table of each row.
        log: takes the notes.
        conflict: the kind of problem that a file with two targets is.

    Returns:
        The rows that are kept, and (rows,) bool, which they are.
    """
    seen: dict[str, list[object]] = {}
    ids: list[str | None] = []
    for row, (name, target) in enumerate(zip(samples["id"].to_pylist(), samples["target"].to_pylist(), strict=True)):
        known = seen.setdefault(name, [])
        if target in known:
            log.add("repeated-row", "skipped", files[row], numbers[row])
        elif known:
            log.add(conflict, "kept", files[row], numbers[row])
        ids.append(None if target in known else f"{files[row]}:{numbers[row]}" if known else name)
        known.append(target)
    column = pa.array(ids, pa.string())
    samples = samples.set_column(samples.column_names.index("id"), "id", column)
    return samples.filter(pc.is_valid(column)).combine_chunks(), np.asarray([name is not None for name in ids], bool)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


class Beside:
    """Files named by paths relative to a folder, without listing that folder.

    Args:
        folder: where paths begin.
        inner: a store whose names are its files, too; None for none.
        endings: what a path may lack.
    """

    def __init__(self, folder: Path, inner: Store | None = None, endings: Sequence[str] = ()) -> None:
        self._endings = ("", *endings)
        self.path = folder
        self.names: list[str] = []
        self._inner = inner
        self._known = frozenset(inner.names if inner is not None else ())
        self._below: list[str] | None = None

    def resolve(self, value: str) -> str | None:
        """The file that a path means, one folder below where only one has it; None where there is none."""
        name = value.strip().replace("\\", "/") if os.sep == "/" else value.strip()
        whole = [name + ending for ending in self._endings]
        if (found := next(filter(self._is_file, whole), None)) is not None:
            return found
        below = [place for folder in self._folders() for end in whole if self._is_file(place := f"{folder}/{end}")]
        return below[0] if len(below) == 1 else None

    def read(self, name: str) -> bytes:
        """As `Store.read`."""
        if self._inner is not None and name in self._known:
            return self._inner.read(name)
        with self.open(name) as stream:
            return stream.read()

    def open(self, name: str) -> BinaryIO:
        """As `Store.open`."""
        if self._inner is not None and name in self._known:
            return self._inner.open(name)
        try:
            return open(self.path / name, "rb")
        except OSError as error:
            raise unreadable(name, error) from error

    def size(self, name: str) -> int:
        """As `Store.size`."""
        if self._inner is not None and name in self._known:
            return self._inner.size(name)
        try:
            return (self.path / name).stat().st_size
        except OSError as error:
            raise unreadable(name, error) from error

    def _is_file(self, name: str) -> bool:
        try:
            return os.path.isfile(os.path.join(self.path, name))
        except ValueError:  # a zero byte in the name
            return False

    def _folders(self) -> list[str]:
        """The folders directly below, listed once; none where they are very many."""
        if self._below is None:
            try:
                with os.scandir(self.path) as entries:
                    self._below = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
            except OSError:
                self._below = []
            if len(self._below) > _MOST_FOLDERS:
                self._below = []
        return self._below
