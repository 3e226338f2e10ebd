"""What a picture with objects is, learned from the training pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.samples.pixel_values import NOT_LEARNED, PixelRange
from assay.task_export import Preparation


@dataclass(frozen=True)
class BoxSpec:
    """The form in which every picture reaches the network: its field.

    Attributes:
        channels: 1 for grey, 3 for colour, more for microscopes.
        height: of the field, pixels; a multiple of 32.
        width: of the field, pixels; a multiple of 32.
        mean: of each channel, in pixel values (0 to 255).
        deviation: of each channel, in pixel values.
        classes: the names of the classes, in the order of their numbers.
        objects: objects of a picture in the mean.
        side: the side of a small object in pixels of the field: that which nine of ten objects exceed, as the square
            root of the area.
        pixels: how values of more than 8 bits become bytes.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    classes: tuple[str, ...]
    objects: float = 1.0
    side: float = 32.0
    pixels: PixelRange = NOT_LEARNED

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"decode, fit into {self.height} x {self.width} pixels (Pillow)"
        after = "after it: scores, boxes that overlap better ones dropped"
        return Preparation((f"scale {self.channels} channels of uint8",), (outside, after))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "pixels": self.pixels.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> BoxSpec:
        """The inverse of `to_json`."""
        values = {**data, "pixels": PixelRange.from_json(data.get("pixels"))}
        for name in ("mean", "deviation", "classes"):
            values[name] = tuple(values[name])
        return BoxSpec(**values)
