"""The course data of Udacity's extended Kalman filter (SIMULATED lidar and radar): our filter against the rubric."""

from __future__ import annotations

import numpy as np
from _common import Bench, Json, Target, data_root, open_bench

#: The rubric: root mean square errors of x, y and their speeds.
RUBRIC = (0.11, 0.11, 0.52, 0.52)
_NAME = "obj_pose-laser-radar-synthetic-input.txt"


def measured(bench: Bench) -> Json:
    """The errors with both sensors, and with each alone."""
    from assay.evaluation.sighting_filter import followed_sightings
    from assay.sources.routes_udacity import sightings

    found = sightings(content(bench), _NAME)
    result: Json = {}
    for name, radar, lidar in (("both", True, True), ("lidar", False, True), ("radar", True, False)):
        states = followed_sightings(found, radar=radar, lidar=lidar)
        result[name] = np.sqrt(((states - found.truth) ** 2).mean(axis=0)).tolist()
    return result


def content(bench: Bench) -> bytes:
    file = data_root() / "udacity_ekf" / _NAME
    if bench.smoke:
        return invented()
    if not file.exists():
        raise SystemExit(f"{file} is not there: set ASSAY_DATA to the folder that holds udacity_ekf")
    return file.read_bytes()


def invented(count: int = 60) -> bytes:
    """Sightings of something on a circle, for a smoke run."""
    random = np.random.default_rng(0)
    lines = []
    for number in range(count):
        angle = 0.02 * number
        x, y, vx, vy = 5 + 9 * np.cos(angle), 9 * np.sin(angle), -3.6 * np.sin(angle), 3.6 * np.cos(angle)
        truth = f"{x} {y} {vx} {vy} 0 0"
        if number % 2:
            distance, bearing = np.hypot(x, y), np.arctan2(y, x)
            speed = (x * vx + y * vy) / distance
            off = random.normal(0, (0.3, 0.03, 0.3))
            seen = f"R {distance + off[0]} {bearing + off[1]} {speed + off[2]}"
        else:
            seen = f"L {x + random.normal(0, 0.15)} {y + random.normal(0, 0.15)}"
        lines.append(f"{seen} {number * 50000} {truth}")
    return "\n".join(lines).encode()


def main() -> None:
    bench = open_bench("udacity_ekf", __doc__)
    found = bench.piece("filter", lambda: measured(bench))
    names = ("x", "y", "vx", "vy")
    targets = [Target(f"RMSE {name}", value, "<=", most)
               for name, value, most in zip(names, found["both"], RUBRIC, strict=True)]  # fmt: skip
    bench.settings = {"noise": "as the course gives it", "start": "at the first sighting"}
    bench.finish(found, targets)


if __name__ == "__main__":
    main()
