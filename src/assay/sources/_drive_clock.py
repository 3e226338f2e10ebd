"""The clock of a log of drives: its unit, its order, and where one drive ends and the next begins.

Shapes: T rows of a log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.sources._drive_columns import WITH_CLOCK, numbers_of
from assay.sources._row_order import is_shuffled, spread_out, stands_still, strays, usual_step
from assay.sources.records import ProblemLog

Array = np.ndarray[Any, Any]
#: Frames of drives come between 1 and 200 times a second; what a step is in seconds for the units that clocks have.
_UNITS = (1.0, 1e-3, 1e-6, 1e-9)
_FASTEST_S, _SLOWEST_S = 0.005, 1.0
#: A clock that is set back by no more than this was written out of order; by more, another drive begins. After a pause
#: longer than `_GAP_S` and `_GAP` usual steps another one begins, too.
_DISORDER_S, _GAP_S, _GAP = 2.0, 1.0, 5.0
#: Udacity's simulator writes the time into the names of frames: center_2016_12_01_13_30_48_287.jpg.
_STAMP = re.compile(r"(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d{3})")


@dataclass(frozen=True)
class Ordered:
    """The rows of a log in the order in which they were driven.

    Attributes:
        rows: (T',) their numbers; those that repeat a time are gone.
        times: (T',) seconds.
        pieces: (T',) int, another for each stretch without a gap.
        step_s: the usual time from one frame to the next.
    """

    rows: Array
    times: Array
    pieces: Array
    step_s: float


def stamps(names: Sequence[str]) -> Array | None:
    """(T,) seconds out of the names of frames; None where not all have a time in it."""
    found = [one.groups() for name in names if (one := _STAMP.search(name)) is not None]
    if not names or len(found) < len(names):
        return None
    try:
        return np.asarray([_seconds_of([int(part) for part in parts]) for parts in found])
    except ValueError:  # the 31st of February
        return None


def _seconds_of(parts: Sequence[int]) -> float:
    """Of year, month, day, hour, minute, second and millisecond."""
    year, month, day, hour, minute, second, milliseconds = parts
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp() + milliseconds / 1000


def clock_of(table: pa.RecordBatch, name: str | None, file: str, log: ProblemLog) -> Array | None:
    """(T,) seconds as a column of numbers or dates has them; None without one, or where it stands still.

    Raises:
        DataError: it holds neither.
    """
    if name is None:
        return None
    times = numbers_of(table, name, file, WITH_CLOCK)
    if times is None or stands_still(times):
        log.add("clock-stands-still", "repaired", file, count=table.num_rows)
        return None
    fine = spread_out(times)
    if fine is not None:
        log.add("coarse-clock", "repaired", file, count=len(times))
    return seconds(times if fine is None else fine)


def seconds(times: Array) -> Array:
    """(T,) of any clock as seconds: the unit is the one in which frames come at a rate that drives have."""
    usual = usual_step(np.sort(times))
    for unit in _UNITS:
        if _FASTEST_S <= usual * unit < _SLOWEST_S:
            return np.asarray(times * unit)
    return times


def in_order(times: Array, file: str, numbers: Array, log: ProblemLog) -> Ordered:
    """The rows of one log in their order, cut where its clock jumps.

    Args:
        times: (T,) seconds, finite.
        file: the log, for notes.
        numbers: (T,) the rows' numbers in it, for notes.
        log: takes a note of rows out of order, of times that repeat, of a clock that is set back or has gaps.
    """
    drive = _drives(times)
    begins = np.flatnonzero(np.diff(drive, prepend=0) > 0)
    for at in begins:
        log.add("clock-set-back", "kept", file, int(numbers[at]))
    back = np.diff(times, prepend=times[:1]) < 0
    back[begins] = False
    disordered = np.flatnonzero(back)
    if len(disordered):
        log.add("row-out-of-order", "repaired", file, int(numbers[disordered[0]]), count=len(disordered))
    rows = np.lexsort((times, drive))
    repeated = np.r_[False, (np.diff(times[rows]) == 0) & (np.diff(drive[rows]) == 0)]
    if repeated.any():
        first = rows[np.flatnonzero(repeated)[0]]
        log.add("repeated-time", "skipped", file, int(numbers[first]), count=int(repeated.sum()))
    rows = rows[~repeated]
    usual = usual_step(times[rows])
    gap = np.diff(times[rows], prepend=times[rows[:1]]) > max(_GAP_S, _GAP * usual)
    for at in np.flatnonzero(gap & (np.diff(drive[rows], prepend=drive[rows[:1]]) == 0)):
        log.add("clock-gap", "kept", file, int(numbers[rows[at]]))
    return Ordered(rows, times[rows], drive[rows] + np.cumsum(gap), usual)


def _drives(times: Array) -> Array:
    """(T,) int, which drive each row is of: another begins where the clock is set back, and goes on from there."""
    if is_shuffled(times, _DISORDER_S):
        return np.zeros(len(times), np.int64)
    stray = strays(times, _DISORDER_S)
    kept = np.flatnonzero(~stray)
    of_kept = np.cumsum(np.diff(times[kept], prepend=times[kept[:1]]) < -_DISORDER_S)
    drive = of_kept[np.maximum(np.searchsorted(kept, np.arange(len(times)), side="right") - 1, 0)]
    for row in np.flatnonzero(stray):
        around = [one for one in np.unique(of_kept) if _holds(times[kept[of_kept == one]], times[row])]
        if around and drive[row] not in around:
            drive[row] = around[0]
    return np.asarray(drive)


def _holds(times: Array, time: float) -> bool:
    return bool(times.min() <= time <= times.max())
