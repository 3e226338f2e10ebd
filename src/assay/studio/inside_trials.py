"""Side trainings: a run's training over again, much shorter, with some settings changed.

Each is a child process of `assay train`, so that it can be stopped at any time and nothing of it stays behind. What it
brings is told by the losses on training and validation samples alone: the test side is not there to choose by.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import RunError, SettingError, did_you_mean
from assay.run import RunFolder
from assay.sources.privacy import found_source
from assay.studio.inside_settings import Chosen

#: Seconds beyond which a training is ended, at least and as a multiple of what it was to take: starting takes its time.
_LEAST_S, _TIMES = 120.0, 15.0
#: Side trainings that are remembered.
_KEPT = 60
#: Seconds that one may be asked to take.
SHORTEST_S, LONGEST_S = 1.0, 120.0


@dataclass(eq=False)
class Trial:
    """One side training.

    Attributes:
        id: what the browser calls it.
        run: the run's folder that it is compared with.
        changes: the settings that differ, as text.
        epochs: passes over the training samples.
        seconds: that it was to take.
        state: how it stands.
        lines: of its history, once it is over.
        error: why it failed, with a hint.
    """

    id: str
    run: Path
    changes: Mapping[str, str]
    epochs: float
    seconds: float
    state: str = "running"
    lines: list[dict[str, Any]] = field(default_factory=list)
    error: tuple[str, str] = ("", "")
    _child: subprocess.Popen[str] | None = None
    _folder: Path | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of its history so far."""
        folder = self._folder
        return self.lines if self.lines or folder is None else RunFolder(folder / "run").history()


class Trials:
    """The side trainings of a studio; one is at work at a time, and a new one ends it."""

    def __init__(self) -> None:
        self._known: dict[str, Trial] = {}
        self._lock = threading.Lock()
        atexit.register(self.close)

    def find(self, name: str) -> Trial:
        """The side training of that name; raises `RunError` where there is none."""
        if name not in self._known:
            raise RunError("there is no such side training", "Start it again.")
        return self._known[name]

    def begin(self, run: RunFolder, found: Chosen, changes: Mapping[str, Any], seconds: float) -> Trial:
        """Start one, or give the one that did the same before.

        Raises:
            SettingError: there is no such setting, or another length is wanted than can be.
            RunError: the run's data is gone.
        """
        if not SHORTEST_S <= seconds <= LONGEST_S:
            raise SettingError(f"{seconds:g} seconds are not possible", f"Give {SHORTEST_S:g} to {LONGEST_S:g}.")
        base = found.as_set()
        changed = {name: str(value) for name, value in changes.items() if base.get(name) != str(value)}
        for name in changed:
            if name not in base:
                raise SettingError(f"there is no setting {name!r}", did_you_mean(name, base))
        epochs = found.passes(seconds)
        with self._lock:
            for one in self._known.values():
                same = (one.run, one.changes, one.epochs) == (run.path, changed, epochs)
                if same and one.state in ("running", "done"):
                    return one
            for one in self._known.values():
                _end(one)
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            trial = Trial(secrets.token_hex(8), run.path, changed, epochs, seconds)
            words = command(run, found, changed, epochs)
            self._known[trial.id] = trial
            _launch(trial, words)
        return trial

    def stop(self, name: str) -> Trial:
        """End one."""
        trial = self.find(name)
        _end(trial)
        return trial

    def close(self) -> None:
        """End all."""
        for one in self._known.values():
            _end(one)


def command(run: RunFolder, found: Chosen, changes: Mapping[str, str], epochs: float) -> list[str]:
    """The words of `assay train` that repeat a run's training with changes, but for `--out`."""
    plan = run.read(run.plan, "source", "data", "options", "task", "seed")
    if plan["source"] is None:
        raise RunError("this run learned from data in memory, which is gone", "Train it from files to try settings.")
    data, options = plan["data"], plan["options"]
    words = ["train", found_source(plan["source"]), "--task", plan["task"], "--network", found.network]
    words += [word for name in ("target", "group", "split") if data.get(name) for word in (f"--{name}", data[name])]
    words += ["--split-seed", str(data.get("split_seed", 0)), "--seed", str(plan["seed"])]
    words += [word for name, value in data.get("extra", {}).items()
              for word in (f"--{name.replace('_', '-')}", str(value))]  # fmt: skip
    words += ["--device", options.get("device", "auto"), "--epochs", f"{epochs:g}", "--evidence", "none", "--json"]
    chosen = {**found.as_set(), **changes}
    return words + [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]


def _launch(trial: Trial, words: list[str]) -> None:
    trial._folder = Path(tempfile.mkdtemp(prefix="assay-inside-"))
    errors = open(trial._folder / "errors", "w", encoding="utf-8")  # noqa: SIM115
    with errors:
        trial._child = subprocess.Popen(
            [sys.executable, "-m", "assay", *words, "--out", str(trial._folder / "run")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, text=True,
            start_new_session=os.name == "posix",
        )  # fmt: skip
    threading.Thread(target=_watch, args=(trial,), name="assay-inside", daemon=True).start()


def _watch(trial: Trial) -> None:
    """Wait until it ends, and keep what it left behind."""
    child, folder = trial._child, trial._folder
    if child is None or folder is None:
        return
    until = time.monotonic() + max(_LEAST_S, _TIMES * trial.seconds)
    while child.poll() is None:
        if time.monotonic() > until:
            trial.error = ("the side training took too long", "Try a smaller change, or fewer seconds.")
            trial.state = "failed"
            _kill(child)
        time.sleep(0.1)
    trial.lines = RunFolder(folder / "run").history()
    if trial.state == "running":
        trial.state = "done" if child.returncode == 0 else "failed"
        if trial.state == "failed":
            trial.error = _told((folder / "errors").read_text(encoding="utf-8", errors="replace"))
    trial._folder = trial._child = None
    shutil.rmtree(folder, ignore_errors=True)


def _end(trial: Trial) -> None:
    child = trial._child
    if trial.state == "running":
        trial.state = "stopped"
    if child is not None and child.poll() is None:
        _kill(child)


def _kill(child: subprocess.Popen[str]) -> None:
    """The child with its own children."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()


def _told(errors: str) -> tuple[str, str]:
    """The error and the hint that a command ended with."""
    lines = errors.splitlines()
    error = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "")
    hint = next((line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")), "")
    return error or "the side training ended without saying why", hint
