"""Sensors that are stuck: what they say stays the same while the rest of the car tells that it should not.

Shapes: R readings, F fixes, P reference poses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from assay.sources._route import SENSORS, Drive, Fixes, Path, Series
from assay.sources.records import ProblemLog

Array = np.ndarray[Any, Any]
#: A sensor that scatters says exactly the same for so many seconds and readings: it is stuck. Wheels may well stand
#: still.
_STUCK_S, _STUCK = 5.0, 25
#: A wheel that stands, and places that stay the same for so many seconds and so often, are stuck where the speed beside
#: them, as far as it is faster than a walk (m/s), makes so many metres.
_FROZEN_S, _FROZEN, _WALK, _WENT_M = 5.0, 5, 1.0, 20.0
#: Speeds in steps of this (m/s) or more, such as a speedometer's whole km/h, stay the same at a steady speed: they are
#: stuck where the other wheels' speed changes by so much (m/s).
_COARSE, _CHANGED = 0.05, 3.0
#: A steering angle stays the same on a straight road, hardly ever for so many seconds while the gyroscope turns so far
#: (radians, beside its bias) and the car goes so far.
_HELD_S, _TURNED, _HELD_M = 20.0, 0.5, 100.0


def unstuck(name: str, series: Series, every: Mapping[str, Series], drive: str, log: ProblemLog) -> Series:
    """Without readings that repeat for so long that the sensor must be stuck; `every` channel tells who stands."""
    if len(series.time) < _STUCK:
        return series
    first = np.flatnonzero(np.r_[True, np.diff(series.value) != 0])
    last = np.r_[first[1:], len(series.value)] - 1
    long = (series.time[last] - series.time[first] >= _STUCK_S) & (last - first + 1 >= _STUCK)
    if long.any() and not name.startswith(("gyro", "accel")):
        judge = _steering_stuck if name == "steering" else _speed_stuck
        rows = np.flatnonzero(long)
        others = {other: one for other, one in every.items() if other != name}
        long[rows] = judge(series, first[rows], last[rows], others)
    if not long.any():
        return series
    stuck = np.zeros(len(series.value), bool)
    for begin, end in zip(first[long], last[long], strict=True):
        stuck[begin + 1 : end + 1] = True
    log.add("stuck-sensor", "skipped", f"{drive}: {name}", count=int(stuck.sum()))
    return Series(series.time[~stuck], series.value[~stuck], series.mean)


def _speed_stuck(series: Series, first: Array, last: Array, others: Mapping[str, Series]) -> Array:
    """(K,) whether stretches in which a speed stays the same cannot be: by what others say, or by how exact it is."""
    begin, end = series.time[first], series.time[last]
    way = way_of(others)
    far = np.zeros(len(first)) if way is None else np.interp(end, *way) - np.interp(begin, *way)
    steps = np.diff(np.unique(np.round(series.value, 6)))
    coarse = float(steps.min()) >= _COARSE if len(steps) else way is not None
    moves = _changed(others, begin, end) if coarse else np.ones(len(first), bool)
    return np.where(series.value[first] == 0, far >= _WENT_M, moves)  # 0: the car stands, or a dead wheel


def _changed(others: Mapping[str, Series], begin: Array, end: Array) -> Array:
    """(K,) whether the car got faster or slower between two times."""
    said = _speed_of(others)
    if said is None:
        return np.zeros(len(begin), bool)
    inside = [said[1][(said[0] >= a) & (said[0] <= b)] for a, b in zip(begin, end, strict=True)]
    return np.asarray([bool(len(one)) and float(np.ptp(one)) >= _CHANGED for one in inside])


def _steering_stuck(series: Series, first: Array, last: Array, others: Mapping[str, Series]) -> Array:
    """(K,) whether the car turned in stretches in which the steering angle stays the same, by any axis."""
    begin, end = series.time[first], series.time[last]
    way = way_of(others)
    if way is None:
        return np.zeros(len(first), bool)
    found = (np.interp(end, *way) - np.interp(begin, *way) >= _HELD_M) & (end - begin >= _HELD_S)
    turned = np.zeros(len(first), bool)
    for name in SENSORS["gyroscope"]:
        if (axis := others.get(name)) is None or len(axis.time) < 2:
            continue
        rate = axis.value - np.median(axis.value)
        angle = np.r_[0.0, np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(axis.time))]
        inside = [angle[(axis.time >= a) & (axis.time <= b)] for a, b in zip(begin, end, strict=True)]
        turned |= np.asarray([bool(len(one)) and float(np.ptp(one)) >= _TURNED for one in inside])
    return np.asarray(found & turned)


def unfrozen(drive: Drive, log: ProblemLog) -> Drive:
    """Without fixes and reference poses that repeat a place while the car drives away from it."""
    way, fixes, path = way_of(drive.channels), drive.fixes, drive.reference
    if way is None:
        return drive
    if fixes is not None and (stuck := _frozen(fixes.time, fixes.place, way)).any():
        log.add("stuck-sensor", "skipped", f"{drive.name}: gnss", count=int(stuck.sum()))
        fixes = Fixes(fixes.time[~stuck], fixes.place[~stuck], fixes.sigma[~stuck])
    if path is not None and (stuck := _frozen(path.time, path.place, way)).any():
        log.add("stuck-reference", "skipped", drive.name, count=int(stuck.sum()))
        path = Path(path.time[~stuck], path.place[~stuck], path.heading[~stuck])
    return replace(drive, fixes=fixes, reference=path)


def _frozen(time: Array, place: Array, way: tuple[Array, Array]) -> Array:
    """(F,) bool, all but the first of places (F, 2) that stay the same for long while the car goes on."""
    found = np.zeros(len(time), bool)
    first = np.flatnonzero(np.r_[True, (np.diff(place, axis=0) != 0).any(axis=1)][: len(time)])
    last = np.r_[first[1:], len(time)] - 1
    far = np.interp(time, *way)
    long = (last - first + 1 >= _FROZEN) & (time[last] - time[first] >= _FROZEN_S) & (far[last] - far[first] >= _WENT_M)
    for begin, end in zip(first[long], last[long], strict=True):
        found[begin + 1 : end + 1] = True
    return found


def way_of(channels: Mapping[str, Series]) -> tuple[Array, Array] | None:
    """(R,) seconds and (R,) how many metres the car went until then, by the median of wheels and speed; or None."""
    said = _speed_of(channels)
    if said is None:
        return None
    time, speed = said
    return time, np.r_[0.0, np.cumsum(np.where(speed > _WALK, speed, 0.0)[1:] * np.diff(time))]


def _speed_of(channels: Mapping[str, Series]) -> tuple[Array, Array] | None:
    """(R,) seconds and (R,) m/s, the median of wheels and speed; None where there is neither."""
    said = [one for name, one in channels.items()
            if name in (*SENSORS["wheels"], *SENSORS["speed"]) and len(one.time) > 1]  # fmt: skip
    if not said:
        return None
    time = np.unique(np.concatenate([one.time for one in said]))
    return time, np.median([np.abs(np.interp(time, one.time, one.value, left=0.0, right=0.0)) for one in said], axis=0)
