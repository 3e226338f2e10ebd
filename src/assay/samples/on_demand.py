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
import pyarrow as pa

from assay.errors import DataError
from assay.samples.cache import limit_bytes
from assay.sources.records import ABOUT, ProblemLog, Records, Storage

if TYPE_CHECKING:
    from assay.task import Encoded, Spec, Task

Array = np.ndarray[Any, Any]
#: Rows that are decoded to learn what a sample takes.
_LOOK_AT = 64
#: Batches that are decoded at a time, and the most bytes of batches that wait.
_WORKERS, _WAITING_BYTES = 2, 96e6
_FEWEST_WAITING, _MOST_WAITING = 2, 8


class OnDemand:
    """Windows that are encoded when they are asked for, a window a row.

    A row that cannot be decoded is noted; in a batch for training another of that batch takes its place.

    Args:
        task: the application.
        records: the samples.
        spec: what a sample is.
        storage: how they lie.
    """

    def __init__(self, task: Task, records: Records, spec: Spec, storage: Storage) -> None:
        self._task, self._records, self._spec, self.storage = task, records, spec, storage
        self._table = pa.Table.from_batches(list(records.batches())).combine_chunks()
        about = [name for name in self._table.column_names if name in ABOUT and name != "location"]
        self.rows = self._table.num_rows
        self.index = self._table.select(about).append_column("_row", pa.array(np.arange(self.rows)))
        self.notes: dict[str, Any] = {"problems": []}
        self.log = ProblemLog()
        self._pool = ThreadPoolExecutor(_WORKERS, "assay-decoding")
        self._lock = threading.Lock()
        self._waiting: list[tuple[Array, Future[Encoded]]] = []
        self._failed: set[int] = set()
        first = self._encoded(np.arange(min(_LOOK_AT, self.rows)))
        if not len(first.row):
            raise DataError("none of the first samples can be decoded", "See the problems that assay inspect lists.")
        self.window_bytes: float = max(1.0, sum(map(_bytes, first.fields.values())) / len(first.row))
        self._one = {name: values[:1] for name, values in first.fields.items()}
        own = {"_unit": np.arange(self.rows)}
        self.fields: Mapping[str, Any] = _Fields(self, [*first.fields, *own], own)

    @property
    def decoded_bytes(self) -> float:
        """What all of them would take."""
        return self.window_bytes * self.rows

    def ahead(self, batch_size: int) -> int:
        """How many batches of that size may wait."""
        return int(np.clip(_WAITING_BYTES / (batch_size * self.window_bytes), _FEWEST_WAITING, _MOST_WAITING))

    def expect(self, batches: Sequence[Array]) -> None:
        """Begin to decode what is asked for next, in that order; what is no longer expected is dropped."""
        with self._lock:
            known = {windows.tobytes(): (windows, future) for windows, future in self._waiting}
            self._waiting = []
            for windows in batches:
                found = known.pop(windows.tobytes(), None)
                if found is None:
                    if self.storage.fetch is not None:
                        self.storage.fetch(windows)
                    found = (windows, self._pool.submit(self._encoded, windows))
                self._waiting.append(found)
        for _, future in known.values():
            future.cancel()

    def values(self, names: Sequence[str], windows: Array, exact: bool) -> dict[str, Array | list[Array]]:
        """Fields of windows (B,), each an array (B, ...) or a list of B arrays.

        Args:
            names: of the fields.
            windows: the windows.
            exact: whether a window that cannot be decoded is an error; else another takes its place.

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
            self._tell(windows[~there], exact or not there.any())
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
                    self.log.add("undecodable-sample", "skipped", str(self.index["id"][window].as_py()))
                self._failed |= failed
        return encoded

    def _tell(self, windows: Array, fatal: bool) -> None:
        """Raise where there is nothing that could take the place of what cannot be decoded."""
        if fatal:
            name = self.index["id"][int(windows[0])].as_py()
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


def on_demand(task: Task, records: Records, spec: Spec) -> OnDemand | None:
    """The samples of shards that would take more room when decoded than caches may; None for all others."""
    traits = task.traits
    if records.storage is None or traits.several_windows or traits.variable_length:
        return None
    samples = OnDemand(task, records, spec, records.storage)
    return samples if records.storage.far or samples.decoded_bytes > limit_bytes() else None


def _bytes(values: Array | list[Array]) -> int:
    return sum(value.nbytes for value in values) if isinstance(values, list) else values.nbytes


def _taken(values: Array | list[Array], place: Array | None) -> Array | list[Array]:
    if place is None:
        return values
    return [values[row] for row in place] if isinstance(values, list) else values[place]


__all__ = ["OnDemand", "on_demand"]
