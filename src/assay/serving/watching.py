"""Naming what frames of a camera show: frames at a rate, smoothed over time, each name by its threshold.

It is done as commands are heard in sound (`listening.py`): shares are averaged over some frames, so that one frame
decides nothing, and what is named has to be gone before it is named again.

Shapes: n frames of a chunk, H height and W width in pixels, C names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, SettingError
from assay.serving.deciding import Decider
from assay.task_sessions import Session

if TYPE_CHECKING:
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
#: Classes that say that there is nothing to name, in small letters.
NOTHING = ("other", "nothing", "none", "background")


@dataclass(frozen=True)
class Sight:
    """What an application sees in frames; see `Traits.watched_by`.

    Attributes:
        names: of what can be seen.
        shares: takes frames (n, H, W, 3) uint8, red first, and gives how surely each shows what (n, C), from 0 to 1.
        threshold: the averaged share from which on something counts as seen, where nobody says otherwise.
    """

    names: Sequence[str]
    shares: Callable[[Array], Array]
    threshold: float = 0.8


@dataclass(frozen=True)
class Watching:
    """How frames are watched.

    Attributes:
        rate_hz: frames that are looked at in each second.
        smoothing_s: seconds over whose frames shares are averaged.
        refractory_s: seconds after a name in which none is told; the same one must also have been gone before it is
            told again.
        threshold: the averaged share from which on something is told; None for the application's own.
    """

    rate_hz: float = 5.0
    smoothing_s: float = 0.6
    refractory_s: float = 2.0
    threshold: float | None = None

    def __post_init__(self) -> None:
        """Raises `SettingError` where a value is not possible."""
        limits = {"rate": (self.rate_hz, 0.05, 120.0), "smoothing": (self.smoothing_s, 0.0, 60.0),
                  "refractory": (self.refractory_s, 0.0, 3600.0)}  # fmt: skip
        if self.threshold is not None:
            limits["threshold"] = (self.threshold, 0.01, 1.0)
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise SettingError(f"--{name} {value:g} is not possible", f"Give a number from {least:g} to {most:g}.")


@dataclass(frozen=True)
class Seen:
    """Something that came into sight.

    Attributes:
        command: its name: the class.
        confidence: its averaged share at its peak, as far as that was waited for, from 0 to 1.
        at_s: seconds from the first frame to the one at which it was decided.
    """

    command: str
    confidence: float
    at_s: float


class Watcher(Session):
    """Names what comes into sight; chunks are `VideoFrames`, or frames (n, H, W, 3) uint8 at the rate.

    Args:
        sight: what is seen in single frames.
        watching: how they are watched.

    Example:
        >>> import numpy as np
        >>> def red(frames):
        ...     return np.stack([frames[..., 0].mean((1, 2)) / 255, np.zeros(len(frames))], axis=1)
        >>> watcher = Watcher(Sight(["stop", "other"], red), Watching(rate_hz=10, smoothing_s=0.2))
        >>> frames = np.zeros((20, 8, 8, 3), np.uint8)
        >>> frames[10:15, ..., 0] = 255
        >>> [(one.command, one.at_s) for one in [*watcher.push(frames), *watcher.close()]]
        [('stop', 1.2)]
    """

    def __init__(self, sight: Sight, watching: Watching) -> None:
        self.commands = tuple(name for name in sight.names if name.casefold() not in NOTHING)
        if not self.commands:
            raise SettingError("there is nothing that this run could name", "Train with classes that say what is seen.")
        self._sight, self._rate = sight, watching.rate_hz
        self._averaged = max(1, round(watching.smoothing_s * watching.rate_hz))
        refractory = round(watching.refractory_s * watching.rate_hz)
        threshold = sight.threshold if watching.threshold is None else watching.threshold
        limits = [threshold if name in self.commands else np.inf for name in sight.names]
        self._decider = Decider(np.asarray(limits), refractory, self._averaged - 1)
        self._recent: deque[Array] = deque(maxlen=self._averaged)
        #: Ticks without a frame that show what the last frame did; longer ago, that says nothing.
        self._held = self._averaged + refractory + 1
        self._last: Array | None = None
        self._tick = -1

    def push(self, chunk: Any) -> list[Seen]:
        """See `Session.push`; raises `DataError` where a chunk is no frames."""
        pixels, ticks = self._ticks(chunk)
        chosen = np.flatnonzero(np.diff(np.maximum.accumulate(ticks), prepend=self._tick) > 0)
        found: list[Seen] = []
        if len(chosen):
            for tick, shares in zip(ticks[chosen].tolist(), self._sight.shares(pixels[chosen]), strict=True):
                found += self._step(tick, shares)
        return found

    def close(self) -> list[Seen]:
        """See `Session.close`: what is held back until it is clear how sure it is."""
        if self._last is None:
            return []
        nothing = np.zeros_like(self._last)
        return [one for _ in range(self._averaged) for one in self._decided(self._tick + 1, nothing)]

    def _ticks(self, chunk: Any) -> tuple[Array, Array]:
        """Frames, and in which tick of the rate each of them comes."""
        if hasattr(chunk, "times"):
            return chunk.pixels, np.floor(np.asarray(chunk.times) * self._rate + 1e-6).astype(np.int64)
        pixels = np.asarray(chunk)
        if pixels.ndim != 4 or pixels.dtype != np.uint8:
            raise DataError(f"a {pixels.dtype} array of shape {pixels.shape} is no frames", "Give (n, H, W, 3) uint8.")
        return pixels, self._tick + 1 + np.arange(len(pixels))

    def _step(self, tick: int, shares: Array) -> list[Seen]:
        found: list[Seen] = []
        if self._last is not None:
            for missed in range(max(self._tick + 1, tick - self._held), tick):
                found += self._decided(missed, self._last)
        self._last = np.asarray(shares, np.float32)
        return found + self._decided(tick, self._last)

    def _decided(self, tick: int, shares: Array) -> list[Seen]:
        self._tick = tick
        self._recent.append(shares)
        smoothed = np.sum(self._recent, axis=0) / self._averaged
        found = self._decider.step(tick, smoothed)
        if found is None:
            return []
        return [Seen(self._sight.names[found[0]], round(found[1], 4), round(tick / self._rate, 3))]


def watcher(predictor: Predictor, watching: Watching) -> Watcher:
    """What names what a trained network sees; raises `SettingError` where its application does not watch."""
    task = predictor.task
    if not task.traits.watched_by:
        raise SettingError(f"{task.name} does not watch a camera", "Give a run that tells classes or objects.")
    return Watcher(import_module(task.traits.watched_by).sight(predictor), watching)
