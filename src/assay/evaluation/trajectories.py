"""How far an estimated trajectory is from the true one: alignment, absolute and relative errors, drift.

All of it works on poses as homogeneous matrices in two or three dimensions.

Sources: the alignment is Umeyama's ("Least-squares estimation of transformation parameters between two point patterns",
PAMI 13(4), 1991). Absolute trajectory error and relative pose error: Sturm et al., "A benchmark for the evaluation of
RGB-D SLAM systems", IROS 2012. Which alignment suits which sensors: Zhang and Scaramuzza, "A tutorial on quantitative
trajectory evaluation", IROS 2018. Drift over 100 to 800 m: Geiger, Lenz and Urtasun, "Are we ready for autonomous
driving? The KITTI vision benchmark suite", CVPR 2012, and its development kit.

Shapes: N poses, D dimensions (2 or 3), E = D + 1, L segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Alignment = Literal["none", "start", "yaw", "rigid", "similarity"]
#: The lengths of KITTI's segments, metres, and the poses between the starts of two of them.
KITTI_LENGTHS_M, KITTI_EVERY = (100, 200, 300, 400, 500, 600, 700, 800), 10


@dataclass(frozen=True)
class Transform:
    """Moves points: `scale * rotation @ point + shift`.

    Attributes:
        rotation: (D, D).
        shift: (D,).
        scale: 1 where it was not to be found.
    """

    rotation: Array
    shift: Array
    scale: float = 1.0

    def points(self, points: Array) -> Array:
        """(N, D) points, moved."""
        return np.asarray(self.scale * points @ self.rotation.T + self.shift)

    def poses(self, poses: Array) -> Array:
        """(N, E, E) poses, moved; their rotations stay rotations."""
        moved = np.array(poses, float)
        size = len(self.shift)
        moved[:, :size, :size] = self.rotation @ poses[:, :size, :size]
        moved[:, :size, size] = self.points(poses[:, :size, size])
        return moved


def umeyama(source: Array, target: Array, with_scale: bool = False) -> Transform:
    """The transform that brings points nearest to others, in the sense of squared distances.

    Points on a line leave the turn about it open; then the least turn is taken.

    Args:
        source: (N, D) points that are moved.
        target: (N, D) the points that they are brought to.
        with_scale: whether they may also be stretched.
    """
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    one, other = source - middle, target - goal
    u, values, vt = np.linalg.svd(other.T @ one / max(1, len(source)))
    sign = np.ones(len(values))
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[-1] = -1
    rotation = u @ np.diag(sign) @ vt
    spread = float((one**2).sum(axis=1).mean()) if len(source) else 0.0
    scale = float((values * sign).sum() / spread) if with_scale and spread > 0 else 1.0
    return Transform(rotation, goal - scale * rotation @ middle, scale)


def about_vertical(source: Array, target: Array) -> Transform:
    """As `umeyama` for points (N, 3), with a turn about the third axis alone: for whoever knows which way is up."""
    flat = umeyama(source[:, :2], target[:, :2])
    rotation = np.eye(3)
    rotation[:2, :2] = flat.rotation
    return Transform(rotation, target.mean(axis=0) - rotation @ source.mean(axis=0))


def aligned(estimate: Array, truth: Array, how: Alignment = "rigid") -> Array:
    """Estimated poses (N, E, E) brought to the true ones (N, E, E).

    Args:
        estimate: the poses.
        truth: the true ones, at the same times.
        how: `start` lays the first pose on the true one; `rigid` turns and shifts, `similarity` stretches, too, `yaw`
            turns about the third axis alone; in two dimensions that is the same as `rigid`.
    """
    size = truth.shape[1] - 1
    if how == "none":
        return estimate
    if how == "start":
        return np.asarray(truth[0] @ np.linalg.inv(estimate[0]) @ estimate)
    points, goal = estimate[:, :size, size], truth[:, :size, size]
    if how == "yaw" and size == 3:
        return about_vertical(points, goal).poses(estimate)
    return umeyama(points, goal, how == "similarity").poses(estimate)


def absolute_errors(estimate: Array, truth: Array, how: Alignment = "rigid") -> Array:
    """(N,) the distance of each estimated place from the true one after an alignment; its RMS is the ATE."""
    size = truth.shape[1] - 1
    moved = aligned(estimate, truth, how)
    return np.asarray(np.linalg.norm(moved[:, :size, size] - truth[:, :size, size], axis=1))


def relative_errors(estimate: Array, truth: Array, first: Array, last: Array) -> tuple[Array, Array]:
    """How wrong the motion from some poses to others is, as seen from the first.

    Args:
        estimate: (N, E, E).
        truth: (N, E, E).
        first: (L,) numbers of the poses that motions begin with.
        last: (L,) and end with.

    Returns:
        (L,) metres and (L,) radians; both mean squares' roots are the RPE.
    """
    size = truth.shape[1] - 1
    true = np.linalg.solve(truth[first], truth[last])
    found = np.linalg.solve(estimate[first], estimate[last])
    error = np.linalg.solve(found, true)
    return np.linalg.norm(error[:, :size, size], axis=1), _angles(error[:, :size, :size])


def _angles(rotation: Array) -> Array:
    """(L,) by how much each rotation (L, D, D) turns, radians from 0 to pi."""
    if rotation.shape[1] == 2:
        return np.abs(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))
    cosine = (np.trace(rotation, axis1=1, axis2=2) - 1) / 2
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)))


def travelled(truth: Array) -> Array:
    """(N,) metres from the first pose to each, along the way."""
    size = truth.shape[1] - 1
    steps = np.linalg.norm(np.diff(truth[:, :size, size], axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


@dataclass(frozen=True)
class Drift:
    """How wrong motions over certain distances are.

    Attributes:
        length: (L,) metres of the segment.
        first: (L,) the number of the pose that it begins with.
        last: (L,) and ends with.
        translation: (L,) error over length, a share.
        rotation: (L,) radians a metre.
    """

    length: Array
    first: Array
    last: Array
    translation: Array
    rotation: Array


def drift(
    estimate: Array, truth: Array, lengths_m: Sequence[float] = KITTI_LENGTHS_M, every: int = KITTI_EVERY
) -> Drift:
    """The errors of all segments as KITTI's development kit takes them.

    A segment begins with every so manyth pose, and ends with the first pose that lies further on than its length.

    Args:
        estimate: (N, E, E).
        truth: (N, E, E), at the same times.
        lengths_m: the lengths of the segments.
        every: poses between two starts.
    """
    way = travelled(truth)
    starts = np.arange(0, len(way), every)
    first, last, length = [], [], []
    for metres in lengths_m:
        ends = np.searchsorted(way, way[starts] + metres, side="right")
        there = ends < len(way)
        first.append(starts[there])
        last.append(ends[there])
        length.append(np.full(int(there.sum()), float(metres)))
    begun, ended, metres_of = np.concatenate(first), np.concatenate(last), np.concatenate(length)
    translation, rotation = relative_errors(estimate, truth, begun, ended)
    return Drift(metres_of, begun, ended, translation / metres_of, rotation / metres_of)


def planar_poses(place: Array, heading: Array) -> Array:
    """(N, 3, 3) poses in the plane out of places (N, 2) and headings (N,), radians from x to y."""
    poses = np.zeros((len(place), 3, 3))
    cosine, sine = np.cos(heading), np.sin(heading)
    poses[:, 0, 0], poses[:, 0, 1], poses[:, 1, 0], poses[:, 1, 1] = cosine, -sine, sine, cosine
    poses[:, :2, 2], poses[:, 2, 2] = place, 1.0
    return poses
