"""Errors of trajectories: known answers, golden numbers of KITTI's route 00, and what alignment may not change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from assay.evaluation.trajectories import (
    absolute_errors,
    aligned,
    drift,
    planar_poses,
    relative_errors,
    travelled,
    umeyama,
)
from real_data import DATA

ESTIMATES = DATA / "kitti_odometry_poses" / "seq00_estimates"


def kitti(name: str) -> np.ndarray:
    """(N, 4, 4) poses: a row of a file is the upper three rows of a matrix."""
    if not ESTIMATES.exists():
        pytest.skip("the estimates of KITTI's route 00 are not there (ASSAY_DATA)")
    rows = np.loadtxt(ESTIMATES / f"KITTI_00_{name}.txt").reshape(-1, 3, 4)
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows
    return poses


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rigid", "unaligned", "similar"), [("ORB", 1.303, 7.790, 0.938), ("SPTAM", 3.738, 9.225, 3.635)]
)
def test_golden_errors_of_route_00(name: str, rigid: float, unaligned: float, similar: float) -> None:
    found, truth = kitti(name), kitti("gt")
    for how, expected in (("rigid", rigid), ("none", unaligned), ("similarity", similar)):
        errors = absolute_errors(found, truth, how)  # type: ignore[arg-type]
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(expected, abs=2e-3), how


@pytest.mark.data
def test_drift_of_route_00_stays_what_it_was() -> None:
    found = drift(kitti("ORB"), kitti("gt"))
    # This code's own values when it was written: they guard against changes.
    assert 100 * found.translation.mean() == pytest.approx(0.70, abs=0.01)
    assert 100 * np.degrees(found.rotation.mean()) == pytest.approx(0.25, abs=0.01)
    assert len(found.length) == 3283


def random_poses(seed: int, count: int = 40) -> np.ndarray:
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(np.cumsum(random.normal(0, 0.1, (count, 3)), axis=0)).as_matrix()
    poses[:, :3, 3] = np.cumsum(random.normal(0, 1, (count, 3)), axis=0)
    return poses


@given(st.integers(0, 10_000), st.floats(0.2, 5.0))
@settings(max_examples=25, deadline=None)
def test_alignment_undoes_any_move(seed: int, scale: float) -> None:
    truth = random_poses(seed)
    random = np.random.default_rng(seed)
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = Rotation.from_rotvec(random.normal(0, 2, 3)).as_matrix(), random.normal(0, 50, 3)
    assert absolute_errors(moved @ truth, truth).max() < 1e-8
    stretched = truth.copy()
    stretched[:, :3, 3] *= scale
    assert absolute_errors(moved @ stretched, truth, "similarity").max() < 1e-8
    found = umeyama((moved @ stretched)[:, :3, 3], truth[:, :3, 3], with_scale=True)
    assert found.scale == pytest.approx(1 / scale, rel=1e-6)
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


def test_umeyama_is_scipys_for_turns_and_never_mirrors() -> None:
    random = np.random.default_rng(3)
    one = random.normal(size=(30, 3))
    other = one @ Rotation.from_rotvec([0.3, -1.0, 0.2]).as_matrix().T + random.normal(0, 0.1, (30, 3))
    expected, _ = Rotation.align_vectors(other - other.mean(0), one - one.mean(0))
    assert umeyama(one, other).rotation == pytest.approx(expected.as_matrix(), abs=1e-9)
    mirrored = one * [1, 1, -1]
    assert np.linalg.det(umeyama(one, mirrored).rotation) == pytest.approx(1.0)


def test_yaw_alignment_turns_about_the_vertical_alone() -> None:
    truth = random_poses(5)
    tilted = np.eye(4)
    tilted[:3, :3] = Rotation.from_euler("ZX", [1.0, 0.4]).as_matrix()
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("Z", 1.0).as_matrix()
    assert absolute_errors(turned @ truth, truth, "yaw").max() < 1e-9
    assert absolute_errors(tilted @ truth, truth, "yaw").max() > 0.1


def test_start_alignment_lays_the_first_pose_on_the_first() -> None:
    truth = random_poses(6)
    moved = np.linalg.inv(random_poses(7)[3]) @ truth
    assert aligned(moved, truth, "start") == pytest.approx(truth)


def test_a_scale_of_two_per_cent_is_two_per_cent_of_drift() -> None:
    place = np.stack([np.arange(0, 1000, 0.5), np.zeros(2000)], axis=1)
    truth = planar_poses(place, np.zeros(2000))
    found = drift(planar_poses(1.02 * place, np.zeros(2000)), truth)
    # A segment ends with the first pose beyond its length: 100.5 m, whose error is 2.01 m.
    assert found.translation == pytest.approx(np.full(len(found.translation), 0.02), rel=6e-3)
    assert found.rotation.max() == 0
    assert set(found.length) == {100.0 * number for number in range(1, 9)}


def test_relative_errors_know_nothing_of_where_the_whole_lies() -> None:
    random = np.random.default_rng(8)
    place, heading = np.cumsum(random.normal(size=(50, 2)), axis=0), np.cumsum(random.normal(0, 0.1, 50))
    truth = planar_poses(place, heading)
    turned = planar_poses(np.asarray([[3.0, -1.0]]), np.asarray([2.0]))[0] @ truth
    first, last = np.arange(0, 40), np.arange(10, 50)
    shift, turn = relative_errors(turned, truth, first, last)
    assert shift.max() < 1e-9
    assert turn.max() < 1e-7
    off = planar_poses(place, heading + 0.01 * np.arange(50))
    assert relative_errors(off, truth, first, last)[1] == pytest.approx(np.full(40, 0.1))


def test_the_way_is_the_sum_of_its_steps() -> None:
    square = np.asarray([[0, 0], [3, 0], [3, 4], [0, 4]], float)
    assert travelled(planar_poses(square, np.zeros(4))).tolist() == [0, 3, 7, 10]


def test_too_short_a_way_has_no_segments() -> None:
    poses = planar_poses(np.stack([np.arange(20.0), np.zeros(20)], axis=1), np.zeros(20))
    assert len(drift(poses, poses).length) == 0
