"""What is answered about a drive: where the car was, step by step, and how sure that is.

Shapes: N poses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Track:
    """Where a car was; also a true path, which is then without spread.

    Attributes:
        time: (N,) seconds on the drive's clock.
        place: (N, 2) metres east and north.
        heading: (N,) radians from east to north, without jumps.
        spread: (N, 4) variances of east and north, their covariance, and the variance of the heading; no rows where
            they are not known.
        anchored: the places are where GNSS has them; else the track begins at (0, 0) towards the east.
        origin: latitude and longitude, degrees, of (0, 0), where that is known.
    """

    time: Array
    place: Array
    heading: Array
    spread: Array
    anchored: bool = False
    origin: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.time)

    @property
    def length_m(self) -> float:
        """Metres along the track."""
        return float(np.linalg.norm(np.diff(self.place, axis=0), axis=1).sum()) if len(self) > 1 else 0.0

    def at(self, time: Array) -> Track:
        """The track at other times, which lie within its own, on lines between its poses."""
        place = np.stack([np.interp(time, self.time, axis) for axis in self.place.T], axis=1)
        heading = np.interp(time, self.time, self.heading)
        spread = self.spread
        if len(spread):
            spread = np.stack([np.interp(time, self.time, one) for one in spread.T], axis=1)
        return Track(time, place, heading, spread, self.anchored, self.origin)


@dataclass(frozen=True)
class Pose:
    """One pose of an answer.

    Attributes:
        time: seconds on the drive's clock.
        east: metres.
        north: metres.
        heading: degrees from east to north, from -180 to 180.
        sigma_m: the deviation of the place, metres, in the direction in which it is largest.
        sigma_deg: the deviation of the heading, degrees.
        latitude: degrees, where the origin is known.
        longitude: degrees, likewise.
    """

    time: float
    east: float
    north: float
    heading: float
    sigma_m: float
    sigma_deg: float
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class TrackAnswer:
    """The answer about a drive.

    Attributes:
        seconds: how long it lasted.
        metres: how far it went.
        anchored: the places are where GNSS has them; else they begin at (0, 0) towards the east.
        sigma_m: the largest deviation of a place, metres.
        poses: step by step.
    """

    seconds: float
    metres: float
    anchored: bool
    sigma_m: float
    poses: tuple[Pose, ...]


def largest_sigma(spread: Array) -> Array:
    """(N,) metres, the deviation in the direction in which it is largest, of spreads (N, 4)."""
    half = (spread[:, 0] + spread[:, 1]) / 2
    apart = np.hypot((spread[:, 0] - spread[:, 1]) / 2, spread[:, 2])
    return np.asarray(np.sqrt(np.maximum(half + apart, 0.0)))


def answered(track: Track) -> TrackAnswer:
    """A track as users read it."""
    sigma = largest_sigma(track.spread)
    degrees = _degrees(track)
    poses = tuple(_pose(track, sigma, degrees, row) for row in range(len(track)))
    seconds = float(track.time[-1] - track.time[0]) if len(track) else 0.0
    largest = round(float(sigma.max(initial=0.0)), 3)
    return TrackAnswer(round(seconds, 3), round(track.length_m, 2), track.anchored, largest, poses)


def _degrees(track: Track) -> Array | None:
    from assay.sources._geodesy import back_to_degrees

    return None if track.origin is None else back_to_degrees(track.place, track.origin)


def _pose(track: Track, sigma: Array, degrees: Array | None, row: int) -> Pose:
    east, north = track.place[row]
    heading = float(np.degrees((track.heading[row] + np.pi) % (2 * np.pi) - np.pi))
    turn = float(np.degrees(np.sqrt(max(0.0, track.spread[row, 3]))))
    known = (None, None) if degrees is None else tuple(round(float(one), 8) for one in degrees[row])
    return Pose(
        round(float(track.time[row]), 4), round(float(east), 3), round(float(north), 3), round(heading, 4),
        round(float(sigma[row]), 4), round(turn, 4), *known,
    )  # fmt: skip


def together(track: Track, truth: Track) -> tuple[Track, Track]:
    """Both at the true path's times that the track covers."""
    if not len(track) or not len(truth):
        empty = truth.at(np.zeros(0)) if len(truth) else Track(np.zeros(0), np.zeros((0, 2)), np.zeros(0), truth.spread)
        return empty, empty
    inside = (truth.time >= track.time[0] - 1e-6) & (truth.time <= track.time[-1] + 1e-6)
    times = truth.time[inside]
    return track.at(times), truth.at(times)
