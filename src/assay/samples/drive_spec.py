"""What a drive is to a policy: the form of its frames, what is controlled, and what counts as a bend.

Shapes: A controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.samples.pixel_values import NOT_LEARNED, PixelRange
from assay.task_export import Preparation

#: What |steering| makes of a frame, from the least on.
BENDS = ("straight", "bend", "sharp bend")
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Loop:
    """The simulator that a policy is judged in.

    Attributes:
        simulator: its name.
        collect: drives of the policy, with the expert's advice, that are learned from while it trains.
        expert: the expert's mean score on the validation tracks, which nothing is learned from.
        steps: after so many a ride is cut; None for the simulator's own limit.
        drives: of the expert, that are learned from.
        rate_hz: steps a second.
    """

    simulator: str
    collect: int
    expert: float
    steps: int | None = None
    drives: int = 1
    rate_hz: float = 50.0


@dataclass(frozen=True)
class DriveSpec:
    """See the module.

    Attributes:
        height: of a frame, pixels.
        width: of a frame, pixels.
        frames: how many the policy sees at once: the present one last.
        spacing_s: seconds between them.
        rate_hz: frames a second of what was recorded.
        mean: of each channel of all frames, 3 a frame, in pixel values.
        deviation: likewise.
        controls: names of what is set, steering first.
        low: the least value of each that is answered.
        high: the largest.
        centre: the usual value of each; of steering 0.
        scale: how far each usually lies from that.
        bends: the least |steering| of a bend and of a sharp one.
        shares: of the training frames that are straight, in a bend, in a sharp one.
        mirror: boxes (top, bottom, left, right) of the frame that a mirrored frame has turned left to right.
        loop: the simulator; None where drives were recorded and there is none.
        pixels: how frames of more than 8 bits become such.
    """

    height: int
    width: int
    frames: int
    spacing_s: float
    rate_hz: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    controls: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    bends: tuple[float, float]
    shares: tuple[float, float, float]
    mirror: tuple[Box, ...]
    loop: Loop | None = None
    pixels: PixelRange = NOT_LEARNED

    @property
    def brake(self) -> int | None:
        """The place of the brake among the controls; None where there is none."""
        return self.controls.index("brake") if "brake" in self.controls else None

    def back(self, rate_hz: float) -> int:
        """How many frames, at a rate, lie from one frame that is seen to the next."""
        return max(1, round(self.spacing_s * rate_hz))

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = (
            f"decode, resize to {self.height} x {self.width} pixels, {self.frames} frames {self.spacing_s:g} s apart"
        )
        return Preparation(("scale pixels",), (outside, "after it: controls clipped to their bounds"))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        loop = None if self.loop is None else dict(vars(self.loop))
        return {**vars(self), "loop": loop, "pixels": self.pixels.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> DriveSpec:
        """The inverse of `to_json`."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                                  for key, value in data.items()}  # fmt: skip
        values["mirror"] = tuple(tuple(box) for box in values["mirror"])
        values["loop"] = None if values["loop"] is None else Loop(**values["loop"])
        values["pixels"] = PixelRange.from_json(values.get("pixels"))
        return DriveSpec(**values)
