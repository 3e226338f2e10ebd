"""Trainings that end with their time, on a clock that is made up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.training.pace import Pace
from assay.training.plan import Plan
from assay.training.state import Position


def run(pace: Pace, plan: Plan, step_s: Callable[[float], float], check_s: float = 0.0) -> tuple[Position, float]:
    """Walk a training whose steps take `step_s(now)` seconds, and tell where and when it ended."""
    position, now, shares = Position(end=plan.steps), 0.0, [0.0]
    pace.start(position, now)
    while position.step < position.end:
        now += step_s(now)
        position.step += 1
        shares.append(position.share(position.step))
        if int(plan.checks * shares[-1] + 1e-9) > position.checks:
            position.checks += 1
            now += check_s
            pace.checked(check_s)
        pace.revise(position, plan, now)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    return position, now


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("check_s", [0.0, 1.0])
def test_a_wrong_estimate_is_put_right(factor: float, check_s: float) -> None:
    pace = Pace(100.0, None, 0.0)
    position, now = run(pace, Plan(steps=1000, checks=10), lambda now: 0.1 * factor, check_s)
    assert now == pytest.approx(100, abs=1)
    assert position.step == pytest.approx((100 - 10 * check_s) / (0.1 * factor), rel=0.02)


def test_a_machine_that_becomes_slower_and_quicker() -> None:
    _, now = run(Pace(100.0, None, 0.0), Plan(steps=1000), lambda now: 0.2 if 30 < now < 60 else 0.07)
    assert now == pytest.approx(100, abs=1.5)


def test_no_more_steps_than_are_useful() -> None:
    position, now = run(Pace(100.0, 300, 0.0), Plan(steps=250), lambda now: 0.1)
    assert position.step == 300 and now == pytest.approx(30)


def test_time_that_is_over_ends_with_the_schedule() -> None:
    position, now = run(Pace(10.0, None, 0.0), Plan(steps=100), lambda now: 5.0)
    assert position.step <= 14 and now <= 70


def test_a_turn_keeps_what_is_done() -> None:
    position = Position(step=30, end=100)
    position.turn(65)
    assert position.share(30) == pytest.approx(0.3)
    assert position.share(65) == pytest.approx(1)
    assert position.share(47.5) == pytest.approx(0.65)


def test_a_training_run_again_ends_with_the_same_step_at_any_speed() -> None:
    kept: list[tuple[int, int]] = []
    first = Pace(100.0, None, 0.0, keep=lambda step, end: kept.append((step, end)))
    position, _ = run(first, Plan(steps=1000), lambda now: 0.13)
    again, now = run(Pace(100.0, None, 0.0, dict(kept)), Plan(steps=1000), lambda now: 0.5)
    assert vars(again) == vars(position) and now > 300


def test_revisions_go_on_behind_those_that_are_known() -> None:
    kept: list[tuple[int, int]] = []
    run(Pace(100.0, None, 0.0, keep=lambda step, end: kept.append((step, end))), Plan(steps=1000), lambda now: 0.13)
    later: list[tuple[int, int]] = []
    half = Pace(100.0, None, 0.0, dict(kept[:5]), lambda step, end: later.append((step, end)))
    _, now = run(half, Plan(steps=1000), lambda now: 0.07)
    assert later[0][0] == kept[5][0] and now == pytest.approx(100, abs=1)
