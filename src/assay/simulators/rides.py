"""Rides: a driver in a simulator, on one track after the other, in two processes where there are two cores.

What comes of a ride follows from the track, the driver and the terms alone, however many simulators work at once: a
driver is asked about each ride by itself.

Shapes: T steps of a ride, A controls, H, W of a frame.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.simulators._watch import Watch, raise_within
from assay.simulators._worker import Remote, answered, borrowed
from assay.simulators.simulator import Moment, Simulator, open_simulator, within

Array = np.ndarray[Any, Any]
#: Simulators that work at once at most: a step of a policy in between keeps a core busy for a third of its time.
_MOST_AT_ONCE = 2
#: Pictures of places where a ride left the road, at most.
_PICTURES = 3


@dataclass(frozen=True)
class Scene:
    """What a driver is shown.

    Attributes:
        frames: the last frames (H, W, 3), the newest last, as many as the driver remembers, fewer at the start.
        step: from 0.
        track: its number.
        advice: (A,) what the expert would do; None where it was not asked for.
    """

    frames: Sequence[Array]
    step: int
    track: int
    advice: Array | None


Driver = Callable[[Scene], Any]


@dataclass(frozen=True)
class Terms:
    """How rides go.

    Attributes:
        recoloured: see `Simulator.reset`.
        delay: steps by which an action comes late; until the first arrives nothing is done.
        advised: ask the expert at every step, too.
        remembered: how many frames the driver is shown.
        most_steps: cut a ride there; None for the simulator's own limit.
        lost_after: cut a ride after so many steps off the road; None for never.
        recorded: keep frames, one of every `Simulator.recorded_every`.
    """

    recoloured: float = 0.0
    delay: int = 0
    advised: bool = False
    remembered: int = 1
    most_steps: int | None = None
    lost_after: int | None = None
    recorded: bool = False


@dataclass(frozen=True)
class Ride:
    """What came of one drive.

    Attributes:
        track: its number.
        score: the sum of the rewards.
        actions: (T, A) as set.
        advice: (T, A) what the expert would have done at each step; None where it was not asked.
        rewards: (T,).
        speeds: (T,) m/s before each action; NaN where the simulator does not tell.
        off_road: (T,) bool, the car was off the road before the action.
        finished: it reached its aim.
        cut: it was ended since it went on for too long, or was lost.
        rate_hz: steps a second.
        left: where it left the road: the step and the frame a moment before, a few at most.
        recorded: (T', H, W, 3) uint8, the frames kept; None where none were.
    """

    track: int
    score: float
    actions: Array
    advice: Array | None
    rewards: Array
    speeds: Array
    off_road: Array
    finished: bool
    cut: bool
    rate_hz: float
    left: tuple[tuple[int, Array], ...] = ()
    recorded: Array | None = None

    def __len__(self) -> int:
        return len(self.actions)


def rides(
    name: str, tracks: Sequence[int], driver: Driver, terms: Terms | None = None, at_once: int | None = None
) -> Iterator[Ride]:
    """Drive each track once; the rides come in the order of the tracks.

    Args:
        name: the simulator's.
        tracks: their numbers.
        driver: gives an action (A,) for what it is shown.
        terms: how; None for the usual terms.
        at_once: simulators that work at once, a single one in this process; None for as many as there are cores, two
            at most, in processes of their own where the simulator says so.

    Raises:
        SettingError: there is no such simulator, it fails or hangs, or an action of another number of values.
        MissingExtraError: it is not installed.
    """
    terms = terms or Terms()
    about = open_simulator(name)
    usual = min(os.cpu_count() or 1, _MOST_AT_ONCE) if about.own_process else 1
    count = min(at_once or usual, len(tracks))
    apart = count > 1 or (about.own_process and at_once is None)
    done: dict[int, Ride] = {}
    waiting = deque(enumerate(tracks))
    given = 0
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(about))
        seats: list[Seat] = [stack.enter_context(borrowed(name)) if apart else _Here(about) for _ in range(count)]
        under_way = deque(_begin(seat, about, waiting.popleft(), terms) for seat in seats)
        while under_way:
            one = under_way.popleft()
            if one.advance(driver, watch):
                under_way.append(one)
                continue
            done[one.place] = one.ride()
            if waiting:
                under_way.append(_begin(one.seat, about, waiting.popleft(), terms))
            while given in done:
                yield done.pop(given)
                given += 1


class _Here:
    """A simulator in this process, asked as one in another is."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._asked: tuple[Any, ...] = ()
        self._thread = 0

    def ask(self, *command: Any) -> None:
        self._asked = command

    def answer(self) -> tuple[Moment, Array | None]:
        self._thread = threading.get_ident()
        return answered(self._simulator, *self._asked)

    def give_up(self, tries: int) -> None:
        raise_within(self._thread, tries)


Seat = Remote | _Here


@dataclass
class _UnderWay:
    """A ride that has not ended."""

    seat: Seat
    about: Simulator
    place: int
    track: int
    terms: Terms
    frames: deque[Array]
    delayed: deque[Array]
    actions: list[Array] = field(default_factory=list)
    advice: list[Array] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    facts: list[dict[str, float]] = field(default_factory=list)
    left: list[tuple[int, Array]] = field(default_factory=list)
    kept: list[Array] = field(default_factory=list)
    lost: int = 0
    cut: bool = False

    def advance(self, driver: Driver, watch: Watch) -> bool:
        """Take the answer, ask the driver, send its action; False where the ride has ended."""
        moment, advice = watch.answer(self.seat, self.track, len(self.actions))
        if self.actions:
            self.rewards.append(moment.reward)
        off = bool(moment.facts.get("off_road", 0.0))
        if off and not self.lost and len(self.left) < _PICTURES:
            shown = [*self.frames, moment.frame]
            self.left.append((len(self.actions), shown[max(0, len(shown) - 1 - _before(self.about))]))
        self.lost = self.lost + 1 if off else 0
        limit = self.terms.most_steps or self.about.most_steps
        too_long = len(self.actions) >= limit
        self.cut = too_long or (self.terms.lost_after is not None and self.lost >= self.terms.lost_after)
        if moment.done or self.cut:
            self.cut, self.facts = self.cut and not moment.done, [*self.facts, dict(moment.facts)]
            return False
        self._drive(driver, moment, advice)
        return True

    def _drive(self, driver: Driver, moment: Moment, advice: Array | None) -> None:
        step = len(self.actions)
        self.frames.append(moment.frame)
        shown = list(self.frames)[-self.terms.remembered :]
        wanted = within(driver(Scene(shown, step, self.track, advice)), self.about.controls)
        self.delayed.append(wanted)
        action = self.delayed.popleft()
        self.seat.ask("step", [float(value) for value in action], self.terms.advised)
        self.actions.append(action)
        self.facts.append(dict(moment.facts))
        if advice is not None:
            self.advice.append(advice)
        if self.terms.recorded and step % self.about.recorded_every == 0:
            self.kept.append(moment.frame)

    def ride(self) -> Ride:
        """What came of it."""
        controls = len(self.about.controls)
        before = self.facts[: len(self.actions)]
        return Ride(
            self.track,
            float(sum(self.rewards)),
            np.asarray(self.actions, np.float32).reshape(-1, controls),
            np.asarray(self.advice, np.float32).reshape(-1, controls) if self.terms.advised else None,
            np.asarray(self.rewards, np.float32),
            np.asarray([facts.get("speed", np.nan) for facts in before], np.float32),
            np.asarray([facts.get("off_road", 0.0) for facts in before], bool),
            bool(self.facts[-1].get("finished", 0.0)),
            self.cut,
            self.about.rate_hz,
            tuple(self.left),
            np.stack(self.kept) if self.terms.recorded and self.kept else None,
        )


#: A picture of where a ride left the road is so many seconds older.
_BEFORE_S = 0.5


def _before(about: Simulator) -> int:
    return max(1, round(_BEFORE_S * about.rate_hz))


def _begin(seat: Seat, about: Simulator, track: tuple[int, int], terms: Terms) -> _UnderWay:
    seat.ask("reset", track[1], terms.recoloured, terms.advised)
    idle = np.asarray([min(max(0.0, control.low), control.high) for control in about.controls], np.float32)
    frames: deque[Array] = deque(maxlen=max(terms.remembered, _before(about)))
    return _UnderWay(seat, about, *track, terms, frames, deque([idle] * terms.delay))
