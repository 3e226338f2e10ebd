"""Sensors of a drive that are stuck: they say the same for long while others show that something changed.

By itself a reading that stays the same is no fault: a car stands, or cruises with a speedometer that counts whole km/h.

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
#: A sensor that says exactly the same for so many seconds and readings may be stuck.
_STUCK_S, _STUCK = 5.0, 25
#: A speed is stuck where another one changed by so much meanwhile (m/s), or places tell of that for the first and the
#: last third of the time; a gyroscope or an accelerometer where it mostly says something new otherwise.
_CHANGED, _CHANGED_PLACES, _COARSE = 1.0, 3.0, 0.5
#: A wheel that stands, and places that stay the same for so many seconds and so often, are stuck where the speed beside
#: them, as far as it is faster than a walk (m/s), makes so many metres.
_FROZEN_S, _FROZEN, _WALK, _WENT_M = 5.0, 5, 1.0, 20.0
#: A steering angle stays the same on a straight road, hardly ever for so many seconds while the gyroscope turns so far
#: (radians, beside its bias) and the car goes so far.
_HELD_S, _TURNED, _HELD_M = 20.0, 0.5, 100.0


def without_stuck(drive: Drive, log: ProblemLog, *, steering: bool) -> Drive:
    """A drive without readings that are stuck, of the steering angle or of all others, and without channels of one."""
    channels = {name: _unstuck(name, series, drive, log) if (name == "steering") is steering else series
                for name, series in drive.channels.items()}  # fmt: skip
    return replace(drive, channels={name: series for name, series in channels.items() if len(series.time) > 1})


def without_frozen(drive: Drive, log: ProblemLog) -> Drive:
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


def _unstuck(name: str, series: Series, drive: Drive, log: ProblemLog) -> Series:
    """Without readings that repeat for long while other sensors of the drive say that something changed."""
    if len(series.time) < _STUCK:
        return series
    first = np.flatnonzero(np.r_[True, np.diff(series.value) != 0])
    last = np.r_[first[1:], len(series.value)] - 1
    long = (series.time[last] - series.time[first] >= _STUCK_S) & (last - first + 1 >= _STUCK)
    if not long.any():
        return series
    others = {other: one for other, one in drive.channels.items() if other != name}
    inertial = name.startswith(("gyro", "accel"))
    if inertial and _is_coarse(first, last, long):
        return series
    stuck = np.zeros(len(series.value), bool)
    for begin, end in zip(first[long], last[long], strict=True):
        times = (float(series.time[begin]), float(series.time[end]))
        if name == "steering":
            shown = _turned(others, times)
        elif inertial:
            shown = any(_varies(one, times) for one in others.values())
        elif series.value[begin] == 0:  # the car stands, or a wheel is dead
            shown = _went(others, times)
        else:
            shown = _speed_changed(others, drive, times)
        stuck[begin + 1 : end + 1] = shown
    if not stuck.any():
        return series
    log.add("stuck-sensor", "skipped", f"{drive.name}: {name}", count=int(stuck.sum()))
    return Series(series.time[~stuck], series.value[~stuck], series.mean)


def _is_coarse(first: Array, last: Array, long: Array) -> bool:
    """Whether a sensor often repeats a reading outside of the long runs, too: such a one says little by repeating.

    One that never says anything else is no such sensor, but dead.
    """
    lengths = (last - first + 1)[~long]
    return bool(lengths.sum()) and float((lengths - 1).sum() / lengths.sum()) > _COARSE


def _varies(one: Series, times: tuple[float, float]) -> bool:
    inside = one.value[(one.time >= times[0]) & (one.time <= times[1])]
    return len(inside) > 1 and bool(np.ptp(inside) > 0)


def _speed_changed(others: Mapping[str, Series], drive: Drive, times: tuple[float, float]) -> bool:
    """Whether other speeds, or places, say that the car became faster or slower between two times."""
    said = _speed(others)
    if said is not None:
        inside = said[1][(said[0] >= times[0]) & (said[0] <= times[1])]
        if len(inside) > 1 and np.ptp(inside) >= _CHANGED:
            return True
    third = (times[1] - times[0]) / 3
    for places in (drive.fixes, drive.reference):
        if places is None:
            continue
        begin, end = (_mean_speed(places, start, start + third) for start in (times[0], times[1] - third))
        if begin is not None and end is not None and abs(end - begin) >= _CHANGED_PLACES:
            return True
    return False


def _mean_speed(places: Fixes | Path, start: float, stop: float) -> float | None:
    """m/s from the first to the last place between two times; None where there are fewer than two."""
    inside = np.flatnonzero((places.time >= start) & (places.time <= stop))
    if len(inside) < 2 or places.time[inside[-1]] <= places.time[inside[0]]:
        return None
    far = np.linalg.norm(places.place[inside[-1], :2] - places.place[inside[0], :2])
    return float(far / (places.time[inside[-1]] - places.time[inside[0]]))


def _turned(others: Mapping[str, Series], times: tuple[float, float]) -> bool:
    """Whether the car went on for long between two times, and turned, by any axis of the gyroscope."""
    if times[1] - times[0] < _HELD_S or not _went(others, times, _HELD_M):
        return False
    for name in SENSORS["gyroscope"]:
        if (axis := others.get(name)) is None or len(axis.time) < 2:
            continue
        rate = axis.value - np.median(axis.value)
        angle = np.r_[0.0, np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(axis.time))]
        inside = angle[(axis.time >= times[0]) & (axis.time <= times[1])]
        if len(inside) and np.ptp(inside) >= _TURNED:
            return True
    return False


def _went(others: Mapping[str, Series], times: tuple[float, float], least_m: float = _WENT_M) -> bool:
    """Whether by other speeds the car went on between two times."""
    way = way_of(others)
    return way is not None and bool(np.diff(np.interp(times, *way))[0] >= least_m)


def _speed(channels: Mapping[str, Series]) -> tuple[Array, Array] | None:
    """(R,) seconds and (R,) m/s without a sign, the median of wheels and speed; None where there are none."""
    said = [one for name, one in channels.items()
            if name in (*SENSORS["wheels"], *SENSORS["speed"]) and len(one.time) > 1]  # fmt: skip
    if not said:
        return None
    time = np.unique(np.concatenate([one.time for one in said]))
    every = [np.abs(np.interp(time, one.time, one.value, left=0.0, right=0.0)) for one in said]
    return time, np.asarray(np.median(every, axis=0))


def way_of(channels: Mapping[str, Series]) -> tuple[Array, Array] | None:
    """(R,) seconds and (R,) how many metres the car went until then, by the median of wheels and speed; or None."""
    said = _speed(channels)
    if said is None:
        return None
    time, speed = said
    return time, np.r_[0.0, np.cumsum(np.where(speed > _WALK, speed, 0.0)[1:] * np.diff(time))]
