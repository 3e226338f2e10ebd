"""An expert for CarRacing-v3 that sees the whole track: a smooth line, a speed for each bend, pure pursuit.

Steering by pure pursuit (R. C. Coulter, "Implementation of the pure pursuit path tracking algorithm", 1992); the speed
before a bend follows from what the tyres bear there and from how hard the car brakes. Tuned on tracks from number 20000
on (see `simulator.TUNED_ON`), not for the last second of a lap: a policy has to see in a frame what it brakes for, so
that the expert brakes late and hard enough for bends in view.

Shapes: N points of a track. Lengths are metres of the simulator, speeds metres a second, angles radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_WHEELBASE = 3.24
#: Passes and step of the smoothing of the line.
_PASSES, _STEP = 300, 0.06
#: Points to both sides that a bend is measured over, and those that are looked at for the nearest one.
_APART, _BEHIND, _AHEAD = 3, 8, 25
#: Beyond this distance from the line, and this angle to the way, the car comes back slowly, at these speeds.
_FAR, _ASIDE, _RETURNING, _TURNING = 9.0, 0.5, 40.0, 12.0
#: Further than this from the points near the last one, it looks for the nearest of all.
_LOST = 25.0


@dataclass(frozen=True)
class Setup:
    """How the expert drives.

    Attributes:
        margin: how far the line may lie from the middle of the road, whose half width is 6.7.
        grip: the sideways acceleration that a bend may take.
        braking: the deceleration before one.
        fastest: the speed on a straight.
        look: the distance of the point that is steered for, at rest.
        look_s: seconds of way that are added to it.
        gain: of the steering.
    """

    margin: float = 2.5
    grip: float = 120.0
    braking: float = 60.0
    fastest: float = 76.0
    look: float = 6.0
    look_s: float = 0.16
    gain: float = 1.3


class RacingLine:
    """Where to drive on one track, and how fast.

    Args:
        places: (N, 2) the middle of the road, a closed line in the direction of travel.
        setup: see `Setup`.
    """

    def __init__(self, places: Array, setup: Setup) -> None:
        self._setup = setup
        self.line = _smooth(places, setup.margin)
        self._way = np.linalg.norm(np.roll(self.line, -1, axis=0) - self.line, axis=1)
        self.speeds = _speeds(self.line, self._way, setup)
        self._at: int | None = None

    def action(self, place: Array, angle: float, velocity: Array) -> Array:
        """(3,) steering (left is negative), throttle and brake.

        Args:
            place: (2,) of the car.
            angle: of the car, 0 where it points along the second axis.
            velocity: (2,) of the car.
        """
        setup, speed = self._setup, float(np.hypot(*velocity))
        at = self._nearest(place)
        target = self._ahead(at, setup.look + setup.look_s * speed) - place
        right = float(target @ (math.cos(angle), math.sin(angle)))
        ahead = float(target @ (-math.sin(angle), math.cos(angle)))
        bend = math.atan(2 * _WHEELBASE * right / max(right**2 + ahead**2, 1e-3))
        steering = setup.gain * bend if ahead > 0 else math.copysign(0.4, right)
        lack = self._bearable(at, place, math.atan2(right, ahead)) - speed
        throttle, brake = np.clip(0.1 * lack, 0, 1), np.clip(-0.04 * (lack + 1), 0, 0.8)
        return np.asarray([np.clip(steering, -1, 1), throttle, brake], np.float32)

    def _bearable(self, at: int, place: Array, aside: float) -> float:
        """The speed for here; less where the car lies far off the line, or the way leads far aside (radians)."""
        speed = float(min(self.speeds[at], self.speeds[(at + 1) % len(self.line)]))
        if np.hypot(*(self.line[at] - place)) > _FAR:
            speed = min(speed, _RETURNING)
        if abs(aside) > _ASIDE:
            speed = min(speed, max(_TURNING, _RETURNING * math.cos(aside)))
        return speed

    def _nearest(self, place: Array) -> int:
        """The nearest point of the line, near the one before, since a track may come close to itself."""
        near = np.arange(len(self.line)) if self._at is None else (self._at + np.arange(-_BEHIND, _AHEAD))
        near = near % len(self.line)
        self._at = int(near[np.argmin(((self.line[near] - place) ** 2).sum(axis=1))])
        if np.hypot(*(self.line[self._at] - place)) > _LOST:
            self._at = int(np.argmin(((self.line - place) ** 2).sum(axis=1)))
        return self._at

    def _ahead(self, at: int, distance: float) -> Array:
        while distance > 0:
            distance -= self._way[at]
            at = (at + 1) % len(self.line)
        return np.asarray(self.line[at])


def _smooth(places: Array, margin: float) -> Array:
    """The line within the margin whose direction changes least from point to point."""
    along = np.roll(places, -1, axis=0) - np.roll(places, 1, axis=0)
    across = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    offset = np.zeros(len(places))
    for _ in range(_PASSES):
        line = places + offset[:, None] * across
        bent = np.roll(line, 1, axis=0) - 2 * line + np.roll(line, -1, axis=0)
        pull = np.roll(bent, 1, axis=0) - 2 * bent + np.roll(bent, -1, axis=0)
        offset = np.clip(offset - _STEP * (pull * across).sum(axis=1), -margin, margin)
    return np.asarray(places + offset[:, None] * across)


def _speeds(line: Array, way: Array, setup: Setup) -> Array:
    """(N,) how fast each point may be passed, so that every bend ahead can still be braked for."""
    before, behind = line - np.roll(line, _APART, axis=0), np.roll(line, -_APART, axis=0) - line
    turned = np.arctan2(before[:, 0] * behind[:, 1] - before[:, 1] * behind[:, 0], (before * behind).sum(axis=1))
    length = (np.linalg.norm(before, axis=1) + np.linalg.norm(behind, axis=1)) / 2
    bend = np.abs(turned) / np.maximum(length, 1e-6)
    speeds = np.minimum(setup.fastest, np.sqrt(setup.grip / np.maximum(bend, 1e-4)))
    for at in [*range(len(line) - 1, -1, -1)] * 2:
        after = speeds[(at + 1) % len(line)]
        speeds[at] = min(speeds[at], math.sqrt(after**2 + 2 * setup.braking * way[at]))
    return np.asarray(speeds)
