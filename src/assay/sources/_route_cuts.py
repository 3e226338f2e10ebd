"""Drives cut in time: into stretches of a length, or, where there are too few to be split, into sides.

Shapes: none of its own.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from assay.sources._route import Drive, Fixes, Path, Series
from assay.sources.route_simulation import Motion

Array = np.ndarray[Any, Any]
#: Shorter than this (seconds), or over less than this way (metres), a drive teaches and tells nothing.
LEAST_S, LEAST_M = 5.0, 10.0


def cut(drive: Drive, begin: float, end: float, name: str) -> Drive:
    """The part of a drive between two times, by another name."""

    def inside(time: Array) -> Array:
        return (time >= begin - 1e-9) & (time <= end + 1e-9)

    channels = {}
    for key, series in drive.channels.items():
        kept = inside(series.time)
        if kept.any():
            channels[key] = Series(series.time[kept], series.value[kept], series.mean)
    fixes, reference, motion = drive.fixes, drive.reference, drive.motion
    if fixes is not None:
        kept = inside(fixes.time)
        fixes = Fixes(fixes.time[kept], fixes.place[kept], fixes.sigma[kept])
    if reference is not None:
        kept = inside(reference.time)
        reference = Path(reference.time[kept], reference.place[kept], reference.heading[kept])
    if motion is not None:
        rows = np.flatnonzero(inside(motion.time))
        steps = rows[:-1]
        motion = Motion(motion.time[rows], motion.speed[steps], motion.rate[steps], motion.place[rows])
    return replace(drive, name=name, channels=channels, fixes=fixes, reference=reference, motion=motion)


def stretches(drive: Drive, seconds: float) -> list[tuple[float, float, str]]:
    """From when to when the stretches of a drive are, about as long as asked for, and what they are called."""
    first, last = drive.span
    count = max(1, round((last - first) / seconds))
    if count == 1:
        return [(first, last, drive.name)]
    edges = np.linspace(first, last, count + 1)
    return [(float(a), float(b), f"{drive.name}@{a - first:.0f}-{b - first:.0f}s") for a, b in pairwise(edges)]


def by_side(drive: Drive, shares: tuple[float, float, float]) -> list[tuple[float, float, str, str]]:
    """From when to when each side of a drive is, its name, and the side: training first, the test last."""
    first, last = drive.span
    edges = first + (last - first) * np.cumsum([0.0, *shares])
    sides = ("train", "validation", "test")
    return [
        (float(a), float(b), f"{drive.name}@{side}", side)
        for a, b, side in zip(edges, edges[1:], sides, strict=False)
        if b - a > 1e-6
    ]


def is_too_short(drive: Drive) -> bool:
    """Whether a drive lasts, or goes, too short to teach or tell anything."""
    first, last = drive.span
    if last - first < LEAST_S:
        return True
    reference = drive.reference
    if reference is None:
        return False
    if len(reference.time) < 3 or reference.time[-1] - reference.time[0] < LEAST_S:
        return True
    return float(np.linalg.norm(np.diff(reference.place, axis=0), axis=1).sum()) < LEAST_M
