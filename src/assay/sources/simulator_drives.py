"""Drives of an expert in a simulator: `simulator:CarRacing-v3`.

The expert, which may see the track, drives tracks to learn from, others to choose by, and others to be tested on. What
it drove is kept in the cache, since a simulator takes a second for a second or two of driving.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import RunError, SettingError
from assay.samples.cache import cache_root
from assay.samples.draws import key_of, uniform
from assay.simulators.rides import Driver, Ride, Scene, Terms, rides
from assay.simulators.simulator import (
    DEMONSTRATIONS,
    MOST_TRACKS,
    PREFIX,
    TESTED,
    VALIDATED,
    Simulator,
    open_simulator,
)
from assay.sources._digest import content_digest
from assay.sources.drive_records import Drive, drive_records
from assay.sources.records import Records
from assay.sources.source import DataOptions, Recognition, Source

Array = np.ndarray[Any, Any]
#: Tracks where the user does not say: driven by the expert to learn from, and tested on. To choose by there is one for
#: each `_PER_VALIDATION` to learn from, two at least.
DRIVES, TESTS, _PER_VALIDATION = 40, 30, 5
#: On every second track to learn from the wheel is pushed aside now and then, so that the expert shows how to come back
#: (M. Laskey et al., "DART: noise injection for robust imitation learning", CoRL 2017): the share of the time, how long
#: a push lasts in seconds, and how hard it is at most.
_PUSHED, _PUSH_S, _PUSH = 0.2, 0.3, 0.25
#: Drives that are held in memory at once.
_HELD = 3


def recognise(source: Source) -> Recognition | None:
    """Whether the source is a simulator."""
    if source.address is None or not source.address.startswith(PREFIX):
        return None
    return Recognition(1.0, f"the simulator {source.address.removeprefix(PREFIX)}")


def read(source: Source, options: DataOptions) -> Records:
    """What the expert does on each track; drives that are not in the cache are driven now.

    Options: `extra["drives"]` tracks to learn from, `extra["tests"]` tracks to be tested on, `extra["steps"]` after
    which each ride is cut.

    Raises:
        SettingError: no such simulator, a number that is not possible, or a split that is asked for.
        MissingExtraError: the simulator is not installed.
    """
    name = (source.address or "").removeprefix(PREFIX)
    simulator = open_simulator(name)
    if options.split is not None:
        raise SettingError("a simulator's tracks cannot be split", "Say how many there are: --drives 40 --tests 30.")
    count, tests = _number(options, "drives", DRIVES), _number(options, "tests", TESTS)
    sides = {
        "train": range(DEMONSTRATIONS, DEMONSTRATIONS + count),
        "validation": range(VALIDATED, VALIDATED + max(2, round(count / _PER_VALIDATION))),
        "test": range(TESTED, TESTED + tests),
    }
    steps = _number(options, "steps", 0, simulator.most_steps) if "steps" in options.extra else None
    folder = _drives_folder(simulator, steps)
    for tracks in sides.values():
        _drive_missing(simulator, [track for track in tracks if not _file(folder, track).exists()], folder, steps)
    drives = [expert_drive(simulator, folder, track, side) for side, tracks in sides.items() for track in tracks]
    facts = {
        "simulator": name,
        "rate_hz": simulator.rate_hz / simulator.recorded_every,
        "expert": {side: round(float(np.mean([np.nansum(drive.values["reward"])
                                              for drive in drives if drive.side == side])), 1) for side in sides},
        **({} if steps is None else {"steps": steps}),
    }  # fmt: skip
    names = [control.name for control in simulator.controls]
    return drive_records(drives, names, _Frames(folder).load, facts, label=source.label)


def track_of(id: str) -> int:
    """The number of the track that a drive's id names: "track-17", "round-2/track-17"."""
    return int(id.rpartition("track-")[2])


def recorded_drive(ride: Ride, simulator: Simulator, id: str, **about: Any) -> Drive:
    """A ride with the expert's advice at each frame that was kept, as a drive whose frames are `ID#0`, `ID#1`, ….

    Args:
        ride: recorded and advised.
        simulator: that it was driven in.
        id: its name.
        about: further fields of `Drive`.
    """
    every = simulator.recorded_every
    if ride.advice is None or ride.recorded is None:
        raise ValueError("a ride that was neither advised nor recorded cannot be learned from")
    starts = np.arange(0, len(ride), every)
    values = {control.name: ride.advice[::every, place] for place, control in enumerate(simulator.controls)}
    values["speed"] = ride.speeds[::every]
    values["reward"] = np.add.reduceat(ride.rewards, starts)
    return Drive(id, [f"{id}#{number}" for number in range(len(starts))], values, **about)


