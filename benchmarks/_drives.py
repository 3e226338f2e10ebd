"""Drives for benchmarks: a log in the form of Udacity's simulator, and how rides are summed up."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import Json, data_root

Array = np.ndarray[Any, Any]


def udacity_folder() -> Path:
    """The log with its frames; stops with advice where it is not there."""
    folder = data_root() / "udacity_sim_steering"
    if not (folder / "train_log.csv").exists():
        raise SystemExit(f"{folder} is not there: set ASSAY_DATA to the folder that holds udacity_sim_steering")
    return folder


def small_log(folder: Path, count: int = 600) -> Path:
    """For --smoke: frames with a stripe whose slant is the steering."""
    from PIL import Image

    (folder / "IMG").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    steering = np.clip(np.convolve(random.normal(0, 1, count + 40), np.hanning(40) / 8, "valid")[:count], -1, 1)
    rows, columns = np.mgrid[:24, :48]
    with (folder / "driving_log.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["center", "left", "right", "steering", "throttle", "brake", "speed"])
        for number, angle in enumerate(steering):
            frame = random.integers(0, 60, (24, 48, 3))
            frame[np.abs(columns - 24 - angle * (24 - rows)) < 4] += 150
            second, tenth = divmod(number, 10)
            name = f"center_2024_01_01_10_{second // 60:02}_{second % 60:02}_{tenth}00.jpg"
            Image.fromarray(frame.astype(np.uint8)).save(folder / "IMG" / name)
            writer.writerow([f"IMG/{name}", "", "", round(float(angle), 5), 0.5, 0, 9])
    return folder


def scores_of(scores: Sequence[float], finished: Sequence[bool] = ()) -> Json:
    """The mean of rides' scores with its 95 % interval by resampling the tracks, and how they spread."""
    values = np.asarray(scores, float)
    random = np.random.default_rng(0)
    means = values[random.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    told: Json = {"mean": float(values.mean()), "low": float(low), "high": float(high),
                  "deviation": float(values.std()), "least": float(values.min()), "tracks": len(values)}  # fmt: skip
    return {**told, "finished": float(np.mean(finished))} if len(finished) else told
