"""Commands of Assay in a process of their own: what is heavy there leaves the server light, and cannot end it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "done", "stopped", "failed"]
_STOPPED = (130, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGTERM)
_TAIL = 20_000


@dataclass(frozen=True)
class Failure:
    """Why a command ended without what was asked for."""

    error: str
    hint: str


class Child:
    """A command that runs, or has run.

    Args:
        words: of the command line, without `assay`.
        log: gets what it says on standard error.
    """

    def __init__(self, words: Sequence[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log, self.out = log, log.with_suffix(".out")
        with open(log, "wb") as errors, open(self.out, "wb") as out, open(lock_of(log), "ab") as lock:
            _lock(lock.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "assay", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                env={**os.environ, "PYTHONIOENCODING": "utf-8"}, **_apart(lock.fileno()),
            )  # fmt: skip
        self._asked = False

    @property
    def pid(self) -> int:
        """Its number with the system."""
        return self._process.pid

    @property
    def state(self) -> State:
        """How it stands."""
        code = self._process.poll()
        if code is None:
            return "running"
        if code == 0:
            return "done"
        return "stopped" if self._asked and code in _STOPPED else "failed"

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does: a training keeps its last whole step."""
        if self._process.poll() is None:
            self._asked = True
            self._process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)

    def end(self, seconds: float) -> None:
        """Ask it to end, and make it where it does not in that time."""
        self.stop()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self, seconds: float | None = None) -> State:
        """Its state once it ended, or after so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.state

    def json(self) -> Any:
        """The object on its standard output."""
        return json.loads(self.out.read_text(encoding="utf-8"))

    @property
    def failure(self) -> Failure:
        """What it told of why it failed."""
        return failure_in(self.log, self._process.returncode)


def lock_of(log: Path) -> Path:
    """The file that is locked for as long as a command runs, also where whoever started it is gone."""
    return log.with_suffix(".lock")


def is_locked(log: Path) -> bool:
    """Whether a command that writes this log runs; False where the system cannot tell."""
    file = lock_of(log)
    if not file.exists():
        return False
    try:
        with open(file, "ab") as opened:
            _lock(opened.fileno())
    except OSError:
        return True
    return False


def _lock(number: int) -> None:
    """Lock an open file, or raise `OSError`. A process that inherits it holds the lock, too."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _apart(lock: int) -> dict[str, Any]:
    """What keeps a terminal's Ctrl-C from a command, and gives it the lock."""
    return {"start_new_session": True, "pass_fds": (lock,)} if os.name == "posix" else {}


def failure_in(log: Path, code: int | None = None) -> Failure:
    """The error and the hint that end a log; where there are none, that it ended without a word. Never a traceback."""
    error = hint = ""
    for line in tail(log):
        if line.startswith("error: "):
            error, hint = line.removeprefix("error: "), ""
        elif line.startswith("hint: "):
            hint = line.removeprefix("hint: ")
    if not error and code in (-9, 137):
        return Failure("it was ended by the system, as happens where memory runs out", "Use less data, and try again.")
    if not error:
        return Failure("it ended unexpectedly", f"{log.name} in the project's folder logs tells more.")
    return Failure(error, hint)


def tail(log: Path) -> list[str]:
    """The last lines of a log."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            return stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def stage_in(log: Path) -> tuple[str, int | None]:
    """What a command is doing by what it said last, and per cent of it where it says so.

    Lines of `assay.progress.PlainProgress`: a stage, and further in how far it is.
    """
    stage, share = "", None
    for line in tail(log):
        if line[:1] not in ("", " ") and ": " not in line[:7]:
            stage, share = line, None
        elif line.startswith("  ") and " % " in f"{line} ":
            number = line.split(" %", 1)[0].rsplit(" ", 1)[-1]
            share = int(number) if number.isdigit() else share
    return stage, share
