"""Samples: what the network sees, decoded once, with train, validation and test views that yield batches.

Shapes: U units, W windows (W >= U), B windows in a batch, T the longest of a batch's ragged values.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa
from assay.progress import Progress
from assay.samples._encoding import Segment, cache_key, encode_records, gather, hold_records, pad
from assay.samples.cache import Ragged, cache_root, prune
from assay.samples.on_demand import OnDemand
from assay.samples.split import SIDES, TEST, TRAIN
from assay.samples.stream import TrainStream
from assay.samples.view import View
from assay.sources.records import Problem, ProblemLog, Records, Storage

if TYPE_CHECKING:
    from torch import Tensor

    from assay.task import Batch, Spec, Task

Array = np.ndarray[Any, Any]


class Samples:
    """All samples of a source in the form that the network takes.

    Build with `build_samples`; `append` adds what a closed-loop run collects.

    Attributes:
        arrays: batches hold NumPy arrays in the place of tensors: an export answers them, without torch.
    """

    arrays = False

    def __init__(self, task: Task, spec: Spec, segment: Segment, side: Array, problems: Sequence[Problem]) -> None:
        self.task, self.spec = task, spec
        self.problems = tuple(problems)
        self._segments = [segment]
        self.side = side  # (U,) an index into SIDES
        self.unit = segment.unit  # (W,)
        self.waited_s = 0.0  # seconds that training batches took to come
        self._block: tuple[Array, int] | None = None

    def lie(self, storage: Storage, rows: Array) -> None:
        """Tell how the units lie where they are read from: unit u is row `rows[u]` of the records (U,)."""
        self._block = storage.block[rows], storage.held

    def blocks(self, windows: Array) -> tuple[Array, int] | None:
        """The block of each window (B,), and how many blocks are mixed; None where any order is as good."""
        if self._block is None or len(self._segments) > 1:
            return None
        return self._block[0][self.unit[windows]], self._block[1]

    @property
    def on_demand(self) -> OnDemand | None:
        """What decodes the samples where they are needed; None where all of them lie decoded."""
        cache = self._segments[0].cache
        return cache if isinstance(cache, OnDemand) else None

    @property
    def index(self) -> pa.Table:
        """A row a unit: `id`, `target`, and where there are any `group`, `digest`."""
        return pa.concat_tables([segment.index for segment in self._segments], promote_options="default")

    def id(self, unit: int) -> str:
        """A unit's name."""
        return str(self.index.column("id")[unit].as_py())

    def view(self, side: int) -> View:
        """The train, validation or test side (see `samples.split`)."""
        return View(self, np.flatnonzero(self.side == side))

    def view_of(self, units: Array) -> View:
        """Any set of units (U',), in that order."""
        return View(self, np.asarray(units, np.int64))

    def with_side(self, side: Array) -> Samples:
        """The same samples with another side (U,) for each unit; what is appended to one is not in the other."""
        other = copy.copy(self)
        other._segments, other.side = list(self._segments), np.asarray(side, np.int8)
        return other

    def append(self, records: Records | None, folder: Path) -> int:
        """Add records to the training side; their windows are numbered after all others.

        Args:
            records: what was collected; None where `folder` holds their encoded form already.
            folder: where their encoded form is kept, so that a resumed run finds it.

        Returns:
            How many units were added.
        """
        segment, problems = encode_records(self.task, records, self.spec, folder)
        units, index = len(self.side), segment.index.drop_columns(["_row"])
        self._segments.append(Segment(segment.cache, segment.unit + units, index))
        self.unit = np.concatenate([self.unit, segment.unit + units])
        self.side = np.concatenate([self.side, np.full(index.num_rows, TRAIN, np.int8)])
        self.problems = (*self.problems, *problems)
        return int(index.num_rows)

    @cached_property
    def ragged(self) -> tuple[str, ...]:
        """The ragged fields that batches hold, by name."""
        known = {item.name for item in fields(self.task.batch_type)}
        return tuple(name for name, field in self._segments[0].cache.fields.items()
                     if isinstance(field, Ragged) and name in known)  # fmt: skip

    def lengths(self, windows: Array) -> Array | None:
        """(B,) how long the longest ragged value of each window is; None where the traits do not say that they differ.

        The longest, since each field is padded by itself: pairs of 9 and 20 and of 20 and 9 waste half of a batch that
        holds both. Batches of 64 sentence pairs divided so are padded by 8 %, and by 17 % where the sum is compared
        (Multi30k, 8,000 byte-level tokens).
        """
        if not self.ragged or not self.task.traits.variable_length:
            return None
        return np.asarray(np.max([self._lengths_of(name, windows) for name in self.ragged], axis=0))

    def _lengths_of(self, name: str, windows: Array) -> Array:
        """(B,) how long each window's value of a ragged field is."""
        found, first = np.zeros(len(windows), np.int64), 0
        for segment in self._segments:
            field, rows = segment.cache.fields[name], segment.cache.rows
            here = (windows >= first) & (windows < first + rows)
            own = windows[here] - first
            if isinstance(field, Ragged):
                found[here] = field.offsets[own + 1] - field.offsets[own]
            first += rows
        return found

    @property
    def window_bytes(self) -> float:
        """What a window takes on disk, in the mean over those encoded first; at least 1."""
        if self.on_demand is not None:
            return self.on_demand.window_bytes
        cache = self._segments[0].cache
        stored = (field.values if isinstance(field, Ragged) else field for field in cache.fields.values())
        return max(1.0, sum(values.nbytes for values in stored) / max(1, cache.rows))

    @property
    def folder(self) -> Path | None:
        """Where the samples that were encoded first lie on disk; None where they are held in memory."""
        return getattr(self._segments[0].cache, "folder", None)

    @property
    def appended(self) -> int:
        """How many times samples were appended."""
        return len(self._segments) - 1

    def forget_appended(self, keep: int) -> None:
        """Drop what was appended after the first `keep` times."""
        self._segments = self._segments[: keep + 1]
        units = sum(segment.index.num_rows for segment in self._segments)
        self.side, self.unit = self.side[:units], self.unit[: sum(segment.cache.rows for segment in self._segments)]

    def holds(self, name: str) -> bool:
        """Whether samples have a field of this name."""
        return name in self._segments[0].cache.fields

    def field(self, name: str, windows: Array) -> Array | list[Array]:
        """A field's values for windows (B,): an array (B, ...), or a list of B arrays where it is ragged."""
        if len(self._segments) == 1 or not len(windows):
            return gather(self._segments[0].cache.fields[name], windows)
        starts = np.cumsum([0] + [segment.cache.rows for segment in self._segments])
        part = np.searchsorted(starts, windows, side="right") - 1
        place = np.argsort(part, kind="stable")
        stored = [segment.cache.fields[name] for segment in self._segments]
        pieces = [gather(stored[p], windows[part == p] - starts[p]) for p in np.unique(part)]
        if all(isinstance(piece, list) for piece in pieces):
            values = [value for piece in pieces for value in piece]
            return [values[i] for i in np.argsort(place)]
        return np.asarray(np.concatenate(pieces)[np.argsort(place)])

    def batch(self, windows: Array, among: Array | None = None, exact: bool = False) -> Batch:
        """The windows (B,) as one batch of tensors; ragged fields are padded with zeros and masked (see `Batch`).

        Args:
            windows: their numbers.
            among: windows of a larger batch of which these are a part: they are padded as they would be in it.
            exact: a judged window that cannot be decoded is an error; else, as in training, another takes its place.
        """
        begun = time.perf_counter()
        form: Any = np.asarray if self.arrays else _tensor
        values: dict[str, Any] = {}
        known = {item.name for item in fields(self.task.batch_type)}
        for name, got in self._values(known & set(self._segments[0].cache.fields), windows, exact).items():
            if isinstance(got, list):
                padded, filled = pad(got, 0 if among is None else int(self._lengths_of(name, among).max()))
                values[name] = form(padded)
                values[f"{name}_mask" if f"{name}_mask" in known else "mask"] = form(filled)
            else:
                values[name] = form(got)
        if not exact:
            self.waited_s += time.perf_counter() - begun
        return self.task.batch_type(index=form(np.array(windows, np.int64)), **values)

    def _values(self, names: set[str], windows: Array, exact: bool) -> Mapping[str, Array | list[Array]]:
        if self.on_demand is not None and len(self._segments) == 1:
            return self.on_demand.values(sorted(names), windows, exact)
        return {name: self.field(name, windows) for name in names}


