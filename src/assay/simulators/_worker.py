"""A simulator in a process of its own: `python -m assay.simulators._worker MODULE:CLASS`, asked over its pipes.

Questions and answers are a line of JSON each, `[command, …]`; a frame follows its answer as raw bytes. Nothing else is
written to the pipe: what libraries print goes to standard error.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

import numpy as np

from assay.errors import AssayError, SettingError
from assay.simulators.simulator import Moment, Simulator, made_at, place_of

Array = np.ndarray[Any, Any]
#: Seconds that a process is given to end by itself.
_ENDS_S = 5.0


class Remote:
    """A simulator in another process: questions are sent and answered later, so that several work at once.

    Args:
        name: the simulator's.
    """

    def __init__(self, name: str) -> None:
        given = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-W", "ignore", "-m", "assay.simulators._worker", place_of(name), name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=given)

    def ask(self, *command: Any) -> None:
        """Send a command; `answer` gives what came of it."""
        pipe = _pipe(self._process.stdin)
        try:
            pipe.write(json.dumps(command).encode() + b"\n")
            pipe.flush()
        except OSError as error:
            raise _ended() from error

    def answer(self) -> tuple[Moment, Array | None]:
        """What the last command gave: the moment, and the expert's advice where that was asked for."""
        pipe = _pipe(self._process.stdout)
        line = pipe.readline()
        if not line:
            raise _ended()
        told = json.loads(line)
        if "error" in told:
            raise SettingError(told["error"], told["hint"])
        shape = tuple(told["shape"])
        pixels = pipe.read(int(np.prod(shape)))
        if len(pixels) < np.prod(shape):
            raise _ended()
        frame = np.frombuffer(pixels, np.uint8).reshape(shape)
        advice = None if told["advice"] is None else np.asarray(told["advice"], np.float32)
        return Moment(frame, told["reward"], told["done"], told["facts"]), advice

    def give_up(self, tries: int) -> None:
        """End the process at once: whoever waits for its answer is told that it has ended."""
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not sent to a process that has ended
                    pipe.close()
        self._process.terminate()
        try:
            self._process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


#: Processes that wait for the next rides: to start one takes a second or two.
_idle: dict[str, list[Remote]] = {}
_lock = threading.Lock()


@contextmanager
def borrowed(name: str) -> Iterator[Remote]:
    """A simulator in another process, kept for the next rides unless these end in an error."""
    with _lock:
        waiting = _idle.setdefault(name, [])
        remote = waiting.pop() if waiting else Remote(name)
    try:
        yield remote
    except BaseException:
        remote.close()
        raise
    with _lock:
        _idle[name].append(remote)


@atexit.register
def _close_all() -> None:
    for remotes in _idle.values():
        for remote in remotes:
            remote.close()
        remotes.clear()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise _ended()
    return pipe


def _ended() -> SettingError:
    return SettingError("the simulator's process has ended", "Its own words stand above; try again.")


def answered(simulator: Simulator, command: str, *values: Any) -> tuple[Moment, Array | None]:
    """What a simulator gives for a command, and the expert's advice where the last of `values` is true.

    Raises:
        SettingError: the simulator has failed.
    """
    try:
        if command == "reset":
            moment = simulator.reset(*values[:-1])
        else:
            moment = simulator.step(np.asarray(values[0], np.float32))
        return moment, simulator.advice() if values[-1] else None
    except AssayError:
        raise
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise SettingError(
            f"the simulator {simulator.name} has failed: {type(error).__name__}: {error}",
            f"The error is its own, in {at.filename}, line {at.lineno}: tell its makers, or mend it.",
        ) from error


def serve(place: str, name: str, questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until the questions end."""
    try:
        simulator = made_at(place, name)
        for line in questions:
            moment, advice = answered(simulator, *json.loads(line))
            answers.write(_told(moment, advice) + b"\n" + np.ascontiguousarray(moment.frame, np.uint8).tobytes())
            answers.flush()
    except AssayError as error:
        answers.write(json.dumps({"error": error.message, "hint": error.hint}).encode() + b"\n")
        answers.flush()


def _told(moment: Moment, advice: Array | None) -> bytes:
    facts: Mapping[str, float] = {name: float(value) for name, value in moment.facts.items()}
    told = {"reward": float(moment.reward), "done": bool(moment.done), "facts": facts, "shape": moment.frame.shape}
    return json.dumps({**told, "advice": None if advice is None else [float(value) for value in advice]}).encode()


def main() -> None:
    """Serve over the pipes that this process was started with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked; this ends when its questions do
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed, such as a library's greeting
    serve(sys.argv[1], sys.argv[2], sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
