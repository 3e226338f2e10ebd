"""Progress bars on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from assay import progress


class BarProgress(progress.Progress):
    """A bar for each stage, on standard error."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._bars.start()
        self._now: TaskID | None = None

    def stage(self, name: str, total: float | None = None) -> None:
        """See `Progress.stage`."""
        self._end()
        self._now = self._bars.add_task(name, total=total, note="")

    def advance(self, done: float, note: str = "") -> None:
        """See `Progress.advance`."""
        if self._now is not None:
            self._bars.update(self._now, completed=done, note=note)

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        self._bars.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """See `Progress.close`."""
        self._end()
        self._bars.stop()

    def _end(self) -> None:
        if self._now is not None:
            task = self._bars.tasks[self._now]
            self._bars.update(self._now, total=task.total or 1, completed=task.total or 1)
            self._now = None