def _tensor(values: Array) -> Tensor:
    import torch

    return torch.from_numpy(values)


def build_samples(
    task: Task,
    records: Records,
    spec: Spec,
    side: Array | None,
    log: ProblemLog | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
    lasting: bool = True,
) -> Samples:
    """Encode records once (or find them in the cache) and give each unit its side.

    Args:
        task: the application.
        records: the samples.
        spec: what a sample is.
        side: (rows,) the side of each row of the records; None puts all on the test side, as for prediction.
        log: takes the problems found while encoding.
        folder: where to keep the encoded samples; None for the shared cache.
        progress: is told how many rows are done.
        lasting: whether what is in `folder` can be opened again (`open_samples`).
    """
    root = cache_root() / "samples"
    target = folder or root / cache_key(task, records, spec)
    judged = None if side is None else np.asarray(side) != TRAIN
    segment, problems = encode_records(task, records, spec, target, progress, judged, lasting)
    if folder is None:
        prune(root, target)
    samples = _samples(task, spec, segment, side, problems, log)
    if samples.on_demand is not None and log is not None:
        log.extend(samples.on_demand.log.problems())
        samples.on_demand.log = log
    if records.storage is not None:
        samples.lie(records.storage, segment.index.column("_row").to_numpy())
    return samples


def open_samples(task: Task, spec: Spec, side: Array, folder: Path) -> Samples:
    """What `build_samples` made, out of `Samples.folder`, with the same side (rows,) for each row of the records."""
    segment, problems = encode_records(task, None, spec, folder)
    return _samples(task, spec, segment, side, problems, None)


def hold_samples(task: Task, records: Records, spec: Spec, log: ProblemLog) -> Samples:
    """As `build_samples`, in memory and all on the test side: for the few inputs of an answer."""
    segment, problems = hold_records(task, records, spec)
    return _samples(task, spec, segment, None, problems, log)


def _samples(
    task: Task,
    spec: Spec,
    segment: Segment,
    side: Array | None,
    problems: Sequence[Problem],
    log: ProblemLog | None,
) -> Samples:
    """Samples of one segment, whose index tells with `_row` which row of `side` a unit was."""
    if log is not None:
        log.extend(problems)
    rows = np.asarray(segment.index.column("_row").to_numpy())
    chosen = np.full(len(rows), TEST, np.int8) if side is None else np.asarray(side, np.int8)[rows]
    own = Segment(segment.cache, segment.unit, segment.index.drop_columns(["_row"]))
    return Samples(task, spec, own, chosen, problems)


__all__ = ["SIDES", "Samples", "Segment", "TrainStream", "View", "build_samples", "hold_samples", "open_samples", "pad"]
