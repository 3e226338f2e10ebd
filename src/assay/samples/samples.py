"""Samples: what the network sees, decoded once, with train, validation and test views that yield batches.

Shapes: U units, W windows (W >= U), B windows in a batch, T the longest of a batch's ragged values.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from assay.progress import Progress
from assay.samples._encoding import Segment, cache_key, encode_records, gather, hold_records
from assay.samples.cache import Ragged, cache_root, prune
from assay.samples.draws import order
from assay.samples.split import SIDES, TEST, TRAIN
from assay.samples.stream import TrainStream
from assay.sources.records import Problem, ProblemLog, Records

if TYPE_CHECKING:
    from torch import Tensor

    from assay.evaluation.metrics import Values
    from assay.task import Batch, Spec, Task

Array = np.ndarray[Any, Any]
#: A batch that is only looked at holds so many bytes of windows at most, as a network's layers take a hundred times as
#: much; but so many windows at least.
_BYTES_AT_ONCE, _LEAST_AT_ONCE = 8e6, 16


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
        longest = np.zeros(len(self.unit), np.int64)
        for name in self.ragged:
            stored = [segment.cache.fields[name] for segment in self._segments]
            lengths = np.concatenate([np.diff(field.offsets) for field in stored if isinstance(field, Ragged)])
            longest = np.maximum(longest, lengths)
        return np.asarray(longest[windows])

    @property
    def window_bytes(self) -> float:
        """What a window takes on disk, in the mean over those encoded first; at least 1."""
        cache = self._segments[0].cache
        stored = (field.values if isinstance(field, Ragged) else field for field in cache.fields.values())
        return max(1.0, sum(values.nbytes for values in stored) / max(1, cache.rows))

    @property
    def appended(self) -> int:
        """How many times samples were appended."""
        return len(self._segments) - 1

    def forget_appended(self, keep: int) -> None:
        """Drop what was appended after the first `keep` times."""
        self._segments = self._segments[: keep + 1]
        units = sum(segment.index.num_rows for segment in self._segments)
        self.side, self.unit = self.side[:units], self.unit[: sum(segment.cache.rows for segment in self._segments)]

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

    def batch(self, windows: Array) -> Batch:
        """The windows (B,) as one batch of tensors; ragged fields are padded with zeros and masked (see `Batch`)."""
        form: Callable[[Array], Any] = np.asarray if self.arrays else _tensor
        values: dict[str, Any] = {}
        known = {item.name for item in fields(self.task.batch_type)}
        for name in known & set(self._segments[0].cache.fields):
            got = self.field(name, windows)
            if isinstance(got, list):
                padded, filled = pad(got)
                values[name] = form(padded)
                values[f"{name}_mask" if f"{name}_mask" in known else "mask"] = form(filled)
            else:
                values[name] = form(got)
        return self.task.batch_type(index=form(np.array(windows, np.int64)), **values)


class View:
    """Some of the units, in a fixed order, with their windows.

    Args:
        samples: all samples.
        units: (U',) the units.
        change: what is done to each batch of windows before anybody sees it; None for nothing.
    """

    def __init__(self, samples: Samples, units: Array, change: Callable[[Any], Any] | None = None) -> None:
        self.samples, self.units, self._change = samples, units, change
        if len(samples.unit) == len(samples.side):  # a window a unit
            self.windows = units
        else:
            place = np.argsort(samples.unit, kind="stable")
            low = np.searchsorted(samples.unit[place], units, "left")
            high = np.searchsorted(samples.unit[place], units, "right")
            self.windows = np.concatenate(
                [place[a:b] for a, b in zip(low, high, strict=True)] or [np.zeros(0, np.int64)]
            )

    def __len__(self) -> int:
        return len(self.units)

    def batches(self, batch_size: int, places: Array | None = None) -> Iterator[Batch]:
        """The windows in their order, in batches of at most `batch_size`, and of fewer where windows are large.

        Args:
            batch_size: windows in a batch.
            places: (W',) another order, of positions among this view's windows (see `by_length`).
        """
        windows = self.windows if places is None else self.windows[places]
        batch_size = min(batch_size, max(_LEAST_AT_ONCE, int(_BYTES_AT_ONCE // self.samples.window_bytes)))
        for start in range(0, len(windows), batch_size):
            batch = self.samples.batch(windows[start : start + batch_size])
            yield batch if self._change is None else self._change(batch)

    def lengths(self, windows: Array) -> Array | None:
        """See `Samples.lengths`."""
        return self.samples.lengths(windows)

    def by_length(self) -> Array | None:
        """(W',) the positions of the windows from the longest on; None where batches hold no ragged field.

        Batches of windows of about one length hold hardly any padding.
        """
        lengths = self.lengths(self.windows)
        return None if lengths is None else np.argsort(-lengths, kind="stable")

    def changed(self, change: Callable[[Any], Any]) -> View:
        """The same units, whose windows come changed: `change` takes a batch and gives one of the same windows."""
        return View(self.samples, self.units, change)

    def field(self, name: str) -> Iterator[Array]:
        """A fixed-size field of all windows, in pieces (<= 1024, ...) that fit in memory."""
        if self._change is not None:
            yield from (getattr(batch, name).numpy() for batch in self.batches(1024))
            return
        for start in range(0, len(self.windows), 1024):
            got = self.samples.field(name, self.windows[start : start + 1024])
            yield np.stack(got) if isinstance(got, list) else got

    def array(self, name: str) -> Array:
        """A fixed-size field of all windows (W', ...), all in memory."""
        pieces = list(self.field(name))
        if pieces:
            return np.concatenate(pieces)
        return np.asarray(self.samples.field(name, np.zeros(0, np.int64)))

    def ids(self) -> list[str]:
        """The units' names."""
        return [str(value) for value in self.samples.index.column("id").take(self.units).to_pylist()]

    def truths(self) -> Values:
        """The units' targets, as the task's metrics compare them."""
        return self.samples.task.truths(self.samples.index.column("target").take(self.units), self.samples.spec)

    def groups(self) -> Array:
        """(U',) int64: the group of each unit, a number of its own where it has none."""
        index = self.samples.index
        if "group" not in index.column_names:
            return np.arange(len(self.units))
        names = index.column("group").take(self.units).to_pylist()
        keys = [f"group {name}" if name is not None else f"unit {place}" for place, name in enumerate(names)]
        return np.asarray(np.unique(keys, return_inverse=True)[1], np.int64)

    def sample(self, count: int, seed: int = 0) -> View:
        """At most `count` units drawn by hash, in their order here."""
        if len(self.units) <= count:
            return self
        chosen = order(np.arange(len(self.units)), "sample", seed)[:count]
        return View(self.samples, self.units[np.sort(chosen)], self._change)


def _tensor(values: Array) -> Tensor:
    import torch

    return torch.from_numpy(values)


def pad(values: Sequence[Array]) -> tuple[Array, Array]:
    """Arrays (T_i, ...) as one (B, T, ...) filled with zeros, and its mask (B, T), True where real."""
    longest = max((len(value) for value in values), default=0)
    first = values[0]
    padded = np.zeros((len(values), longest, *first.shape[1:]), first.dtype)
    mask = np.zeros((len(values), longest), bool)
    for row, value in enumerate(values):
        padded[row, : len(value)] = value
        mask[row, : len(value)] = True
    return padded, mask


def build_samples(
    task: Task,
    records: Records,
    spec: Spec,
    side: Array | None,
    log: ProblemLog | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
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
    """
    root = cache_root() / "samples"
    target = folder or root / cache_key(task, records, spec)
    segment, problems = encode_records(task, records, spec, target, progress)
    if folder is None:
        prune(root, target)
    return _samples(task, spec, segment, side, problems, log)


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


__all__ = ["SIDES", "Samples", "Segment", "TrainStream", "View", "build_samples", "hold_samples", "pad"]
