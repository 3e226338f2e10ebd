"""What ends the wait for a simulator that hangs inside a step.

A thread looks every second whether the question that is waited for is still the same one. Seconds are counted by its
own looks, not by a clock, so that a machine that was asleep is not taken for a simulator that hangs; a step costs two
assignments. A simulator in a process of its own is ended with it. In this one an exception is raised where it computes:
Python code ends so on every system, a wait of the system's for whatever runs in the main thread; native code that never
returns does not, which is why simulators have processes of their own unless they say otherwise.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.simulators.simulator import Moment, Simulator

Array = np.ndarray[Any, Any]
#: Seconds between two looks at most, and between two tries to end what computes in this process.
_LOOK_S, _AGAIN_S = 1.0, 0.2


class Seat(Protocol):
    """A simulator that is asked, and answers later."""

    def answer(self) -> tuple[Moment, Array | None]:
        """What the last question gave."""
        ...

    def give_up(self, tries: int) -> None:
        """End the wait for an answer, from another thread, after so many tries that did not."""
        ...


class _Hangs(BaseException):
    """Raised within a simulator that hangs."""


class Watch:
    """Waits for answers, each for a time that is generous: a context manager around rides.

    Args:
        about: the simulator; says how long a step and a beginning may take.
    """

    def __init__(self, about: Simulator) -> None:
        self._about = about
        self._asked: tuple[Seat, float] | None = None
        self._late = False
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._look, name="assay-simulator-watch", daemon=True)
        self._deaf = False

    def __enter__(self) -> Watch:
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in the background: nothing would wake it
            signal.signal(signal.SIGINT, self._woken)
            self._deaf = True
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self._deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _woken(self, number: int, frame: object) -> None:
        """Where Ctrl-C is ignored it still is, but for what ends a wait."""
        if self._late:
            raise KeyboardInterrupt

    def answer(self, seat: Seat, track: int, step: int) -> tuple[Moment, Array | None]:
        """What a seat answers.

        Args:
            seat: was asked.
            track: that it drives on, for the error.
            step: the number of the step that was asked for, 0 for the beginning of a drive.

        Raises:
            SettingError: it has not answered for too long.
        """
        limit_s = self._about.longest_step_s if step else self._about.longest_reset_s
        self._asked = (seat, limit_s)
        try:
            answer = seat.answer()
            with self._lock:
                self._asked = None
            if not self._late:
                return answer
        except BaseException:
            with self._lock:
                self._asked = None
            if not self._late:
                raise
        self._settle()
        raise self._error(track, step, limit_s)

    def _settle(self) -> None:
        """Wait until nothing more is raised from outside: it may have answered just when it was given up."""
        while True:
            try:
                self._thread.join()
                _raise_in(threading.get_ident(), None)
                return
            except (_Hangs, KeyboardInterrupt):
                continue

    def _look(self) -> None:
        seen: tuple[Seat, float] | None = None
        looks, every_s = 0, _LOOK_S
        while not self._ended.wait(every_s):
            asked = self._asked
            if asked is None or asked is not seen:
                seen, looks = asked, 0
                every_s = _LOOK_S if asked is None else min(_LOOK_S, asked[1] / 4)
                continue
            looks += 1
            if looks * every_s >= asked[1]:
                self._give_up(asked)
                return

    def _give_up(self, asked: tuple[Seat, float]) -> None:
        """Try to end the wait until it is over."""
        tries = 0
        while not self._ended.wait(_AGAIN_S):
            with self._lock:
                if self._asked is not asked:
                    return
                self._late = True
                asked[0].give_up(tries)
            tries += 1

    def _error(self, track: int, step: int, limit_s: float) -> SettingError:
        doing = f"step {step} of track {track}" if step else f"the beginning of track {track}"
        return SettingError(
            f"the simulator {self._about.name} hangs: {doing} has taken longer than {limit_s:g} s",
            "Start again whatever it needs, such as a server of its own; one that is so slow by nature says so in its"
            " class (longest_step_s, longest_reset_s).",
        )


def raise_within(thread: int, tries: int) -> None:
    """End what a thread of this process computes.

    Args:
        thread: its number.
        tries: how often that was tried: at first an exception is raised where its Python code goes on; where it does
            not, since the thread waits for the system, the main thread is woken as by Ctrl-C.
    """
    if not tries or thread != threading.main_thread().ident:
        _raise_in(thread, _Hangs)
        return
    _raise_in(thread, None)  # one exception at a time
    if os.name == "posix":
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in a thread when it next goes on; None takes one back that has not been raised yet."""
    told = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), told)


__all__ = ["Seat", "Watch", "raise_within"]
