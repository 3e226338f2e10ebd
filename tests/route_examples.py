"""Made-up drives as a user would log them: a folder each, with tables of wheels, gyroscope, GNSS and poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from assay.sources._route import Drive, Fixes, Series
from assay.sources._route import Path as Way
from assay.sources.records import Records
from assay.sources.routes import read_drive_inputs, read_drives
from assay.sources.source import DataOptions, open_source

TRACK_M = 1.5
LAT, LON = 48.1, 11.5


def motion(seconds: float, seed: int, rate: float = 20.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, speeds and turning of a drive with turns, and now and then a stop."""
    random = np.random.default_rng([seed, 7])
    time = np.arange(0, seconds, 1 / rate)
    knots = np.arange(0, seconds + 10, 5.0)
    speed = np.clip(random.normal(9, 3, len(knots)), 3, 16)
    if seconds > 30:
        speed[random.integers(2, len(knots) - 1)] = 0.0
    turning = np.where(random.random(len(knots)) < 0.4, random.choice([-0.3, 0.3], len(knots)), 0.0)
    speeds = np.interp(time, knots, speed)
    return time, speeds, np.interp(time, knots, turning) * np.clip(speeds / 5, 0, 1)


def path_of(time: np.ndarray, speed: np.ndarray, turning: np.ndarray) -> Way:
    step = np.diff(time, prepend=time[0])
    heading = np.cumsum(turning * step)
    middle = heading - turning * step / 2
    place = np.stack([np.cumsum(speed * np.cos(middle) * step), np.cumsum(speed * np.sin(middle) * step)], axis=1)
    return Way(time, place, heading)


def made_drive(name: str = "drive", seconds: float = 60.0, seed: int = 0, noise: float = 1.0) -> Drive:
    """A drive in memory; `noise` 0 gives perfect sensors."""
    random = np.random.default_rng([seed, 8])
    time, speed, turning = motion(seconds, seed)
    scale = 1 + noise * random.uniform(-0.02, 0.02)
    bias = noise * random.normal(0, 0.002)
    wheels = {
        "wheel_rl": scale * (speed - turning * TRACK_M / 2) + noise * random.normal(0, 0.01, len(time)),
        "wheel_rr": scale * (speed + turning * TRACK_M / 2) + noise * random.normal(0, 0.01, len(time)),
    }
    gyro = turning + bias + noise * random.normal(0, 0.001, len(time))
    path = path_of(time, speed, turning)
    every = slice(None, None, 20)
    fixed = path.place[every] + noise * random.normal(0, 2.0, path.place[every].shape)
    fixes = Fixes(time[every], fixed, np.full(len(fixed), 2.0))
    channels = {key: Series(time, value) for key, value in {**wheels, "gyro_z": gyro}.items()}
    return Drive(name, channels, fixes, path)


def write_csv(file: Path, columns: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*columns.values(), strict=True)
    cells = ["" if isinstance(value, float) and np.isnan(value) else f"{value:.9g}" for row in rows for value in row]
    width = len(columns)
    lines = [",".join(cells[start : start + width]) for start in range(0, len(cells), width)]
    file.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")


def write_drive(folder: Path, drive: Drive, *, gnss: bool = True, poses: bool = True) -> Path:
    """A drive as four tables, each with a clock of its own."""
    wheels, gyro = drive.channels["wheel_rl"], drive.channels["gyro_z"]
    write_csv(
        folder / "wheels.csv",
        {"time": wheels.time, "wheel_speed_rl_kmh": 3.6 * wheels.value,
         "wheel_speed_rr_kmh": 3.6 * drive.channels["wheel_rr"].value},
    )  # fmt: skip
    write_csv(folder / "imu.csv", {"time": gyro.time, "gyro_z_deg_s": np.degrees(gyro.value)})
    if gnss and drive.fixes is not None:
        fixes = drive.fixes
        write_csv(folder / "gnss.csv", {"time": fixes.time, "x": fixes.place[:, 0], "y": fixes.place[:, 1],
                                        "accuracy": fixes.sigma})  # fmt: skip
    if poses and drive.reference is not None:
        path = drive.reference
        write_csv(folder / "poses.csv", {"time": path.time[::2], "x": path.place[::2, 0], "y": path.place[::2, 1],
                                         "heading_deg": np.degrees(path.heading[::2])})  # fmt: skip
    return folder


def write_drives(root: Path, count: int = 30, seconds: float = 60.0, *, gnss: bool = True) -> Path:
    for number in range(count):
        write_drive(root / f"drive-{number:02}", made_drive(seconds=seconds, seed=number), gnss=gnss)
    return root


def write_kitti(folder: Path, routes: int = 3) -> Path:
    """Routes as KITTI writes them: along a wide circle."""
    folder.mkdir(parents=True, exist_ok=True)
    for route in range(routes):
        angle = np.linspace(0, 2 + 0.1 * route, 300)
        rows = []
        for one in angle:
            c, s = np.cos(one), np.sin(one)
            rows.append([c, 0, s, 100 * (1 - c), 0, 1, 0, 0, -s, 0, c, 100 * s])
        np.savetxt(folder / f"{route:02}.txt", np.asarray(rows))
    return folder


def read(path: Path, **extra: object) -> Records:
    return read_drives(open_source(path), DataOptions(extra=extra))


def only(path: Path) -> tuple[Drive, dict[str, str]]:
    """The one drive of a folder as an input, and what was found on the way."""
    records = read_drive_inputs(open_source(path), gnss=True)
    assert records.load is not None
    location = next(iter(records.batches())).column("location")[0].as_py()
    return records.load(location), {problem.kind: problem.action for problem in records.problems}
