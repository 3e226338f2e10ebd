"""Rides: alike however many simulators work, cut where they never end, and told apart by purpose."""

from __future__ import annotations

import importlib.util
import math
import signal
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from assay.errors import MissingExtraError, SettingError
from assay.simulators import simulator
from assay.simulators.rides import Scene, Terms, rides
from assay.simulators.simulator import (
    COLLECTED,
    DEMONSTRATIONS,
    MOST_TRACKS,
    TESTED,
    TUNED_ON,
    VALIDATED,
    Control,
    open_simulator,
    within,
)
from assay.simulators.teaching import due, rounds_of, tracks_of
from driving_examples import Absent, Asleep, Busy, Endless, Failing, TinyRoad, Waiting

ADVISED = Terms(advised=True)
car_racing = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("gymnasium", "Box2D", "pygame")),
    reason='needs pip install "assay[driving]"',
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in (TinyRoad, Endless, Absent, Busy, Waiting, Asleep, Failing):
        monkeypatch.setitem(simulator.SIMULATORS, cls.name, f"driving_examples:{cls.__name__}")


def expert(scene: Scene) -> object:
    return scene.advice


def test_two_processes_give_the_rides_of_one() -> None:
    terms = Terms(advised=True, recorded=True)
    alone = list(rides("tiny-road", [4, 1, 3], expert, terms, at_once=1))
    both = list(rides("tiny-road", [4, 1, 3], expert, terms, at_once=2))
    assert [ride.track for ride in both] == [4, 1, 3]
    for one, other in zip(alone, both, strict=True):
        assert one.score == other.score and np.array_equal(one.actions, other.actions)
        assert one.recorded is not None and np.array_equal(one.recorded, other.recorded)


def test_an_expert_finishes_and_scores_what_its_steps_earn() -> None:
    (ride,) = rides("tiny-road", [2], expert, ADVISED)
    assert ride.finished and not ride.cut and not ride.off_road.any()
    assert ride.score == pytest.approx(float(ride.rewards.sum()), rel=1e-5) and len(ride) == len(ride.rewards)
    assert ride.advice is not None and np.array_equal(ride.actions, ride.advice)


def test_a_drive_that_never_ends_is_cut() -> None:
    (ride,) = rides("endless", [1], expert, ADVISED)
    assert ride.cut and not ride.finished and len(ride) == 60
    (short,) = rides("endless", [1], expert, Terms(advised=True, most_steps=7))
    assert len(short) == 7


@pytest.mark.parametrize("name", ["busy", "asleep", "waiting"])
def test_a_simulator_that_hangs_inside_a_step_is_ended(name: str) -> None:
    """One that computes, one that waits, and one in a process of its own, each with one error and one hint."""
    for _ in range(2):  # what was ended is not asked again
        with pytest.raises(SettingError, match=f"{name} hangs: step . of track 1 has taken longer than 0.4 s") as error:
            list(rides(name, [1], expert, ADVISED))
    assert "longest_step_s" in error.value.hint
    assert next(rides("tiny-road", [1], expert, ADVISED)).finished


