"""Frames of drives as the page shows them.

Shapes: T frames of a drive, K frames seen at once, H, W of a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.report.explained import overlay
from assay.report.images import thumbnail
from assay.task_parts import Drawing

if TYPE_CHECKING:
    from assay.samples.drive_spec import DriveSpec
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]


def drive_drawing(samples: Samples, unit: int, window: int | None = None, weights: Array | None = None) -> Drawing:
    """One frame of a drive, the middle one where none is named; with weights (H, W) in grey, what weighed in colour."""
    windows = samples.view_of(np.asarray([unit])).windows
    first, window = int(windows[0]), int(windows[len(windows) // 2]) if window is None else window
    frame = np.asarray(samples.field("image", np.asarray([window])))[0, -3:].transpose(1, 2, 0)
    image = thumbnail(np.ascontiguousarray(frame)) if weights is None else overlay(frame, weights)
    return Drawing(image=image, lines=(samples.id(unit), f"frame: {window - first:,}"), large=True)


def answered_drawing(samples: Samples, unit: int, output: Any, truth: Any, spec: DriveSpec) -> Drawing:
    """Where a ride first left the road, else its drive; of records the frame at which the wheel is furthest off."""
    windows = samples.view_of(np.asarray([unit])).windows
    if isinstance(output, np.ndarray):
        errors = np.abs(output[:, 0] - truth[spec.controls[0]]) if truth else np.abs(output[:, 0])
        return drive_drawing(samples, unit, int(windows[int(np.argmax(errors))]))
    if output.left:
        step, frame = output.left[0]
        lines = (samples.id(unit), f"left the road after: {step / output.rate_hz:.1f} s")
        return Drawing(image=thumbnail(np.ascontiguousarray(frame)), lines=lines, large=True)
    return drive_drawing(samples, unit)
