"""What an image is, learned from the training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assay.targets.target import Target, target_from_json
from assay.task_export import Preparation

Fit = Literal["squash", "cover", "pad"]
PixelType = Literal["uint8", "uint16"]


@dataclass(frozen=True)
class ImageSpec:
    """The form in which every image reaches the network.

    Attributes:
        channels: 1 for grey, 3 for colour, more for microscopes.
        height: pixels.
        width: pixels.
        dtype: `uint8` or `uint16`, the type in the cache.
        mean: of each channel, in pixel values.
        deviation: of each channel, in pixel values.
        fit: how an image of another shape is brought to this one.
        target: what is predicted.
    """

    channels: int
    height: int
    width: int
    dtype: PixelType
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    fit: Fit
    target: Target

    @property
    def largest(self) -> float:
        """The largest pixel value of the type."""
        return 255.0 if self.dtype == "uint8" else 65535.0

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        size = f"{self.height} x {self.width} pixels"
        outside = f"decode, turn as EXIF says, {self.fit} to {size} (Pillow)"
        return Preparation((f"scale {self.channels} channels of {self.dtype}",), (outside,))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {
            **{name: value for name, value in vars(self).items() if name != "target"},
            "target": self.target.to_json(),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ImageSpec:
        """The inverse of `to_json`."""
        values = dict(data)
        values["target"] = target_from_json(values["target"])
        values["mean"], values["deviation"] = tuple(values["mean"]), tuple(values["deviation"])
        return ImageSpec(**values)
