"""Volumes in the patient: their slices in order, their axes in one orientation, and their grey values in a window.

Shapes: D slices, H rows, W columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.sources._dicom import DicomImage

Array = np.ndarray[Any, Any]
#: Windows by name, in Hounsfield units: the least and the greatest value.
WINDOWS = {"lung": (-1350.0, 150.0), "bone": (-500.0, 1300.0), "brain": (0.0, 80.0), "soft-tissue": (-160.0, 240.0)}
_TOGETHER = 0.01  # of the usual distance: slices nearer than that lie at one place
_UNEVEN, _GAP = 0.1, 1.5  # a distance that differs by so large a share is uneven; that is so many times as large a gap


@dataclass(frozen=True)
class Stack:
    """Slices that lie above one another.

    Attributes:
        values: (D, H, W) float32, each axis ascending towards the patient's head, back and left, as near as it gets.
        spacing_mm: along each axis.
        problems: kinds of what was wrong with the slices, each with its number and whether it was repaired.
    """

    values: Array
    spacing_mm: tuple[float, float, float]
    problems: tuple[tuple[str, int], ...] = ()


def stack_slices(images: Sequence[DicomImage]) -> Stack | None:
    """The slices of a series as a volume; None where they are one slice, colours, or do not lie above one another.

    Slices are sorted by where they lie along their normal, by the device's count where they do not say. Of those at one
    place the first counts; where slices are missing or unevenly spaced, the volume is interpolated onto even ones.
    """
    if any(image.values.ndim != 3 for image in images) or sum(len(image.values) for image in images) < 2:
        return None
    ordered = sorted(images, key=lambda image: (image.number, image.name))
    frames = np.concatenate([image.values for image in ordered])
    first = ordered[0]
    if first.orientation is None or any(image.positions is None for image in ordered):
        told = (first.thickness_mm, *first.spacing_mm)
        return Stack(frames, told, (("slices-without-position", len(frames)),))
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    away = np.concatenate([image.positions for image in ordered if image.positions is not None]) @ normal
    even, gap, problems = _evenly(frames, away)
    if even is None or len(even) < 2:
        return None
    axes = np.stack([normal, first.orientation[3:], first.orientation[:3]])  # along slices, rows and columns
    values, spacing = upright(even, axes, (gap, *first.spacing_mm))
    return Stack(values, spacing, problems)


def _evenly(frames: Array, away: Array) -> tuple[Array | None, float, tuple[tuple[str, int], ...]]:
    """Frames in the order in which they lie, at even distances; the distance in mm; what was repaired."""
    order = np.argsort(away, kind="stable")
    frames, away = frames[order], away[order]
    steps = np.diff(away)
    apart = steps[steps > 1e-4]
    if not len(apart):
        return None, 0.0, ()
    usual = float(np.median(apart))
    kept = np.r_[True, steps > _TOGETHER * usual]
    problems = Counter({"duplicate-slice": int((~kept).sum())})
    frames, away = frames[kept], away[kept]
    steps = np.diff(away)
    usual = float(np.median(steps)) if len(steps) else usual
    gaps = steps > _GAP * usual
    problems["missing-slice"] = int((np.round(steps[gaps] / usual) - 1).clip(min=1).sum())
    problems["mixed-spacing"] = int((np.abs(steps[~gaps] - usual) > _UNEVEN * usual).sum())
    if problems["missing-slice"] or problems["mixed-spacing"]:
        even = np.arange(away[0], away[-1] + 0.5 * usual, usual)
        high = np.searchsorted(away, even).clip(1, len(away) - 1)
        share = ((even - away[high - 1]) / (away[high] - away[high - 1])).clip(0, 1).astype(np.float32)[:, None, None]
        frames = frames[high - 1] * (1 - share) + frames[high] * share
    return frames, usual, tuple((kind, count) for kind, count in problems.items() if count)


def upright(values: Array, axes: Array, spacing_mm: Sequence[float]) -> tuple[Array, tuple[float, float, float]]:
    """A volume with its axes along head, back and left of the patient, each ascending, and its spacing.

    Args:
        values: along three axes in any order.
        axes: (3, 3) for each of them its direction, in cosines to the patient's left, back and head.
        spacing_mm: along each.
    """
    cosines = np.asarray(axes, float)[:, ::-1]  # to head, back, left
    order = max(
        permutations(range(3)), key=lambda places: sum(abs(cosines[place, axis]) for axis, place in enumerate(places))
    )
    turned = np.transpose(values, order)
    flips = tuple(axis for axis, place in enumerate(order) if cosines[place, axis] < 0)
    found = np.ascontiguousarray(np.flip(turned, flips) if flips else turned)
    down, row, column = (float(spacing_mm[place]) for place in order)
    return found, (down, row, column)


def in_window(values: Array, asked: str, own: tuple[float, float] | None, padding: float | None = None) -> Array:
    """Grey values in 8 bits, from the least to the greatest of a window.

    Args:
        values: in the units of the modality; what is not finite must be gone.
        asked: `LOW,HIGH`, a name of `WINDOWS`, "full", or "" for the file's own window, and where there is none from
            the 0.5th to the 99.5th percentile.
        own: centre and width of the file's (PS3.3 C.11.2.1.2.1).
        padding: the value of what was never measured, which counts for nothing and becomes 0.

    Raises:
        SettingError: there is no such window.
    """
    if asked not in ("", "full"):
        low, high = parse_window(asked)
    elif own is not None and not asked:
        low, high = own[0] - 0.5 - (own[1] - 1) / 2, own[0] - 0.5 + (own[1] - 1) / 2
    else:
        measured = values if padding is None else values[values != padding]
        measured = measured if measured.size else values
        ends = (0.0, 1.0) if asked else (0.005, 0.995)
        low, high = (float(one) for one in np.quantile(measured, ends))
    scaled = (values - low) / max(high - low, 1e-9) * 255
    found = scaled.round().clip(0, 255).astype(np.uint8)
    return found if padding is None else np.where(values == padding, np.uint8(0), found)


def parse_window(text: str) -> tuple[float, float]:
    """The least and the greatest value of a window that a user names; raises `SettingError`."""
    if text in WINDOWS:
        return WINDOWS[text]
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = float("nan")
    if not low < high:
        raise SettingError(f"--window {text} is no window", f"Write LOW,HIGH, full, or one of {', '.join(WINDOWS)}.")
    return low, high
