"""Sensors that are stuck and fixes that stray: what is noted, what is left out, and what may not be touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assay.sources._route import Drive, Fixes, Series
from assay.sources._route_checks import checked
from assay.sources.records import ProblemLog
from route_examples import made_drive


def found(drive: Drive) -> tuple[Drive, dict[str, int]]:
    """A drive after the checks, and how often what was noted."""
    log = ProblemLog()
    done = checked(drive, frozenset(), log)
    return done, {problem.kind: problem.count for problem in log.problems()}


def strayed(drive: Drive, rows: list[int], off: float, wheels: bool = True) -> Drive:
    assert drive.fixes is not None
    place = drive.fixes.place.copy()
    place[rows] += off * np.asarray([0.6, -0.8])
    kept = drive.channels if wheels else {"gyro_z": drive.channels["gyro_z"]}
    return replace(drive, channels=kept, fixes=Fixes(drive.fixes.time, place, drive.fixes.sigma))


@pytest.mark.parametrize(
    "rows", [[12], [12, 13], [12, 13, 14, 15, 16], [0], [0, 1, 2], [57, 58, 59], [5, 6, 20, 40, 41, 42]]
)
@pytest.mark.parametrize("wheels", [True, False])
def test_outliers_are_noted_however_many_follow_one_another(rows: list[int], wheels: bool) -> None:
    done, kinds = found(strayed(made_drive(seconds=60.0), rows, 5000.0, wheels))
    assert kinds == {"gnss-outlier": len(rows)}
    assert done.fixes is not None and len(done.fixes.time) == 60  # the filter weighs them


def test_outliers_that_stray_apart_are_counted_each() -> None:
    drive = strayed(strayed(made_drive(seconds=60.0), [20, 22], 3000.0), [21, 23], -2000.0)
    assert found(drive)[1] == {"gnss-outlier": 4}


def test_where_wheels_tell_the_way_less_is_an_outlier() -> None:
    """80 m aside within a second is slower than 120 m/s, but no car of 10 m/s does it."""
    assert found(strayed(made_drive(seconds=60.0), [30, 31], 80.0))[1] == {"gnss-outlier": 2}
    assert found(strayed(made_drive(seconds=60.0), [30, 31], 80.0, wheels=False))[1] == {}
    assert found(strayed(made_drive(seconds=60.0), [30, 31], 8.0))[1] == {}


def test_noise_of_a_fast_receiver_and_a_long_gap_are_no_outliers() -> None:
    drive = made_drive(seconds=60.0)
    assert drive.reference is not None
    path = drive.reference
    noisy = path.place + np.random.default_rng(0).normal(0, 3.0, path.place.shape)
    fast = Fixes(path.time, noisy, np.full(len(noisy), 3.0))
    assert found(replace(drive, fixes=fast))[1] == {}
    kept = (path.time < 10) | (path.time > 50)
    gap = Fixes(path.time[kept], noisy[kept], fast.sigma[kept])
    assert found(replace(drive, fixes=gap))[1] == {"gnss-gap": 1}


def speeds(whole: bool) -> Series:
    """A car that speeds up, holds its speed for 20 s, and slows down; in whole km/h or as it is."""
    time = np.arange(0, 60, 0.05)
    speed = np.interp(time, [0, 20, 40, 60], [5, 27.8, 27.8, 10])
    return Series(time, np.round(3.6 * speed) / 3.6 if whole else speed)


def rough(series: Series) -> Series:
    return replace(series, value=series.value + np.random.default_rng(0).normal(0, 0.02, len(series.value)))


def test_a_speedometer_of_whole_kmh_is_not_stuck_at_a_steady_speed() -> None:
    done, kinds = found(Drive("a", {"speed": speeds(True), "wheel_rl": rough(speeds(False))}))
    assert kinds == {}
    assert len(done.channels["speed"].time) == 1200


def test_a_coarse_speed_is_stuck_where_the_wheels_change_theirs() -> None:
    whole = speeds(True)
    held = replace(whole, value=np.where(whole.time > 42, whole.value[850], whole.value))
    done, kinds = found(Drive("a", {"speed": held, "wheel_rl": rough(speeds(False))}))
    assert list(kinds) == ["stuck-sensor"] and len(done.channels["wheel_rl"].time) == 1200
    assert (done.channels["speed"].time > 43).sum() == 0


def steered(held: bool, turning: bool) -> Drive:
    """A car of 10 m/s with a steering angle that is held for its last half minute, on a winding or a straight road."""
    random = np.random.default_rng(1)
    time = np.arange(0, 60, 0.05)
    rate = (0.2 * np.sin(time / 3) if turning else np.zeros(len(time))) + 0.02  # a bias that is no turn
    angle = np.round(4 * (rate - 0.02), 2)
    if held:
        angle = np.where(time > 30, angle[600], angle)
    channels = {
        "steering": Series(time, angle),
        "gyro_z": Series(time, rate + random.normal(0, 0.002, len(time))),
        "wheel_rl": Series(time, 10 + random.normal(0, 0.02, len(time))),
    }
    return Drive("a", channels)


@pytest.mark.parametrize(("held", "turning", "stuck"), [(True, True, True), (False, True, False), (True, False, False)])
def test_a_steering_angle_is_stuck_where_the_car_turns_all_the_same(held: bool, turning: bool, stuck: bool) -> None:
    done, kinds = found(steered(held, turning))
    assert list(kinds) == (["stuck-sensor"] if stuck else [])
    assert len(done.channels["steering"].time) == (601 if stuck else 1200)
