"""When a command was heard, from its probabilities over time.

Shapes: C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Decider:
    """Turns smoothed probabilities into commands: threshold, refractory time, and fading before a repetition.

    A threshold is reached while a word's average still rises. So the decision is held until it rises no more, or so
    many hops have passed: the class with the highest peak is heard, with its peak as the confidence.

    Args:
        limits: (C,) the threshold of each class; inf for a class that is no command.
        refractory_hops: hops after a command in which none is heard.
        held_hops: hops for which a decision is held at most.
    """

    def __init__(self, limits: Array, refractory_hops: int, held_hops: int = 0) -> None:
        self._limits, self._refractory, self._held = limits, refractory_hops, held_hops
        self._free_from = 0
        #: The hop at which a class was last above its threshold, ever since it was heard; it has not faded yet.
        self._sounding: dict[int, int] = {}
        #: The highest probability of each class since the decision is held, and the hop at which it is due at last.
        self._peaks: dict[int, float] = {}
        self._due = 0

    def step(self, hop: int, smoothed: Array) -> tuple[int, float] | None:
        """The class that is heard at a hop, if any, and its confidence.

        Hops may be left out at which nothing is above its threshold, and was not within the hops for which a decision
        is held.

        Args:
            hop: its number, ascending from call to call.
            smoothed: (C,) probabilities.
        """
        above = np.flatnonzero(smoothed >= self._limits).tolist()
        for place in above:
            if place in self._sounding and self._sounding[place] == hop - 1:
                self._sounding[place] = hop
            else:
                self._sounding.pop(place, None)
        held = bool(self._peaks)
        ready = [place for place in above if place not in self._sounding] if hop >= self._free_from else []
        if not held and not ready:
            return None
        if not held:
            self._due = hop + self._held
        rises = False
        for place in {*ready, *self._peaks}:
            value, known = float(smoothed[place]), self._peaks.get(place, -1.0)
            rises |= value > known
            self._peaks[place] = max(value, known)
        if rises and hop < self._due:
            return None
        return self._heard(hop, above)

    def _heard(self, hop: int, above: Sequence[int]) -> tuple[int, float]:
        place, peak = max(self._peaks.items(), key=lambda item: item[1])
        self._peaks.clear()
        self._free_from = hop + self._refractory
        if place in above:
            self._sounding[place] = hop
        return place, peak
