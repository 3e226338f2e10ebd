"""Made-up drives for `assay demo positioning`: SIMULATED from end to end, the way and the sensors.

A car goes through a town: straight roads, turns, stops at crossings. Its sensors are those of `route_simulation`.

Shapes: M steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.sources._route import Drive, Fixes, Path, Series
from assay.sources.route_simulation import GNSS_NOISE_M, Motion, simulated

Array = np.ndarray[Any, Any]
_STEP_S = 0.1
#: Of a turn: radians, its radius in metres. Metres between crossings. The share of crossings at which the car stops.
_TURN, _RADIUS_M, _BLOCK_M, _STOPS = np.pi / 2, (8.0, 25.0), (60.0, 250.0), 0.3
#: m/s on a straight road and in a turn; m/s² of speeding up and braking.
_SPEED, _IN_TURN, _PULL = (8.0, 15.0), 6.0, 1.5
#: Radians to the outside for each m/s² of lateral acceleration: how the rear axle slips.
_SLIP = 0.005


def made_drives(count: int = 36, seconds: float = 90.0, seed: int = 0) -> list[Drive]:
    """So many SIMULATED drives; the same seed gives the same."""
    return [_drive(f"SIMULATED drive {number + 1:02}", seconds, np.random.default_rng([seed, number]))
            for number in range(count)]  # fmt: skip


def _drive(name: str, seconds: float, random: np.random.Generator) -> Drive:
    speed, turning = _town(round(seconds / _STEP_S), random)
    heading = np.concatenate([[0.0], np.cumsum(turning * _STEP_S)])
    left = -_SLIP * speed**2 * turning
    middle = (heading[1:] + heading[:-1]) / 2
    east = speed * np.cos(middle) - left * np.sin(middle)
    north = speed * np.sin(middle) + left * np.cos(middle)
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(np.stack([east, north], axis=1) * _STEP_S, axis=0)])
    time = np.arange(len(place)) * _STEP_S
    rate = np.stack([np.zeros_like(turning), np.zeros_like(turning), turning], axis=1)
    motion = Motion(time, np.stack([speed, left], axis=1), rate, place)
    said = simulated(motion, random)
    values = {"wheel_rl": said.wheels[:, 0], "wheel_rr": said.wheels[:, 1], "gyro_z": said.gyro[:, 2]}
    channels = {key: Series(time, np.r_[value[:1], value], mean=True) for key, value in values.items()}
    fixed = np.isfinite(said.gnss).all(axis=1)
    fixes = Fixes(time[fixed], said.gnss[fixed], np.full(int(fixed.sum()), GNSS_NOISE_M))
    return Drive(name, channels, fixes, Path(time, place, heading), None, motion)


def _town(steps: int, random: np.random.Generator) -> tuple[Array, Array]:
    """(M,) m/s and (M,) rad/s of a car that goes from crossing to crossing."""
    speed, turning = np.zeros(steps), np.zeros(steps)
    now, left_m, turn, radius = random.uniform(*_SPEED), random.uniform(*_BLOCK_M), 0.0, 20.0
    cruise, wait = now, 0
    for step in range(steps):
        if wait:
            wait -= 1
            now = 0.0
        else:
            wanted = _IN_TURN if turn else min(cruise, np.sqrt(_IN_TURN**2 + 2 * _PULL * max(left_m - 5.0, 0.0)))
            now += float(np.clip(wanted - now, -2 * _PULL * _STEP_S, _PULL * _STEP_S))
        way = now * _STEP_S
        if turn:
            bent = np.sign(turn) * min(abs(turn), way / radius)
            turning[step] = bent / _STEP_S
            turn -= bent
            turn = 0.0 if abs(turn) < 1e-9 else turn
        else:
            left_m -= way
            if left_m <= 0:
                turn, radius = float(random.choice([-_TURN, 0.0, _TURN])), random.uniform(*_RADIUS_M)
                left_m, cruise = random.uniform(*_BLOCK_M), random.uniform(*_SPEED)
                wait = int(random.uniform(3, 8) / _STEP_S) if random.random() < _STOPS else 0
        speed[step] = now
    return speed, turning
