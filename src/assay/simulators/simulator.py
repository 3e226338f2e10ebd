"""A world to drive in: the small interface that every simulator fills, and how one is opened by its name.

To add one, extend `Simulator` in a file and name it in `SIMULATORS`, or from another package through the entry-point
group `assay.simulators`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from assay.errors import MissingExtraError, SettingError, did_you_mean

Array = np.ndarray[Any, Any]
#: How a source names a simulator: `simulator:CarRacing-v3`.
PREFIX = "simulator:"
#: Where each simulator stands, `module:Class` by its name.
SIMULATORS = {"CarRacing-v3": "assay.simulators.car_racing:CarRacing"}
#: The first track of each purpose. A simulator makes a track out of a number; each purpose counts from its own first
#: one, so that none is ever driven for two: demonstrations, drives of the policy while it learns, validation, test.
#: Experts and classical controllers were tuned on tracks from `TUNED_ON` on.
DEMONSTRATIONS, COLLECTED, VALIDATED, TESTED, TUNED_ON = 0, 1000, 5000, 10000, 20000
#: Of the tracks of one purpose there are so many at most.
MOST_TRACKS = 1000


@dataclass(frozen=True)
class Control:
    """Something that a driver sets.

    Attributes:
        name: such as "steering".
        low: the least value; of steering it means full left.
        high: the largest value.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Moment:
    """What a simulator gives for a step.

    Attributes:
        frame: (H, W, 3) uint8, what the camera sees.
        reward: points for the step.
        done: the drive has ended.
        facts: what is known beside the frame, for scores alone: `speed` (m/s), `off_road` (1 where the car has left
            the road), `finished` (1 where the drive ended at its aim).
    """

    frame: Array
    reward: float = 0.0
    done: bool = False
    facts: Mapping[str, float] = field(default_factory=dict)


class Simulator(ABC):
    """One world. Every drive begins with `reset`; the same track and actions give the same frames.

    Attributes:
        name: what a source calls it.
        version: changes where the same track or the expert does: kept drives are told apart by it.
        extra: the optional dependency that it needs.
        controls: what a driver sets, in the order of an action's values; steering first.
        rate_hz: steps a second.
        most_steps: a drive that has not ended by then is cut.
        recorded_every: of so many frames one is kept to learn from: neighbours are nearly equal.
        mirror: boxes (top, bottom, left, right) of the frame in pixels, each of which is turned left to right by
            itself where a frame is mirrored: the view, and instruments with a middle of their own.
        own_process: it works in a process of its own, so that two are quicker than one, and one that hangs or crashes
            can be ended. False where a step takes no longer than to ask another process.
        longest_step_s: a step that takes longer hangs, and ends all with an error.
        longest_reset_s: likewise of the beginning of a drive, such as until a world is loaded.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    extra: ClassVar[str] = "driving"
    controls: ClassVar[tuple[Control, ...]]
    rate_hz: ClassVar[float]
    most_steps: ClassVar[int]
    recorded_every: ClassVar[int] = 1
    mirror: ClassVar[tuple[tuple[int, int, int, int], ...]]
    own_process: ClassVar[bool] = True
    longest_step_s: ClassVar[float] = 60.0
    longest_reset_s: ClassVar[float] = 300.0

    @abstractmethod
    def reset(self, track: int, recoloured: float = 0.0) -> Moment:
        """Begin a drive.

        Args:
            track: the number of the track.
            recoloured: from 0 to 1, how far road and land have other colours than usual; which follows from the track.

        Raises:
            MissingExtraError: the simulator is not installed.
        """

    @abstractmethod
    def step(self, action: Array) -> Moment:
        """Set the controls (A,) and go on by `1 / rate_hz` seconds."""

    @abstractmethod
    def advice(self) -> Array:
        """(A,) what the expert would do now; it may see the whole track and where the car is."""


def open_simulator(name: str) -> Simulator:
    """The simulator of that name.

    Raises:
        SettingError: there is none.
        MissingExtraError: it is not installed.
    """
    return made_at(place_of(name), name)


def place_of(name: str) -> str:
    """`module:Class` of the simulator of that name; raises `SettingError` where there is none."""
    known = known_simulators()
    if name not in known:
        more = "Another one comes with a package that brings it: pip install that; or write it, see docs/driving.md."
        raise SettingError(f"there is no simulator {name!r}", f"{did_you_mean(name, known)} {more}")
    return known[name]


def made_at(place: str, name: str) -> Simulator:
    """A simulator by `module:Class`.

    Raises:
        MissingExtraError: one of Assay's own is not installed.
        SettingError: one of another package cannot be opened.
    """
    module, _, attribute = place.partition(":")
    try:
        made: Simulator = getattr(importlib.import_module(module), attribute)()
    except ImportError as error:
        if name in SIMULATORS:
            raise MissingExtraError(f"the simulator {name}", "driving") from error
        lacking = f"pip install {error.name}" if error.name else f"Install what {module} needs."
        raise SettingError(f"the simulator {name} needs what is not installed: {error}", lacking) from error
    except AttributeError as error:
        raise SettingError(f"the simulator {name} cannot be opened: {error}", f"Look into {module}.") from error
    return made


def known_simulators() -> dict[str, str]:
    """`module:Class` of each simulator by its name, those of other packages included."""
    from importlib.metadata import entry_points

    return {**{entry.name: entry.value for entry in entry_points(group="assay.simulators")}, **SIMULATORS}


def within(action: Any, controls: tuple[Control, ...]) -> Array:
    """(A,) float32 of an action, each value brought into its control's bounds; what is no number is the nearest to 0.

    Raises:
        SettingError: it has another number of values.
    """
    values = np.asarray(action, np.float32).ravel()
    if len(values) != len(controls):
        names = ", ".join(control.name for control in controls)
        raise SettingError(
            f"an action has {len(values)} values, but the controls are {names}", "Give one value for each."
        )
    low, high = (np.asarray([getattr(control, end) for control in controls], np.float32) for end in ("low", "high"))
    return np.asarray(np.clip(np.nan_to_num(values, posinf=1e9, neginf=-1e9), low, high))
