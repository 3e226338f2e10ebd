"""What follows from a command and what does not: limits, the queue, dry runs, and an ear that is never held."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from assay.errors import DataError
from assay.serving.action import Action, ActionFailed, Means
from assay.serving.action_runner import ActionRunner, RateLimit
from assay.serving.actions import Actions, read_actions
from assay.serving.listening import Heard

NASTY = '"; touch owned; echo "'


@dataclass(frozen=True, kw_only=True)
class Counted(Action):
    """Counts, and waits for leave."""

    done: list[str] = field(default_factory=list)
    leave: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def describe(self) -> str:
        return f"count {self.name}"

    def execute(self, means: Means) -> None:
        while not self.leave.wait(0.02):
            if means.stop.is_set():
                raise ActionFailed("stopped")
        if self.error is not None:
            raise self.error
        self.done.append(self.name)


def quick(**values: object) -> Counted:
    one = Counted(**{"name": "it", "command": "on", **values})  # type: ignore[arg-type]
    one.leave.set()
    return one


def runner(*actions: Action, told: list[str] | None = None, **how: object) -> ActionRunner:
    lines = told if told is not None else []
    made = ActionRunner(Actions(Path("actions.toml"), actions), ["on", "off"], lines.append, **how)  # type: ignore[arg-type]
    made.start()
    return made


def heard(command: str = "on", at_s: float = 1.0, confidence: float = 0.9) -> Heard:
    return Heard(command, confidence, at_s - 0.5, at_s - 0.1, at_s)


def statuses(made: ActionRunner, *answers: Heard) -> list[list[str]]:
    return [[one.status for one in made.follow(answer)] for answer in answers]


def test_a_program_is_not_given_the_secrets_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_X", "secret")
    monkeypatch.setenv("PLAIN_X", "known")
    code = """import os, sys
