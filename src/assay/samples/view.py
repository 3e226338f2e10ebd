"""A side of the samples, or any other set of them: what is trained on and what is judged.

Shapes: U' units and W' windows of a view, B windows in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.draws import order

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import Samples
    from assay.task import Batch

Array = np.ndarray[Any, Any]
#: A batch that is only looked at holds so many bytes of windows at most, as a network's layers take a hundred times as
#: much; but so many windows at least.
_BYTES_AT_ONCE, _LEAST_AT_ONCE = 8e6, 16


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

    def batches(self, batch_size: int, places: Array | None = None, turn: tuple[int, int] = (0, 1)) -> Iterator[Batch]:
        """The windows in their order, in batches of at most `batch_size`, and of fewer where windows are large.

        Args:
            batch_size: windows in a batch.
            places: (W',) another order, of positions among this view's windows (see `by_length`).
            turn: (r, n) for every n-th batch alone, from batch r on, as one of n processes by turns.
        """
        windows = self.windows if places is None else self.windows[places]
        batch_size = min(batch_size, max(_LEAST_AT_ONCE, int(_BYTES_AT_ONCE // self.samples.window_bytes)))
        for start in range(turn[0] * batch_size, len(windows), turn[1] * batch_size):
            batch = self.samples.batch(windows[start : start + batch_size], exact=True)
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
        column = self.samples.index.column("id")
        if (
            len(self.units) == 1
        ):  # what a server is asked for most, and `take` costs as much as reading a picture's head
            return [str(column[int(self.units[0])].as_py())]
        return [str(value) for value in column.take(self.units).to_pylist()]

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
