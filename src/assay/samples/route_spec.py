"""What a drive is to a network: its clock, its channels, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from assay.samples.route_calibration import Calibration
from assay.task_export import Preparation

#: Steps a second where nothing else is asked for.
RATE_HZ = 10.0


@dataclass(frozen=True)
class RouteSpec:
    """See the module.

    Attributes:
        channels: the sensors' channels, in the order of the network's inputs.
        deviation: of each channel, over the training drives.
        calibration: what the channels mean.
        gnss: the training drives have fixes.
        fix_sigma_m: the deviation of a fix that does not say its own.
        fix_delay_s: by how much fixes are late.
        rate_hz: steps a second.
        lengths_m: the lengths of the segments over which drift is measured.
        simulated: the sensors are SIMULATED.
    """

    channels: tuple[str, ...]
    deviation: tuple[float, ...]
    calibration: Calibration = field(default_factory=Calibration)
    gnss: bool = False
    fix_sigma_m: float = 5.0
    fix_delay_s: float = 0.0
    rate_hz: float = RATE_HZ
    lengths_m: tuple[float, ...] = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
    simulated: bool = False

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        return 1 / self.rate_hz

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"sensors brought to an even clock of {self.rate_hz:g} Hz, a frame of a second at a time"
        after = "after it: a filter of the pose, with GNSS where there is any"
        return Preparation(("calibration of the sensors",), (outside, after))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**asdict(self), "calibration": self.calibration.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RouteSpec:
        """The inverse of `to_json`."""
        tuples = {name: tuple(data[name]) for name in ("channels", "deviation", "lengths_m")}
        return RouteSpec(**{**data, **tuples, "calibration": Calibration.from_json(data["calibration"])})
