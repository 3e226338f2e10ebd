"""What an image is, learned from the training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assay.errors import RunError
from assay.samples.pixel_values import NOT_LEARNED, PixelRange
from assay.targets.target import Target, target_from_json
from assay.task_export import Preparation

Fit = Literal["squash", "cover", "pad"]


@dataclass(frozen=True)
class ImageSpec:
    """The form in which every image reaches the network: 8 bits a value.

    Attributes:
        channels: 1 for grey, 3 for colour, more for microscopes.
        height: pixels.
        width: pixels.
        mean: of each channel, in pixel values.
        deviation: of each channel, in pixel values.
        fit: how an image of another shape is brought to this one.
        target: what is predicted.
        pixels: how values of more than 8 bits become such.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    fit: Fit
    target: Target
    pixels: PixelRange = NOT_LEARNED

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        size = f"{self.height} x {self.width} pixels"
        outside = f"decode, turn as EXIF says, {self.fit} to {size} (Pillow)"
        return Preparation((f"scale {self.channels} channels of uint8",), (outside,))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "target": self.target.to_json(), "pixels": self.pixels.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ImageSpec:
        """The inverse of `to_json`."""
        values = dict(data)
        if values.pop("dtype", "uint8") != "uint8":
            raise RunError("this run took 16 bits a value, which is no longer done", "Train it again on its source.")
        values["target"] = target_from_json(values["target"])
        values["pixels"] = PixelRange.from_json(values.get("pixels"))
        values["mean"], values["deviation"] = tuple(values["mean"]), tuple(values["deviation"])
        return ImageSpec(**values)
