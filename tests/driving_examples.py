"""A tiny world to drive in, and logs of drives as simulators and cars write them."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assay.errors import MissingExtraError
from assay.simulators.simulator import Control, Moment, Simulator, within

SIDE, LENGTH_M, HALF_WIDTH_M, METRES = 32, 36.0, 3.0, 0.5


class TinyRoad(Simulator):
    """A winding road from above, 32 x 32 pixels, 10 steps a second; the panel's brightness is the speed."""

    name = "tiny-road"
    controls = (Control("steering", -1.0, 1.0), Control("throttle", 0.0, 1.0), Control("brake", 0.0, 1.0))
    rate_hz, most_steps = 10.0, 60
    mirror = ((0, SIDE, 0, SIDE),)
    own_process = False

    def reset(self, track: int, recoloured: float = 0.0) -> Moment:
        random = np.random.default_rng(track)
        self.wave, self.phase, self.size = random.uniform(22, 34), random.uniform(0, 6.28), random.uniform(2.5, 4)
        self.along, self.aside, self.heading, self.speed = 0.0, float(self._middle(0.0)), 0.0, 8.0
        change = random.uniform(0, 200, 3) * recoloured
        self.road = np.asarray([100.0, 100, 100]) * (1 - recoloured) + change
        return self._moment(0.0, False)

    def step(self, action: Any) -> Moment:
        steering, throttle, brake = within(action, self.controls)
        self.heading = float(np.clip(self.heading + 0.5 * steering, -1.2, 1.2))
        self.speed = float(np.clip(self.speed + throttle - 3 * brake, 2, 12))
        before = self.along
        self.along += 0.1 * self.speed * math.cos(self.heading)
        self.aside += 0.1 * self.speed * math.sin(self.heading)
        done = self.along >= LENGTH_M
        return self._moment(0.0 if self._off() else self.along - before, done)

    def advice(self) -> Any:
        target = self._middle(self.along + 4) - self.aside
        wanted = math.atan2(target, 4.0)
        bend = abs(self._middle(self.along + 8) - 2 * self._middle(self.along + 5) + self._middle(self.along + 2))
        lack = (6.0 if bend > 1.2 else 10.0) - self.speed
        return np.asarray([np.clip(2 * (wanted - self.heading), -1, 1), np.clip(lack, 0, 1), np.clip(-lack / 3, 0, 1)])

    def _middle(self, along: Any) -> Any:
        return self.size * np.sin(2 * math.pi * along / self.wave + self.phase)

    def _off(self) -> bool:
        return abs(self.aside - self._middle(self.along)) > HALF_WIDTH_M

    def _moment(self, reward: float, done: bool) -> Moment:
        rows, columns = np.mgrid[:SIDE, :SIDE]
        ahead, right = (0.75 * SIDE - rows) * METRES, (columns - (SIDE - 1) / 2) * METRES
        cosine, sine = math.cos(self.heading), math.sin(self.heading)
        along, aside = self.along + ahead * cosine - right * sine, self.aside + ahead * sine + right * cosine
        road = np.abs(aside - self._middle(along)) < HALF_WIDTH_M
        frame = np.where(road[:, :, None], self.road, np.asarray([40.0, 180.0, 40.0]))
        frame[28:] = 20 * self.speed
        facts = {"speed": self.speed, "off_road": float(self._off()), "finished": float(done)}
        return Moment(frame.astype(np.uint8), float(reward), done, facts)


class Endless(TinyRoad):
    """A drive that never ends."""

    name = "endless"

    def step(self, action: Any) -> Moment:
        self.along = 0.0
        return super().step(action)


class Busy(TinyRoad):
    """One that computes for ever in its third step."""

    name = "busy"
    longest_step_s, longest_reset_s = 0.4, 60.0

    def step(self, action: Any) -> Moment:
        while self.along > 1.5:
            pass
        return super().step(action)


class Waiting(Busy):
    """One that waits for what never comes, in a process of its own."""

    name = "waiting"
    own_process = True

    def step(self, action: Any) -> Moment:
        if self.along > 1.5:
            time.sleep(1000)
        return TinyRoad.step(self, action)


class Asleep(Waiting):
    """The same in the process of who drives."""

    name = "asleep"
    own_process = False


class Failing(TinyRoad):
    """One with an error of its own."""

    name = "failing"

    def step(self, action: Any) -> Moment:
        raise ZeroDivisionError("no road")


class Absent(TinyRoad):
    """One that needs what is not installed."""

    name = "absent"

    def reset(self, track: int, recoloured: float = 0.0) -> Moment:
        raise MissingExtraError("the simulator absent", "driving")


def frame_of(steering: float, number: int, side: tuple[int, int] = (24, 48)) -> np.ndarray:
    """A picture that shows where the wheel is: a light stripe whose slant is the steering, and noise of its own."""
    rows, columns = np.mgrid[: side[0], : side[1]]
    middle = side[1] / 2 + steering * (side[0] - rows)
    frame = np.random.default_rng(number).integers(0, 60, (*side, 3))
    frame[np.abs(columns - middle) < 4] += 150
    return frame.astype(np.uint8)


def steered(count: int, seed: int = 0) -> np.ndarray:
    """(T,) a wheel that moves smoothly to and fro, straight half of the time."""
    random = np.random.default_rng(seed)
    slow = np.convolve(random.normal(0, 1, count + 40), np.hanning(40) / 8, "valid")[:count]
    return np.clip(np.sign(slow) * np.maximum(np.abs(slow) - 0.15, 0), -1, 1)


def write_log(folder: Path, count: int = 300, seed: int = 0, **changes: Sequence[Any]) -> Path:
    """A log as Udacity's simulator writes it, with a header; `changes` replace columns."""
    frames = folder / "IMG"
    frames.mkdir(parents=True, exist_ok=True)
    steering = steered(count, seed)
    names = []
    for number, angle in enumerate(steering):
        second, tenth = divmod(number, 10)
        minute, second = divmod(second, 60)
        name = f"center_2024_01_01_10_{minute:02}_{second:02}_{tenth}00.jpg"
        Image.fromarray(frame_of(float(angle), 1000 * seed + number)).save(frames / name, quality=90)
        names.append(f"C:\\drives\\IMG\\{name}")
    columns: dict[str, Sequence[Any]] = {
        "center": names, "left": [""] * count, "right": [""] * count, "steering": steering.round(5).tolist(),
        "throttle": [0.5] * count, "brake": (np.abs(steering) > 0.5).astype(float).tolist(), "speed": [9.5] * count,
    }  # fmt: skip
    write_table(folder / "driving_log.csv", {**columns, **changes})
    return folder


def write_table(file: Path, columns: dict[str, Sequence[Any]], header: bool = True) -> None:
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        if header:
            writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
