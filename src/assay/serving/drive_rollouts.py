"""Rides on tracks that a user names, and their frames with wheel, throttle and brake drawn beside.

Shapes: T frames of a ride, H, W of a frame, A controls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.drive_loop import Answer, drive_tracks, loop_rate
from assay.simulators.rides import Ride, Terms
from assay.simulators.simulator import TESTED
from assay.task_sessions import Rollout

if TYPE_CHECKING:
    from assay.samples.drive_spec import DriveSpec

Array = np.ndarray[Any, Any]
#: Frames are enlarged to about so many pixels; below them stand bars of that height with the controls.
_SIDE, _BAR, _GAP = 384, 12, 4
_COLOURS = ((80, 160, 255), (80, 220, 120), (255, 90, 80))
_MOST, _LARGEST = 1000, 2**31 - 1


def drive_rollouts(answer: Answer, spec: DriveSpec, first: int | None, count: int, pictured: bool) -> Iterator[Rollout]:
    """A ride for each track; see `Task.rollouts`.

    Raises:
        SettingError: numbers that are not possible, or a policy without a simulator.
    """
    start = TESTED if first is None else first
    if not 1 <= count <= _MOST:
        raise SettingError(f"{count} episodes are not possible", f"Give a whole number from 1 to {_MOST}.")
    if not 0 <= start <= _LARGEST - count:
        raise SettingError(f"there is no track {start}", "Give a whole number from 0 on.")
    rate = loop_rate(spec)
    for ride in drive_tracks(answer, spec, range(start, start + count), Terms(advised=True, recorded=pictured)):
        every = len(ride) / max(1, len(ride.recorded)) if ride.recorded is not None else 1.0
        frames = pictured_ride(ride, spec) if pictured else None
        yield Rollout(f"track-{ride.track}", ride, frames, rate / max(1, round(every)))


def pictured_ride(ride: Ride, spec: DriveSpec) -> Array:
    """(T, H, W, 3) uint8: the frames, enlarged, above a bar for each control."""
    if ride.recorded is None:
        raise ValueError("a ride that was not recorded has no frames")
    every = max(1, round(len(ride) / max(1, len(ride.recorded))))
    times = max(1, _SIDE // max(ride.recorded.shape[1:3]))
    height, width = (side * times for side in ride.recorded.shape[1:3])
    below = len(spec.controls) * (_BAR + _GAP) + _GAP
    drawn = np.zeros((len(ride.recorded), height + below + below % 2, width, 3), np.uint8)
    drawn[:, :height] = ride.recorded.repeat(times, axis=1).repeat(times, axis=2)
    for number, action in enumerate(ride.actions[::every][: len(drawn)]):
        for place, value in enumerate(action):
            top = height + _GAP + place * (_BAR + _GAP)
            low, high = spec.low[place], spec.high[place]
            zero, end = (
                round((point - low) / (high - low) * (width - 1)) for point in (max(low, min(0.0, high)), value)
            )
            drawn[number, top : top + _BAR, min(zero, end) : max(zero, end) + 1] = _COLOURS[place % len(_COLOURS)]
    return drawn
