"""What is doubtful about the sensors of a drive, found in the data itself.

Shapes: R readings, F fixes, P reference poses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from assay.sources._route import SENSORS, Drive, Fixes, Path, Series
from assay.sources._route_stuck import way_of, without_frozen, without_stuck
from assay.sources.records import ProblemLog

Array = np.ndarray[Any, Any]
#: What no car does: m/s, rad/s, m/s².
_MOST = {"wheels": 120.0, "speed": 120.0, "gyroscope": 35.0, "accelerometer": 200.0, "steering": 5000.0}
#: No car turns so fast (rad/s) for one part in twenty of a drive; nor is a steering wheel turned so far (radians).
_TURNS, _STEERS = 1.2, 15.0
#: From fix to fix nothing goes faster than this (m/s); what lies nearer (metres, or so many of the receiver's own
#: deviations) may be noise; gaps (seconds) that are worth a note.
_FASTEST, _NOISE_M, _NOISE, _GAP_S = 120.0, 15.0, 8.0, 5.0
#: Where wheels tell the way, two fixes within a gap's seconds lie no further apart than so many times that and so many
#: metres.
_WAYS, _BESIDE_M = 1.5, 50.0
#: Fixes before one that it may have come from.
_BEFORE = 50
#: A degree's worth in radians, and by which factor a ratio may miss it.
_DEGREE, _WITHIN = np.pi / 180, 1.5


def checked(drive: Drive, unsaid: frozenset[str], log: ProblemLog) -> Drive:
    """A drive without what cannot be; what is doubtful is noted.

    Args:
        drive: as read.
        unsaid: channels whose columns do not say their unit.
        log: takes what was found.
    """
    channels = {name: _possible(name, series, drive.name, log) for name, series in drive.channels.items()}
    drive = without_stuck(replace(drive, channels=channels), log, steering=False)
    drive = _radians(drive, unsaid, log)
    drive = without_stuck(drive, log, steering=True)  # judged by how far the car turned, in radians
    drive = without_frozen(drive, log)
    if drive.fixes is not None:
        drive = replace(drive, fixes=_fixes(drive.fixes, way_of(drive.channels), drive.name, log))
    return drive


def _possible(name: str, series: Series, drive: str, log: ProblemLog) -> Series:
    sensor = next(sensor for sensor, names in SENSORS.items() if name in names)
    fine = np.isfinite(series.value)
    missing = int((~fine).sum())
    if missing:
        log.add("missing-readings", "skipped", f"{drive}: {name}", count=missing)
    size = np.abs(series.value, where=fine, out=np.zeros(len(fine)))
    wild = fine & (size > _MOST[sensor])
    if wild.any() and wild.mean() < 0.5:
        log.add("impossible-readings", "skipped", f"{drive}: {name}", count=int(wild.sum()))
        fine &= ~wild
    return Series(series.time[fine], series.value[fine], series.mean)


def _radians(drive: Drive, unsaid: frozenset[str], log: ProblemLog) -> Drive:
    """Angles in radians where nobody said the unit and the data says degrees."""
    channels = dict(drive.channels)
    axes = [name for name in SENSORS["gyroscope"] if name in channels and name in unsaid]
    if axes and _gyro_in_degrees([channels[name] for name in axes], drive.reference):
        log.add("degrees-for-radians", "repaired", f"{drive.name}: gyroscope", count=len(axes))
        channels |= {name: replace(channels[name], value=channels[name].value * _DEGREE) for name in axes}
    steering = channels.get("steering")
    if steering is not None and "steering" in unsaid and np.quantile(np.abs(steering.value), 0.99) > _STEERS:
        log.add("degrees-for-radians", "repaired", f"{drive.name}: steering")
        channels["steering"] = replace(steering, value=steering.value * _DEGREE)
    return replace(drive, channels=channels)


def _gyro_in_degrees(axes: list[Series], reference: Path | None) -> bool:
    """By how far the reference turns while the gyroscope does; without one by how fast it would turn."""
    if reference is not None and len(reference.time) > 20:
        fit = _gain(axes, reference)
        if fit is not None:
            return bool(_DEGREE / _WITHIN < fit < _DEGREE * _WITHIN)
    return any(np.quantile(np.abs(one.value - np.median(one.value)), 0.95) > _TURNS for one in axes)


def _gain(axes: list[Series], reference: Path) -> float | None:
    """How far the reference turns for each unit of the gyroscope; None where it hardly turns or they disagree."""
    clock = np.arange(reference.time[0], reference.time[-1], 1.0)
    if len(clock) < 10:
        return None
    turned = np.diff(np.interp(clock, reference.time, reference.heading))
    said = []
    for one in axes:
        area = np.r_[0.0, np.cumsum((one.value[1:] + one.value[:-1]) / 2 * np.diff(one.time))]
        step = np.diff(np.interp(clock, one.time, area))
        said.append(step - step.mean())
    turned = turned - turned.mean()
    if turned.std() < 0.01:
        return None
    table = np.stack(said, axis=1)
    found = np.linalg.lstsq(table, turned, rcond=1e-6)[0]
    left = turned - table @ found
    return float(np.linalg.norm(found)) if (left**2).sum() < 0.5 * (turned**2).sum() else None


def _fixes(fixes: Fixes, way: tuple[Array, Array] | None, drive: str, log: ProblemLog) -> Fixes:
    """Fixes with a note of gaps and outliers; the filter counts these less by itself."""
    fine = np.isfinite(fixes.place).all(axis=1)
    fixes = Fixes(fixes.time[fine], fixes.place[fine], fixes.sigma[fine])
    if len(fixes.time) < 3:
        return fixes
    apart = np.diff(fixes.time)
    gaps = apart > max(_GAP_S, 4 * float(np.median(apart)))
    if gaps.any():
        log.add("gnss-gap", "kept", drive, count=int(gaps.sum()))
    outliers = _outliers(fixes, way)
    if outliers.any():
        log.add("gnss-outlier", "kept", drive, count=int(outliers.sum()))
    return fixes


def _outliers(fixes: Fixes, way: tuple[Array, Array] | None) -> Array:
    """(F,) bool, the fixes that no car could have come to and gone from, however many of them follow another.

    What counts is the longest row of fixes of which each can be reached from the one before.
    """
    every = np.arange(len(fixes.time))
    found = np.zeros(len(every), bool)
    went = np.full(len(every), np.nan) if way is None else np.interp(fixes.time, *way, left=np.nan, right=np.nan)
    if _reached(fixes, every[:-1], every[1:], went).all():
        return found
    most, before = np.ones(len(every), int), np.full(len(every), -1)
    longest = 0
    for row in every[1:]:
        earlier = np.r_[longest, every[max(0, row - _BEFORE) : row]]
        held = np.where(_reached(fixes, earlier, row, went), most[earlier], 0)
        best = int(np.argmax(held))
        if held[best] > 0:
            most[row], before[row] = held[best] + 1, earlier[best]
        if most[row] > most[longest]:
            longest = int(row)
    found[:] = True
    while longest >= 0:
        found[longest] = False
        longest = int(before[longest])
    return found


def _reached(fixes: Fixes, one: Array, other: Any, went: Array) -> Array:
    """Whether a car can have come from some fixes, by their numbers, to others; `went` (F,) metres, NaN: not known."""
    apart = fixes.time[other] - fixes.time[one]
    off = fixes.place[other] - fixes.place[one]
    way = went[other] - went[one]
    limit = np.maximum(_FASTEST * apart, _NOISE_M)
    near = np.where(apart <= _GAP_S, _WAYS * way + _BESIDE_M, np.nan)
    limit = np.fmin(limit, near)
    limit = np.fmax(limit, _NOISE * np.fmax(fixes.sigma[one], fixes.sigma[other]))
    return np.asarray(np.hypot(off[..., 0], off[..., 1]) <= limit)
