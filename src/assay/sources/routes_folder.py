"""A user's own logs: a folder for each drive with a table for each sensor, or a table for each drive.

    drives/monday/imu.csv      time,gyro_x,gyro_y,gyro_z,accel_x,…
    drives/monday/wheels.csv   time,wheel_speed_rl,wheel_speed_rr,steering_angle_deg
    drives/monday/gnss.csv     time,lat,lon,accuracy
    drives/monday/poses.csv    time,x,y,heading          the reference; lat and lon do, too
    drives/tuesday.csv         time,speed_kmh,yaw_rate_deg_s,gnss_lat,gnss_lon,ref_x,ref_y

Each file has a clock of its own; all count the same seconds. Cells may be empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._geodesy import flat_degrees
from assay.sources._route import Drive, Fixes, Path, Series
from assay.sources._route_checks import checked
from assay.sources._route_clock import clock_of, fine_clock, in_seconds
from assay.sources._route_heading import heading_of
from assay.sources._route_names import Meaning, about_of, meanings, tells_motion
from assay.sources._route_tables import Columns, header_of, is_log, read_columns
from assay.sources._splits import split_of
from assay.sources.records import ProblemLog
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
#: By so many metres fixes must come nearer to the reference before latitude and longitude are taken as exchanged.
_SURE_M = 5.0
#: Readings of a sensor that lie further than this (seconds) outside of the time of everything else are of no use.
_BESIDE_S = 5.0


@dataclass(frozen=True)
class Found:
    """A drive that a folder holds.

    Attributes:
        name: its folder, or its file.
        files: by file what it is about; "" where it holds everything.
        group: what it belongs to, and never leaves in a split.
        side: train, validation or test, where a folder is called so.
    """

    name: str
    files: Mapping[str, str]
    group: str
    side: str | None = None


def found_drives(store: Store) -> list[Found]:
    """The drives of a folder, an archive or a file; empty where there is none."""
    folders: dict[str, dict[str, str]] = {}
    alone: list[str] = []
    for name in store.names:
        if not is_log(name):
            continue
        about = about_of(name)
        if about is None or len(store.names) == 1:
            alone.append(name)
        else:
            folders.setdefault(name.rpartition("/")[0], {})[name] = about
    found = [
        _found(folder or store.path.name, files)
        for folder, files in folders.items()
        if any(about != "reference" for about in files.values()) and _moves(store, files)
    ]
    lone = [name for name in alone if tells_motion(meanings(header_of(store, name), ""))]
    return sorted([*found, *(_found(name, {name: ""}) for name in lone)], key=lambda one: one.name)


def _moves(store: Store, files: Mapping[str, str]) -> bool:
    known = [one for name, about in files.items() for one in meanings(header_of(store, name), about)]
    return tells_motion(known)


def _found(name: str, files: Mapping[str, str]) -> Found:
    parts = name.split("/")
    sides = [side for part in parts[:-1] if (side := split_of(part)) is not None]
    kept = [part for part in parts if split_of(part) is None]
    return Found(name, files, "/".join(kept[:-1]) if len(kept) > 1 else name, sides[0] if sides else None)


@dataclass
class _Parts:
    """What is gathered from the files of a drive."""

    channels: dict[str, Series] = field(default_factory=dict)
    unsaid: set[str] = field(default_factory=set)
    placed: dict[str, tuple[Array, dict[str, tuple[Array, float | None]], str]] = field(default_factory=dict)


def read_drive(store: Store, found: Found, log: ProblemLog) -> Drive:
    """One drive, checked.

    Raises:
        DataError: a file cannot be read, has no clock, or the clocks of two files have nothing in common.
    """
    parts = _Parts()
    for file, about in found.files.items():
        columns = read_columns(store, file, log, empty=len(found.files) > 1)
        if len(columns.row):
            _take_in(columns, about, parts, log)
        else:  # a sensor that said nothing: the others may tell enough
            log.add("table-without-rows", "skipped", file)
    if not parts.channels and "fix" not in parts.placed:
        raise DataError(
            "no table holds a reading of a sensor.", "Add rows of wheels, gyroscope or GNSS.", file=found.name
        )
    origin, reference, fixes = _places(parts, found.name, log)
    drive = Drive(found.name, parts.channels, fixes, reference, origin)
    _one_clock(drive)
    drive = replace(drive, channels=_beside_others(drive, log))
    return checked(drive, frozenset(parts.unsaid), log)


def _take_in(columns: Columns, about: str, parts: _Parts, log: ProblemLog) -> None:
    known = meanings(list(columns.values), about)
    stamps = next((one for one in known if one.of == "time"), None)
    if stamps is None:
        hint = "Add a column called time, in seconds."
        raise DataError(
            f"there is no column with times ({', '.join(list(columns.values)[:6])})", hint, file=columns.file
        )
    if len(known) == 1:
        log.add("table-without-known-columns", "skipped", columns.file)
    said = [columns.values[one.column] for one in known if one is not stamps]
    time = fine_clock(columns.values[stamps.column], said, columns.file, log)
    time = in_seconds(time, stamps.factor, columns.file, log)
    clock = clock_of(time, columns.file, int(columns.row[0]), log)
    for one in (one for one in known if one.of == "sensors"):
        values = columns.values[one.column][clock.rows]
        # In a table of everything a sensor says something in some of the rows alone.
        there = np.isfinite(values) if about == "" else np.ones(len(values), bool)
        factor = 1.0 if one.factor is None else one.factor
        if one.what not in parts.channels and there.any():
            parts.channels[one.what] = Series(clock.time[there], values[there] * factor)
            if one.factor is None:
                parts.unsaid.add(one.what)
    for of in ("fix", "reference"):
        columns_of = [one for one in known if one.of == of]
        if columns_of and of not in parts.placed:
            _take_places(of, columns, columns_of, clock.time, clock.rows, parts)


def _take_places(of: str, columns: Columns, known: Sequence[Meaning], time: Array, rows: Array, parts: _Parts) -> None:
    values = {one.what: (columns.values[one.column][rows], one.factor) for one in known}
    pair = ("latitude", "longitude") if {"latitude", "longitude"} <= values.keys() else ("x", "y")
    if not set(pair) <= values.keys():
        return
    there = np.isfinite(values[pair[0]][0]) & np.isfinite(values[pair[1]][0])
    if pair[0] == "latitude":
        there &= (values[pair[0]][0] != 0) | (values[pair[1]][0] != 0)  # a receiver without a fix says 0, 0
    kept = {what: (value[there], factor) for what, (value, factor) in values.items()}
    if there.any():
        parts.placed[of] = (time[there], kept, columns.file)


def _places(parts: _Parts, name: str, log: ProblemLog) -> tuple[tuple[float, float] | None, Path | None, Fixes | None]:
    """The origin, the reference and the fixes, all in one flat frame."""
    origin: tuple[float, float] | None = None
    reference: Path | None = None
    fixes: Fixes | None = None
    if "reference" in parts.placed:
        time, values, file = parts.placed["reference"]
        place, origin = _flat(values, None, file, log)
        reference = Path(time, place, heading_of(time, place, values, file, log))
    if "fix" in parts.placed:
        time, values, file = parts.placed["fix"]
        degrees = "latitude" in values
        values = _exchanged(values, origin, reference, time, file, log)
        place, own = _flat(values, origin, file, log)
        sigma = values["sigma"][0] if "sigma" in values else np.full(len(time), np.nan)
        fixes = Fixes(time, place, sigma)
        if reference is None:
            origin = own
        elif degrees and origin is None:
            fixes = _laid_on(fixes, reference, name, log)
    return origin, reference, fixes


def _flat(
    values: Mapping[str, tuple[Array, float | None]], origin: tuple[float, float] | None, file: str, log: ProblemLog
) -> tuple[Array, tuple[float, float] | None]:
    """(N, 2) metres, and the origin where they were degrees."""
    if "latitude" not in values:
        return np.stack([values[axis][0] * (values[axis][1] or 1.0) for axis in ("x", "y")], axis=1), origin
    degrees = np.stack([values["latitude"][0], values["longitude"][0]], axis=1)
    if np.abs(degrees[:, 0]).max() > 90 and np.abs(degrees[:, 1]).max() <= 90:
        log.add("latitude-and-longitude-swapped", "repaired", file)
        degrees = degrees[:, ::-1]
    if np.abs(degrees[:, 0]).max() > 90 or np.abs(degrees[:, 1]).max() > 360:
        raise DataError("latitudes or longitudes are beyond what degrees can be", "Give them in degrees.", file=file)
    origin = origin or (float(degrees[0, 0]), float(degrees[0, 1]))
    return flat_degrees(degrees, origin), origin


def _exchanged(
    values: dict[str, tuple[Array, float | None]],
    origin: tuple[float, float] | None,
    reference: Path | None,
    time: Array,
    file: str,
    log: ProblemLog,
) -> dict[str, tuple[Array, float | None]]:
    """Fixes with latitude and longitude exchanged where the reference says that they are: half as far off, at most."""
    if "latitude" not in values or reference is None:
        return values
    other = {**values, "latitude": values["longitude"], "longitude": values["latitude"]}
    errors = [_away(one, origin, reference, time) for one in (values, other)]
    if not errors[1] < 0.5 * errors[0] - _SURE_M:
        return values
    log.add("latitude-and-longitude-swapped", "repaired", file)
    return other


def _away(
    values: Mapping[str, tuple[Array, float | None]],
    origin: tuple[float, float] | None,
    reference: Path,
    time: Array,
) -> float:
    """How far fixes usually lie from a reference, metres; laid on it where that has a frame of its own."""
    from assay.evaluation.trajectories import umeyama

    inside = (time >= reference.time[0]) & (time <= reference.time[-1])
    degrees = np.stack([values["latitude"][0], values["longitude"][0]], axis=1)[inside]
    if len(degrees) < 3 or np.abs(degrees[:, 0]).max() > 90 or np.abs(degrees[:, 1]).max() > 360:
        return np.inf
    place = flat_degrees(degrees, origin or (float(degrees[0, 0]), float(degrees[0, 1])))
    true = np.stack([np.interp(time[inside], reference.time, axis) for axis in reference.place.T], axis=1)
    if origin is None:
        place = umeyama(place, true).points(place)
    return float(np.median(np.linalg.norm(place - true, axis=1)))


def _laid_on(fixes: Fixes, reference: Path, name: str, log: ProblemLog) -> Fixes:
    """Fixes in degrees beside a reference in metres of a frame of its own: turned and shifted onto it."""
    from assay.evaluation.trajectories import umeyama

    inside = (fixes.time >= reference.time[0]) & (fixes.time <= reference.time[-1])
    if inside.sum() < 3:
        return fixes
    true = np.stack([np.interp(fixes.time[inside], reference.time, axis) for axis in reference.place.T], axis=1)
    moved = umeyama(fixes.place[inside], true)
    log.add("gnss-laid-on-reference", "repaired", name)
    return Fixes(fixes.time, moved.points(fixes.place), fixes.sigma)


def _beside_others(drive: Drive, log: ProblemLog) -> dict[str, Series]:
    """The sensors without readings long before or after everything else: there a clock jumped, or nobody drove.

    Sensors of one log go on by themselves, such as in a tunnel; it takes another log to say that they should not.
    """
    clocks = [one.time for one in drive.channels.values()]
    places = [one.time for one in (drive.fixes, drive.reference) if one is not None and len(one.time)]
    kept = {}
    for name, series in drive.channels.items():
        others = [time for time in clocks if not np.array_equal(time, series.time)]
        others += places if others else []
        inside = np.ones(len(series.time), bool)
        if others:
            first, last = min(time[0] for time in others), max(time[-1] for time in others)
            inside = (series.time >= first - _BESIDE_S) & (series.time <= last + _BESIDE_S)
        if not inside.all():
            log.add("reading-beside-no-other", "skipped", f"{drive.name}: {name}", count=int((~inside).sum()))
        kept[name] = Series(series.time[inside], series.value[inside], series.mean)
    return kept


def _one_clock(drive: Drive) -> None:
    """Raise where the files of a drive do not count the same seconds."""
    spans = {"its sensors": drive.span} if drive.channels else {}
    for label, known in (("its GNSS", drive.fixes), ("its reference", drive.reference)):
        if known is not None and len(known.time):
            spans[label] = float(known.time[0]), float(known.time[-1])
    names = list(spans)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if (
                max(spans[one][0], spans[other][0]) >= min(spans[one][1], spans[other][1])
                and spans[one][1] > spans[one][0]
            ):
                hint = "Write all files with one clock, such as seconds since 1970."
                told = " and ".join(
                    f"{label} from {spans[label][0]:.1f} to {spans[label][1]:.1f} s" for label in (one, other)
                )
                raise DataError(f"its files have no time in common: {told}", hint, file=drive.name)
