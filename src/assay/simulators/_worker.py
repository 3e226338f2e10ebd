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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from assay.errors import AssayError, SettingError
from assay.simulators.simulator import Moment, made_at, place_of

Array = np.ndarray[Any, Any]


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
        frame = np.frombuffer(pipe.read(int(np.prod(shape))), np.uint8).reshape(shape)
        advice = None if told["advice"] is None else np.asarray(told["advice"], np.float32)
        return Moment(frame, told["reward"], told["done"], told["facts"]), advice

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
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


def serve(place: str, name: str, questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until the questions end."""
    try:
        simulator = made_at(place, name)
        for line in questions:
            command, *values, advise = json.loads(line)
            if command == "reset":
                moment = simulator.reset(*values)
            else:
                moment = simulator.step(np.asarray(values[0], np.float32))
            advice = simulator.advice() if advise else None
            answers.write(_told(moment, advice) + b"\n" + np.ascontiguousarray(moment.frame).tobytes())
            answers.flush()
    except AssayError as error:
        answers.write(json.dumps({"error": error.message, "hint": error.hint}).encode() + b"\n")
        answers.flush()


def _told(moment: Moment, advice: Array | None) -> bytes:
    facts: Mapping[str, float] = {name: float(value) for name, value in moment.facts.items()}
    told = {"reward": moment.reward, "done": moment.done, "facts": facts, "shape": moment.frame.shape}
    return json.dumps({**told, "advice": None if advice is None else [float(value) for value in advice]}).encode()


def main() -> None:
    """Serve over the pipes that this process was started with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked; this ends when its questions do
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed, such as a library's greeting
    serve(sys.argv[1], sys.argv[2], sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
