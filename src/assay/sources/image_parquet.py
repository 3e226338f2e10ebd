"""Parquet with the bytes of images, as Hugging Face data sets have it: one file, or shards named after their side."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import AssayError, DataError
from assay.sources._image_files import ImageCheck, check_image
from assay.sources._image_header import content_format, is_image_name
from assay.sources._image_records import image_records
from assay.sources._image_targets import read_targets
from assay.sources._listing import listing, note
from assay.sources._parallel import ordered_map
from assay.sources._remote import RemoteStore
from assay.sources._rows import open_parquet, reading_parquet
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name, split_of
from assay.sources._table_target import choose_name
from assay.sources._values import as_category
from assay.sources.records import ProblemLog, Records, Storage
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_SUFFIXES = (".parquet", ".pq")
_IMAGE_NAMES = ("image", "img", "picture", "photo")
#: Row groups that are kept in memory at a time.
_GROUPS_HELD = 4


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like Parquet with images in it; None where it does not."""
    if not source.has_files:
        return None
    store = source.store
    shards = _shards(store)
    if not shards or any(map(is_image_name, store.names)):
        return None
    try:
        column = _image_column(open_parquet(store, shards[0]))
    except AssayError:
        return None
    files = f"{len(shards)} Parquet files" if len(shards) > 1 else "a Parquet file"
    return None if column is None else Recognition(0.97, f"{files} with images in column {column!r}")


