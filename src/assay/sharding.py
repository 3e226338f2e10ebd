"""`assay data shard`: any source whose samples can be written, as tar shards that stream.

A sample is what its records hold: the file (or array) at its location beside its columns as JSON, or, where all is in
the columns, these alone. Files go into the shards in a shuffled order, so that every stretch of a shard is a random
draw; rows stay in theirs, so that tables and texts are read from the first to the last.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError
from assay.flow import read, recognise
from assay.progress import Progress
from assay.samples.draws import order
from assay.sources._parallel import ordered_map
from assay.sources._shard_index import PLACE, Payload, Shard, ShardIndex
from assay.sources._shard_writing import ShardWriter
from assay.sources.records import ABOUT, Records
from assay.sources.source import DataOptions, open_source

if TYPE_CHECKING:
    from assay.task import Task

_SIZE = re.compile(r"([0-9]*\.?[0-9]+) *([kmgt]?)i?b?", re.IGNORECASE)
_LEAST_BYTES = 64_000
_TYPES = (pa.int32(), pa.int64(), pa.int64(), pa.int64())


def parse_size(text: str) -> int:
    """Bytes out of `256MB`, `1.5GB`, `64k`; powers of 1000; raises `SettingError`."""
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * 1000 ** " kmgt".index(found[2].lower() or " ") if found else 0.0
    if not _LEAST_BYTES <= size < 1e15:
        raise SettingError(f"--shard-size {text} is not possible", "Write it as 256MB or 1GB; at least 64KB.")
    return int(size)


def write_shards(
    source: Any, target: str, shard_bytes: int, options: DataOptions, progress: Progress | None = None
) -> ShardIndex:
    """Write a source as shards into a new folder or under a URL.

    Args:
        source: whatever `assay train` takes.
        target: a folder that is not there yet or is empty, or a URL that can be written to.
        shard_bytes: the most that a shard holds, unless a single sample is larger.
        options: how the source is to be read; the shards keep that.
        progress: is told how many samples are written.

    Raises:
        AssayError: the data cannot be used, its samples cannot be written, or the target cannot.
    """
    progress = progress or Progress()
    opened = open_source(source)
    progress.stage("Reading the data")
    task, _, _ = recognise(opened, options.task)
    records = read(task, opened, options)
    rows = pa.concat_tables([pa.Table.from_batches([batch]) for batch in records.batches()], promote_options="default")
    if not rows.num_rows:
        raise DataError(
            "no usable sample was found", "assay inspect lists what was skipped and why.", file=opened.label
        )
    progress.stage("Writing shards", rows.num_rows)
    with ShardWriter(target, shard_bytes) as writer:
        write = _write_rows if records.load is None else _write_files
        payload, places, held = write(task, records, rows.combine_chunks(), writer, progress)
        columns = [pa.array(values, kind) for values, kind in zip(np.asarray(places).T, _TYPES, strict=True)]
        table = rows.drop_columns(held.names)
        for name, values in zip(PLACE, columns, strict=True):
            table = table.append_column(name, values)

        def index(shards: tuple[Shard, ...]) -> ShardIndex:
            asked = {
                name: value for name, value in vars(options).items() if value and name in ("target", "group", "split")
            }
            about = (records.facts, records.problems, records.sides_cut, asked)
            return ShardIndex(task.name, records.fingerprint, payload, shards, table, held, *about)

        return writer.finish(index)


Places = list[tuple[int, int, int, int]]


def _write_rows(
    task: Task, records: Records, rows: pa.Table, writer: ShardWriter, progress: Progress
) -> tuple[Payload, Places, pa.Schema]:
    """Rows that hold all there is, in their order; the columns that go into the members."""
    held = pa.schema([field for field in rows.schema if field.name not in ABOUT])
    places: Places = []
    for values in _as_json(rows, task):
        places.append(writer.add(f"{len(places):09d}", {"json": values}))
        progress.advance(len(places))
    return "rows", places, held


def _write_files(
    task: Task, records: Records, rows: pa.Table, writer: ShardWriter, progress: Progress
) -> tuple[Payload, Places, pa.Schema]:
    """Files or arrays in a shuffled order, each once however many rows it has, with the columns of the first."""
    locations = rows["location"].combine_chunks()
    if not pa.types.is_string(locations.type):
        raise _cannot(task, "each of them lies in several places")
    different = pc.unique(locations)
    first = pc.index_in(different, locations).to_numpy()
    shuffled = order(np.arange(len(different)), "shard")
    about = list(_as_json(rows.take(pa.array(first[shuffled])), task))
    names = different.take(pa.array(shuffled)).to_pylist()
    at: Places = [(0, 0, 0, 0)] * len(different)
    kinds: set[Payload] = set()
    for done, (place, (kind, ending, content)) in enumerate(
        zip(shuffled.tolist(), ordered_map(lambda name: _payload(records, name, task), names, chunk=4), strict=True)
    ):
        kinds.add(kind)
        at[place] = writer.add(f"{place:09d}", {ending: content, "json": about[done]})
        progress.advance(done + 1)
    if len(kinds) > 1:
        raise _cannot(task, "some are files and some are arrays")
    member = pc.index_in(locations, different).to_pylist()
    return kinds.pop(), [at[number] for number in member], pa.schema([])


def _payload(records: Records, name: str, task: Task) -> tuple[Payload, str, bytes]:
    """What lies at a location, and the ending that tells what it is."""
    found = records.loader(name)
    if isinstance(found, Path):
        found = found.read_bytes()
    if isinstance(found, bytes):
        ending = name.rpartition("/")[2].rpartition(".")[2].lower()
        return "bytes", ending if ending.isalnum() and len(ending) <= 5 else "bin", found
    if isinstance(found, np.ndarray) and found.dtype.kind in "biufc":
        stream = io.BytesIO()
        np.lib.format.write_array(stream, np.ascontiguousarray(found), allow_pickle=False)
        return "arrays", "npy", stream.getvalue()
    raise _cannot(task, f"each of them is read as {type(found).__name__}")


def _cannot(task: Task, why: str) -> SettingError:
    return SettingError(
        f"samples of {task.name} cannot be written as shards: {why}",
        "Train on the source itself; what is decoded goes to disk and not into memory.",
    )


def _as_json(rows: pa.Table, task: Task) -> Iterator[bytes]:
    """Each row's columns but its location as JSON; times as whole numbers of their unit, bytes as base64."""
    columns = {}
    for name in rows.column_names:
        if name != "location":
            column = rows[name]
            columns[name] = column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column
    for batch in pa.table(columns).to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            yield json.dumps(row, ensure_ascii=False, default=_plain).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def summary(index: ShardIndex, target: str) -> Mapping[str, Any]:
    """What `assay data shard --json` prints."""
    skipped = sum(one.count for one in index.problems if one.action == "skipped")
    shards = [dataclasses.asdict(shard) for shard in index.shards]
    counts = {"samples": index.rows.num_rows, "skipped": skipped, "bytes": index.bytes}
    return {"format": 1, "task": index.task, "target": target, **counts, "shards": shards}
