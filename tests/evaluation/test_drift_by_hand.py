"""Errors of trajectories against other ways to reckon them: KITTI's loops as they stand, and SciPy's rotations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.transform import Rotation

from assay.evaluation.trajectories import KITTI_LENGTHS_M, absolute_errors, drift, planar_poses, relative_errors
from real_data import DATA

ESTIMATES = DATA / "kitti_odometry_poses" / "seq00_estimates"


def by_kittis_loops(estimate: np.ndarray, truth: np.ndarray) -> list[tuple[int, float, float, float]]:
    """(first pose, length, radians a metre, share) of each segment, loop by loop as in KITTI's `calcSequenceErrors`."""
    way = [0.0]
    for one, other in pairwise(truth):
        way.append(way[-1] + float(np.sqrt(((other[:3, 3] - one[:3, 3]) ** 2).sum())))
    found = []
    for first in range(0, len(truth), 10):
        for length in (100, 200, 300, 400, 500, 600, 700, 800):
            last = next((at for at in range(first, len(way)) if way[at] > way[first] + length), -1)
            if last == -1:
                continue
            true = np.linalg.inv(truth[first]) @ truth[last]
            said = np.linalg.inv(estimate[first]) @ estimate[last]
            error = np.linalg.inv(said) @ true
            turned = np.arccos(max(min(0.5 * (np.trace(error[:3, :3]) - 1.0), 1.0), -1.0))
            found.append((first, float(length), turned / length, float(np.linalg.norm(error[:3, 3])) / length))
    return found


def winding(seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """True poses (N, 4, 4) of a road with bends and hills, and poses that drift away from them."""
    random = np.random.default_rng(seed)
    turns = np.cumsum(random.normal(0, [0.002, 0.004, 0.02], (count, 3)), axis=0)
    steps = np.abs(random.normal(2.5, 0.5, count))
    sides = []
    for scale, bias in ((1.0, 0.0), (1.01, 3e-4)):
        rotation = Rotation.from_euler("xyz", turns + bias * np.arange(count)[:, None])
        moved = rotation.apply(np.stack([scale * steps, np.zeros(count), np.zeros(count)], axis=1))
        poses = np.tile(np.eye(4), (count, 1, 1))
        poses[:, :3, :3], poses[:, :3, 3] = rotation.as_matrix(), np.cumsum(moved, axis=0)
        sides.append(poses)
    return sides[0], sides[1]


def assert_same(estimate: np.ndarray, truth: np.ndarray) -> None:
    wanted = by_kittis_loops(estimate, truth)
    found = drift(estimate, truth)
    order = np.lexsort((found.length, found.first))
    kept = np.stack([found.first, found.length, found.rotation, found.translation], axis=1)[order]
    assert len(kept) == len(wanted) and set(found.length) <= set(map(float, KITTI_LENGTHS_M))
    # Near none, the arc cosine of KITTI's formula knows an angle to 1e-8 of a radian.
    assert kept == pytest.approx(np.asarray(wanted), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_drift_is_what_kittis_loops_give(seed: int) -> None:
    truth, estimate = winding(seed)
    assert_same(estimate, truth)
    assert drift(estimate, truth).translation.mean() > 0.01


@pytest.mark.data
@pytest.mark.parametrize("name", ["ORB", "SPTAM"])
def test_drift_of_route_00_is_what_kittis_loops_give(name: str) -> None:
    if not ESTIMATES.exists():
        pytest.skip("the estimates of KITTI's route 00 are not there (ASSAY_DATA)")
    both = []
    for file in (name, "gt"):
        rows = np.loadtxt(ESTIMATES / f"KITTI_00_{file}.txt")[:1500].reshape(-1, 3, 4)
        poses = np.tile(np.eye(4), (len(rows), 1, 1))
        poses[:, :3] = rows
        both.append(poses)
    assert_same(*both)


def test_relative_errors_are_scipys_rotations() -> None:
    truth, estimate = winding(2, 60)
    first, last = np.arange(0, 50), np.arange(10, 60)
    shift, turn = relative_errors(estimate, truth, first, last)
    for row, (one, other) in enumerate(zip(first, last, strict=True)):
        begun, said = (Rotation.from_matrix(poses[one, :3, :3]).inv() for poses in (truth, estimate))
        true_turn = begun * Rotation.from_matrix(truth[other, :3, :3])
        said_turn = said * Rotation.from_matrix(estimate[other, :3, :3])
        true_way = begun.apply(truth[other, :3, 3] - truth[one, :3, 3])
        said_way = said.apply(estimate[other, :3, 3] - estimate[one, :3, 3])
        assert turn[row] == pytest.approx((said_turn.inv() * true_turn).magnitude(), abs=1e-7)
        assert shift[row] == pytest.approx(np.linalg.norm(true_way - said_way))  # a turn keeps lengths


def test_absolute_errors_are_those_of_procrustes() -> None:
    truth, estimate = winding(3)
    said, true = estimate[:, :3, 3], truth[:, :3, 3]
    rotation, _ = orthogonal_procrustes(said - said.mean(0), true - true.mean(0))
    assert np.linalg.det(rotation) > 0  # else it would mirror
    left = (said - said.mean(0)) @ rotation - (true - true.mean(0))
    assert absolute_errors(estimate, truth) == pytest.approx(np.linalg.norm(left, axis=1))


def test_three_poses_by_hand() -> None:
    """Two metres ahead each; the estimate turns left after the first step, and its third place is (2, 2)."""
    truth = planar_poses(np.asarray([[0.0, 0], [2, 0], [4, 0]]), np.zeros(3))
    said = planar_poses(np.asarray([[0.0, 0], [2, 0], [2, 2]]), np.asarray([0, np.pi / 2, np.pi / 2]))
    shift, turn = relative_errors(said, truth, np.asarray([0, 0, 1]), np.asarray([1, 2, 2]))
    assert shift == pytest.approx([0, np.sqrt(8), 0])
    assert turn == pytest.approx([np.pi / 2, np.pi / 2, 0])
    assert absolute_errors(said, truth, "start") == pytest.approx([0, 0, np.sqrt(8)])


def test_a_heading_that_jumps_at_half_a_turn_changes_nothing() -> None:
    angle = np.linspace(0, 4 * np.pi, 500)
    place = 50 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    said, truth = planar_poses(1.01 * place, wrapped + 0.002), planar_poses(place, angle)
    same = planar_poses(1.01 * place, angle + 0.002)
    assert drift(said, truth).rotation == pytest.approx(drift(same, truth).rotation, abs=1e-12)
    assert drift(said, truth).translation == pytest.approx(drift(same, truth).translation)