open(sys.argv[1], "w").write(str([os.environ.get(name) for name in ("TOKEN_X", "PLAIN_X")]))"""
    run = json.dumps([sys.executable, "-c", code, str(tmp_path / "log")])
    (tmp_path / "actions.toml").write_text(
        f'[actions.a]\ncommand = "on"\nrun = {run}\n[actions.b]\ncommand = "off"\nurl = "http://127.0.0.1:1/"\n'
        'headers_from = { Authorization = "TOKEN_X" }\n'
    )
    actions = read_actions(tmp_path / "actions.toml")
    made = ActionRunner(actions, ["on", "off"], print)
    made.start()
    made.follow(heard("on"))
    made.close()
    assert (tmp_path / "log").read_text() == "[None, 'known']"


def test_every_action_of_a_command_and_no_other() -> None:
    first, second, other = quick(name="a"), quick(name="b"), quick(name="c", command="off")
    made = runner(first, second, other)
    assert statuses(made, heard("on"), heard("other"), heard("off")) == [["queued"] * 2, [], ["queued"]]
    made.close()
    assert (first.done, second.done, other.done) == (["a"], ["b"], ["c"])


def test_an_answer_without_a_command_does_nothing() -> None:
    @dataclass(frozen=True)
    class Text:
        text: str

    made = runner(quick())
    assert made.follow(Text("on")) == []
    made.close()


def test_the_rate_limit_is_each_actions_own_and_goes_by_the_stream() -> None:
    strict, free = quick(name="strict", most_per_minute=2), quick(name="free")
    made = runner(strict, free)
    found = statuses(made, *[heard(at_s=second) for second in (1, 2, 3, 60.9, 61, 61.5, 62)])
    assert [one[0] for one in found] == ["queued", "queued", "limited", "limited", "queued", "limited", "queued"]
    assert {one[1] for one in found} == {"queued"}
    made.close()
    assert len(free.done) == 7


def test_a_limit_counts_what_was_done_and_not_what_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Counted(name="slow", command="on", most_per_minute=3)
    made = runner(slow, waiting=1)
    made.follow(heard(at_s=1))
    wait_until(lambda: not made._jobs.qsize())  # the worker has taken the first
    assert statuses(made, *[heard(at_s=second) for second in (2, 3, 4)]) == [["queued"], ["full"], ["full"]]
    slow.leave.set()
    wait_until(lambda: len(slow.done) == 2)
    assert statuses(made, heard(at_s=5), heard(at_s=6)) == [["queued"], ["limited"]]
    made.close()
    assert len(slow.done) == 3
    monkeypatch.setattr("assay.serving.action_runner._LATE_S", 0.2)
    late = Counted(name="late", command="on", most_per_minute=2)
    made = runner(late)
    made.follow(heard(at_s=1))
    made.follow(heard(at_s=2))
    time.sleep(0.5)
    late.leave.set()
    wait_until(lambda: not made._jobs.qsize())
    time.sleep(0.2)
    assert statuses(made, heard(at_s=3)) == [["queued"]]  # the second was too late
    made.close()


def test_a_limit_goes_by_the_clock_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.serving.action_runner._MINUTE_S", 1.0)
    told: list[str] = []
    live = quick(most_per_minute=2)
    made = runner(live, told=told)
    for second in range(5):  # as of an ear that was held and catches up
        made.follow(heard(at_s=10.0 * second))
    made.close()
    assert len(live.done) == 2
    assert sum("most_per_minute" in line for line in told) == 3
    patient = quick(most_per_minute=2)
    made, begun = runner(patient, patient=True), time.monotonic()
    for second in range(5):
        made.follow(heard(at_s=10.0 * second))
    made.close()
    assert len(patient.done) == 5
    assert time.monotonic() - begun >= 2.0


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_rate_limit_never_lets_more_pass_within_any_minute() -> None:
    limit, passed = RateLimit(3), []
    for at_s in range(0, 1000, 7):
        if limit(at_s):
            passed.append(at_s)
    assert max(sum(start <= one < start + 60 for one in passed) for start in range(1000)) == 3
    assert len(passed) >= 3 * 1000 // 67


def test_a_command_that_is_not_sure_enough() -> None:
    door = quick(at_least=0.95)
    made = runner(door)
    assert statuses(made, heard(confidence=0.94), heard(confidence=0.96)) == [["unsure"], ["queued"]]
    made.close()
    assert len(door.done) == 1


def test_a_sure_word_passes_at_least_though_the_threshold_is_low() -> None:
    from assay.serving.listening import Detector, Hearing

    def guess(windows: np.ndarray) -> np.ndarray:
        """Loud is surely "on", half as loud less so."""
        share = np.minimum(np.abs(windows[:, -4000:]).max(axis=1), 1)
        return np.stack([share, 1 - share], axis=1)

    hearing = Hearing(8000, 1.0, hop_s=0.05, smoothing_s=0.2, threshold=0.3)
    sound = np.zeros(10 * 8000, np.float32)
    for at_s, level in ((2, 1.0), (6, 0.6)):
        sound[at_s * 8000 : at_s * 8000 + 4000] = level * np.sin(np.arange(4000))
    ear, door = Detector(guess, ["on", "other"], hearing, ["other"]), quick(at_least=0.9)
    made = runner(door)
    answers = [*ear.push(sound), *ear.close()]
    assert statuses(made, *answers) == [["queued"], ["unsure"]]
    made.close()
    assert len(door.done) == 1


def test_a_slow_action_holds_nobody_and_the_queue_is_bounded() -> None:
    slow, told = Counted(name="slow", command="on", most_per_minute=600), []
    made = runner(slow, told=told, waiting=4)
    made.follow(heard())
    deadline = time.monotonic() + 10
    while made._jobs.qsize() and time.monotonic() < deadline:
        time.sleep(0.01)  # the worker has taken the first
    begun = time.monotonic()
    found = [made.follow(heard(at_s=float(second)))[0].status for second in range(10)]
    assert time.monotonic() - begun < 0.5
    assert found == ["queued"] * 4 + ["full"] * 6
    slow.leave.set()
    made.close()
    assert len(slow.done) == 5
    assert len(told) == 5


def test_a_patient_runner_waits_for_room() -> None:
    slow = Counted(name="slow", command="on", most_per_minute=600)
    made = runner(slow, patient=True, waiting=1)
    threading.Timer(0.3, slow.leave.set).start()
    assert statuses(made, *[heard(at_s=float(second)) for second in range(6)]) == [["queued"]] * 6
    made.close()
    assert len(slow.done) == 6


def test_what_waited_too_long_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.serving.action_runner._LATE_S", 0.2)
    slow, told = Counted(name="slow", command="on"), []
    made = runner(slow, told=told)
    made.follow(heard())
    made.follow(heard(at_s=2))
    time.sleep(0.5)
    slow.leave.set()
    made.close()
    assert len(slow.done) == 1
    assert "not done, it waited" in told[1]


def test_a_failure_is_told_and_the_next_goes_on() -> None:
    told: list[str] = []
    bad, good = quick(name="bad", error=ActionFailed("no lamp")), quick(name="good")
    made = runner(bad, good, told=told)
    made.follow(heard())
    made.close()
    assert told[0] == "bad: failed: no lamp"
    assert told[1].startswith("good: done in")


def test_a_bug_in_an_action_is_not_swallowed() -> None:
    made = runner(quick(error=ZeroDivisionError("a bug")))
    made.follow(heard())
    with pytest.raises(ZeroDivisionError):
        made.close()


def test_closing_at_once_stops_what_runs_and_drops_what_waits() -> None:
    slow, told = Counted(name="slow", command="on"), []
    made = runner(slow, told=told)
    for second in (1, 2, 3):
        made.follow(heard(at_s=second))
    time.sleep(0.2)
    begun = time.monotonic()
    made.close(drain=False)
    assert time.monotonic() - begun < 3
    assert slow.done == []
    assert told == ["slow: failed: stopped"]


def test_a_dry_run_does_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    file = tmp_path / "actions.toml"
    file.write_text('[actions.p]\ncommand = "on"\nrun = ["touch", "owned"]\n[actions.u]\ncommand = "on"\n'
                    'url = "http://127.0.0.1:1/x?token=abc"\n[actions.m]\ncommand = "on"\ntopic = "home/light"\n'
                    'payload = "ON"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n[home_assistant]')  # fmt: skip
    told: list[str] = []
    made = ActionRunner(read_actions(file), ["on"], told.append, dry_run=True)
    made.start()  # no broker is there to connect to
    assert [(one.action, one.status) for one in made.follow(heard())] == [
        ("p", "dry run"), ("u", "dry run"), ("m", "dry run"), ("home_assistant", "dry run")]  # fmt: skip
    made.close()
    assert not (tmp_path / "owned").exists()
    assert told[0].startswith('p: would run ["') and told[0].endswith('touch", "owned"]')
    assert told[1] == "u: would POST http://127.0.0.1:1/x?…"
    assert told[2] == "m: would publish 'ON' to home/light"
    assert "assay/assay/event" in told[3]


def test_no_word_of_a_command_reaches_a_program(
    tmp_path: Path, recorder: tuple[list[str], Callable[[], list[list[str]]]]
) -> None:
    """A class may be named after anything: a run comes from a stranger."""
    program, told = recorder
    file = tmp_path / "actions.toml"
    listed = ", ".join(f"'{word}'" for word in program)
    file.write_text(f"[actions.it]\ncommand = '{NASTY}'\nrun = [{listed}, 'fixed']\n")
    made = ActionRunner(read_actions(file), [NASTY, "on"], print)
    made.start()
    assert [one.status for one in made.follow(heard(NASTY))] == ["queued"]
    made.close()
    assert told() == [["fixed"]]
    assert not (tmp_path / "owned").exists() and not Path("owned").exists()


def test_an_action_of_an_unknown_command_is_refused() -> None:
    with pytest.raises(DataError, match=r"actions\.it\.command"):
        runner(quick(command="onn"))