def test_a_simulator_that_hangs_is_ended_where_interrupts_are_ignored() -> None:
    """As in a job that a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(SettingError, match="asleep hangs"):
            list(rides("asleep", [1], expert, ADVISED))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_simulator_that_hangs_is_ended_outside_of_the_main_thread() -> None:
    found: list[str] = []

    def drive() -> None:
        try:
            list(rides("busy", [1], expert, ADVISED))
        except SettingError as error:
            found.append(error.message)

    thread = threading.Thread(target=drive, daemon=True)
    thread.start()
    thread.join(60)
    assert len(found) == 1 and "hangs" in found[0]


def test_a_driver_may_take_its_time() -> None:
    def slow(scene: Scene) -> object:
        time.sleep(0.5 if scene.step == 1 else 0.0)
        return scene.advice

    (ride,) = rides("busy", [1], slow, Terms(advised=True, most_steps=2))
    assert len(ride) == 2


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_error_of_a_simulator_is_told_in_two_lines(at_once: int) -> None:
    with pytest.raises(SettingError, match="failing has failed: ZeroDivisionError: no road") as error:
        list(rides("failing", [1, 2], expert, ADVISED, at_once=at_once))
    assert "driving_examples.py, line" in error.value.hint


def test_a_lost_ride_is_cut_and_remembers_where_it_left_the_road() -> None:
    (ride,) = rides("tiny-road", [1], lambda scene: [1.0, 1.0, 0.0], Terms(lost_after=3))
    assert ride.cut and len(ride.left) == 1
    (seen,) = rides("tiny-road", [1], lambda scene: [1.0, 1.0, 0.0], Terms(lost_after=3, recorded=True))
    assert seen.recorded is not None  # half a second before, at ten steps a second
    assert np.array_equal(ride.left[0][1], seen.recorded[max(0, ride.left[0][0] - 5)])
    assert ride.off_road[ride.left[0][0] :].all() and len(ride) - ride.left[0][0] <= 3


def test_late_actions_come_so_many_steps_later() -> None:
    wanted = lambda scene: [0.1 * math.sin(scene.step), 0.5, 0.0]  # noqa: E731
    (prompt,) = rides("tiny-road", [1], wanted, Terms(most_steps=20))
    (late,) = rides("tiny-road", [1], wanted, Terms(most_steps=20, delay=3))
    assert np.array_equal(late.actions[3:], prompt.actions[:-3]) and not late.actions[:3].any()


def test_a_driver_is_shown_the_frames_that_it_remembers() -> None:
    seen: list[int] = []

    def driver(scene: Scene) -> object:
        seen.append(len(scene.frames))
        return [0, 1, 0]

    list(rides("tiny-road", [1], driver, Terms(remembered=3, most_steps=5)))
    assert seen == [1, 2, 3, 3, 3]


def test_an_error_of_a_driver_is_that_of_the_caller_and_leaves_no_process_behind() -> None:
    def driver(scene: Scene) -> object:
        raise ValueError("blind")

    with pytest.raises(ValueError, match="blind"):
        list(rides("tiny-road", [1, 2], driver, at_once=2))
    assert next(rides("tiny-road", [1], expert, ADVISED)).finished


def test_actions_are_brought_into_their_bounds() -> None:
    controls = (Control("steering", -1, 1), Control("brake", 0, 1))
    assert within([2.0, math.nan], controls).tolist() == [1.0, 0.0]
    assert within([-math.inf, math.inf], controls).tolist() == [-1.0, 1.0]
    with pytest.raises(SettingError, match="the controls are steering, brake"):
        within([1.0], controls)


def test_what_is_not_there_is_said_once() -> None:
    with pytest.raises(SettingError, match="there is no simulator 'tiny-raod'") as error:
        list(rides("tiny-raod", [1], expert))
    assert "tiny-road" in error.value.hint
    with pytest.raises(MissingExtraError) as missing:
        open_simulator("absent").reset(0)
    assert missing.value.hint == 'pip install "assay[driving]"'


def test_no_track_is_driven_for_two_purposes() -> None:
    firsts = [DEMONSTRATIONS, COLLECTED, VALIDATED, TESTED, TUNED_ON]
    assert all(second - first >= MOST_TRACKS for first, second in pairwise(firsts))
    for collect in (1, 5, 40, MOST_TRACKS):
        rounds = [tracks_of(collect, number, seed) for seed in (0, 1) for number in range(1, rounds_of(collect) + 1)]
        tracks = [track for one in rounds for track in one]
        assert len(tracks) == len(set(tracks)) == 2 * collect
        assert all(COLLECTED <= track < VALIDATED for track in tracks)


def test_rounds_come_one_after_the_other() -> None:
    counts = [due(40, share) for share in np.linspace(0, 1, 50)]
    assert counts[0] == 0 and counts[-1] == rounds_of(40) and (np.diff(counts) >= 0).all()
    assert due(0, 1.0) == 0 and due(1, 1.0) == 1


@car_racing
def test_car_racing_is_drawn_quickly_and_just_so() -> None:
    """Frames, rewards and physics are those of the environment by itself, recoloured or not."""
    gymnasium = pytest.importorskip("gymnasium")
    for recoloured in (0.0, 1.0):
        plain = gymnasium.make("CarRacing-v3", domain_randomize=recoloured > 0)
        if recoloured:
            plain.reset(seed=5)
        frame, _ = plain.reset(seed=5, **({"options": {"randomize": False}} if recoloured else {}))
        world = open_simulator("CarRacing-v3")
        moment = world.reset(5, recoloured)
        assert np.array_equal(moment.frame, frame)
        for step in range(25):
            action = np.asarray([0.2 * math.sin(step / 5), 0.6, 0.0], np.float32)
            frame, reward, *_ = plain.step(action)
            moment = world.step(action)
            assert np.array_equal(moment.frame, frame) and moment.reward == pytest.approx(float(reward))


@car_racing
def test_the_expert_of_car_racing_drives_a_track(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above 900 points on a track that it was not tuned on; nothing is drawn, which the physics does not see."""
    from assay.simulators import car_racing as module

    made, blank = module._made, np.zeros((96, 96, 3), np.uint8)

    def undrawn(recoloured: bool) -> object:
        environment = made(recoloured)
        environment.unwrapped._render = lambda mode: blank
        return environment

    monkeypatch.setattr(module, "_made", undrawn)
    (ride,) = rides("CarRacing-v3", [123], expert, ADVISED, at_once=1)
    assert ride.finished and ride.score > 900 and not ride.off_road.any()
