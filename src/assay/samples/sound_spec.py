"""What a spoken command is, learned from the training clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.targets.target import Target, target_from_json
from assay.task_export import Preparation

#: The class of everything that is no command: other speech, noise, silence.
OTHER = "other"


@dataclass(frozen=True)
class ClipSpec:
    """The form in which every clip reaches the network.

    Attributes:
        rate: values a second, in hertz.
        seconds: of a window; a shorter clip stands in the middle of silence, of a longer one the loudest part is taken.
        target: which command it is; one of its classes may be `OTHER`.
    """

    rate: int
    seconds: float
    target: Target

    @property
    def length(self) -> int:
        """Values of a window, T."""
        return round(self.rate * self.seconds)

    @property
    def other(self) -> int | None:
        """The number of the class `OTHER`; None where there is none."""
        classes: tuple[str, ...] = getattr(self.target, "classes", ())
        return classes.index(OTHER) if OTHER in classes else None

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"decode, one channel, {self.rate} Hz, the loudest {self.seconds:g} s as float32 from -1 to 1"
        return Preparation(("log-mel energies, less each band's mean",), (outside,))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {"rate": self.rate, "seconds": self.seconds, "target": self.target.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ClipSpec:
        """The inverse of `to_json`."""
        return ClipSpec(int(data["rate"]), float(data["seconds"]), target_from_json(data["target"]))
