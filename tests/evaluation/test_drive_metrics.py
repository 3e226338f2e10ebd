"""Braking, rides and steering errors: known answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from assay.evaluation.braking import braking, moments, stretches
from assay.evaluation.drive_metrics import MissedBraking, drive_metrics
from assay.evaluation.evaluation import Evaluation
from assay.evidence.drive_figures import drive_figures
from assay.samples.drive_spec import DriveSpec, Loop
from assay.simulators.rides import Ride

RATE = 10.0


def spec(loop: Loop | None = None) -> DriveSpec:
    return DriveSpec(
        24, 48, 1, 0.1, RATE, (0.0,) * 3, (1.0,) * 3, ("steering", "throttle", "brake"), (-1.0, 0.0, 0.0),
        (1.0, 1.0, 1.0), (0.0,) * 3, (1.0,) * 3, (0.1, 0.4), (0.5, 0.3, 0.2), ((0, 24, 0, 48),), loop,
    )  # fmt: skip


def pedal(*parts: tuple[int, float]) -> Any:
    return np.concatenate([np.full(count, value) for count, value in parts])


def ride(score: float, brake: Any, advised: Any, steering: Any = None, off: int = 0, finished: bool = True) -> Ride:
    count = len(brake)
    wheel = np.zeros(count) if steering is None else steering
    actions = np.stack([wheel, np.zeros(count), brake], axis=1)
    advice = np.stack([np.zeros(count), np.zeros(count), advised], axis=1)
    left = np.arange(count) < off
    return Ride(1, score, actions, advice, np.zeros(count), np.zeros(count), left, finished, not finished, RATE)


def test_runs_with_short_pauses_are_one() -> None:
    marked = np.asarray([0, 1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert stretches(marked) == [(1, 3), (4, 5), (8, 9)] and stretches(marked, 2) == [(1, 5), (8, 9)]
    assert stretches(np.zeros(4, bool)) == []


def test_early_late_and_missed() -> None:
    wanted = pedal((20, 0), (10, 0.8), (20, 0), (10, 0.4), (20, 0), (10, 1.0), (10, 0))
    done = pedal((17, 0), (8, 0.4), (27, 0), (8, 0.4), (40, 0.05))
    first, second, third = moments(wanted, done, RATE)
    assert (first.late_s, second.late_s, third.late_s) == (pytest.approx(-0.3), pytest.approx(0.2), None)
    assert (first.wanted, first.done, second.done) == (0.8, 0.4, 0.4)
    told = braking([first, second, third])
    assert (told.moments, told.missed, told.hardness) == (3, 1, pytest.approx(0.75))
    assert told.late_s == pytest.approx(-0.05)
    assert np.isnan(braking([]).late_s) and braking([third]).missed == 1


def test_a_brake_answers_one_moment() -> None:
    """Two moments 0.6 s apart, of which the second is missed: the brake of the first is none for it."""
    wanted = pedal((10, 0), (5, 0.6), (6, 0), (5, 0.6), (10, 0))
    first, second = moments(wanted, pedal((11, 0), (6, 0.6), (19, 0)), RATE)
    assert first.late_s == pytest.approx(0.1) and second.late_s is None


def test_a_brake_in_per_cent_is_at_rest_below_a_tenth_of_the_hardest() -> None:
    per_cent = replace(spec(), high=(1.0, 1.0, 80.0))
    truth = {"steering": np.zeros(30), "throttle": np.zeros(30), "brake": pedal((10, 0), (10, 40), (10, 0))}
    output = np.stack([np.zeros(30), np.zeros(30), np.full(30, 3.0)], axis=1)  # never quite let go
    assert MissedBraking(per_cent).value([output], [truth]) == 1.0


def test_errors_by_speed_leave_out_what_is_not_known() -> None:
    speed = np.asarray([1.0, 1, 2, 2, 3, 3, np.nan, np.nan])
    truth = {"steering": np.zeros(8), "throttle": np.zeros(8), "brake": np.zeros(8), "speed": speed}
    output = np.zeros((8, 3))
    output[:, 0] = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 9, 9]
    groups = np.asarray(["a", "b"])
    found = Evaluation(np.arange(2), [output] * 2, [truth] * 2, groups, np.zeros(2), 0.0)
    figure = next(figure for figure in drive_figures(found, spec()) if "speed" in figure.title)
    assert [row["value"] for row in figure.data["rows"]] == pytest.approx([0.1, 0.2, 0.3])


def test_a_touch_is_no_moment() -> None:
    assert not moments(pedal((5, 0), (1, 1.0), (20, 0)), np.zeros(26), 20.0)
    assert not moments(pedal((10, 0.05)), np.zeros(10), RATE)


def test_rides_are_measured() -> None:
    one = ride(900, pedal((20, 0.5)), pedal((20, 0.5)), steering=np.tile([0.0, 0.1], 10))
    other = ride(700, np.zeros(20), pedal((20, 1.0)), off=5, finished=False)
    found = {metric.name: metric.value([one, other], [{}, {}]) for metric in drive_metrics(spec(Loop("x", 1, 930.0)))}
    assert found["score"] == 800 and found["finished"] == 0.5 and found["off_road"] == pytest.approx(5 / 40)
    assert found["steering_change"] == pytest.approx(19 * 0.1 / 4) and found["steering_gap"] == pytest.approx(1 / 40)
    assert found["missed_braking"] == 0.5 and found["braking_hardness"] == 1.0
    assert drive_metrics(spec(Loop("x", 1, 930.0)))[0].best == 930.0


def test_records_are_measured_by_bend() -> None:
    truth = {"steering": np.asarray([0.0, 0.05, 0.2, -0.2, 0.5]), "throttle": np.ones(5), "brake": np.zeros(5)}
    output = np.stack([np.asarray([0.1, 0.05, 0.2, -0.3, 0.9]), np.full(5, 0.5), np.zeros(5)], axis=1)
    found = {metric.name: metric.value([output], [truth]) for metric in drive_metrics(spec())}
    assert found["steering_mae"] == pytest.approx(0.6 / 5) and found["throttle_mae"] == 0.5
    assert found["steering_mae_straight"] == pytest.approx(0.05) and found["steering_mae_bend"] == pytest.approx(0.05)
    assert found["steering_mae_over_bends"] == pytest.approx((0.05 + 0.05 + 0.4) / 3)
    assert found["steering_mae_sharp_bend"] == pytest.approx(0.4) and np.isnan(found["missed_braking"])
