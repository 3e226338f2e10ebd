"""What every model of motion shares on the way to tracks: starts, the fixes that are used, the tracks themselves.

Shapes: B drives, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.pose_filter import Filtered
from assay.evaluation.pose_start import Start, find_start, nowhere
from assay.evaluation.tracks import Track
from assay.samples.route_steps import integrated

if TYPE_CHECKING:
    from assay.samples.route_spec import RouteSpec

Array = np.ndarray[Any, Any]
_POLE = 90.0


@dataclass(frozen=True)
class Drives:
    """Some drives as a filter takes them.

    Attributes:
        length: (B,) steps that are real.
        fixes: (B, T, 4), see `pose_filter.PoseFilter.run`; None where they are left aside.
        begin: (B,) seconds.
        base: (B, 2) metres that were taken off all places.
        origin: (B, 2) degrees; beyond a pole where it is not known.
    """

    length: Array
    fixes: Array | None
    begin: Array
    base: Array
    origin: Array


def starts_of(moved: Array, drives: Drives, step_s: float) -> list[Start]:
    """Where each drive begins, by motion (B, T, 3) in units a second and its fixes."""
    found = []
    for row, length in enumerate(drives.length.tolist()):
        if drives.fixes is None:
            found.append(nowhere())
            continue
        place, _ = integrated(moved[row, :length] * step_s, np.zeros(3))
        found.append(find_start(place, drives.fixes[row, :length], step_s) or nowhere())
    return found


def fixes_used(fixes: Array | None, starts: list[Start], scale: float = 1.0) -> Array | None:
    """The fixes behind the start of drives, their deviations scaled; drives whose start is not known have none."""
    if fixes is None or not any(one.anchored for one in starts):
        return None
    used = np.asarray(fixes, float).copy()
    used[..., 2] *= scale
    for row, one in enumerate(starts):
        used[row, : one.steps if one.anchored else None, 2] = 0.0
    return used


def tracks_of(
    found: Filtered, starts: list[Start], drives: Drives, spec: RouteSpec, spread: float = 1.0
) -> list[Track]:
    """Tracks out of what a filter found, each from its start on."""
    tracks = []
    for row, start in enumerate(starts):
        length = int(drives.length[row])
        pose = np.concatenate([start.pose[None], found.pose[row, :length]])
        first = start.spread[[[0, 1, 0, 2]], [[0, 1, 1, 2]]]
        known = np.concatenate([first, found.spread[row, :length]]) * spread**2
        time = drives.begin[row] + np.arange(length + 1) * spec.step_s
        base = drives.base[row] if start.anchored else np.zeros(2)
        degrees = drives.origin[row]
        known_place = start.anchored and abs(float(degrees[0])) <= _POLE
        origin = (float(degrees[0]), float(degrees[1])) if known_place else None
        tracks.append(Track(time, pose[:, :2] + base, pose[:, 2], known, start.anchored, origin))
    return tracks
