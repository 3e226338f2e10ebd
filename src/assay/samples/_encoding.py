"""From records to a cache of encoded samples, and how the cache's values are read back.

Shapes: W windows, B windows in a batch.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError, RunError
from assay.progress import Progress
from assay.samples.cache import Cache, CacheWriter, Held, Ragged
from assay.samples.on_demand import OnDemand, on_demand
from assay.sources.records import ABOUT, Place, Problem, ProblemLog, Records

if TYPE_CHECKING:
    from assay.task import Encoded, Spec, Task

Array = np.ndarray[Any, Any]
#: Goes into the key of a cache: another form of what is cached gets another number.
_VERSION = 2
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Segment:
    """A stretch of windows that were encoded together: the records at the start, then what a run appended."""

    cache: Cache | Held | OnDemand
    unit: Array  # (W,) the unit of each window, counted over all segments
    index: pa.Table  # a row a unit: id, target, group …


def cache_key(task: Task, records: Records, spec: Spec) -> str:
    """The name of a cache: another task, source, form or set of fields of the samples gives another name."""
    held = sorted(item.name for item in fields(task.batch_type))
    text = f"{_VERSION} {task.name} {records.fingerprint} {spec!r} {held}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def encode_records(
    task: Task,
    records: Records | None,
    spec: Spec,
    folder: Path,
    progress: Progress | None = None,
    judged: Array | None = None,
    lasting: bool = True,
) -> tuple[Segment, tuple[Problem, ...]]:
    """Encode all records into the cache at `folder`, unless it is there already, or they are too much for a disk.

    Args:
        task: the application.
        records: the samples; None where the cache is known to be there.
        spec: what a sample is.
        folder: the cache.
        progress: is told how many rows are done.
        judged: (rows,) bool, rows whose answers are judged; see `on_demand`.
        lasting: whether the cache is for others, too; else only what is returned knows its index.

    Returns:
        The windows, whose index tells with `_row` which row of the records a unit was; what was found on the way.

    Raises:
        DataError: no sample could be read.
        RunError: the cache is gone, damaged, or cannot be written.
    """
    if not (folder / "cache.json").exists():
        if records is None:
            raise RunError(f"{folder} is missing", "Samples that the run collected are gone: train again.")
        if (samples := on_demand(task, records, spec, judged, progress)) is not None:
            return _segment(samples)
        log = ProblemLog()
        with _refusals_told(folder), CacheWriter(folder, lasting) as writer:
            index = _write(task, records, spec, writer, log, progress)
            writer.close({"problems": [asdict(problem) for problem in log.problems()]}, index)
        if not lasting:
            return _segment(Cache(folder, index))
    return _segment(Cache(folder))


def hold_records(task: Task, records: Records, spec: Spec) -> tuple[Segment, tuple[Problem, ...]]:
    """As `encode_records`, in memory."""
    log, held = ProblemLog(), Held()
    index = _write(task, records, spec, held, log, None)
    held.close({"problems": [asdict(problem) for problem in log.problems()]}, index)
    return _segment(held)


def _segment(cache: Cache | Held | OnDemand) -> tuple[Segment, tuple[Problem, ...]]:
    problems = tuple(_problem_from_json(item) for item in cache.notes["problems"])
    if not cache.rows:
        reasons = ", ".join(f"{problem.count} {problem.kind}" for problem in problems if problem.action == "skipped")
        raise DataError(
            "no sample could be read" + (f" ({reasons})" if reasons else ""),
            "See the problems that assay inspect lists.",
        )
    unit = np.asarray(gather(cache.fields["_unit"], np.arange(cache.rows)))
    return Segment(cache, unit, cache.index), problems


def gather(field: Array | Ragged, windows: Array) -> Array | list[Array]:
    """A field's values for windows (B,), copied out of the file."""
    if isinstance(field, Ragged):
        return [field[int(window)] for window in windows]
    got = field[windows]
    return got if isinstance(got, list) else np.asarray(got)


def pad(values: Sequence[Array], least: int = 0) -> tuple[Array, Array]:
    """Arrays (T_i, ...) as one (B, T, ...) filled with zeros, T >= `least`; and its mask (B, T), True where real."""
    longest = max([least, *(len(value) for value in values)])
    first = values[0]
    padded = np.zeros((len(values), longest, *first.shape[1:]), first.dtype)
    mask = np.zeros((len(values), longest), bool)
    for row, value in enumerate(values):
        padded[row, : len(value)] = value
        mask[row, : len(value)] = True
    return padded, mask


def _write(
    task: Task, records: Records, spec: Spec, writer: CacheWriter | Held, log: ProblemLog, progress: Progress | None
) -> pa.Table:
    """Encode batch by batch; returns the index, a row a unit, with `_row` telling its row in the records."""
    kept: list[pa.RecordBatch] = []
    first_row, units = 0, 0
    for whole in records.batches():
        for start in range(0, whole.num_rows, _ROWS_AT_ONCE):
            batch = whole.slice(start, _ROWS_AT_ONCE)
            encoded: Encoded = task.encode(batch, records, spec, log)
            if records.storage is not None:
                records.storage.check()
            rows = np.asarray(encoded.row, np.int64)
            if (np.diff(rows) < 0).any():
                raise ValueError(f"{task.name}.encode gave rows that are not ascending")
            present, unit = np.unique(rows, return_inverse=True)
            if len(rows):
                writer.append({**encoded.fields, "_unit": unit.astype(np.int64) + units}, len(rows))
            about = batch.select([name for name in batch.schema.names if name in ABOUT and name != "location"])
            taken = about.take(pa.array(present, pa.int64()))
            kept.append(taken.append_column("_row", pa.array(present + first_row, pa.int64())))
            units += len(present)
            first_row += batch.num_rows
            if progress is not None:
                progress.advance(first_row)
    return (
        pa.Table.from_batches(kept)
        if kept
        else pa.table({"id": pa.array([], pa.string()), "_row": pa.array([], pa.int64())})
    )


def _problem_from_json(data: Mapping[str, Any]) -> Problem:
    places = tuple(Place(**place) for place in data["examples"])
    return Problem(data["kind"], data["count"], data["action"], places)


@contextlib.contextmanager
def _refusals_told(folder: Path) -> Iterator[None]:
    """Tell how to mend it where the system refuses to write a cache; other errors pass through."""
    place = folder.parent
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            hint = "Free some space, or set ASSAY_CACHE to a folder on another disk."
            raise RunError(f"no space is left for decoded samples in {place}", hint) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.EEXIST, errno.ENOTDIR):
            hint = "Set ASSAY_CACHE to a folder of yours."
            raise RunError(f"decoded samples cannot be written to {place} ({error.strerror})", hint) from error
        raise
