"""Shards that `assay data shard` wrote, of any application's samples, as the records that they were written from."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError
from assay.sources._copies import copied
from assay.sources._remote import BLOCK_BYTES, BLOCKS_HELD, RemoteStore
from assay.sources._shard_index import INDEX, PLACE, ShardIndex, is_index, read_index
from assay.sources._shard_parts import LocalParts, Parts
from assay.sources._splits import asks_for_shares
from assay.sources.records import Records, Storage, records_from_table
from assay.sources.source import DataOptions, Recognition, Source

#: A location: the shard, the first byte, how many, their CRC-32, and the location in the source that was sharded.
_LOCATION = re.compile(r"(.+?)@(\d+)\+(\d+)~(\d+)/(.*)", re.DOTALL)
_CHANGED = "Copy or write the shards again; a run then goes on with assay resume."
_ROWS_AT_ONCE = 1024
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Shards:
    """Shards and their index.

    Attributes:
        index: what they hold.
        parts: their files.
    """

    index: ShardIndex
    parts: Parts

    @property
    def recognition(self) -> Recognition:
        """Why they are data for the application that the index names."""
        count = len(self.index.shards)
        files = f"{count} shards" if count > 1 else "a shard"
        return Recognition(1.0, f"{files} with {self.index.rows.num_rows:,} samples, which assay data shard wrote")


def open_shards(source: Source) -> Shards | None:
    """The shards in a folder, here or behind a URL, or beside the index that is given; None where there are none.

    Raises:
        DataError: the index is damaged, or a shard is missing or has another size than the index says.
    """
    parts = _parts(source)
    if parts is None:
        return None
    if not _has_mark(parts):
        return None
    index = read_index(parts.read(INDEX), parts.address(INDEX))
    if isinstance(parts, RemoteStore):
        parts.ask_sizes()  # one request where the server answers it, instead of one a shard
    for shard in index.shards:
        size = parts.size(shard.name)
        if size != shard.bytes:
            raise DataError(
                f"it holds {size:,} bytes, not the {shard.bytes:,} of the index",
                _CHANGED,
                file=parts.address(shard.name),
            )
    return Shards(index, parts)


def _parts(source: Source) -> Parts | None:
    """The folder in which an index lies; None where none does."""
    if source.path is not None:
        folder = source.path.parent if source.path.name == INDEX else source.path
        return LocalParts(folder) if (folder / INDEX).is_file() else None
    if not source.has_files or source.address is None:
        return None
    store = RemoteStore(source.address.removesuffix("/" + INDEX))
    return store if not store.is_series and store.holds(INDEX) else None


def _has_mark(parts: Parts) -> bool:
    """Whether an index is one of shards, by the end of its file."""
    from assay.arrow import pq

    try:
        with parts.open(INDEX) as stream:
            return is_index(pq.read_metadata(stream).metadata)
    except (pa.ArrowException, OSError):
        return False


def read_shards(shards: Shards, options: DataOptions) -> Records:
    """The records of the source that was sharded.

    Raises:
        SettingError: an option asks for what was decided when the shards were written.
    """
    index = shards.index
    _check_options(index, options)
    about: dict[str, Any] = {
        "problems": index.problems,
        "facts": index.facts,
        "sides_cut": index.sides_cut,
    }
    if isinstance(shards.parts, RemoteStore):
        folder = copied(shards.parts, {shard.name: shard.sha256 for shard in index.shards})
        shards = shards if folder is None else replace(shards, parts=LocalParts(folder))
    if index.payload == "rows":
        return Records(partial(_rows, shards, asks_for_shares(options)), index.fingerprint, **about)
    rows = index.rows
    table = rows.drop_columns([*PLACE, *_overruled(rows.column_names, options)])
    table = table.set_column(table.column_names.index("location"), "location", _locations(index)).combine_chunks()
    shard, offset, size = (rows[name].to_numpy().astype(np.int64) for name in PLACE[:3])
    storage = storage_of([one.name for one in index.shards], shard, offset, size, shards.parts)
    arrays = index.payload == "arrays"
    about |= {"load": partial(load, shards.parts, storage.faults, arrays), "storage": storage}
    return records_from_table(table, index.fingerprint, **about)


def _check_options(index: ShardIndex, options: DataOptions) -> None:
    told = "Shards keep what they were written with; pass it to assay data shard."
    for name in ("target", "group"):
        asked = getattr(options, name)
        if asked is not None and asked != index.options.get(name):
            raise SettingError(f"--{name} {asked} is not what these shards were written with", told)
    if options.split is not None and not asks_for_shares(options) and options.split != index.options.get("split"):
        raise SettingError(f"--split {options.split} is not what these shards were written with", told)


def _overruled(names: list[str], options: DataOptions) -> list[str]:
    """Columns that an option makes void: the sides that came with the data, where shares are asked for."""
    return ["split"] if "split" in names and asks_for_shares(options) else []


def locations_of(shard: pa.Array, offset: pa.Array, size: pa.Array, check: pa.Array, origin: pa.Array) -> pa.Array:
    """What `load` takes: the shard's name, the place in it, the CRC-32, and what the sample is called elsewhere."""
    numbers = [values.cast(pa.string()) for values in (offset, size, check)]
    return pc.binary_join_element_wise(shard, "@", numbers[0], "+", numbers[1], "~", numbers[2], "/", origin, "")