def disturbed(simulator: Simulator) -> Driver:
    """The expert, whose wheel is pushed aside now and then; what it advises stays right."""
    low, high = simulator.controls[0].low, simulator.controls[0].high
    every = max(1, round(_PUSH_S * simulator.rate_hz))

    def act(scene: Scene) -> Array:
        if scene.advice is None:
            raise ValueError("an expert was not asked for its advice")
        action = scene.advice.copy()
        place = np.asarray([scene.step // every])
        if uniform(key_of(scene.track, "push"), place)[0] < _PUSHED:
            push = 2 * uniform(key_of(scene.track, "how hard"), place)[0] - 1
            action[0] += push * _PUSH * (high - low) / 2
        return action

    return act


def expert(scene: Scene) -> Array:
    """What the expert advises."""
    if scene.advice is None:
        raise ValueError("an expert was not asked for its advice")
    return scene.advice


def expert_drive(simulator: Simulator, folder: Path, track: int, side: str) -> Drive:
    """A drive out of its file."""
    with _opened(_file(folder, track)) as held:
        values = {name.removeprefix("value "): held[name] for name in held.files if name.startswith("value ")}
    frames = len(next(iter(values.values())))
    id = f"track-{track}"
    digest = content_digest(f"{simulator.name} {simulator.version} {track}".encode())
    return Drive(id, [f"{id}#{number}" for number in range(frames)], values, id, side, digest)


@dataclass
class _Frames:
    """Frames out of files of drives, the last few of which are held."""

    folder: Path

    def __post_init__(self) -> None:
        self._held: OrderedDict[str, Array] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, location: str) -> Array:
        """(H, W, 3) uint8; may be called from threads."""
        name, _, number = location.rpartition("#")
        with self._lock:
            if name not in self._held:
                with _opened(_file(self.folder, track_of(name))) as held:
                    self._held[name] = held["frames"]
                while len(self._held) > _HELD:
                    self._held.popitem(last=False)
            return np.asarray(self._held[name][int(number)])


def held_frames(frames: dict[str, Array]) -> Callable[[str], Array]:
    """A `load` for drives in memory, (T, H, W, 3) by their ids."""

    def load(location: str) -> Array:
        name, _, number = location.rpartition("#")
        return np.asarray(frames[name][int(number)])

    return load


def _drive_missing(simulator: Simulator, tracks: Sequence[int], folder: Path, steps: int | None) -> None:
    terms = Terms(advised=True, recorded=True, most_steps=steps)
    for pushed in (False, True):
        part = [track for track in tracks if pushed == (track < VALIDATED and track % 2 == 1)]
        driver = disturbed(simulator) if pushed else expert
        for ride in rides(simulator.name, part, driver, terms) if part else ():
            _keep(simulator, ride, folder)


def _keep(simulator: Simulator, ride: Ride, folder: Path) -> None:
    """Write a drive so that its file is there as a whole or not at all."""
    drive = recorded_drive(ride, simulator, f"track-{ride.track}")
    values: dict[str, Any] = {f"value {name}": np.float32(value) for name, value in drive.values.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, work = tempfile.mkstemp(dir=folder, prefix=f"{ride.track}.")
        with os.fdopen(handle, "wb") as out:
            np.savez_compressed(out, allow_pickle=False, frames=np.asarray(ride.recorded), **values)
        os.replace(work, _file(folder, ride.track))
    except OSError as error:
        hint = "Free some space, or set ASSAY_CACHE to a folder of yours."
        raise RunError(f"drives cannot be kept in {folder} ({error.strerror})", hint) from error


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with np.load(file, allow_pickle=False) as held:
            yield held
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise RunError(f"{file} is damaged", "Delete it; the drive is driven again.") from error


def _drives_folder(simulator: Simulator, steps: int | None) -> Path:
    cut = "" if steps is None else f"-{steps}-steps"
    return cache_root() / "drives" / f"{simulator.name}-{simulator.version}{cut}"


def _file(folder: Path, track: int) -> Path:
    return folder / f"{track}.npz"


def _number(options: DataOptions, name: str, usual: int, most: int = MOST_TRACKS) -> int:
    given = options.extra.get(name, usual)
    try:
        value = int(str(given))
    except ValueError:
        value = 0
    if not 2 <= value <= most:
        raise SettingError(f"--{name} {given} is not possible", f"Give a whole number from 2 to {most}.")
    return value


__all__ = ["Drive", "expert", "held_frames", "read", "recognise", "recorded_drive", "track_of"]
