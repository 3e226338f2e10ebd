"""What the columns of a driving log are, by their names: which sensor, and in which unit.

A name is a word for the sensor with an optional unit at its end: `wheel_speed_rl_kmh`, `gyro_z_deg_s`, `lat`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from assay.sources._route import CHANNELS

#: By unit at the end of a name: what a value is to be multiplied by.
UNITS = {
    "mps": 1.0,
    "m_s": 1.0,
    "kmh": 1 / 3.6,
    "km_h": 1 / 3.6,
    "kph": 1 / 3.6,
    "mph": 0.44704,
    "rad_s": 1.0,
    "radps": 1.0,
    "deg_s": math.pi / 180,
    "degps": math.pi / 180,
    "dps": math.pi / 180,
    "rad": 1.0,
    "deg": math.pi / 180,
    "degrees": math.pi / 180,
    "m_s2": 1.0,
    "ms2": 1.0,
    "mps2": 1.0,
    "g": 9.80665,
    "m": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
}
_WHEELS = {"fl": "front_left", "fr": "front_right", "rl": "rear_left", "rr": "rear_right"}
_AXES = "xyz"
#: Words for what is no channel.
_OTHERS = {
    "time": ("t", "time", "timestamp", "stamp", "seconds", "secs", "unix_time", "utc"),
    "latitude": ("lat", "latitude"),
    "longitude": ("lon", "lng", "long", "longitude"),
    "x": ("x", "east", "easting", "pos_x", "position_x", "p_x", "tx"),
    "y": ("y", "north", "northing", "pos_y", "position_y", "p_y", "ty"),
    "sigma": ("sigma", "accuracy", "horizontal_accuracy", "std", "position_std", "h_acc", "hacc"),
    "heading": ("heading", "yaw", "psi", "theta", "azimuth_from_east"),
    "bearing": ("bearing", "course", "course_over_ground", "compass", "heading_from_north"),
    "qx": ("qx", "q_x", "orientation_x"),
    "qy": ("qy", "q_y", "orientation_y"),
    "qz": ("qz", "q_z", "orientation_z"),
    "qw": ("qw", "q_w", "orientation_w"),
}
#: What stands before a name in a table that holds everything.
_PREFIXES = {
    "gnss": "fix",
    "gps": "fix",
    "fix": "fix",
    "ref": "reference",
    "reference": "reference",
    "true": "reference",
    "truth": "reference",
    "gt": "reference",
    "pose": "reference",
    "ground_truth": "reference",
}
#: Words in a file's name that say what it is about.
_FILES = {
    "sensors": ("imu", "gyro", "gyroscope", "accel", "accelerometer", "wheel", "wheels", "wheelspeed", "can", "odom",
                "odometry", "vehicle", "speed", "steering", "sensors"),
    "fix": ("gnss", "gps", "fix", "fixes", "ublox"),
    "reference": ("pose", "poses", "reference", "truth", "groundtruth", "gt", "trajectory"),
}  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """What a column is.

    Attributes:
        of: "time", "sensors", "fix" or "reference".
        what: a channel, or one of the words for what is no channel.
        factor: to metres, seconds and radians; None where the name does not say a unit.
        column: its name.
    """

    of: str
    what: str
    factor: float | None
    column: str


def _words() -> dict[str, tuple[str, str]]:
    """By word: what it is about and which channel or other thing."""
    found: dict[str, tuple[str, str]] = {}
    for short, long in _WHEELS.items():
        for side in (short, long):
            for form in (
                "wheel_{}",
                "wheel_speed_{}",
                "wheelspeed_{}",
                "speed_{}",
                "v_{}",
                "{}_wheel",
                "{}_wheel_speed",
            ):
                found[form.format(side)] = ("sensors", f"wheel_{short}")
    for word in ("speed", "vehicle_speed", "velocity", "v", "can_speed", "car_speed", "forward_speed"):
        found[word] = ("sensors", "speed")
    for word in ("steering", "steering_angle", "steer", "steering_wheel", "steering_wheel_angle"):
        found[word] = ("sensors", "steering")
    for axis in _AXES:
        for word in ("gyro", "gyr", "angular_velocity", "angular_rate", "omega"):
            found[f"{word}_{axis}"] = ("sensors", f"gyro_{axis}")
        for word in ("accel", "acc", "acceleration", "linear_acceleration"):
            found[f"{word}_{axis}"] = ("sensors", f"accel_{axis}")
        found |= {f"w{axis}": ("sensors", f"gyro_{axis}"), f"g{axis}": ("sensors", f"gyro_{axis}")}
        found[f"a{axis}"] = ("sensors", f"accel_{axis}")
    found |= dict.fromkeys(("yaw_rate", "yawrate", "heading_rate"), ("sensors", "gyro_z"))
    for what, words in _OTHERS.items():
        found |= dict.fromkeys(words, ("time" if what == "time" else "place", what))
    return found


_WORDS = _words()


def meaning_of(column: str, about: str) -> Meaning | None:
    """What a column is; None where its name says nothing.

    Args:
        column: its name.
        about: what its file is about: "sensors", "fix", "reference", or "" where it holds everything.
    """
    bare = re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")
    for unit, factor in ((None, None), *_units_of(bare)):
        word = bare if unit is None else bare[: -len(unit) - 1]
        of = about
        if word not in _WORDS:
            of, word = _without_prefix(word, about)
        if word not in _WORDS:
            continue
        kind, what = _WORDS[word]
        if kind == "time":
            return Meaning("time", what, factor, column)
        if kind == "sensors" and of in ("", "sensors"):
            return Meaning("sensors", what, factor, column)
        if kind == "place":
            return _placed(what, of, factor, column)
    return None


def _units_of(bare: str) -> list[tuple[str, float]]:
    return sorted(
        ((unit, factor) for unit, factor in UNITS.items() if bare.endswith(f"_{unit}")), key=lambda one: -len(one[0])
    )


def _without_prefix(word: str, about: str) -> tuple[str, str]:
    for prefix, of in _PREFIXES.items():
        if word.startswith(f"{prefix}_"):
            return of, word[len(prefix) + 1 :]
    return about, word


def _placed(what: str, of: str, factor: float | None, column: str) -> Meaning | None:
    if of == "":  # a table of everything: degrees on the ground are what a receiver gives, metres the reference
        of = "fix" if what in ("latitude", "longitude", "sigma") else "reference"
    if of == "sensors":
        return None
    if what in ("latitude", "longitude"):
        factor = 1.0
    return Meaning(of, what, factor, column)


def about_of(file: str) -> str | None:
    """What a file is about by its name; None where that does not say."""
    stem = file.rpartition("/")[2].partition(".")[0].lower()
    words = set(re.split(r"[^a-z]+", stem))
    for about in ("reference", "fix", "sensors"):
        if words & set(_FILES[about]):
            return about
    return None


def meanings(columns: Sequence[str], about: str) -> list[Meaning]:
    """What the columns are; of two that are the same, the first counts."""
    found: dict[tuple[str, str], Meaning] = {}
    for column in columns:
        meaning = meaning_of(column, about)
        if meaning is not None:
            found.setdefault((meaning.of, meaning.what), meaning)
    return list(found.values())


def tells_motion(found: Sequence[Meaning]) -> bool:
    """Whether there is a clock, and something that tells where a car goes."""
    kinds = {(one.of, one.what) for one in found}
    moves = any(of == "sensors" and what in CHANNELS[:9] for of, what in kinds)
    fixes = {("fix", "latitude"), ("fix", "longitude")} <= kinds or {("fix", "x"), ("fix", "y")} <= kinds
    return ("time", "time") in kinds and (moves or fixes)
