"""Samples that would take more room when decoded than a disk should give: each is decoded where it is needed.

Those of the next steps are decoded in the background. It stands where a `Cache` does.

Shapes: W windows, B windows in a batch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.progress import Progress
from assay.samples.cache import limit_bytes
from assay.sources.records import ABOUT, ProblemLog, Records, Storage

if TYPE_CHECKING:
    from assay.task import Encoded, Spec, Task

Array = np.ndarray[Any, Any]
#: Rows that are decoded to learn what a sample takes.
_LOOK_AT = 64
_ROWS_AT_ONCE = 256
#: Batches that are decoded at a time, and the most bytes of batches that wait.
_WORKERS, _WAITING_BYTES = 2, 96e6
_FEWEST_WAITING, _MOST_WAITING = 2, 8


class OnDemand:
    """Windows that are encoded when they are asked for, a window a row.

    A row that cannot be decoded is noted; in a batch another of that batch takes its place, unless it is judged.

    Args:
        task: the application.
        records: the samples.
        spec: what a sample is.
        storage: how they lie.
        judged: (rows,) bool, rows whose answers are judged.
    """

    def __init__(self, task: Task, records: Records, spec: Spec, storage: Storage, judged: Array) -> None:
        self._task, self._records, self._spec, self.storage = task, records, spec, storage
        self._table = pa.Table.from_batches(list(records.batches())).combine_chunks()
        self._judged, self._row = judged, np.arange(self._table.num_rows)
        self.notes: dict[str, Any] = {"problems": []}
        self.log = ProblemLog()
        self._pool = ThreadPoolExecutor(_WORKERS, "assay-decoding")
        self._lock = threading.Lock()
        self._waiting: list[tuple[Array, Future[Encoded]]] = []
        self._failed: set[int] = set()
        first = self._encoded(np.arange(min(_LOOK_AT, self.rows)))
        self._names = list(first.fields)
        if not len(first.row):
            raise DataError("none of the first samples can be decoded", "See the problems that assay inspect lists.")
        total = sum(_bytes(values) for values in first.fields.values())
        self.window_bytes: float = max(1.0, total / len(first.row))
        self._one = {name: values[:1] for name, values in first.fields.items()}

    @property
    def rows(self) -> int:
        """How many windows there are."""
        return len(self._row)

    @property
    def index(self) -> pa.Table:
        """A row a unit, as a cache's."""
        about = [name for name in self._table.column_names if name in ABOUT and name != "location"]
        return self._table.select(about).append_column("_row", pa.array(self._row))

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields by name, each of which takes windows as an array would."""
        own = {"_unit": np.arange(self.rows)}
        return _Fields(self, [*self._names, *own], own)

    def leave_out(self, progress: Progress | None) -> None:
        """Find the judged rows that cannot be decoded, and leave them out; the windows are numbered anew."""
        judged = np.flatnonzero(self._judged)
        for start in range(0, len(judged), _ROWS_AT_ONCE):
            self._encoded(judged[start : start + _ROWS_AT_ONCE])
            if progress is not None:
                progress.advance(start)
        bad = np.asarray([window for window in sorted(self._failed) if self._judged[window]], np.int64)
        if len(bad):
            kept = np.delete(np.arange(self.rows), bad)
            self._table = self._table.take(pa.array(kept)).combine_chunks()
            self._row, self._judged, self._failed = self._row[kept], self._judged[kept], set()

    @property
    def decoded_bytes(self) -> float:
        """What all of them would take."""
        return self.window_bytes * self.rows

    def ahead(self, batch_size: int) -> int:
        """How many batches of that size may wait."""
        return int(np.clip(_WAITING_BYTES / (batch_size * self.window_bytes), _FEWEST_WAITING, _MOST_WAITING))

    def expect(self, batches: Sequence[Array], later: Array) -> None:
        """Begin to decode what is asked for next, in that order; what is no longer expected is dropped.

        Args:
            batches: the windows of each batch, the present one first.
            later: windows of a batch far ahead, whose blocks are fetched where that takes a while.
        """
        if self.storage.fetch is not None:
            self.storage.fetch(self._row[later])
        with self._lock:
            known = {windows.tobytes(): (windows, future) for windows, future in self._waiting}
            self._waiting = []
            for windows in batches:
                found = known.pop(windows.tobytes(), None)
                if found is None:
                    if self.storage.fetch is not None:
                        self.storage.fetch(self._row[windows])
                    found = (windows, self._pool.submit(self._encoded, windows))
                self._waiting.append(found)
        for _, future in known.values():
            future.cancel()

    def values(self, names: Sequence[str], windows: Array, exact: bool) -> dict[str, Array | list[Array]]:
        """Fields of windows (B,), each an array (B, ...) or a list of B arrays.

        Args:
            names: of the fields.
            windows: the windows.
            exact: whether a judged window that cannot be decoded is an error; else another takes its place.

        Raises:
            DataError: one cannot be decoded, or none of all, or a shard has changed.
        """
        if not len(windows):
            return {name: self._one[name][:0] for name in names}
        encoded, rows = self._found(windows)
        if encoded is None:
            encoded, rows = self._encoded(windows), np.arange(len(windows))
        place = np.searchsorted(encoded.row, rows)
        there = place < len(encoded.row)
        there[there] = encoded.row[place[there]] == rows[there]
        if not there.all():
            self._tell(windows[~there], not there.any() or (exact and bool(self._judged[windows[~there]].any())))
            place[~there] = np.resize(place[there], int((~there).sum()))
        whole = len(place) == len(encoded.row) and bool((place == np.arange(len(place))).all())
        return {name: _taken(encoded.fields[name], None if whole else place) for name in names}

    def _found(self, windows: Array) -> tuple[Encoded | None, Array]:
        """The expected batch that holds these windows, and where in it they are."""
        with self._lock:
            waiting = list(self._waiting)
        for expected, future in waiting:
            if len(windows) == len(expected) and np.array_equal(windows, expected):
                return future.result(), np.arange(len(windows))
            if len(windows) < len(expected) and np.isin(windows, expected).all():
                order = np.argsort(expected, kind="stable")
                return future.result(), order[np.searchsorted(expected[order], windows)]
        return None, windows

    def _encoded(self, windows: Array) -> Encoded:
        batch = self._table.take(pa.array(windows)).combine_chunks().to_batches()[0]
        encoded = self._task.encode(batch, self._records, self._spec, ProblemLog())
        self.storage.check()
        if len(np.unique(encoded.row)) != len(encoded.row):
            raise ValueError(f"{self._task.name}.encode gave a row several windows")
        if len(encoded.row) < len(windows):
            failed = set(np.delete(windows, encoded.row).tolist())
            with self._lock:
                for window in sorted(failed - self._failed):
                    self.log.add("undecodable-sample", "skipped", str(self._table["id"][window].as_py()))
                self._failed |= failed
        return encoded

    def _tell(self, windows: Array, fatal: bool) -> None:
        """Raise where there is nothing that could take the place of what cannot be decoded."""
        if fatal:
            name = self._table["id"][int(windows[0])].as_py()
            hint = "Write the shards again without it: assay data shard SOURCE TARGET."
            raise DataError("this sample cannot be decoded", hint, file=str(name))


class _Fields(Mapping[str, Any]):
    """The fields by name, each of which takes windows as an array would."""

    def __init__(self, samples: OnDemand, names: Sequence[str], own: Mapping[str, Array]) -> None:
        self._samples, self._names, self._own = samples, list(names), own

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._own[name] if name in self._own else _Field(self._samples, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Field:
    def __init__(self, samples: OnDemand, name: str) -> None:
        self._samples, self._name = samples, name

    def __getitem__(self, windows: Array) -> Array | list[Array]:
        return self._samples.values([self._name], np.atleast_1d(windows), True)[self._name]


def on_demand(
    task: Task, records: Records, spec: Spec, judged: Array | None, progress: Progress | None
) -> OnDemand | None:
    """The samples of shards that would take more room when decoded than caches may; None for all others.

    Args:
        task: the application.
        records: the samples.
        spec: what a sample is.
        judged: (rows,) bool, rows whose answers are judged: where they lie here, those that cannot be decoded are left
            out; None for all.
        progress: is told how many of these were looked at.
    """
    traits = task.traits
    if records.storage is None or traits.several_windows or traits.variable_length:
        return None
    judged = np.ones(len(records.storage.block), bool) if judged is None else judged
    samples = OnDemand(task, records, spec, records.storage, judged)
    if not records.storage.far:
        if samples.decoded_bytes <= limit_bytes():
            return None
        samples.leave_out(progress)
    return samples


def _bytes(values: Array | list[Array]) -> int:
    return sum(value.nbytes for value in values) if isinstance(values, list) else values.nbytes


def _taken(values: Array | list[Array], place: Array | None) -> Array | list[Array]:
    if place is None:
        return values
    return [values[row] for row in place] if isinstance(values, list) else values[place]


__all__ = ["OnDemand", "on_demand"]
