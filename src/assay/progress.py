"""How work that takes long says how far it is, without knowing who listens."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Takes reports and shows nothing; the base of all listeners."""

    def stage(self, name: str, total: float | None = None) -> None:
        """A new stage begins; `total` is the amount of its work where that is known."""

    def advance(self, done: float, note: str = "") -> None:
        """The stage has done `done` of its total so far; `note` is a word on how it stands."""

    def say(self, text: str) -> None:
        """Something that the user should know now."""

    def close(self) -> None:
        """No more reports come."""


class PlainProgress(Progress):
    """A line a stage and then every few seconds, for logs and terminals that cannot redraw."""

    def __init__(self, out: TextIO | None = None, every_s: float = 5.0) -> None:
        self._out, self._every_s = out or sys.stderr, every_s
        self._name, self._last = "", 0.0
        self._total: float | None = None

    def stage(self, name: str, total: float | None = None) -> None:
        """See `Progress.stage`."""
        self._name, self._total, self._last = name, total, time.monotonic()
        print(name, file=self._out, flush=True)

    def advance(self, done: float, note: str = "") -> None:
        """See `Progress.advance`."""
        now = time.monotonic()
        if now - self._last >= self._every_s:
            self._last = now
            share = f" {100 * done / self._total:.0f} %" if self._total else ""
            print(f"  {self._name}{share} {note}".rstrip(), file=self._out, flush=True)

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        print(text, file=self._out, flush=True)
