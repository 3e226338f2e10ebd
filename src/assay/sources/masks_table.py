"""A table that names a picture and its mask in each row: CSV, TSV or Parquet, by itself or beside the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._image_header import is_image_name
from assay.sources._mask_classes import find_class_table
from assay.sources._mask_records import Masked
from assay.sources._path_tables import Resolve, table_store, whole_table
from assay.sources._rows import open_file, table_names
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name
from assay.sources._values import as_category, is_text
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_MASK_NAMES = ("mask", "label", "annotation", "seg", "target", "truth", "gt")
_LOOK_AT = 50


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like a table of pictures and masks; None where it does not."""
    found = _table(source)
    if found is None:
        return None
    name, picture, mask = found
    return Recognition(0.97, f"a table, {name}, with pictures in column {picture!r} and masks in column {mask!r}")


def read(source: Source, options: DataOptions, log: ProblemLog) -> tuple[Masked, Store]:
    """The rows of the table whose two files exist, and the store that holds them; others are noted.

    Raises:
        DataError: no row is left.
        SettingError: an option names a column that does not exist.
    """
    found = _table(source)
    if found is None:
        raise DataError(
            "there is no table of pictures and masks.",
            "Give a table with a column of pictures and one of masks.",
            file=source.label,
        )
    name, picture_column, mask_column = found
    store, resolve = table_store(source, name, is_image_name)
    rows = open_file(source.store, name, options.extra.get("encoding"))
    table, numbers = whole_table(rows, log)
    pictures, masks = (_resolved(table, column, resolve) for column in (picture_column, mask_column))
    keep = np.ones(len(pictures), bool)
    seen: set[str | None] = set()
    for row, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        kind = "missing-file" if picture is None else "picture-without-mask" if mask is None else ""
        kind = kind or ("repeated-row" if picture in seen else "")
        seen.add(picture)
        if kind:
            keep[row] = False
            log.add(kind, "skipped", rows.file, int(numbers[row]))
    if not keep.any():
        raise DataError(
            f"none of the {len(pictures)} rows names a picture and a mask that exist.",
            "Give the folder that holds them beside the table.",
            file=rows.file,
        )
    masked = Masked(
        [str(name) for name, use in zip(pictures, keep, strict=True) if use],
        [{"": [str(name)]} for name, use in zip(masks, keep, strict=True) if use],
        split=_sides(table, options, keep, rows.file),
        group=_groups(table, options, keep),
    )
    classes = find_class_table(source.store) if len(source.store.names) > 1 else None
    return replace(masked, table=classes), store


def _table(source: Source) -> tuple[str, str, str] | None:
    """The table's file, its column of pictures and its column of masks."""
    if source.path is None:
        return None
    store = source.store
    several = len(store.names) > 1
    if several and not any(map(is_image_name, store.names)):
        return None
    for name in table_names(store.names):
        try:
            rows = open_file(store, name)
            head = next((batch.slice(0, _LOOK_AT) for batch, _ in rows.batches(None) if batch.num_rows), None)
            resolve = table_store(source, name, is_image_name)[1]
        except AssayError:
            continue
        columns = [] if head is None else _file_columns(head, resolve)
        masks = [column for column in columns if any(word in column.lower() for word in _MASK_NAMES)]
        pictures = [column for column in columns if column not in masks]
        if len(masks) == 1 and len(pictures) == 1:
            return name, pictures[0], masks[0]
    return None


def _file_columns(head: pa.RecordBatch, resolve: Resolve) -> list[str]:
    """The columns whose values name files that exist, or end as images do."""
    found = []
    for name, column in zip(head.schema.names, head.columns, strict=True):
        values = [value for value in column.to_pylist() if value] if is_text(column.type) else []
        fitting = sum(is_image_name(value) or resolve(value) is not None for value in values)
        if values and fitting > 0.5 * len(values):
            found.append(name)
    return found


def _resolved(table: pa.RecordBatch, column: str, resolve: Resolve) -> list[str | None]:
    return [resolve(value) if value else None for value in as_category(table[column]).to_pylist()]


def _sides(table: pa.RecordBatch, options: DataOptions, keep: Any, file: str) -> Sequence[str] | None:
    side = split_column_name(options, table.schema.names)
    if side is None or asks_for_shares(options) or (options.split != side and not are_sides(table[side])):
        return None
    return list(as_sides(table[side], file).filter(pa.array(keep)).to_pylist())


def _groups(table: pa.RecordBatch, options: DataOptions, keep: Any) -> Sequence[str | None] | None:
    if options.group is None:
        return None
    if options.group not in table.schema.names:
        raise SettingError(
            f"the table has no column {options.group!r}.", did_you_mean(options.group, table.schema.names)
        )
    return list(as_category(table[options.group]).filter(pa.array(keep)).to_pylist())
