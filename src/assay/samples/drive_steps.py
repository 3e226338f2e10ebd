"""A drive on one clock: what each sensor says between the steps of an even clock, whatever its own rate.

A sensor's value of a step is its mean over the step: its readings are joined by lines (or, where each is a mean
already, held), summed up, and the sum is read at both ends. So nothing is lost of fast sensors, and slow ones are
interpolated.

Shapes: T steps, C channels, R readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.sources._drive import Drive, Series

Array = np.ndarray[Any, Any]
#: A channel is silent where its readings are further apart than so many times what is usual, and than so many seconds.
_USUAL, _LEAST_S = 5.0, 0.5


@dataclass(frozen=True)
class Steps:
    """A drive, step by step.

    Attributes:
        begin: seconds of the first step's beginning, on the drive's clock.
        base: (2,) metres that were taken off all places.
        sensors: (T, C) float32, means over each step; 0 where a channel says nothing.
        present: (T, C) bool, where it says something.
        fixes: (T, 4) float32: east and north of a fix within the step, its deviation (0 for none), and by how many
            seconds it is older than the step's end.
        moved: (T, 3) float32: how the reference moved ahead, to the left and turned; NaN where there is none.
        clean: (T, 5) float32: of SIMULATED sensors the true speed ahead and to the left and the turning about three
            axes; no columns elsewhere.
    """

    begin: float
    base: Array
    sensors: Array
    present: Array
    fixes: Array
    moved: Array
    clean: Array


def steps_of(drive: Drive, channels: Sequence[str], rate_hz: float) -> Steps:
    """A drive on an even clock.

    Args:
        drive: the drive.
        channels: which channels, in this order.
        rate_hz: steps a second.
    """
    begin, end = drive.span
    count = max(0, int(np.floor((end - begin) * rate_hz + 1e-6)))
    edges = begin + np.arange(count + 1) / rate_hz
    sensors = np.zeros((count, len(channels)), np.float32)
    present = np.zeros((count, len(channels)), bool)
    for place, name in enumerate(channels):
        series = drive.channels.get(name)
        if series is not None and len(series.time) > 1:
            sensors[:, place], present[:, place] = step_means(series, edges)
    base = _base(drive)
    return Steps(
        begin, base, sensors, present, _fixes(drive, edges, base, rate_hz), _moved(drive, edges), _clean(drive, edges)
    )


def step_means(series: Series, edges: Array) -> tuple[Array, Array]:
    """(T,) a channel's mean over each step between `edges` (T + 1,), and (T,) where it says something."""
    time, value = series.time, series.value
    apart = np.diff(time)
    area = value[1:] * apart if series.mean else (value[1:] + value[:-1]) / 2 * apart
    total = np.interp(edges, time, np.concatenate([[0.0], np.cumsum(area)]))
    usual = max(_LEAST_S, _USUAL * float(np.median(apart)))
    quiet = np.interp(edges, time, np.concatenate([[0.0], np.cumsum(np.where(apart > usual, apart, 0.0))]))
    length = np.diff(edges)
    outside = np.maximum(0, time[0] - edges[:-1]) + np.maximum(0, edges[1:] - time[-1])
    present = np.diff(quiet) + outside < length / 2
    spoken = np.maximum(length - outside, 1e-9)
    return np.where(present, np.diff(total) / spoken, 0.0), present


def _base(drive: Drive) -> Array:
    for known in (drive.reference, drive.fixes):
        if known is not None and len(known.place):
            return np.asarray(np.round(known.place[0]))
    return np.zeros(2)


def _fixes(drive: Drive, edges: Array, base: Array, rate_hz: float) -> Array:
    """See `Steps.fixes`; of several within a step the last."""
    steps = len(edges) - 1
    found = np.zeros((steps, 4), np.float32)
    fixes = drive.fixes
    if fixes is None or not steps:
        return found
    step = np.ceil((fixes.time - edges[0]) * rate_hz - 1e-9).astype(np.int64) - 1
    step = np.where(np.abs(fixes.time - edges[0]) < 1e-9, 0, step)
    inside = (step >= 0) & (step < steps)
    rows = step[inside]
    found[rows, :2] = fixes.place[inside] - base
    sigma = fixes.sigma[inside]
    found[rows, 2] = np.where(np.isfinite(sigma) & (sigma > 0), sigma, -1.0)
    found[rows, 3] = edges[rows + 1] - fixes.time[inside]
    return found


def _moved(drive: Drive, edges: Array) -> Array:
    reference = drive.reference
    if reference is None or len(reference.time) < 2:
        return np.full((len(edges) - 1, 3), np.nan, np.float32)
    place = np.stack([np.interp(edges, reference.time, axis) for axis in reference.place.T], axis=1)
    heading = np.interp(edges, reference.time, reference.heading)
    turned, middle = np.diff(heading), (heading[1:] + heading[:-1]) / 2
    step = np.diff(place, axis=0)
    ahead = step[:, 0] * np.cos(middle) + step[:, 1] * np.sin(middle)
    left = step[:, 1] * np.cos(middle) - step[:, 0] * np.sin(middle)
    known = (edges[:-1] >= reference.time[0] - 1e-6) & (edges[1:] <= reference.time[-1] + 1e-6)
    known &= _dense(reference.time, edges)
    return np.where(known[:, None], np.stack([ahead, left, turned], axis=1), np.nan).astype(np.float32)


def _dense(time: Array, edges: Array) -> Array:
    """(T,) where reference poses are so near to one another that the motion between them is known."""
    apart = np.diff(time)
    usual = max(2 * _LEAST_S, _USUAL * float(np.median(apart)))
    quiet = np.interp(edges, time, np.concatenate([[0.0], np.cumsum(np.where(apart > usual, apart, 0.0))]))
    return np.asarray(np.diff(quiet) <= 0)


def _clean(drive: Drive, edges: Array) -> Array:
    if drive.motion is None:
        return np.zeros((len(edges) - 1, 0), np.float32)
    motion = drive.motion
    values = np.concatenate([motion.speed, motion.rate], axis=1)
    columns = [step_means(Series(motion.time, np.r_[one[:1], one], mean=True), edges)[0] for one in values.T]
    return np.stack(columns, axis=1).astype(np.float32)


def integrated(moved: Array, start: Array) -> tuple[Array, Array]:
    """(T + 1, 2) places and (T + 1,) headings after each step, from a pose on.

    Args:
        moved: (T, 3) metres ahead and to the left, radians turned, of each step.
        start: (3,) place and heading before the first.
    """
    steps = np.asarray(moved, float)
    heading = start[2] + np.concatenate([[0.0], np.cumsum(steps[:, 2])])
    middle = (heading[1:] + heading[:-1]) / 2
    east = steps[:, 0] * np.cos(middle) - steps[:, 1] * np.sin(middle)
    north = steps[:, 0] * np.sin(middle) + steps[:, 1] * np.cos(middle)
    place = np.stack([east, north], axis=1)
    return np.concatenate([[start[:2]], start[:2] + np.cumsum(place, axis=0)]), heading
