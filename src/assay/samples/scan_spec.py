"""What a scan is to the network: a picture, or a volume on a stated grid; and at which sensitivity it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import SettingError
from assay.samples.image_spec import ImageSpec
from assay.targets.class_target import ClassTarget
from assay.task_export import Preparation

#: What classes without a finding are called.
_HEALTHY = ("normal", "healthy", "negative", "no", "none", "control", "benign", "false", "0", "no finding", "nofinding")


@dataclass(frozen=True)
class ScanSpec:
    """The form in which every scan reaches the network.

    Attributes:
        image: size, type and scale of a picture, or of a slice of a volume; its target is the diagnosis.
        at_sensitivity: the sensitivity of the stated operating point, above 0 and at most 1.
        healthy: whether the first class is the one without a finding: all others together are then told from it.
        merging: how the answers of several windows of a unit become one: `mean`, or `highest` (of the scan that looks
            least healthy).
        window: of grey values, as it was asked for; "" for the files' own.
        depth: slices of a volume, which is what a window is; 0 where it is a picture.
        spacing_mm: of a volume's voxels, from slice to slice, row to row and column to column.
    """

    image: ImageSpec
    at_sensitivity: float = 0.95
    healthy: bool = True
    merging: str = "mean"
    window: str = ""
    depth: int = 0
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def target(self) -> ClassTarget:
        """The diagnosis: the class without a finding first, where there is such."""
        target = self.image.target
        if not isinstance(target, ClassTarget):
            raise SettingError("a diagnosis is one of several classes", "Choose it with --target.")
        return target

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.target.classes)

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"read DICOM, NIfTI or pictures, {self.window or 'no window'}, resize as the spec says"
        return Preparation(("scale values",), (outside,))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "image": self.image.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ScanSpec:
        """The inverse of `to_json`."""
        down, row, column = data["spacing_mm"]
        return ScanSpec(
            **{
                **data,
                "image": ImageSpec.from_json(data["image"]),
                "spacing_mm": (float(down), float(row), float(column)),
            }
        )


def diagnosis_target(classes: tuple[str, ...], healthy: str | None) -> tuple[ClassTarget, bool]:
    """The classes with the one without a finding first, and whether there is such.

    Of two classes one always is: where neither has a name that says so, the first in their order.

    Args:
        classes: in their usual order.
        healthy: its name, where the user gave it.

    Raises:
        SettingError: there is no class of that name.
    """
    if healthy is not None and healthy not in classes:
        raise SettingError(f"--healthy {healthy} is not one of the classes", f"Known: {', '.join(classes)}.")
    named = [name for name in classes if name.strip().lower().replace("_", " ") in _HEALTHY]
    first = healthy or (named[0] if len(named) == 1 else classes[0] if len(classes) == 2 else None)
    if first is None:
        return ClassTarget(classes), False
    return ClassTarget((first, *(name for name in classes if name != first))), True
