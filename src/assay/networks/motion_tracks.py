"""From a network's motion to tracks: the filter of a pose, with the network's uncertainty, and GNSS where there is any.

Shapes: B drives, T steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.drive_tracks import Drives, fixes_used, starts_of, tracks_of
from assay.evaluation.pose_filter import Odometry, filtered
from assay.task_parts import number_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.evaluation.tracks import Track
    from assay.networks.motion_net import Motion
    from assay.samples.drive_spec import DriveSpec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trust:
    """How far a network's word on its own uncertainty is taken.

    Attributes:
        noise: a factor of its white noise.
        lasting: a factor of the errors that last.
        memory_s: after so many seconds they have forgotten what they were.
        fix: a factor of the deviations of fixes.
        spread: a factor of the deviations that are answered.
    """

    noise: float = 1.0
    lasting: float = 1.0
    memory_s: float = 60.0
    fix: float = 1.0
    spread: float = 1.0

    @staticmethod
    def of(network: nn.Module) -> Trust:
        """What a network was told after its training."""
        values: Any = network.trust
        return Trust(*(float(value) for value in values.tolist()))


def drives_of(batch: Any, gnss: bool) -> Drives:
    """The part of a batch of drives that a filter takes."""
    count, steps = batch.sensors.shape[:2]
    length = np.full(count, steps) if batch.mask is None else batch.mask.sum(1).numpy()
    fixes = batch.fixes.double().numpy() if gnss else None
    return Drives(length, fixes, batch.begin.numpy(), batch.base.numpy(), batch.origin.numpy())


def uses_gnss(spec: DriveSpec, options: Mapping[str, Any]) -> bool:
    """Whether fixes are used: they are where the training drives had some, unless the user says otherwise."""
    return number_of(options, "gnss", float(spec.gnss), 0, 1, whole=True) > 0


def motion_of(network: nn.Module, batch: Any) -> Motion:
    """What the network says of a batch of drives."""
    present = batch.present
    if batch.mask is not None:
        present = present & batch.mask[..., None]
    found: tuple[Motion, Any] = network(batch.sensors, present)
    return found[0]


def motion_tracks(network: nn.Module, batch: Any, spec: DriveSpec, options: Mapping[str, Any]) -> list[Track]:
    """The track of each drive."""
    drives = drives_of(batch, uses_gnss(spec, options))
    return fused(odometry_of(motion_of(network, batch)), drives, spec, Trust.of(network))


def odometry_of(motion: Motion) -> Odometry:
    """What the network says, for the filter."""
    moved, noise, lasting = (_doubles(one) for one in (motion.moved, motion.noise, motion.lasting))
    return Odometry(moved, noise, lasting)


def _doubles(values: Tensor) -> Array:
    found: Array = values.detach().double().numpy()
    return found


def trusted(odometry: Odometry, trust: Trust) -> Odometry:
    """Odometry whose uncertainty is taken as far as the validation side says."""
    lasting = None if odometry.lasting is None else odometry.lasting * trust.lasting
    start = odometry.start if lasting is None else (lasting[:, 0, 0], lasting[:, 0, 1], 0.0)
    return replace(odometry, noise=odometry.noise * trust.noise, lasting=lasting, memory_s=trust.memory_s, start=start)


def fused(odometry: Odometry, drives: Drives, spec: DriveSpec, trust: Trust) -> list[Track]:
    """Tracks of odometry with the fixes of the drives."""
    starts = starts_of(odometry.moved, drives, spec.step_s)
    fixes = fixes_used(drives.fixes, starts, trust.fix)
    begun = np.stack([one.pose for one in starts]), np.stack([one.spread for one in starts])
    found = filtered(trusted(odometry, trust), spec.step_s, *begun, fixes)
    return tracks_of(found, starts, drives, spec, trust.spread)
