"""The slopes of both Kalman filters against numerical differentiation, angles at half a turn, and Udacity's rubric."""

from __future__ import annotations

import numpy as np
import pytest

from assay.evaluation import pose_filter, sighting_filter
from assay.evaluation.sighting_filter import followed_sightings
from assay.sources.routes_udacity import Sightings, sightings
from real_data import DATA

STEP = 0.1


def advanced(state: np.ndarray, covariance: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """State (6,) and covariance (6, 6) after a step without noise."""
    one, two = state[:, None].copy(), covariance[..., None].copy()
    pose_filter._advance(one, two, moved[:, None], np.zeros((3, 1)), (0.0, 0.0, 0.0), STEP)
    return one[:, 0], two[..., 0]


def numerically(of: object, at: np.ndarray) -> np.ndarray:
    """(M, N) the slopes of a function by central differences."""
    columns = []
    for row in range(len(at)):
        aside = np.zeros(len(at))
        aside[row] = 1e-5
        columns.append((of(at + aside) - of(at - aside)) / 2e-5)  # type: ignore[operator]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_the_step_of_the_pose_has_the_slopes_that_its_covariance_takes(seed: int) -> None:
    random = np.random.default_rng(seed)
    state = random.normal(size=6) * [50, 50, 4, 0.02, 0.05, 0.01]
    moved = random.normal(size=3) * [10, 1, 1]
    root = random.normal(size=(6, 6))
    slopes = numerically(lambda at: advanced(at, np.eye(6), moved)[0], state)
    _, found = advanced(state, root @ root.T, moved)
    assert found == pytest.approx(slopes @ root @ root.T @ slopes.T, rel=1e-6, abs=1e-6)


def test_noise_of_the_step_is_turned_into_east_and_north() -> None:
    state, covariance, moved = np.zeros((6, 1)), np.zeros((6, 6, 1)), np.asarray([[8.0], [0.5], [0.2]])
    state[2] = 0.7
    noise, walk = np.asarray([[0.3], [0.1], [0.02]]), (1e-3, 2e-3, 3e-3)
    pose_filter._advance(state, covariance, moved, noise, walk, STEP)
    c, s = np.cos(0.7 + 0.01), np.sin(0.7 + 0.01)
    turn = np.asarray([[c, -s], [s, c]])
    assert covariance[:2, :2, 0] == pytest.approx(turn @ np.diag([0.09, 0.01]) @ turn.T * STEP)
    assert covariance[2, 2, 0] == pytest.approx(4e-4 * STEP)
    assert np.diag(covariance[3:, 3:, 0]) == pytest.approx(np.square(walk) * STEP)


def test_a_fix_and_a_check_are_the_textbooks_corrections() -> None:
    random = np.random.default_rng(7)
    root = random.normal(size=(6, 6))
    prior, state = root @ root.T + np.eye(6), random.normal(size=6)
    sigma = 2.0
    fix = state[:2] + np.asarray([0.5, -0.3])  # well within the gate
    one, two = state[:, None].copy(), prior[..., None].copy()
    pose_filter._fix(one, two, np.asarray([[fix[0]], [fix[1]], [sigma], [0.0]]), np.zeros((3, 1)))
    rows = np.eye(2, 6)
    gain = prior @ rows.T @ np.linalg.inv(rows @ prior @ rows.T + sigma**2 * np.eye(2))
    assert one[:, 0] == pytest.approx(state + gain @ (fix - state[:2]))
    assert two[..., 0] == pytest.approx((np.eye(6) - gain @ rows) @ prior)
    weights, wanted, variance = random.normal(size=3), 0.4, 0.5
    one, two = state[:, None].copy(), prior[..., None].copy()
    pose_filter._check(one, two, np.r_[weights, wanted, variance][:, None], coupled=True)
    row = np.r_[np.zeros(3), weights]
    gain = prior @ row / (row @ prior @ row + variance)
    assert one[:, 0] == pytest.approx(state + gain * (wanted - row @ state))
    assert two[..., 0] == pytest.approx(prior - np.outer(gain, row @ prior))


def test_a_fix_far_off_is_gated() -> None:
    """A fix of 400 m moves the place by less than one at the gate does."""
    moves = []
    for off in (3.7, 400.0, 1e5):
        state, covariance = np.zeros((6, 1)), np.eye(6)[..., None].copy()
        pose_filter._fix(state, covariance, np.asarray([[off], [0.0], [1.0], [0.0]]), np.zeros((3, 1)))
        moves.append(float(state[0, 0]))
    assert moves[0] > 1.5 > moves[1] > moves[2] and moves[1] < 0.1


def test_the_radars_slopes_are_right() -> None:
    """What the filter takes as slopes shows in its gain: the state moves by the gain times what was seen beside."""

    def seen(state: np.ndarray) -> np.ndarray:
        x, y, vx, vy = state
        far = np.hypot(x, y)
        return np.asarray([far, np.arctan2(y, x), (x * vx + y * vy) / far])

    random = np.random.default_rng(0)
    for _ in range(5):
        state, root = random.normal(size=4) * [8, 8, 4, 4], random.normal(size=(4, 4))
        prior, noise = root @ root.T + np.eye(4), np.diag([0.09, 0.0009, 0.09])
        slopes = numerically(seen, state)
        gain = prior @ slopes.T @ np.linalg.inv(slopes @ prior @ slopes.T + noise)
        off = np.asarray([0.1, 0.01, -0.2])
        found, covariance = sighting_filter._radar(state, prior, seen(state) + off, noise)
        assert found == pytest.approx(state + gain @ off, rel=1e-5, abs=1e-6)
        assert covariance == pytest.approx((np.eye(4) - gain @ slopes) @ prior, rel=1e-5, abs=1e-5)


def test_a_bearing_across_half_a_turn_is_a_small_step() -> None:
    """Something that passes behind the radar, where bearings jump from pi to -pi."""
    time = np.arange(0, 6, 0.1)
    truth = np.stack([np.full(60, -10.0), 3 - time, np.zeros(60), -np.ones(60)], axis=1)
    seen = np.stack([np.hypot(truth[:, 0], truth[:, 1]), np.arctan2(truth[:, 1], truth[:, 0]),
                     -truth[:, 1] / np.hypot(truth[:, 0], truth[:, 1])], axis=1)  # fmt: skip
    assert np.abs(np.diff(seen[:, 1])).max() > 6
    states = followed_sightings(Sightings(time, np.ones(60, bool), seen, truth, np.zeros(60)))
    assert np.abs(states - truth)[20:].max() < 0.1


@pytest.mark.data
def test_udacitys_rubric() -> None:
    file = DATA / "udacity_ekf" / "obj_pose-laser-radar-synthetic-input.txt"
    if not file.exists():
        pytest.skip("Udacity's sightings are not there (ASSAY_DATA)")
    found = sightings(file.read_bytes(), file.name)
    errors = np.sqrt(((followed_sightings(found) - found.truth) ** 2).mean(axis=0))
    assert (errors <= [0.11, 0.11, 0.52, 0.52]).all()
    for alone in ({"radar": False}, {"lidar": False}):  # both together are better than either
        assert (errors < np.sqrt(((followed_sightings(found, **alone) - found.truth) ** 2).mean(axis=0))).all()
