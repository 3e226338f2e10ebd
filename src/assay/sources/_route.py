"""A drive: what the sensors of a car said, each with its own clock, and where the car truly was.

Units and frames: seconds, metres, radians. The car's axes are those of ISO 8855: x ahead, y to the left, z up; a
heading turns from x (east) to y (north). Places are from above, in a flat frame of the drive's own.

Shapes: R readings, F fixes, P reference poses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.sources.route_simulation import Motion

Array = np.ndarray[Any, Any]

#: What a car's sensors can say, in the order in which networks are told. Wheels are front and rear, left and right.
CHANNELS = (
    "wheel_fl",
    "wheel_fr",
    "wheel_rl",
    "wheel_rr",
    "speed",
    "steering",
    "gyro_x",
    "gyro_y",
    "gyro_z",
    "accel_x",
    "accel_y",
    "accel_z",
)
#: The channels that come from one sensor, which fails as a whole.
SENSORS: Mapping[str, tuple[str, ...]] = {
    "wheels": CHANNELS[:4],
    "speed": ("speed",),
    "steering": ("steering",),
    "gyroscope": CHANNELS[6:9],
    "accelerometer": CHANNELS[9:],
}


@dataclass(frozen=True)
class Series:
    """One channel.

    Attributes:
        time: (R,) seconds, ascending.
        value: (R,) at these times.
        mean: each value is the mean since the reading before, instead of what was there at its time.
    """

    time: Array
    value: Array
    mean: bool = False


@dataclass(frozen=True)
class Fixes:
    """What a GNSS receiver says.

    Attributes:
        time: (F,) seconds.
        place: (F, 2) metres.
        sigma: (F,) metres, how far it says that it may be off along each axis; NaN where it does not say.
    """

    time: Array
    place: Array
    sigma: Array


@dataclass(frozen=True)
class Path:
    """Where a car truly was.

    Attributes:
        time: (P,) seconds.
        place: (P, 2) metres.
        heading: (P,) radians, without jumps.
    """

    time: Array
    place: Array
    heading: Array


@dataclass(frozen=True)
class Drive:
    """One drive.

    Attributes:
        name: what it is called; the same on every machine.
        channels: what the sensors say, by the names in `CHANNELS`.
        fixes: of a GNSS receiver.
        reference: where it truly was.
        origin: latitude and longitude, degrees, of the place (0, 0).
        motion: for SIMULATED sensors, the truth that they are drawn from; its time is that of `reference`.
    """

    name: str
    channels: Mapping[str, Series] = field(default_factory=dict)
    fixes: Fixes | None = None
    reference: Path | None = None
    origin: tuple[float, float] | None = None
    motion: Motion | None = None

    @property
    def span(self) -> tuple[float, float]:
        """From when to when sensors that tell of motion speak; of fixes alone, where there is no other."""
        ends = [(one.time[0], one.time[-1]) for one in self.channels.values() if len(one.time)]
        if not ends and self.fixes is not None and len(self.fixes.time):
            return float(self.fixes.time[0]), float(self.fixes.time[-1])
        if not ends:
            return 0.0, 0.0
        return float(min(first for first, _ in ends)), float(max(last for _, last in ends))
