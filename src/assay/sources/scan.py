"""A scan in memory: pictures, or volumes on their own grid.

Shapes: H rows, W columns, C channels, D slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError

Array = np.ndarray[Any, Any]


class UnreadableScan(DataError):
    """A file holds no scan that can be read; no value of its elements is in the message.

    Args:
        kind: by which such problems are counted, such as "no-pixel-data".
        name: of the file.
    """

    def __init__(self, kind: str, name: str) -> None:
        hint = "Look whether a viewer opens it, and export it again; else leave it out."
        super().__init__(f"the scan cannot be read ({kind})", hint, file=name)
        self.kind = kind


@dataclass(frozen=True)
class Volume:
    """Slices that lie above one another.

    Attributes:
        values: (D, H, W) uint8, from the feet to the head, each slice as a doctor looks at it: the patient's front at
            the top, their left on the right. The grey values are those of the chosen window.
        spacing_mm: from slice to slice, row to row, column to column.
    """

    values: Array
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Scan:
    """All that answers one question: the pictures (H, W, C), uint8, uint16 or float32, and the volumes of a unit."""

    pictures: tuple[Array, ...] = ()
    volumes: tuple[Volume, ...] = ()
