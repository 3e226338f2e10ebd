"""KITTI odometry's reference poses, a text file a route, with sensors that are SIMULATED from the true path.

Each line holds the upper three rows of a pose, twelve numbers, of the left camera: x to the right, y down, z ahead.
A column of seconds may stand before them; without it poses are .1 s apart, as KITTI's are in the mean.

Source: Geiger, Lenz and Urtasun, "Are we ready for autonomous driving? The KITTI vision benchmark suite", CVPR 2012.

Shapes: N poses, M = N - 1 steps.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._digest import content_digest
from assay.sources._route import Drive, Fixes, Path, Series
from assay.sources.route_simulation import GNSS_NOISE_M, Motion, simulated

Array = np.ndarray[Any, Any]
#: Seconds between poses where the file does not say, and between those that sensors are simulated at.
_STEP_S = 0.1
#: From the camera back to the middle of the rear axle, metres: the place whose way to the side does not grow with the
#: rate of turning at low speed, by a fit to routes 00 to 06.
REAR_AXLE_M = 1.02
#: Columns of a line, with or without time.
WIDTHS = (12, 13)


def pose_rows(content: bytes, file: str) -> tuple[Array, Array]:
    """(N,) seconds and (N, 4, 4) poses of a file.

    Raises:
        DataError: it holds no such rows, or fewer than two.
    """
    try:
        rows = np.loadtxt(io.BytesIO(content), ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        hint = "Each line holds twelve numbers of a pose, or a time and twelve numbers."
        raise DataError(f"it holds no poses ({error})", hint, file=file) from error
    if rows.shape[1] not in WIDTHS or len(rows) < 2 or not np.isfinite(rows).all():
        hint = "Each line holds twelve numbers of a pose, or a time and twelve numbers."
        raise DataError(f"it holds no poses, but {len(rows)} rows of {rows.shape[1]} numbers", hint, file=file)
    timed = rows.shape[1] == WIDTHS[1]
    time = rows[:, 0] if timed else _STEP_S * np.arange(len(rows))
    if (np.diff(time) <= 0).any():
        row = int(np.flatnonzero(np.diff(time) <= 0)[0]) + 2
        raise DataError("its times do not ascend", "Sort the rows by time.", file=file, row=row)
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows[:, -12:].reshape(-1, 3, 4)
    return time, poses


def true_motion(time: Array, poses: Array) -> tuple[Motion, Path]:
    """What truly happens at every tenth of a second, and where the middle of the rear axle then is."""
    from scipy.spatial.transform import Rotation, Slerp

    camera = np.asarray([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])  # the car's x, y, z in the camera's axes
    turned = Rotation.from_matrix(camera @ poses[:, :3, :3] @ camera.T)
    place = poses[:, :3, 3] @ camera.T - REAR_AXLE_M * turned.apply([1.0, 0, 0])
    clock = np.arange(time[0], time[-1], _STEP_S)
    rotation = Slerp(time, turned)(clock)
    place = np.stack([np.interp(clock, time, axis) for axis in place.T], axis=1)
    turn = (rotation[:-1].inv() * rotation[1:]).as_rotvec()
    middle = rotation[:-1] * Rotation.from_rotvec(turn / 2)
    moved = middle.inv().apply(np.diff(place, axis=0))
    ahead = rotation.apply([1.0, 0, 0])
    heading = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    motion = Motion(clock, moved[:, :2] / _STEP_S, turn / _STEP_S, place[:, :2])
    return motion, Path(clock, place[:, :2], heading)


def kitti_drive(content: bytes, file: str, name: str, draw: int, with_gnss: bool) -> Drive:
    """A route with one draw of SIMULATED sensors.

    Args:
        content: of the file.
        file: how messages name it.
        name: of the drive.
        draw: which draw; the same file name and draw give the same sensors on every machine.
        with_gnss: whether the car has a receiver.
    """
    motion, path = true_motion(*pose_rows(content, file))
    route = int(content_digest(file.rpartition("/")[2].encode())[:8], 16)
    found = simulated(motion, np.random.default_rng([route, draw]))
    fixed = np.isfinite(found.gnss).all(axis=1)
    fixes = Fixes(motion.time[fixed], found.gnss[fixed], np.full(int(fixed.sum()), GNSS_NOISE_M))
    values = {"wheel_rl": found.wheels[:, 0], "wheel_rr": found.wheels[:, 1]}
    values |= {f"gyro_{axis}": found.gyro[:, place] for place, axis in enumerate("xyz")}
    channels = {label: Series(motion.time, np.r_[value[:1], value], mean=True) for label, value in values.items()}
    return Drive(name, channels, fixes if with_gnss else None, path, None, motion)
