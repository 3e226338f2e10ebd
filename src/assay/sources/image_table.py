"""A table of paths and labels beside images: CSV, TSV or Parquet, by itself or in a folder or an archive."""

from __future__ import annotations

from assay.arrow import pa, pc
from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._audio_header import is_audio_name
from assay.sources._image_header import is_image_name
from assay.sources._image_records import records_of_files
from assay.sources._image_targets import read_targets
from assay.sources._listing import listing
from assay.sources._path_tables import Resolve, path_column, present_rows, table_store, unique_ids, whole_table
from assay.sources._rows import open_file, table_names
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name
from assay.sources._table_target import choose_name
from assay.sources._values import as_category
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

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
        column = _path_column(head, table_store(source, tables[0], is_image_name)[1])
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
        raise DataError(
            f"one table of image paths is expected, there are {len(tables)}.",
            "Give the path of one of them.",
            file=source.label,
        )
    store, resolve = table_store(source, tables[0], is_image_name)
    rows = open_file(source.store, tables[0], options.extra.get("encoding"))
    log = ProblemLog()
    table, numbers = whole_table(rows, log)
    column = _path_column(table.slice(0, _LOOK_AT), resolve)
    if column is None:
        raise DataError(
            f"no column of image paths among {', '.join(rows.names)}.",
            "Name a column path, or file, that names each image's file.",
            file=rows.file,
        )
    side = split_column_name(options, rows.names)
    if side is not None and options.split != side and not are_sides(table[side]):
        side = None
    target = _target_column(table, column, side, options, rows.file)
    targets, kind = read_targets(table[target], options, target)
    places = [resolve(value) if value else None for value in as_category(table[column]).to_pylist()]
    files = [rows.file] * len(places)
    keep = present_rows(places, targets, numbers.tolist(), files, log)
    if not keep.any():
        raise DataError(
            f"none of the {len(places)} files in column {column!r} can be used: they are missing, or have no target.",
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
    images, _ = unique_ids(images, numbers[keep].tolist(), files, log, "image-with-two-targets")
    return records_of_files(images, store, log, target={"name": target, "kind": kind}, label=source.label)


def _path_column(head: pa.RecordBatch, resolve: Resolve) -> str | None:
    return path_column(head, resolve, is_image_name, is_audio_name)


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
