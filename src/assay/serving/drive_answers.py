"""What a policy says of frames, and what came of a ride, as a user reads it.

Shapes: T frames or steps, A controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.braking import braking, moments
from assay.evaluation.drive_metrics import brakes
from assay.samples.drive_spec import DriveSpec

if TYPE_CHECKING:
    from assay.simulators.rides import Ride

Array = np.ndarray[Any, Any]
_DIGITS = 5


@dataclass(frozen=True)
class Controls:
    """What a policy would do.

    Attributes:
        frames: how many frames were answered.
        controls: by name, one number for one frame, else one for each.
    """

    frames: int
    controls: Mapping[str, float | tuple[float, ...]]


@dataclass(frozen=True)
class Ridden:
    """What came of a ride.

    Attributes:
        track: its number.
        score: the sum of the rewards.
        finished: it reached its aim.
        seconds: of driving.
        off_road_s: seconds off the road.
        steering_change: by how much the wheel is turned to and fro within a second.
        steering_gap: how far the wheel is from where the expert would have it; None where that is not known.
        braking_moments: at how many moments the expert would have braked.
        braking_missed: at how many of them the brake was not touched.
    """

    track: int
    score: float
    finished: bool
    seconds: float
    off_road_s: float
    steering_change: float
    steering_gap: float | None
    braking_moments: int
    braking_missed: int


def controls_of(output: Array, spec: DriveSpec) -> Controls:
    """An answer out of (T, A) controls."""
    found = {
        name: float(column[0]) if len(column) == 1 else tuple(column.tolist())
        for name, column in zip(spec.controls, np.asarray(output, float).round(_DIGITS).T, strict=True)
    }
    return Controls(len(output), found)


def ridden(ride: Ride, spec: DriveSpec) -> Ridden:
    """An answer out of a ride."""
    steering, seconds = ride.actions[:, 0], len(ride) / ride.rate_hz
    told = braking(moments(*brakes(ride, {}, spec)))
    gap = None if ride.advice is None else float(np.abs(steering - ride.advice[:, 0]).mean()) if len(ride) else 0.0
    return Ridden(
        ride.track, round(ride.score, 2), ride.finished, round(seconds, 3),
        round(float(ride.off_road.sum()) / ride.rate_hz, 3),
        round(float(np.abs(np.diff(steering)).sum()) / max(seconds, 1e-9), _DIGITS),
        None if gap is None else round(gap, _DIGITS), told.moments, told.missed,
    )  # fmt: skip


def words_of(output: Any, spec: DriveSpec) -> str:
    """Controls or a ride in a few words."""
    if isinstance(output, np.ndarray):
        names = spec.controls
        if len(output) == 1:
            return ", ".join(f"{name} {value:.2f}" for name, value in zip(names, output[0], strict=True))
        low, high = output[:, 0].min(), output[:, 0].max()
        return f"{len(output):,} frames, {names[0]} from {low:.2f} to {high:.2f}"
    end = "finished" if output.finished else "cut" if output.cut else "ended"
    off = f", off the road for {output.off_road.sum() / output.rate_hz:.1f} s" if output.off_road.any() else ""
    return f"{output.score:.0f} points, {end} after {len(output) / output.rate_hz:.1f} s{off}"


def truth_words_of(truth: Mapping[str, Array], spec: DriveSpec) -> str:
    """What was driven, in a few words."""
    steering = truth.get(spec.controls[0])
    if steering is None or not len(steering):
        return "not known"
    points = f", {np.nansum(truth['reward']):.0f} points" if "reward" in truth else ""
    return f"{len(steering):,} frames, {spec.controls[0]} from {steering.min():.2f} to {steering.max():.2f}{points}"
