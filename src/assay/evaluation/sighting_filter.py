"""An extended Kalman filter of something that moves with a constant speed, seen by lidar and radar.

The filter of Udacity's course: its data has published errors, so that it proves the formulas. States are x, y and their
speeds.

Source: Thrun, Burgard and Fox, "Probabilistic Robotics", 2005, chapter 3; process noise of a random acceleration,
Bar-Shalom, Li and Kirubarajan, "Estimation with applications to tracking and navigation", 2001, chapter 6.

Shapes: N sightings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from assay.sources.routes_udacity import Sightings

Array = np.ndarray[Any, Any]
#: m/s², the deviation of the acceleration that is not known, as the course gives it.
ACCELERATION = 3.0
#: (m/s)², of a speed that nothing is known about.
_UNKNOWN = 1000.0


def followed_sightings(found: Sightings, *, radar: bool = True, lidar: bool = True) -> Array:
    """(N, 4) x, y and their speeds after each sighting.

    Args:
        found: the sightings.
        radar: whether the radar's are used.
        lidar: whether the lidar's are.
    """
    from assay.sources.routes_udacity import LIDAR_M, RADAR_ANGLE, RADAR_M

    lidar_noise, radar_noise = np.diag([LIDAR_M**2] * 2), np.diag([RADAR_M**2, RADAR_ANGLE**2, RADAR_M**2])
    state, covariance = np.zeros(4), np.diag([1.0, 1.0, _UNKNOWN, _UNKNOWN])
    states = np.zeros((len(found.time), 4))
    state[:2] = _place(found, 0)
    for number in range(len(found.time)):
        if number:
            state, covariance = _moved(state, covariance, float(found.time[number] - found.time[number - 1]))
        if found.radar[number] and radar:
            state, covariance = _radar(state, covariance, found.value[number], radar_noise)
        elif not found.radar[number] and lidar:
            off = found.value[number, :2] - state[:2]
            state, covariance = _corrected(state, covariance, np.eye(2, 4), off, lidar_noise)
        states[number] = state
    return states


def _place(found: Sightings, number: int) -> Array:
    first, second = found.value[number, :2]
    return np.asarray([first * np.cos(second), first * np.sin(second)] if found.radar[number] else [first, second])


def _moved(state: Array, covariance: Array, seconds: float) -> tuple[Array, Array]:
    move = np.eye(4)
    move[0, 2] = move[1, 3] = seconds
    push = np.asarray([[seconds**2 / 2, 0], [0, seconds**2 / 2], [seconds, 0], [0, seconds]])
    return move @ state, move @ covariance @ move.T + ACCELERATION**2 * push @ push.T


def _radar(state: Array, covariance: Array, seen: Array, noise: Array) -> tuple[Array, Array]:
    x, y, vx, vy = state
    distance = max(float(np.hypot(x, y)), 1e-3)
    speed = (x * vx + y * vy) / distance
    across = (vx * y - vy * x) / distance**3
    slope = np.asarray([
        [x / distance, y / distance, 0, 0],
        [-y / distance**2, x / distance**2, 0, 0],
        [y * across, -x * across, x / distance, y / distance],
    ])  # fmt: skip
    off = seen - np.asarray([distance, np.arctan2(y, x), speed])
    off[1] = (off[1] + np.pi) % (2 * np.pi) - np.pi
    return _corrected(state, covariance, slope, off, noise)


def _corrected(state: Array, covariance: Array, slope: Array, off: Array, noise: Array) -> tuple[Array, Array]:
    gain = np.linalg.solve(slope @ covariance @ slope.T + noise, slope @ covariance).T
    return state + gain @ off, (np.eye(4) - gain @ slope) @ covariance