def read(source: Source, options: DataOptions) -> Records:
    """The images of all shards; only what is about them is held in memory, their bytes are read where needed.

    Raises:
        DataError: no shard has a column of images, no target column, or no image is usable.
        SettingError: an option names a column that does not exist.
    """
    store, log = source.store, ProblemLog()
    shards = _shards(store)
    column = _image_column(open_parquet(store, shards[0])) if shards else None
    if column is None:
        raise DataError(
            "there is no Parquet file with a column of images.",
            "Write images as bytes into a column image.",
            file=source.label,
        )
    schema = open_parquet(store, shards[0]).schema_arrow
    about = [name for name in schema.names if name != column]
    side = split_column_name(options, about)
    target = choose_name(about, options.target, source.label) or _only(about, side, options, source.label)
    names = {target, *(name for name in (side, options.group) if name is not None)}
    if options.group is not None:
        choose_name(about, options.group, source.label)  # raises where there is no such column
    rows = pa.concat_tables([open_parquet(store, shard).read(columns=sorted(names)) for shard in shards])
    targets, kind = read_targets(_named(_array(rows[target]), schema, target), options, target)
    checks = list(ordered_map(_check, _payloads(store, shards, column), chunk=16))
    ids = [check.name for check in checks]
    for check in checks:
        note(check, log, *_place(check.name))
    sides = None if asks_for_shares(options) else _sides(rows, side, shards, store, options)
    images = listing(id=ids, location=ids, target=targets, group=_group(rows, options), split=sides)
    keep = targets.is_valid()
    for row in np.flatnonzero(~keep.to_numpy(zero_copy_only=False)).tolist():
        log.add("missing-target", "skipped", *_place(ids[row]))
    kept = [check for check, good in zip(checks, keep.to_pylist(), strict=True) if good]
    payloads = _Payloads(store, column)
    records = image_records(
        images.filter(keep),
        kept,
        payloads.load,
        log,
        target={"name": target, "kind": kind},
        label=source.label,
    )
    if not isinstance(store, RemoteStore):
        return records
    usable = [check.name for check in kept if check.usable]
    return replace(records, storage=Storage(payloads.groups(usable), _GROUPS_HELD // 2, payloads.faults, far=True))


def _shards(store: Store) -> list[str]:
    return [name for name in store.names if name.lower().endswith(_SUFFIXES)]


def _image_column(file: Any) -> str | None:
    """The column that holds images: a struct with `bytes`, or binary by name or by its first value; else None."""
    fields = list(file.schema_arrow)
    for field in fields:
        if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            return str(field.name)
    binary = [field.name for field in fields if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)]
    named = [name for name in binary if name.lower() in _IMAGE_NAMES]
    if named or not binary:
        return named[0] if named else None
    for batch in file.iter_batches(batch_size=4, columns=binary):
        for name in binary:
            first = next((value for value in batch[name].to_pylist() if value), b"")
            if content_format(first) is not None:
                return str(name)
        break
    return None


def _only(about: list[str], side: str | None, options: DataOptions, label: str) -> str:
    free = [name for name in about if name not in (side, options.group)]
    if len(free) != 1:
        told = ", ".join(map(repr, about)) or "none"
        raise DataError(
            f"the column to predict is not clear; beside the images the columns are {told}.",
            "Name it with --target.",
            file=label,
        )
    return free[0]


def _named(column: pa.Array, schema: pa.Schema, name: str) -> pa.Array:
    """Class numbers as their names, where the schema's metadata gives those (Hugging Face's `ClassLabel`)."""
    try:
        feature = json.loads(schema.metadata[b"huggingface"])["info"]["features"][name]
        if isinstance(feature, list):
            feature = feature[0]
        names = pa.array([str(label) for label in feature.get("feature", feature)["names"]], pa.string())
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return column
    values = column.flatten() if pa.types.is_list(column.type) else column
    known = np.asarray(values.fill_null(-1).to_numpy(zero_copy_only=False))
    inside = pa.array(known, mask=(known < 0) | (known >= len(names)), type=pa.int64())
    texts = names.take(inside)
    return pa.ListArray.from_arrays(column.offsets, texts) if pa.types.is_list(column.type) else texts


def _array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _group(rows: pa.Table, options: DataOptions) -> pa.Array | None:
    return None if options.group is None else as_category(_array(rows[options.group]))


def _sides(
    rows: pa.Table, side: str | None, shards: list[str], store: Store, options: DataOptions
) -> pa.Array | list[str] | None:
    """The side of every row: from a column, or from the shards' names (all of which must tell it)."""
    if side is not None and (options.split == side or are_sides(rows[side])):
        return as_sides(_array(rows[side]), store.path.name)
    sides = [_shard_side(shard) for shard in shards]
    if any(name is None for name in sides) or len(shards) == 1:
        return None
    counts = [open_parquet(store, shard).metadata.num_rows for shard in shards]
    return [str(name) for name, count in zip(sides, counts, strict=True) for _ in range(count)]


def _shard_side(shard: str) -> str | None:
    words = re.split(r"[^a-zA-Z]+", shard.rsplit("/", 1)[-1]) + shard.split("/")[:-1]
    return next((side for side in map(split_of, words) if side is not None), None)


def _payloads(store: Store, shards: list[str], column: str) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of every image, in order, few at a time."""
    for shard in shards:
        row = 1
        for batch in open_parquet(store, shard).iter_batches(batch_size=64, columns=[column]):
            for payload in _bytes(batch.column(0)).to_pylist():
                yield f"{shard}:{row}", payload or b""
                row += 1


def _bytes(column: pa.Array) -> pa.Array:
    return column.field("bytes") if pa.types.is_struct(column.type) else column


def _check(item: tuple[str, bytes]) -> ImageCheck:
    return check_image(item[1], item[0])


def _place(name: str) -> tuple[str, int]:
    file, _, row = name.rpartition(":")
    return file, int(row)


@dataclass
class _Shard:
    """An opened file and the first row of each of its row groups, counted from 0."""

    file: Any
    starts: np.ndarray[Any, Any]


class _Payloads:
    """The bytes of one image at a time; the last few row groups stay in memory. May be called from threads."""

    def __init__(self, store: Store, column: str) -> None:
        self._store, self._column = store, column
        self._lock = threading.Lock()
        self._shards: dict[str, _Shard] = {}
        self._groups: OrderedDict[tuple[str, int], pa.Array] = OrderedDict()
        self.faults: list[DataError] = []

    def groups(self, locations: list[str]) -> np.ndarray[Any, Any]:
        """(N,) int64: a number for the row group of each location."""
        numbers: dict[tuple[str, int], int] = {}
        places = [_place(location) for location in locations]
        return np.asarray([numbers.setdefault(self._group(*place), len(numbers)) for place in places], np.int64)

    def _group(self, name: str, row: int) -> tuple[str, int]:
        return name, int(np.searchsorted(self._shard(name).starts, row - 1, side="right")) - 1

    def load(self, location: str) -> bytes:
        """The bytes at `FILE:ROW`; raises `DataError` where there are none."""
        name, row = _place(location)
        with self._lock:
            shard, (_, group) = self._shard(name), self._group(name, row)
            values = self._groups.get((name, group))
            if values is None:
                try:
                    with reading_parquet(name):
                        table = shard.file.read_row_group(group, columns=[self._column], use_threads=False)
                except DataError as error:
                    self.faults.append(error)
                    raise
                values = _bytes(_array(table[self._column]))
                self._groups[name, group] = values
                while len(self._groups) > _GROUPS_HELD:
                    self._groups.popitem(last=False)
            self._groups.move_to_end((name, group))
        payload = values[row - 1 - int(shard.starts[group])].as_py()
        if payload is None:
            raise DataError(
                "there are no image bytes in this row",
                "Write the image's bytes into the row, or leave it out.",
                file=name,
                row=row,
            )
        return bytes(payload)

    def _shard(self, name: str) -> _Shard:
        if name not in self._shards:
            file = open_parquet(self._store, name)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            self._shards[name] = _Shard(file, np.concatenate([[0], np.cumsum(sizes)[:-1]]))
        return self._shards[name]
