"""A table of paths and labels beside images: CSV, TSV or Parquet, by itself or in a folder or an archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._image_header import is_image_name
from assay.sources._image_records import listing, records_of_files
from assay.sources._image_targets import read_targets
from assay.sources._rows import Rows, open_file, table_names
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name
from assay.sources._table_target import choose_name
from assay.sources._values import as_category, is_text
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store, unreadable

Array = np.ndarray[Any, Any]
Resolve = Callable[[str], str | None]
_LOOK_AT = 200


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like a table of image paths; None where it does not."""
    if source.path is None:
        return None
    store = source.store
    tables = table_names(store.names)
    if len(tables) != 1 or (len(store.names) > 1 and not any(map(is_image_name, store.names))):
        return None
    try:
        rows = open_file(store, tables[0])
        head = next((batch.slice(0, _LOOK_AT) for batch, _ in rows.batches(None) if batch.num_rows), None)
        if head is None:
            return None
        column = _path_column(head, _files(source, tables[0])[1])
    except AssayError:
        return None
    return None if column is None else Recognition(0.95, f"a table, {tables[0]}, with image paths in column {column!r}")


def read(source: Source, options: DataOptions) -> Records:
    """The images that a table names, with its labels.

    Options: `target` (else the only sensible column), `group`, `split` (a column, or one called `split`),
    `extra["target_kind"]`, `extra["encoding"]`.

    Raises:
        DataError: no column of image paths, no target column, or none of the files exists.
        SettingError: an option names a column that does not exist.
    """
    tables = table_names(source.store.names)
    if len(tables) != 1:
        raise DataError(f"one table of image paths is expected, there are {len(tables)}.", file=source.label)
    store, resolve = _files(source, tables[0])
    rows = open_file(source.store, tables[0], options.extra.get("encoding"))
    log = ProblemLog()
    table, numbers = _whole(rows, log)
    path_column = _path_column(table.slice(0, _LOOK_AT), resolve)
    if path_column is None:
        raise DataError(f"no column of image paths among {', '.join(rows.names)}.", file=rows.file)
    side = split_column_name(options, rows.names)
    if side is not None and options.split != side and not are_sides(table[side]):
        side = None
    target = _target_column(table, path_column, side, options, rows.file)
    targets, kind = read_targets(table[target], options, target)
    places = [resolve(value) if value else None for value in as_category(table[path_column]).to_pylist()]
    keep = _present(places, targets, numbers, rows.file, log)
    if not keep.any():
        raise DataError(
            f"none of the {len(places)} files in column {path_column!r} can be used: they are missing, "
            "or have no target.",
            "Give the folder that holds the images beside the table.",
            file=rows.file,
        )
    images = (
        listing(
            id=places,
            location=places,
            target=targets,
            group=_group(table, options),
            split=None if side is None or asks_for_shares(options) else as_sides(table[side], rows.file),
        )
        .filter(pa.array(keep))
        .combine_chunks()
    )
    images = _unique_ids(images, numbers[keep], rows.file, log)
    return records_of_files(images, store, log, target={"name": target, "kind": kind}, label=source.label)


def _whole(rows: Rows, log: ProblemLog) -> tuple[pa.RecordBatch, Array]:
    """All rows as one batch, and their numbers; paths and labels are small."""
    parts = list(rows.batches(log))
    table = pa.Table.from_batches([batch for batch, _ in parts]).combine_chunks() if parts else None
    if table is None or not table.num_rows:
        raise DataError("the table has no rows.", file=rows.file)
    return table.to_batches()[0], np.concatenate([numbers for _, numbers in parts])


def _path_column(head: pa.RecordBatch, resolve: Resolve) -> str | None:
    """The column whose values name files that exist, or at least look like images; None where there is none."""
    best, best_score = None, 0.3
    for name, column in zip(head.schema.names, head.columns, strict=True):
        if not is_text(column.type):
            continue
        values = [value for value in column.to_pylist() if value]
        if not values:
            continue
        existing = sum(resolve(value) is not None for value in values) / len(values)
        looking = sum(map(is_image_name, values)) / len(values)
        score = max(looking, 0.0) + existing if looking or existing > 0.5 else 0.0
        if score > best_score:
            best, best_score = name, score
    return best


