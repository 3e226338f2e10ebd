"""Drives on one clock, and what their sensors mean: known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.samples.route_calibration import calibrated, held, signals_of
from assay.samples.route_steps import integrated, step_means, steps_of
from assay.sources._route import Drive, Fixes, Path, Series
from route_examples import TRACK_M, made_drive

CHANNELS = ("wheel_rl", "wheel_rr", "gyro_z")


@given(st.integers(0, 1000), st.floats(7, 120))
@settings(max_examples=20, deadline=None)
def test_steps_keep_the_sum_whatever_the_rate(seed: int, rate: float) -> None:
    random = np.random.default_rng(seed)
    time = np.arange(0, 20, 1 / rate)
    value = np.cumsum(random.normal(size=len(time)))
    edges = np.arange(time[0], time[-1], 0.1)
    means, present = step_means(Series(time, value), edges)
    assert present.all()
    whole = np.interp(edges[-1], time, np.r_[0, np.cumsum((value[1:] + value[:-1]) / 2 / rate)])
    assert means.sum() * 0.1 == pytest.approx(whole, abs=1e-6 * max(1, np.abs(value).max()) * len(edges))


def test_means_since_the_reading_before_are_held() -> None:
    time, value = np.asarray([0.0, 0.5, 1.0]), np.asarray([9.0, 2.0, 4.0])
    means, _ = step_means(Series(time, value, mean=True), np.asarray([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert means.tolist() == [2.0, 2.0, 4.0, 4.0]


def test_silence_is_no_reading() -> None:
    time = np.r_[np.arange(0, 5, 0.1), np.arange(8, 10, 0.1)]
    means, present = step_means(Series(time, np.ones(len(time))), np.arange(-1, 12, 1.0))
    assert present.tolist() == [False, True, True, True, True, True, False, False, False, True, True, False]
    assert means[present] == pytest.approx(1.0)


def test_fixes_keep_their_age() -> None:
    fixes = Fixes(np.asarray([0.0, 1.03, 1.07, 50.0]), np.asarray([[1.0, 2], [3, 4], [5, 6], [7, 8]]), np.full(4, 2.0))
    drive = Drive("a", {"gyro_z": Series(np.arange(0, 5, 0.01), np.zeros(500))}, fixes)
    steps = steps_of(drive, ("gyro_z",), 10.0)
    assert steps.base.tolist() == [1.0, 2.0]
    rows = np.flatnonzero(steps.fixes[:, 2])
    assert rows.tolist() == [0, 10]
    assert steps.fixes[10].tolist() == pytest.approx([4.0, 4.0, 2.0, 0.03], abs=1e-6)


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_what_moved_adds_up_to_the_path(seed: int) -> None:
    random = np.random.default_rng(seed)
    time = np.arange(0, 30, 0.1)
    heading = np.cumsum(random.normal(0, 0.05, 300))
    place = np.cumsum(random.normal(0.5, 0.3, (300, 2)), axis=0)
    drive = Drive("a", {"gyro_z": Series(time, heading)}, None, Path(time, place, heading))
    steps = steps_of(drive, ("gyro_z",), 10.0)
    found, turned = integrated(steps.moved, np.r_[place[0], heading[0]])
    assert found == pytest.approx(place[: len(found)], abs=1e-3)
    assert turned == pytest.approx(heading[: len(found)], abs=1e-4)


def test_a_reference_with_a_hole_teaches_nothing_there() -> None:
    time = np.r_[np.arange(0, 5, 0.1), np.arange(9, 12, 0.1)]
    path = Path(time, np.stack([time, 0 * time], axis=1), 0 * time)
    steps = steps_of(Drive("a", {"speed": Series(np.arange(0, 12, 0.1), np.ones(120))}, None, path), ("speed",), 10.0)
    known = np.isfinite(steps.moved).all(axis=1)
    assert known[:48].all() and not known[50:89].any() and known[91:118].all()


def test_calibration_finds_what_the_car_is_made_of() -> None:
    drives = [steps_of(made_drive(seed=seed, noise=0.3), CHANNELS, 10.0) for seed in range(6)]
    found = calibrated(drives, CHANNELS, 10.0)
    assert found.speed == ("wheel_rl", "wheel_rr")
    assert found.scale == pytest.approx(1.0, abs=0.005)
    assert found.gyro is not None and found.gyro["gyro_z"] == pytest.approx(1.0, abs=0.01)
    assert found.turn is not None and found.turn["wheel_rl>wheel_rr"] == pytest.approx(1 / TRACK_M, rel=0.02)
    assert (found.lever, found.skew, found.slip) == pytest.approx((0, 0, 0), abs=0.02)
    assert type(found).from_json(found.to_json()) == found


def test_a_turned_and_reversed_gyroscope_and_steering_are_understood() -> None:
    drives = []
    for seed in range(6):
        made = made_drive(seed=seed, noise=0.1)
        gyro = made.channels["gyro_z"]
        speed = Series(gyro.time, (made.channels["wheel_rl"].value + made.channels["wheel_rr"].value) / 2)
        steering = Series(gyro.time, -3.0 * gyro.value / np.maximum(speed.value, 1.0))
        channels = {"gyro_x": Series(gyro.time, -gyro.value), "speed": speed, "steering": steering}
        drives.append(steps_of(Drive("a", channels, None, made.reference), ("speed", "steering", "gyro_x"), 10.0))
    found = calibrated(drives, ("speed", "steering", "gyro_x"), 10.0)
    assert found.speed == ("speed",)
    assert found.gyro is not None and found.gyro["gyro_x"] == pytest.approx(-1.0, abs=0.02)
    assert found.turn is not None and found.turn["steering"] == pytest.approx(-1 / 3, rel=0.1)


def test_wheels_that_slip_with_lateral_acceleration_bend() -> None:
    drives = []
    for seed in range(6):
        steps = steps_of(made_drive(seed=seed, noise=0.0), CHANNELS, 10.0)
        speed, turning = steps.sensors[:, :2].mean(axis=1), steps.sensors[:, 2]
        slip = 0.002 * speed**2 * turning
        steps.sensors[:, 0] -= slip / 2
        steps.sensors[:, 1] += slip / 2
        drives.append(steps)
    assert calibrated(drives, CHANNELS, 10.0).bend == pytest.approx(0.002 / TRACK_M, rel=0.1)


def test_signals_hold_the_last_speed_and_take_another_turning() -> None:
    values = torch.tensor([[1.0, 0.0, 0.0, 4.0]])
    assert held(values, torch.tensor([[True, False, False, True]])).tolist() == [[1.0, 1.0, 1.0, 4.0]]
    assert held(values, torch.tensor([[False, False, True, True]])).tolist() == [[0.0, 0.0, 0.0, 4.0]]
    drive = steps_of(made_drive(noise=0.0), CHANNELS, 10.0)
    known = calibrated([drive], CHANNELS, 10.0)
    sensors, present = torch.from_numpy(drive.sensors), torch.from_numpy(drive.present)
    present[100:200, 2] = False
    found = signals_of(sensors, present, CHANNELS, known)
    assert not found.turning_known[100:200].any()
    assert found.turning.numpy() == pytest.approx(drive.sensors[:, 2], abs=0.01)
