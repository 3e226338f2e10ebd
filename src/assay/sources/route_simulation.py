"""SIMULATED sensors of a car that drives a true path: wheel speeds, gyroscope, GNSS.

All constants stand here, were written down before anything was measured with them, and are not changed afterwards. The
path is real (KITTI's reference poses), so its side slip is real, too; what the sensors say of it is drawn:

* **wheel speeds** of the left and right rear wheel: the true speed of each wheel's place, times a scale that is drawn
  once for each drive (tyre wear, pressure, temperature), plus slip that grows with lateral acceleration, plus white
  noise;
* **gyroscope**, three axes: the true rate, plus a bias that walks at random from a drawn start, plus white noise;
* **GNSS**: the true place, plus white noise, once a second, with gaps.

Readings are the means of what a sensor gives between two poses, as an integrating logger writes them; white noise is
therefore given as a density, and its deviation follows from the time between two poses.

Sources of the values:

* wheel scale: the issue's ±2 %; between the wheels of an axle .2 %, about what a tyre's pressure .3 bar off does
  (indirect pressure monitoring has to notice 20 %, UN ECE R64);
* wheel noise: the wheel speeds of the car in comma2k19's example scatter by .026 to .034 m/s at 83 Hz;
* load transfer: .44 mm of rolling radius a wheel and m/s². A rear axle that carries 750 kg with its centre of gravity
  .55 m high over a track of 1.55 m moves 266 N from wheel to wheel for each m/s²; a tyre of 200 kN/m gives 1.33 mm; the
  rolling radius changes by a third of that (Jazar, "Vehicle Dynamics", the chapter on tyre dynamics); of .316 m
  (205/55 R16) that is .14 %;
* longitudinal slip: the force against cornering drag, mass times lateral acceleration times a slip angle of 3.7 degrees
  for each g, over 156 kN of slip stiffness of the driven axle, rounded up to 1e-4 for each (m/s²)²;
* gyroscope: Bosch BMI088, .014 (degrees/s)/sqrt(Hz); offset .015 degrees/s for each kelvin. The start stands for some
  seven kelvin since it was last calibrated, the walk for four kelvin within a quarter of an hour;
* GNSS: the issue's 3 m each second with gaps of 20 s, one in each minute.

Shapes: N poses, M = N - 1 steps between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: The most by which all wheels of a drive measure too much or too little, each value equally probable.
WHEEL_SCALE = 0.02
#: Deviation of a single wheel's scale from that of its drive.
WHEEL_DIFFERENCE = 0.002
#: White noise of a wheel's speed, (m/s)/sqrt(Hz).
WHEEL_NOISE = 0.003
#: Between the rear wheels, metres.
TRACK_M = 1.55
#: By which share the outer wheel turns faster, and the inner one slower, for each m/s² of lateral acceleration.
LOAD_SLIP = 0.0014
#: By which share both wheels turn faster for each (m/s²)² of lateral acceleration.
DRIVE_SLIP = 1e-4
#: Deviation of each axis' gyroscope bias at the start of a drive, rad/s.
GYRO_BIAS = math.radians(0.1)
#: How far it walks at random, (rad/s)/sqrt(s).
GYRO_WALK = math.radians(0.002)
#: White noise of the gyroscope, (rad/s)/sqrt(Hz).
GYRO_NOISE = math.radians(0.014)
#: Deviation of a GNSS fix, metres along each horizontal axis; seconds between fixes.
GNSS_NOISE_M, GNSS_EVERY_S = 3.0, 1.0
#: Of each so many seconds, so many have no fix.
GNSS_CYCLE_S, GNSS_GAP_S = 60.0, 20.0


@dataclass(frozen=True)
class Motion:
    """What truly happens between the poses of a drive, in the frame of the car: x ahead, y to the left, z up.

    Attributes:
        time: (N,) seconds of the poses.
        speed: (M, 2) m/s of the middle of the rear axle, ahead and to the left.
        rate: (M, 3) rad/s of the turning about x, y and z.
        place: (N, 2) metres, where it is from above.
    """

    time: Array
    speed: Array
    rate: Array
    place: Array


@dataclass(frozen=True)
class Readings:
    """What the simulated sensors say.

    Attributes:
        wheels: (M, 2) m/s, left and right rear wheel.
        gyro: (M, 3) rad/s.
        gnss: (N, 2) metres, NaN where there is no fix.
    """

    wheels: Array
    gyro: Array
    gnss: Array


def simulated(motion: Motion, random: np.random.Generator) -> Readings:
    """One draw of all sensors of a drive.

    Args:
        motion: the truth.
        random: where the draws come from.
    """
    step_s = np.diff(motion.time)
    return Readings(
        _wheels(motion, step_s, random), _gyro(motion.rate, step_s, random), _gnss(motion.time, motion.place, random)
    )


def _wheels(motion: Motion, step_s: Array, random: np.random.Generator) -> Array:
    scale = 1 + random.uniform(-WHEEL_SCALE, WHEEL_SCALE) + random.normal(0, WHEEL_DIFFERENCE, 2)
    noise = random.normal(0, WHEEL_NOISE, (len(step_s), 2)) / np.sqrt(step_s)[:, None]
    ahead, turning = motion.speed[:, 0], motion.rate[:, 2]
    lateral = ahead * turning
    right = np.asarray([-1.0, 1.0])  # a turn to the left is positive, and makes the right wheel the outer one
    true = ahead[:, None] + right * turning[:, None] * TRACK_M / 2
    slip = LOAD_SLIP * lateral[:, None] * right + DRIVE_SLIP * (lateral**2)[:, None]
    return np.asarray(true * scale * (1 + slip) + noise)


def _gyro(rate: Array, step_s: Array, random: np.random.Generator) -> Array:
    start = random.normal(0, GYRO_BIAS, 3)
    walk = random.normal(0, GYRO_WALK, rate.shape) * np.sqrt(step_s)[:, None]
    noise = random.normal(0, GYRO_NOISE, rate.shape) / np.sqrt(step_s)[:, None]
    return np.asarray(rate + start + np.cumsum(walk, axis=0) + noise)


def _gnss(time: Array, place: Array, random: np.random.Generator) -> Array:
    phase, gap = random.uniform(0, GNSS_EVERY_S), random.uniform(0, GNSS_CYCLE_S)
    noise = random.normal(0, GNSS_NOISE_M, place.shape)
    count = np.floor((time - time[0] + phase) / GNSS_EVERY_S)
    fixed = np.r_[True, np.diff(count) > 0]
    fixed &= (time - time[0] + gap) % GNSS_CYCLE_S >= GNSS_GAP_S
    return np.where(fixed[:, None], place + noise, np.nan)