def _target_column(table: pa.RecordBatch, path: str, side: str | None, options: DataOptions, file: str) -> str:
    names = [name for name in table.schema.names if name not in (path, side, options.group)]
    found = choose_name(table.schema.names if options.target else names, options.target, file)
    if found is not None:
        return found
    if options.group is None and len(names) > 1:
        names = [name for name in names if 2 <= len(pc.unique(table[name])) < table.num_rows] or names
    if len(names) != 1:
        told = ", ".join(map(repr, table.schema.names))
        raise DataError(
            f"the column to predict is not clear; the columns are {told}.", "Name it with --target.", file=file
        )
    return str(names[0])


def _group(table: pa.RecordBatch, options: DataOptions) -> pa.Array | None:
    if options.group is None:
        return None
    if options.group not in table.schema.names:
        raise SettingError(
            f"the table has no column {options.group!r}.", did_you_mean(options.group, table.schema.names)
        )
    return as_category(table[options.group])


def _present(
    places: Sequence[str | None],
    targets: pa.Array,
    numbers: Array,
    file: str,
    log: ProblemLog,
) -> Array:
    """Which rows name a file that exists and have a target; the others are noted."""
    keep = np.ones(len(places), bool)
    labelled = targets.is_valid().to_pylist()
    for row, place in enumerate(places):
        if place is None or not labelled[row]:
            keep[row] = False
            log.add("missing-file" if place is None else "missing-target", "skipped", file, int(numbers[row]))
    return keep


def _unique_ids(images: pa.Table, numbers: Array, file: str, log: ProblemLog) -> pa.Table:
    """Rows that repeat another are left out; an image with two targets is named by its row instead."""
    seen: dict[str, list[object]] = {}
    ids: list[str | None] = []
    for row, (name, target) in enumerate(zip(images["id"].to_pylist(), images["target"].to_pylist(), strict=True)):
        known = seen.setdefault(name, [])
        if target in known:
            log.add("repeated-row", "skipped", file, int(numbers[row]))
        elif known:
            log.add("image-with-two-targets", "kept", file, int(numbers[row]))
        ids.append(None if target in known else f"{file}:{numbers[row]}" if known else name)
        known.append(target)
    column = pa.array(ids, pa.string())
    return images.set_column(0, "id", column).filter(pc.is_valid(column)).combine_chunks()


def _files(source: Source, table: str) -> tuple[Store, Resolve]:
    """The files that paths in the table mean, and how a path is found among them (None: there is no such file)."""
    store = source.store
    if len(store.names) == 1 and source.path is not None and source.path.is_file() and not _is_archive(source):
        beside = _Beside(source.path.parent)
        return beside, beside.resolve
    return store, _resolver(store.names, table)


def _is_archive(source: Source) -> bool:
    return source.path is not None and source.store.names[0] != source.path.name


def _resolver(names: list[str], table: str) -> Resolve:
    """Find a path as it stands, beside the table, or by its last part with or without an ending, if only one fits."""
    known = set(names)
    folder = table.rpartition("/")[0]
    short: dict[str, str | None] = {}
    for name in filter(is_image_name, names):
        base = name.rsplit("/", 1)[-1]
        for key in {base, base.rsplit(".", 1)[0]}:
            short[key] = None if key in short else name

    def resolve(value: str) -> str | None:
        tidy = os.path.normpath(value.strip()).replace("\\", "/")
        beside = os.path.normpath(f"{folder}/{tidy}").replace("\\", "/") if folder else tidy
        if beside in known:
            return beside
        return tidy if tidy in known else short.get(tidy.rsplit("/", 1)[-1])

    return resolve


class _Beside:
    """Files named by paths relative to a table's folder, without listing that folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.names: list[str] = []

    def resolve(self, value: str) -> str | None:
        name = value.strip().replace("\\", "/") if os.sep == "/" else value.strip()
        return name if os.path.isfile(os.path.join(self.path, name)) else None

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            return stream.read()

    def open(self, name: str) -> BinaryIO:
        try:
            return open(self.path / name, "rb")
        except OSError as error:
            raise unreadable(name, error) from error

    def size(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except OSError as error:
            raise unreadable(name, error) from error
