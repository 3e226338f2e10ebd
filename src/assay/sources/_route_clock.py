"""The clock of a log: its unit, and what is done where it repeats itself, goes back or jumps.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._row_order import is_shuffled, spread_out, stands_still, strays
from assay.sources.records import ProblemLog

Array = np.ndarray[Any, Any]
#: Values from which on seconds since 1970 are in other units.
_EPOCHS = ((1e17, 1e-9, "nanoseconds"), (1e14, 1e-6, "microseconds"), (1e11, 1e-3, "milliseconds"))
#: Usual steps that would be too long for a log of a drive: then the unit is another.
_STEPS = ((5e6, 1e-9, "nanoseconds"), (5e3, 1e-6, "microseconds"), (5.0, 1e-3, "milliseconds"))
#: Rows that go back by less (seconds) are out of order; by more the clock was set anew.
_REORDERED_S = 1.0
#: A step that is so many times the usual, and so many seconds, is a jump ahead.
_JUMP, _JUMP_S = 20.0, 5.0


@dataclass(frozen=True)
class Clock:
    """The rows that count.

    Attributes:
        time: (M,) seconds, ascending, each once.
        rows: (M,) which rows of the file these are.
    """

    time: Array
    rows: Array


def in_seconds(time: Array, factor: float | None, file: str, log: ProblemLog) -> Array:
    """Times in seconds: by the unit that the column's name says, else by how large they are and how far apart."""
    if factor is not None:
        return np.asarray(time * factor)
    known = time[np.isfinite(time)]
    if len(known) < 2:
        return time
    usual = float(np.median(np.abs(np.diff(known))))
    for limits, size in ((_EPOCHS, float(np.median(np.abs(known)))), (_STEPS, usual)):
        for least, to_seconds, unit in limits:
            if size >= least:
                log.add(f"time-in-{unit}", "repaired", file)
                return np.asarray(time * to_seconds)
    return time


def fine_clock(time: Array, values: Sequence[Array], file: str, log: ProblemLog) -> Array:
    """(N,) times, those of a coarse clock spread over its ticks; not where rows of a tick repeat one another.

    Args:
        time: (N,) as the file has it.
        values: (N,) each, what the rows say.
        file: how problems name it.
        log: takes what was found.

    Raises:
        DataError: the clock stands still.
    """
    if stands_still(time):
        raise DataError("its clock says the same in every row.", "Log the time of each row, in seconds.", file=file)
    fine = spread_out(time)
    if fine is None:
        return time
    news = np.zeros(len(time) - 1, bool)
    for value in values:
        news |= (np.diff(value) != 0) & np.isfinite(value[1:])
    if news[np.diff(time) == 0].mean() < 0.5:
        return time
    log.add("coarse-clock", "repaired", file, count=len(time))
    return fine


def clock_of(time: Array, file: str, first_row: int, log: ProblemLog) -> Clock:
    """The rows of a log in the order of their time, each time once.

    Args:
        time: (N,) seconds; NaN where a row has none.
        file: how problems name it.
        first_row: the number of its first row in the file.
        log: takes what was found.
    """
    rows = np.flatnonzero(np.isfinite(time))
    if len(rows) < len(time):
        first = int(np.flatnonzero(~np.isfinite(time))[0])
        log.add("row-without-time", "skipped", file, first_row + first, len(time) - len(rows))
    rows = _longest(time, rows, file, first_row, log)
    order = np.argsort(time[rows], kind="stable")
    if (np.diff(order) < 0).any():
        late = int(np.flatnonzero(np.diff(time[rows]) < 0)[0]) + 1
        log.add("rows-out-of-order", "repaired", file, first_row + int(rows[late]), int((np.diff(order) < 0).sum()))
    rows = rows[order]
    again = np.flatnonzero(np.diff(time[rows]) <= 0) + 1
    if len(again):
        log.add("time-repeats", "skipped", file, first_row + int(rows[again[0]]), len(again))
        rows = np.delete(rows, again)
    kept = time[rows]
    if len(kept) > 2:
        apart = np.diff(kept)
        jumps = np.flatnonzero(apart > max(_JUMP_S, _JUMP * float(np.median(apart))))
        if len(jumps):
            log.add("clock-jumps-ahead", "kept", file, first_row + int(rows[jumps[0] + 1]), len(jumps))
    return Clock(kept, rows)


def _longest(time: Array, rows: Array, file: str, first_row: int, log: ProblemLog) -> Array:
    """Of rows between which the clock was set back, the longest stretch, and single rows that belong into it."""
    if len(rows) < 2 or is_shuffled(time[rows], _REORDERED_S):
        return rows
    stray = strays(time[rows], _REORDERED_S)
    if stray.any():
        kept = _longest(time, rows[~stray], file, first_row, log)
        first, last = time[kept].min(), time[kept].max()
        inside = (time[rows] >= first) & (time[rows] <= last)
        return np.sort(np.concatenate([kept, rows[stray & inside]]))
    highest = np.maximum.accumulate(time[rows])
    back = np.flatnonzero((np.diff(time[rows]) < -_REORDERED_S) & (time[rows][1:] < highest[:-1] - _REORDERED_S)) + 1
    if not len(back):
        return rows
    # Rows that belong before the jump, though they stand behind it, do not make a stretch: a stretch begins where the
    # clock goes on from the lower time.
    pieces = [piece for piece in np.split(rows, back) if len(piece)]
    longest = max(pieces, key=len)
    left = len(rows) - len(longest)
    log.add("clock-jumps-back", "skipped", file, first_row + int(rows[back[0]]), left)
    return longest
