"""Where a car is by a classical model: dead reckoning, and an extended Kalman filter of everything that lasts.

Shapes: B drives, T steps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.pose_filter import Odometry, filtered
from assay.evaluation.route_tracks import Drives, fixes_used, starts_of, tracks_of

if TYPE_CHECKING:
    from assay.evaluation.tracks import Track
    from assay.samples.route_calibration import Signals
    from assay.samples.route_spec import RouteSpec

Array = np.ndarray[Any, Any]
#: Slower than this (m/s) a car stands.
_STANDS = 0.05
#: m/s over the square root of a hertz, where nothing tells the speed.
_UNKNOWN = 2.0


@dataclass(frozen=True)
class Noise:
    """What the filter believes of its sensors; all are deviations, and all are tuned.

    Attributes:
        scale: of the wheels' scale at the start, a share.
        bias: of the gyroscope's bias at the start, rad/s.
        wheels: of the axle's wheels against one another at the start, rad/s for each m/s.
        scale_walk: by how much the scale walks, over the square root of a second.
        bias_walk: of the bias, likewise.
        ahead: white noise of the speed, m/s over the square root of a hertz.
        left: of the motion to the side.
        turning: of the gyroscope, rad/s over the square root of a hertz.
        second: of the second opinion on turning, likewise.
        lateral: how much the second opinion is off for each m/s² of lateral acceleration, rad/s.
        standing: of the gyroscope where the car stands, rad/s.
        fix: by how much a fix is worse than it says, a factor.
        coupled: see `Odometry.coupled`.
    """

    scale: float = 0.012
    bias: float = 0.002
    wheels: float = 0.002
    scale_walk: float = 1e-5
    bias_walk: float = 3e-5
    ahead: float = 0.02
    left: float = 0.05
    turning: float = 5e-4
    second: float = 0.01
    lateral: float = 0.02
    standing: float = 0.002
    fix: float = 1.0
    coupled: bool = False

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


def classical_motion(signals: Signals, spec: RouteSpec) -> Array:
    """(B, T, 3) m/s ahead and to the left and rad/s, by the calibration alone."""
    known = spec.calibration
    speed, turning = np.asarray(signals.speed, float), np.asarray(signals.turning, float)
    left = known.lever * turning + known.skew * speed - known.slip * speed**2 * turning
    return np.stack([speed, left, turning], axis=-1)


def reckoned(signals: Signals, drives: Drives, spec: RouteSpec) -> list[Track]:
    """Dead reckoning: the calibrated sensors summed up, from where the first fixes say that the drive begins."""
    moved, noise = classical_motion(signals, spec), Noise()
    odometry = Odometry(moved, _noises(signals, noise), start=(noise.scale, noise.bias, 0.0))
    return _filtered(odometry, drives, spec, None)


def followed(signals: Signals, drives: Drives, spec: RouteSpec, noise: Noise) -> list[Track]:
    """The extended Kalman filter."""
    odometry = Odometry(
        classical_motion(signals, spec),
        _noises(signals, noise),
        walk=(noise.scale_walk, noise.bias_walk, 0.0),
        start=(noise.scale, noise.bias, noise.wheels),
        checks=_checks(signals, noise, spec),
        coupled=noise.coupled,
    )
    return _filtered(odometry, drives, spec, noise.fix)


def _filtered(odometry: Odometry, drives: Drives, spec: RouteSpec, fix: float | None) -> list[Track]:
    starts = starts_of(odometry.moved, drives, spec.step_s)
    fixes = None if fix is None else fixes_used(drives.fixes, starts, fix)
    begun = np.stack([one.pose for one in starts]), np.stack([one.spread for one in starts])
    return tracks_of(filtered(odometry, spec.step_s, *begun, fixes), starts, drives, spec)


def _noises(signals: Signals, noise: Noise) -> Array:
    known = np.asarray(signals.speed_known)
    turned = np.asarray(signals.turning_known)
    ahead = np.where(known, noise.ahead, _UNKNOWN)
    turning = np.where(turned, noise.turning, max(noise.turning, noise.second))
    return np.stack([ahead, np.full(ahead.shape, noise.left), turning], axis=-1)


def _checks(signals: Signals, noise: Noise, spec: RouteSpec) -> Array:
    """(B, T, 5): the second opinion on turning against the gyroscope's; where the car stands, the gyroscope against 0.

    The second opinion is the gyroscope's less its bias, times one minus the error of the scale, less what the wheels of
    an axle differ in for each m/s. The gyroscope has less noise, so the scale's weight is taken from it.
    """
    speed, turning, second = (np.asarray(getattr(signals, name), float) for name in ("speed", "turning", "second"))
    stands = np.asarray(signals.speed_known) & (speed < _STANDS) & np.asarray(signals.turning_known)
    usable = np.asarray(signals.second_known) & np.asarray(signals.turning_known) & ~stands
    variance = noise.second**2 / spec.step_s + (noise.lateral * speed * turning) ** 2
    one = np.ones_like(speed)
    said = turning * (1 + spec.calibration.bend * speed**2)
    found = np.stack([turning, one, speed, said - second, np.where(usable, variance, np.inf)], axis=-1)
    still = np.stack([0 * one, one, 0 * one, turning, noise.standing**2 / spec.step_s * one], axis=-1)
    return np.where(stands[..., None], still, found)
