"""The filter of a pose and the classical models: known answers, consistency, and that tuning tunes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.baselines.route_ekf import DeadReckoning, DriveFilter, tuned
from assay.baselines.route_filter import Noise, followed, reckoned
from assay.errors import RunError
from assay.evaluation.pose_filter import Odometry, PoseFilter, filtered
from assay.evaluation.pose_start import find_start
from assay.evaluation.route_tracks import Drives
from assay.evaluation.track_metrics import PositionError, TranslationalDrift
from assay.evaluation.tracks import Track
from assay.samples.route_calibration import Signals, calibrated, signals_of
from assay.samples.route_spec import RouteSpec
from assay.samples.route_steps import integrated, steps_of
from route_examples import made_drive

CHANNELS = ("wheel_rl", "wheel_rr", "gyro_z")
STEP = 0.1


def prepared(count: int, gnss: bool, seconds: float = 60.0) -> tuple[Signals, Drives, RouteSpec, list[Track]]:
    made = [made_drive(seconds=seconds, seed=seed) for seed in range(count)]
    steps = [steps_of(one, CHANNELS, 10.0) for one in made]
    known = calibrated(steps, CHANNELS, 10.0)
    spec = RouteSpec(CHANNELS, (1.0, 1.0, 1.0), known, gnss, 2.0)
    size = min(len(one.sensors) for one in steps)
    sensors, present, fixes = (np.stack([getattr(one, name)[:size] for one in steps])
                               for name in ("sensors", "present", "fixes"))  # fmt: skip
    found = signals_of(torch.from_numpy(sensors), torch.from_numpy(present), CHANNELS, known)
    signals = Signals(*(value.numpy() for value in vars(found).values()))
    base = np.stack([one.base for one in steps])
    drives = Drives(
        np.full(count, size), fixes.astype(float) if gnss else None, np.zeros(count), base, np.full((count, 2), 999.0)
    )
    truths = [Track(one.reference.time, one.reference.place, one.reference.heading, np.zeros((0, 4)), True)
              for one in made if one.reference is not None]  # fmt: skip
    return signals, drives, spec, truths


def test_without_errors_the_filter_is_plain_integration() -> None:
    random = np.random.default_rng(0)
    moved = random.normal(0, 1, (2, 100, 3))
    found = filtered(Odometry(moved, np.zeros((2, 100, 3))), STEP, np.ones((2, 3)), np.zeros((2, 3, 3)), None)
    for row in range(2):
        place, heading = integrated(moved[row] * STEP, np.ones(3))
        assert found.pose[row, :, :2] == pytest.approx(place[1:])
        assert found.pose[row, :, 2] == pytest.approx(heading[1:])
    assert np.abs(found.spread).max() == 0


def test_the_spread_is_that_of_many_drives() -> None:
    """Drawn errors of the size that the filter is told scatter as it says."""
    count, steps = 400, 150
    random = np.random.default_rng(1)
    true = np.tile(np.asarray([8.0, 0.0, 0.05]), (count, steps, 1))
    scale, bias = random.normal(0, 0.02, count), random.normal(0, 0.002, count)
    said = true.copy()
    said[..., 0] /= 1 + scale[:, None]
    said[..., 2] += bias[:, None]
    noise = np.asarray([0.1, 0.05, 0.005])
    said += random.normal(size=true.shape) * noise / np.sqrt(STEP)
    odometry = Odometry(said, np.broadcast_to(noise, said.shape), start=(0.02, 0.002, 0.0))
    found = filtered(odometry, STEP, np.zeros((count, 3)), np.zeros((count, 3, 3)), None)
    place, heading = integrated(true[0] * STEP, np.zeros(3))
    off = found.pose[:, -1] - np.r_[place[-1], heading[-1]]
    told = found.spread[:, -1].mean(axis=0)
    assert np.var(off[:, :2], axis=0) == pytest.approx(told[:2], rel=0.25)
    assert np.mean(off[:, 0] * off[:, 1]) == pytest.approx(told[2], abs=0.25 * np.sqrt(told[0] * told[1]))
    assert np.var(off[:, 2]) == pytest.approx(told[3], rel=0.25)


def test_checks_find_scale_bias_and_wheels() -> None:
    """Rows that tell of the three errors: both forms find them; the coupled one also mends the heading."""
    count, steps, random = 60, 400, np.random.default_rng(2)
    errors = random.normal(size=(count, 3)) * [0.02, 0.005, 0.002]
    turning = random.normal(0, 0.2, (count, steps))
    speed = np.broadcast_to(8 + 3 * np.sin(np.arange(steps) / 20), turning.shape)
    weights = np.stack([turning, np.ones_like(turning), speed], axis=2)
    said = (weights * errors[:, None]).sum(axis=2) + random.normal(0, 0.01, turning.shape)
    checks = np.concatenate([weights, said[..., None], np.full((count, steps, 1), 1e-4)], axis=2)
    moved = np.stack([speed, 0 * speed, turning + errors[:, 1:2]], axis=2)
    odometry = Odometry(moved, np.full(moved.shape, 1e-3), start=(0.02, 0.005, 0.002), checks=checks)
    nothing, sure, sizes = np.zeros((count, 3)), np.zeros((count, 3, 3)), []
    for coupled in (False, True):
        found = filtered(replace(odometry, coupled=coupled), STEP, nothing, sure, None)
        left = np.abs(found.errors[:, -1] - errors).mean(axis=0)
        assert (left < 0.5 * np.abs(errors).mean(axis=0)).all()
        off = found.pose[:, -1, 2] - turning.sum(axis=1) * STEP
        sizes.append(np.sqrt((off**2).mean()))
        assert sizes[-1] == pytest.approx(np.sqrt(found.spread[:, -1, 3].mean()), rel=0.3)
    assert sizes[1] < sizes[0]


def test_pieces_give_what_the_whole_gives() -> None:
    random = np.random.default_rng(3)
    moved, fixes = random.normal(0, 1, (1, 90, 3)), np.zeros((1, 90, 4))
    fixes[0, ::10] = [1.0, 2.0, 3.0, 0.02]
    odometry = Odometry(moved, np.full((1, 90, 3), 0.1), walk=(1e-3, 1e-3, 0.0), start=(0.01, 0.01, 0.0))
    start, spread = np.zeros((1, 3)), np.eye(3)[None]
    whole = filtered(odometry, STEP, start, spread, fixes)
    piecewise = PoseFilter(odometry, STEP, start, spread)
    parts = []
    for first, last in ((0, 7), (7, 60), (60, 90)):
        part = replace(odometry, moved=moved[:, first:last], noise=odometry.noise[:, first:last])
        parts.append(piecewise.run(part, fixes[:, first:last]))
    assert np.concatenate([part.pose for part in parts], axis=1) == pytest.approx(whole.pose)
    assert np.concatenate([part.spread for part in parts], axis=1) == pytest.approx(whole.spread)


def test_an_outlier_hardly_moves_the_track() -> None:
    signals, drives, spec, truths = prepared(3, True)
    clean = followed(signals, drives, spec, Noise())
    assert drives.fixes is not None
    spoilt = drives.fixes.copy()
    rows = np.flatnonzero(spoilt[0, :, 2])
    spoilt[:, rows[30], :2] += 400.0
    found = followed(signals, replace(drives, fixes=spoilt), spec, Noise())
    assert PositionError().value(found, truths) < PositionError().value(clean, truths) + 0.5


@pytest.mark.parametrize("rows", [[0], [1], [0, 1], [2], [0, 1, 2], [30, 31, 32]])
def test_outliers_where_a_drive_begins_do_not_turn_it(rows: list[int]) -> None:
    """The start is laid on the first few fixes: one that strays among them must not turn the whole drive."""
    signals, drives, spec, truths = prepared(3, True)
    clean = PositionError().value(followed(signals, drives, spec, Noise()), truths)
    assert drives.fixes is not None
    for off in (50.0, 400.0):
        spoilt = drives.fixes.copy()
        for drive in spoilt:
            drive[np.flatnonzero(drive[:, 2])[rows], :2] += [0.8 * off, -0.6 * off]
        found = followed(signals, replace(drives, fixes=spoilt), spec, Noise())
        assert all(track.anchored for track in found)
        assert PositionError().value(found, truths) < clean + 0.6


def test_a_receiver_that_promises_too_much_still_gives_a_start() -> None:
    time = np.arange(0, 40, STEP)
    place = np.concatenate([[[0.0, 0.0]], np.stack([8 * time, np.zeros(len(time))], axis=1)])
    fixes = np.zeros((len(time), 4))
    fixes[::10, :2] = place[1::10] + np.random.default_rng(4).normal(0, 4, (40, 2))
    fixes[::10, 2] = 0.8  # five times better than it is
    found = find_start(place, fixes, STEP)
    assert found is not None and found.anchored and found.steps < 250
    assert np.abs(found.pose[2]) < 4 * np.sqrt(found.spread[2, 2]) + 0.02
    assert np.linalg.norm(found.pose[:2]) < 10


def test_the_start_is_found_from_fixes_and_waits_for_motion() -> None:
    time = np.arange(0, 30, STEP)
    place = np.concatenate([[[0.0, 0.0]], np.stack([8 * time, np.zeros(len(time))], axis=1)])
    turn = np.asarray([[np.cos(1.0), np.sin(1.0)], [-np.sin(1.0), np.cos(1.0)]])
    fixes = np.zeros((len(time), 4))
    fixes[::10, :2] = (place[1::10] @ turn + [50.0, -20.0]) + np.random.default_rng(4).normal(0, 1, (30, 2))
    fixes[::10, 2] = 1.0
    found = find_start(place, fixes, STEP)
    assert found is not None and found.anchored and found.steps < 150
    assert found.pose == pytest.approx([50.0, -20.0, 1.0], abs=3.0)
    assert abs(found.pose[2] - 1.0) < 4 * np.sqrt(found.spread[2, 2])
    assert find_start(place[:21], fixes[:20], STEP, ended=False) is None
    parked = find_start(np.zeros((301, 2)), fixes, STEP)
    assert parked is not None and not parked.anchored
    assert find_start(place, None, STEP) is not None


def test_the_spread_of_a_start_is_that_of_many() -> None:
    time = np.arange(0, 6, STEP)
    place = np.concatenate([[[0.0, 0.0]], np.stack([8 * time, 0.2 * time**2], axis=1)])
    off, told = [], []
    for seed in range(300):
        fixes = np.zeros((len(time), 4))
        fixes[::10, :2] = place[1::10] + np.random.default_rng(seed).normal(0, 1, (6, 2))
        fixes[::10, 2] = 1.0
        found = find_start(place, fixes, STEP)
        assert found is not None
        off.append(found.pose)
        told.append(found.spread)
    assert np.cov(np.asarray(off).T) == pytest.approx(np.mean(told, axis=0), rel=0.4, abs=0.06)  # 300 draws


def test_the_filter_beats_dead_reckoning_with_fixes() -> None:
    signals, drives, spec, truths = prepared(6, True)
    errors = [PositionError().value(tracks, truths)
              for tracks in (followed(signals, drives, spec, Noise()), reckoned(signals, drives, spec))]  # fmt: skip
    assert errors[0] < 0.6 * errors[1]
    without = reckoned(signals, replace(drives, fixes=None), spec)
    assert not any(track.anchored for track in without)
    assert np.isfinite(TranslationalDrift((50.0,)).value(without, truths))


def test_tuning_finds_lower_costs_and_says_how_often_it_tried() -> None:
    def cost(noise: Noise) -> float:
        return abs(np.log(noise.scale / 0.05)) + abs(np.log(noise.second / 0.001)) + (0.0 if noise.coupled else 1.0)

    found, trials = tuned(cost, Noise(), 60.0, 0, False)
    assert found.scale == pytest.approx(0.05, rel=0.1) and found.second == pytest.approx(0.001, rel=0.1)
    assert found.coupled and found.fix == 1.0
    assert trials <= 400
    assert tuned(cost, Noise(), 60.0, 0, False, most=5)[1] <= 6


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    spec = RouteSpec(CHANNELS, (1.0, 1.0, 1.0))
    model = DriveFilter(spec)
    model.noise = Noise(scale=0.03, coupled=True)
    model.save(tmp_path)
    other = DriveFilter(spec)
    other.load(tmp_path)
    assert other.noise == model.noise
    (tmp_path / "filter.json").write_text((tmp_path / "filter.json").read_text().replace("0.03", "-1"))
    with pytest.raises(RunError):
        other.load(tmp_path)
    DeadReckoning(spec).save(tmp_path)
    DeadReckoning(spec).load(tmp_path)
