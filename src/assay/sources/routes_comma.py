"""comma2k19's processed logs: a folder for each minute, with arrays of times and values for each sensor.

    DRIVE/SEGMENT/processed_log/CAN/wheel_speed/{t,value}      front left, front right, rear left, rear right, m/s
    DRIVE/SEGMENT/processed_log/CAN/{speed,steering_angle}     m/s; degrees, positive to the left
    DRIVE/SEGMENT/processed_log/IMU/{gyro,accelerometer}       ahead, right, down
    DRIVE/SEGMENT/processed_log/GNSS/live_gnss_ublox           latitude, longitude, speed, …
    DRIVE/SEGMENT/global_pose/frame_{times,positions,orientations}

The arrays' names end in `.npy` or not. The minutes of a drive are a group.

Source: Schafer et al., "A commute in data: the comma2k19 dataset", arXiv:1812.05752, 2018.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._geodesy import axes_at, degrees_of, flat_degrees, flat_places
from assay.sources._route import Drive, Fixes, Path, Series
from assay.sources._route_checks import checked
from assay.sources._route_clock import clock_of
from assay.sources.records import ProblemLog
from assay.sources.routes_folder import Found
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
_LOG, _POSE = "processed_log/", "global_pose/frame_positions"
#: By folder: the channels of its columns, and what each is multiplied by to be in our axes and units.
_SENSORS = {
    "CAN/wheel_speed": (("wheel_fl", "wheel_fr", "wheel_rl", "wheel_rr"), (1.0, 1.0, 1.0, 1.0)),
    "CAN/speed": (("speed",), (1.0,)),
    "CAN/steering_angle": (("steering",), (np.pi / 180,)),
    "IMU/gyro": (("gyro_x", "gyro_y", "gyro_z"), (1.0, -1.0, -1.0)),
    "IMU/accelerometer": (("accel_x", "accel_y", "accel_z"), (1.0, -1.0, -1.0)),
}
#: Receivers, the better one first.
_RECEIVERS = ("GNSS/live_gnss_ublox", "GNSS/live_gnss_qcom")


def comma_drives(store: Store) -> list[Found]:
    """The minutes that a folder holds; empty where there is none."""
    found = {}
    for name in store.names:
        folder, mark, rest = name.partition(_LOG)
        if mark and rest.split("/")[0] in ("CAN", "IMU", "GNSS"):
            found[folder.rstrip("/")] = folder
    drives = []
    for segment, folder in sorted(found.items()):
        name = segment or store.path.name
        above, _, last = segment.rpartition("/")
        drives.append(Found(name, {folder: ""}, above if above and last.isdigit() else name))
    return drives


def read_comma(store: Store, found: Found, log: ProblemLog) -> Drive:
    """One minute, checked."""
    (folder,) = found.files
    known = set(store.names)
    channels: dict[str, Series] = {}
    for place, (names, factors) in _SENSORS.items():
        pair = _pair(store, known, f"{folder}{_LOG}{place}", len(names), log)
        if pair is None:
            log.add("missing-file", "kept", f"{folder}{_LOG}{place}")
            continue
        for column, (name, factor) in enumerate(zip(names, factors, strict=True)):
            channels[name] = Series(pair[0], pair[1][:, column] * factor)
    reference, origin = _reference(store, known, folder, log)
    fixes = None
    for place in _RECEIVERS:
        pair = _pair(store, known, f"{folder}{_LOG}{place}", 6, log)
        if pair is not None and len(pair[0]) > 1 and fixes is None:
            origin = origin or (float(pair[1][0, 0]), float(pair[1][0, 1]))
            fixes = Fixes(pair[0], flat_degrees(pair[1][:, :2], origin), np.full(len(pair[0]), np.nan))
    return checked(Drive(found.name, channels, fixes, reference, origin), frozenset(), log)


def _reference(
    store: Store, known: set[str], folder: str, log: ProblemLog
) -> tuple[Path | None, tuple[float, float] | None]:
    pose = f"{folder}global_pose/frame_"
    names = [_named(known, pose + what) for what in ("times", "positions", "orientations")]
    if None in names:
        return None, None
    time, place, turn = (_array(store, str(name)) for name in names)
    if not len(time) == len(place) == len(turn) or len(time) < 2:
        raise DataError("its arrays differ in length", "Download this segment again.", file=f"{folder}global_pose")
    clock = clock_of(time, f"{folder}global_pose", 0, log)
    place, turn = place[clock.rows], turn[clock.rows]
    degrees = degrees_of(place[:1])[0]
    origin = (float(degrees[0]), float(degrees[1]))
    w, x, y, z = turn.T  # from the car's axes to earth-centred ones; its first axis looks ahead
    ahead = np.stack([1 - 2 * (y**2 + z**2), 2 * (x * y + w * z), 2 * (x * z - w * y)], axis=1)
    east, north, _ = (ahead @ axes_at(origin).T).T
    heading = np.unwrap(np.arctan2(north, east))
    return Path(clock.time, flat_places(place, origin), heading), origin


def _pair(store: Store, known: set[str], folder: str, columns: int, log: ProblemLog) -> tuple[Array, Array] | None:
    """Times and values (N, columns) of a sensor; None where it is not there."""
    names = [_named(known, f"{folder}/{what}") for what in ("t", "value")]
    if None in names:
        return None
    time, value = (_array(store, str(name)) for name in names)
    value = value[:, None] if value.ndim == 1 else value
    if len(time) != len(value) or value.shape[1] < columns:
        raise DataError(
            f"{len(time)} times do not fit values of the shape {value.shape}", "Copy the files again.", file=folder
        )
    clock = clock_of(time, folder, 0, log)
    return clock.time, value[clock.rows]


def _named(known: set[str], name: str) -> str | None:
    return next((one for one in (name, f"{name}.npy") if one in known), None)


def _array(store: Store, name: str) -> Array:
    try:
        return np.asarray(np.load(io.BytesIO(store.read(name)), allow_pickle=False), float)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"the array cannot be read ({error})", "Download it again.", file=name) from error
