"""How much memory a piece of work takes beyond what the process held before it."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_EVERY_S = 0.02
_STATM = Path("/proc/self/statm")


@dataclass
class Memory:
    """What `watched` saw.

    Attributes:
        most: the most bytes that were held beyond those at the start; None while it is watched, and where the system
            does not tell.
    """

    most: int | None = None


@contextmanager
def watched() -> Iterator[Memory]:
    """Watch the process's own memory (not pages of files) from time to time while something is done.

    Freed memory that the C library keeps is given back first, so that what was done before does not hide what this
    takes. Linux alone tells; elsewhere nothing is known.
    """
    found = Memory()
    _give_back()
    before = _own_bytes()
    if before is None:
        yield found
        return
    seen, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_S):
            seen[0] = max(seen[0], _own_bytes() or 0)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found.most = max(seen[0], _own_bytes() or 0) - before


def _own_bytes() -> int | None:
    """Resident memory without pages of files; None where the system does not tell."""
    try:
        fields = _STATM.read_text(encoding="ascii").split()
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _give_back() -> None:
    """Ask the C library to return what is free to the system; harmless where it cannot."""
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
