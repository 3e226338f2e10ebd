"""Scans as the page shows them, with what weighed in their diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.report.explained import overlay
from assay.report.images import thumbnail
from assay.samples.scan_spec import ScanSpec
from assay.task import Drawing

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]


def scan_drawing(
    samples: Samples, unit: int, spec: ScanSpec, weights: Array | None = None, window: int | None = None
) -> Drawing:
    """A unit by one of its windows: a thumbnail, or in grey with what weighed in colour.

    Args:
        samples: all samples.
        unit: the unit.
        spec: says whether windows are volumes: of these one slice is shown, the middle or what weighed most.
        weights: (H, W), or (D, H, W) of a volume; None for a plain picture.
        window: the window's number; None for the unit's first, or the middle one of several.
    """
    own = samples.view_of(np.asarray([unit])).windows
    chosen = int(own[len(own) // 2]) if window is None else window
    image = np.asarray(samples.field("image", np.asarray([chosen])))[0]
    lines = [samples.id(unit)] + ([f"{len(own)} scans"] if len(own) > 1 else [])
    if spec.depth:
        place = len(image) // 2 if weights is None else int(np.abs(np.nan_to_num(weights)).sum(axis=(1, 2)).argmax())
        lines.append(f"slice {place + 1} of {len(image)}")
        image, weights = image[place : place + 1], None if weights is None else weights[place]
    shown = image[:3] if len(image) >= 3 else image[:1]
    picture = np.asarray(shown.transpose(1, 2, 0))
    return Drawing(image=thumbnail(picture) if weights is None else overlay(picture, weights), lines=tuple(lines))
