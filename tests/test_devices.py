"""Training by two processes from the command: the losses of one, also where one is killed or the user stops it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.devices import _reason, check_batch, check_devices, cores
from assay.errors import RunError, SettingError, TrainingError
from assay.worker import check_versions, main

Lines = list[dict[str, Any]]
Train = Callable[..., Path]


def lines(run: Path) -> Lines:
    file = run / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")] if file.exists() else []


def losses(run: Path) -> list[float]:
    return [line["train_loss"] for line in lines(run) if "train_loss" in line]


def words(run: Path, digits: Path, epochs: float) -> list[object]:
    # GELU: across the kink of ReLU the last bit of a sum can decide whether a weight moves at all.
    network = ("--network", "mlp", "--set", "width=16", "--set", "activation=gelu")
    plan = (*network, "--set", "batch_size=16", "--epochs", epochs)
    return ["train", digits, "--out", run, *plan, "--evidence", "none"]


def test_two_processes_give_the_losses_of_one(command: Callable[..., Any], digits: Path, tmp_path: Path) -> None:
    for name, devices in (("one", 1), ("two", 2)):
        done = command(*words(tmp_path / name, digits, 10 / 7), "--devices", devices)
        assert done.code == 0, done.err
    assert len(losses(tmp_path / "one")) == 10
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    assert not (tmp_path / "two" / "checkpoint").exists()


def disturb(run: Path, seen: list[str]) -> None:
    """Kill a worker once it trains, and press Ctrl-C once they train again."""
    while not losses(run):
        time.sleep(0.01)
    os.kill(json.loads((run / "checkpoint" / "workers" / "process-1.json").read_text())["pid"], signal.SIGKILL)
    while not any("was lost" in line.get("event", "") for line in lines(run)):
        time.sleep(0.01)
    seen.append("began again")
    while not losses(run):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and stops as POSIX does")
def test_killed_and_stopped_and_resumed_is_as_if_never(
    command: Callable[..., Any], digits: Path, tmp_path: Path
) -> None:
    run, seen = tmp_path / "two", list[str]()
    killer = threading.Thread(target=disturb, args=(run, seen), daemon=True)
    killer.start()
    done = command(*words(run, digits, 28), "--devices", 2)
    killer.join(1)
    assert done.code == 130 and "assay resume" in done.err and seen == ["began again"], done.err
    assert command("resume", run).code == 0
    assert command(*words(tmp_path / "one", digits, 28)).code == 0
    one, two = losses(tmp_path / "one"), losses(run)
    assert len(one) == len(two) == 196
    assert two[:50] == pytest.approx(one[:50], rel=1e-5)
    steps = [line["step"] for line in lines(run) if "train_loss" in line]
    assert steps == list(range(1, 197)), "each step is written once"


# What cannot be asked for ---------------------------------------------------------------------------------------------


def test_more_processes_than_cores_is_an_error_with_a_hint(command: Callable[..., Any], digits: Path) -> None:
    done = command("train", digits, "--devices", cores() + 1)
    assert done.code == 1 and f"{cores()} processor core" in done.err and f"--devices {cores()}" in done.err


@pytest.mark.parametrize("device, devices", [("tpu", 1), ("cpu", 0)])
def test_devices_that_are_none(device: str, devices: int) -> None:
    with pytest.raises(SettingError):
        check_devices(device, devices)


def test_a_step_too_small_to_divide_names_the_size_that_would_do() -> None:
    check_batch(2, 2, 4)
    with pytest.raises(SettingError) as found:
        check_batch(2, 4, 7)
    assert "batch_size=8" in found.value.hint


def test_a_worker_with_other_versions_is_refused() -> None:
    check_versions({"torch": "2.14.0", "assay": "1"}, {"torch": "2.14.0", "assay": "1"}, "worker 1")
    with pytest.raises(SettingError, match=r"worker 1 .*torch 2.13.0 instead of 2.14.0") as found:
        check_versions({"torch": "2.14.0", "assay": "1"}, {"torch": "2.13.0", "assay": "1"}, "worker 1")
    assert "same versions" in found.value.hint


def test_what_a_worker_says_is_what_the_user_reads(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}")
    (tmp_path / "error.json").write_text(json.dumps({"kind": "RunError", "message": "no space", "hint": "free some"}))
    assert main(tmp_path) == 1, "a worker that is started again after an error does nothing"
    found = _reason(tmp_path, OSError())
    assert isinstance(found, RunError) and (found.message, found.hint) == ("no space", "free some")


def test_workers_that_die_again_and_again_point_at_memory(tmp_path: Path) -> None:
    class Killed:
        exitcode = -9

    error = OSError()
    error.failures = {0: Killed()}  # type: ignore[attr-defined]
    found = _reason(tmp_path, error)
    assert isinstance(found, TrainingError) and "assay resume" in found.hint
