"""How a driver brakes beside one that is right: how early, how hard, and what was missed.

Shapes: T steps of a drive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: A brake below this is at rest. A moment of braking is one that lasts so long in seconds, pauses shorter than the next
#: bridged; it is answered by a brake that begins at most so many seconds earlier, or ends so many later.
PRESSED, LEAST_S, PAUSE_S, AROUND_S = 0.1, 0.1, 0.2, 0.5


@dataclass(frozen=True)
class Moment:
    """A moment at which one has to brake.

    Attributes:
        start: its first step.
        stop: the step behind its last one.
        wanted: how hard at most.
        done: how hard the driver braked at most.
        late_s: how much later the driver began, negative where earlier; None where it did not brake.
    """

    start: int
    stop: int
    wanted: float
    done: float
    late_s: float | None


def moments(wanted: Array, done: Array, rate_hz: float) -> list[Moment]:
    """The moments of braking in what is right (T,), and what a driver did then (T,), at so many steps a second.

    A brake answers one moment: where two are near each other, each is looked at up to the middle between them.
    """
    found: list[Moment] = []
    around = max(1, round(AROUND_S * rate_hz))
    runs = [run for run in stretches(np.asarray(wanted) >= PRESSED, max(1, round(PAUSE_S * rate_hz)))
            if run[1] - run[0] >= LEAST_S * rate_hz]  # fmt: skip
    middles = [0, *((before[1] + after[0]) // 2 for before, after in pairwise(runs)), len(wanted)]
    for (start, stop), low, high in zip(runs, middles, middles[1:], strict=False):
        first, last = max(low, start - around), min(high, stop + around)
        pressed = np.flatnonzero(np.asarray(done[first:last]) >= PRESSED)
        late = float((first + pressed[0] - start) / rate_hz) if len(pressed) else None
        found.append(Moment(start, stop, float(np.max(wanted[start:stop])), float(np.max(done[first:last])), late))
    return found


def stretches(marked: Array, pause: int = 0) -> list[tuple[int, int]]:
    """Begin and end of each run of True in (T,) bool; runs fewer than `pause` steps apart are one."""
    edges = np.flatnonzero(np.diff(np.r_[False, marked, False]))
    runs: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < pause:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs


@dataclass(frozen=True)
class Braking:
    """What moments come to.

    Attributes:
        moments: how many there were.
        missed: how many were not answered by the brake.
        late_s: the median of how much later the driver braked; NaN where it never did.
        latest_s: nine of ten began earlier than that.
        hardness: the median of how hard it braked at most, as a share of what was right.
    """

    moments: int
    missed: int
    late_s: float
    latest_s: float
    hardness: float


def braking(found: Sequence[Moment]) -> Braking:
    """All moments in one."""
    late = np.asarray([one.late_s for one in found if one.late_s is not None])
    hardness = np.asarray([one.done / one.wanted for one in found if one.late_s is not None])
    if not len(late):
        return Braking(len(found), len(found), float("nan"), float("nan"), float("nan"))
    return Braking(
        len(found), len(found) - len(late), float(np.median(late)), float(np.quantile(late, 0.9)),
        float(np.median(hardness)),
    )  # fmt: skip