def _locations(index: ShardIndex) -> pa.Array:
    names = pa.array([shard.name for shard in index.shards], pa.string())
    shard, offset, size, check, origin = (index.rows[name].combine_chunks() for name in (*PLACE, "location"))
    return locations_of(names.take(shard), offset, size, check, origin)


def storage_of(names: Sequence[str], shard: Array, offset: Array, size: Array, parts: Parts) -> Storage:
    """How samples lie in shards: those whose first bytes lie in the same block of one are read together.

    Args:
        names: of the shards.
        shard: (rows,) int64, the shard of each sample.
        offset: (rows,) int64, its first byte.
        size: (rows,) int64, its bytes.
        parts: the shards' files.
    """
    first, last = (shard << 32 | place // BLOCK_BYTES for place in (offset, offset + np.maximum(size, 1) - 1))
    if not isinstance(parts, RemoteStore):
        return Storage(first, BLOCKS_HELD // 2)

    def fetch(rows: Array) -> None:
        blocks = np.unique(np.concatenate([first[rows], last[rows]])).tolist()
        parts.fetch([(names[block >> 32], block & 0xFFFFFFFF) for block in blocks])

    return Storage(first, BLOCKS_HELD // 2, far=True, fetch=fetch)


def load(parts: Parts, faults: list[DataError], arrays: bool, location: str) -> Any:
    """The payload at a location: a file's bytes, or an array.

    Args:
        parts: the shards' files.
        faults: takes what is raised, too, since whoever decodes takes it for a file that cannot be decoded.
        arrays: whether members are arrays.
        location: as `locations_of` gives it.

    Raises:
        DataError: it cannot be read, or is not what was written.
    """
    found = _LOCATION.fullmatch(location)
    if found is None:
        raise DataError("there is no such sample in the shards", "Check the spelling.", file=location)
    try:
        content = _member(parts, found[1], found[5], *(int(found[group]) for group in (2, 3, 4)))
    except DataError as error:
        faults.append(error)
        raise
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False) if arrays else content


def _member(parts: Parts, shard: str, origin: str, start: int, size: int, check: int) -> bytes:
    content = parts.part(shard, start, size)
    if len(content) < size or zlib.crc32(content) != check:
        what = "ends too early" if len(content) < size else "is not what was written"
        raise DataError(
            f"the sample {origin} {what}: the shard is damaged or has changed", _CHANGED, file=parts.address(shard)
        )
    return content


def _rows(shards: Shards, without_sides: bool) -> Iterator[pa.RecordBatch]:
    """Records whose columns lie in the members, in their order, which is that of the shards."""
    index = shards.index
    for batch in index.rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
        held = [_values(shards, *place) for place in zip(*_places(index, batch), strict=True)]
        columns = {name: batch.column(name) for name in batch.schema.names if name not in PLACE}
        if without_sides:
            columns.pop("split", None)
        for field in index.columns:
            try:
                columns[field.name] = _column([row[field.name] for row in held], field.type)
            except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
                told = f"the column {field.name} is not what the index says: the shards do not belong to it"
                raise DataError(told, _CHANGED, file=shards.parts.address(INDEX)) from error
        yield pa.RecordBatch.from_pydict(columns)


def _places(index: ShardIndex, batch: pa.RecordBatch) -> tuple[list[Any], ...]:
    names = [index.shards[number].name for number in batch.column("_shard").to_pylist()]
    ids, *numbers = (batch.column(name).to_pylist() for name in ("id", *PLACE[1:]))
    return names, ids, *numbers


def _values(shards: Shards, name: str, origin: str, start: int, size: int, check: int) -> dict[str, Any]:
    _read_ahead(shards.parts, name, start, size)
    content = _member(shards.parts, name, origin, start, size, check)
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError) as error:
        told = f"the sample {origin} is no row of a table"
        raise DataError(told, _CHANGED, file=shards.parts.address(name)) from error


def _read_ahead(parts: Parts, name: str, start: int, size: int) -> None:
    """Begin to read the blocks behind a URL in which a row lies, and the next one: rows are read in their order."""
    if isinstance(parts, RemoteStore):
        last = (start + max(size, 1) - 1) // BLOCK_BYTES + 1
        most = (parts.size(name) - 1) // BLOCK_BYTES
        parts.fetch([(name, block) for block in range(start // BLOCK_BYTES, min(last, most) + 1)])


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
