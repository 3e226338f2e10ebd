"""From a network's motion to tracks: the filter of a pose, with the network's uncertainty, and GNSS where there is any.

Shapes: B drives, T steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.evaluation.pose_filter import Odometry, filtered
from assay.evaluation.route_tracks import Drives, fixes_used, starts_of, tracks_of
from assay.task_parts import number_of

if TYPE_CHECKING:
    from torch import nn

    from assay.evaluation.tracks import Track
    from assay.networks.motion_net import Motion
    from assay.samples.route_spec import RouteSpec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trust:
    """How far a network's word is taken, and how what lasts walks, as the validation side teaches.

    Attributes:
        noise: a factor of its white noise.
        checks: a factor of the deviations of its rows.
        scale_walk: by how much the scale walks, a share over the square root of a second.
        bias_walk: by how much the bias walks, rad/s over the square root of a second.
        fix: a factor of the deviations of fixes.
        spread: a factor of the deviations that are answered.
        coupled: rows correct the pose, too (see `Odometry.coupled`).
    """

    noise: float = 1.0
    checks: float = 1.0
    scale_walk: float = 1e-5
    bias_walk: float = 3e-5
    fix: float = 1.0
    spread: float = 1.0
    coupled: float = 0.0

    @staticmethod
    def of(network: nn.Module, gnss: bool) -> Trust:
        """What a network was told after its training, for drives without or with GNSS."""
        values: Any = network.trust
        return Trust(*(float(value) for value in values[int(gnss)].tolist()))


def drives_of(batch: Any, gnss: bool) -> Drives:
    """The part of a batch of drives that a filter takes."""
    count, steps = batch.sensors.shape[:2]
    length = np.full(count, steps) if batch.mask is None else array_of(batch.mask.sum(1))
    fixes = _doubles(batch.fixes) if gnss else None
    return Drives(length, fixes, array_of(batch.begin), array_of(batch.base), array_of(batch.origin))


def uses_gnss(spec: RouteSpec, options: Mapping[str, Any]) -> bool:
    """Whether fixes are used: they are where the training drives had some, unless the user says otherwise."""
    return number_of(options, "gnss", float(spec.gnss), 0, 1, whole=True) > 0


def motion_of(network: nn.Module, batch: Any) -> Motion:
    """What the network says of a batch of drives."""
    present = batch.present
    if batch.mask is not None:
        present = present & batch.mask[..., None]
    found: tuple[Motion, Any] = network(batch.sensors, present)
    return found[0]


def motion_tracks(network: nn.Module, batch: Any, spec: RouteSpec, options: Mapping[str, Any]) -> list[Track]:
    """The track of each drive."""
    gnss = uses_gnss(spec, options)
    odometry = odometry_of(network, motion_of(network, batch))
    return fused(odometry, drives_of(batch, gnss), spec, Trust.of(network, gnss))


def odometry_of(network: nn.Module, motion: Motion) -> Odometry:
    """What the network says, for the filter."""
    net: Any = network
    moved, noise, checks = (_doubles(one) for one in (motion.local, motion.noise, motion.checks))
    return Odometry(moved, noise, start=net.beginnings(), checks=checks)


def _doubles(values: Any) -> Array:
    return array_of(values).astype(np.float64)


def trusted(odometry: Odometry, trust: Trust) -> Odometry:
    """Odometry whose uncertainty is taken as far as the validation side says."""
    checks = odometry.checks
    if checks is not None:
        checks = np.concatenate([checks[..., :4], checks[..., 4:] * trust.checks**2], axis=-1)
    return replace(
        odometry,
        noise=odometry.noise * trust.noise,
        walk=(trust.scale_walk, trust.bias_walk, 0.0),
        checks=checks,
        coupled=trust.coupled > 0.5,
    )


def fused(odometry: Odometry, drives: Drives, spec: RouteSpec, trust: Trust) -> list[Track]:
    """Tracks of odometry with the fixes of the drives."""
    believed = trusted(odometry, trust)
    starts = starts_of(odometry.moved, drives, spec.step_s)
    fixes = fixes_used(drives.fixes, starts, trust.fix)
    begun = np.stack([one.pose for one in starts]), np.stack([one.spread for one in starts])
    return tracks_of(filtered(believed, spec.step_s, *begun, fixes), starts, drives, spec, trust.spread)
