"""How a person or the system asks a training to stop, and how the work at hand takes it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stop(threading.Event):
    """Set to stop a training; says whether the work at hand wants to stop by itself, behind a whole step."""

    waiting = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Work that looks at this event and stops by itself."""
        self.waiting = True
        try:
            yield
        finally:
            self.waiting = False


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """An event that Ctrl-C or a termination signal sets: fitting stops behind a whole step, anything else at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: Any) -> None:
        if stop.is_set() or not stop.waiting:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
