"""A scan in memory: pictures, or volumes on their own grid.

Shapes: H rows, W columns, C channels, D slices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError

Array = np.ndarray[Any, Any]


#: What to do about a kind of problem; about all others the last.
_WAYS = {
    "unknown-compression": "No decoder for its transfer syntax is known: export it uncompressed, or as JPEG 2000, "
    "by the program that wrote it.",
    "truncated-file": "It ends too early: copy or export it again.",
    "empty-file": "It holds nothing: copy or export it again.",
    "no-pixel-data": "It holds no picture, such as a report or a plan: leave it out.",
}
_USUAL_WAY = "Look whether a viewer opens it, and export it again; else leave it out."


def way_out(kinds: Iterable[str]) -> str:
    """A hint of what to do about files that have problems of these kinds."""
    found = set(kinds)
    return _WAYS.get(found.pop(), _USUAL_WAY) if len(found) == 1 else _USUAL_WAY


class UnreadableScan(DataError):
    """A file holds no scan that can be read; no value of its elements is in the message.

    Args:
        kind: by which such problems are counted, such as "no-pixel-data".
        name: of the file.
    """

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"the scan cannot be read ({kind})", way_out([kind]), file=name)
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
