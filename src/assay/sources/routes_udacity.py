"""The text file of Udacity's course on the extended Kalman filter: SIMULATED lidar and radar sightings, with the truth.

    L  x  y                 microseconds  x  y  vx  vy  heading  turning
    R  distance angle speed microseconds  x  y  vx  vy  heading  turning

Read as a drive, a sighting is a fix of the place: there are no wheels and no gyroscope, so nothing tells motion between
fixes. `Sightings` keeps what the radar says as it says it, for a filter that can use it.

Shapes: N lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._route import Drive, Fixes, Path

Array = np.ndarray[Any, Any]
#: Deviations that the course gives: of the lidar's places, of the radar's distance and angle.
LIDAR_M, RADAR_M, RADAR_ANGLE = 0.15, 0.3, 0.03
_HINT = "Each line: L x y time truth…, or R distance angle speed time truth…, separated by tabs."


@dataclass(frozen=True)
class Sightings:
    """What the file holds.

    Attributes:
        time: (N,) seconds.
        radar: (N,) bool; else it is the lidar.
        value: (N, 3) x, y and NaN of the lidar; metres, radians and m/s of the radar.
        truth: (N, 4) x, y and their speeds.
        heading: (N,) radians; NaN where it is not given.
    """

    time: Array
    radar: Array
    value: Array
    truth: Array
    heading: Array


def is_udacity(content: bytes) -> bool:
    """Whether a file begins like one."""
    parts = content[:200].split(b"\n")[0].split()
    return len(parts) >= 8 and parts[0] in (b"L", b"R")


def sightings(content: bytes, file: str) -> Sightings:
    """All lines of a file; raises `DataError` with the line that is none."""
    rows = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        count = {"L": 2, "R": 3}.get(parts[0], 0)
        try:
            values = [float(part) for part in parts[1:]]
        except ValueError:
            values = []
        if not count or len(values) < count + 5 or not np.isfinite(values).all():
            raise DataError("this line is no sighting", _HINT, file=file, row=number)
        truth = values[count + 1 : count + 6]
        truth += [np.nan] * (5 - len(truth))
        rows.append([values[count] * 1e-6, count == 3, *values[:count], *[np.nan] * (3 - count), *truth])
    if len(rows) < 2:
        raise DataError("there are no sightings", _HINT, file=file)
    table = np.asarray(rows, float)
    if (np.diff(table[:, 0]) < 0).any():
        raise DataError("its times do not ascend", _HINT, file=file)
    return Sightings(table[:, 0], table[:, 1] == 1, table[:, 2:5], table[:, 5:9], table[:, 9])


def udacity_drive(content: bytes, file: str, name: str) -> Drive:
    """The file as a drive of fixes."""
    found = sightings(content, file)
    distance, angle = found.value[:, 0], found.value[:, 1]
    seen = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
    place = np.where(found.radar[:, None], seen, found.value[:, :2])
    sigma = np.where(found.radar, np.hypot(RADAR_M, RADAR_ANGLE * distance), LIDAR_M)
    course = np.arctan2(found.truth[:, 3], found.truth[:, 2])
    heading = np.unwrap(np.where(np.isfinite(found.heading), found.heading, course))
    keep = np.r_[True, np.diff(found.time) > 0]
    reference = Path(found.time[keep], found.truth[keep, :2], heading[keep])
    return Drive(name, {}, Fixes(found.time[keep], place[keep], sigma[keep]), reference)
