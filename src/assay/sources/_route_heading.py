"""Which way a car looks, out of what a log calls its heading, checked against the way it goes.

Shapes: P poses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.sources.records import ProblemLog

Array = np.ndarray[Any, Any]
#: A car that moves at least so far (metres) within so many seconds on both sides goes where it looks.
_FAR_M, _ASIDE_S = 1.0, 0.3
#: The heading and the way may differ by so much (radians) in the median, for side slip and where the antenna is.
_NEAR = 0.35
#: Angles beyond this are no radians.
_RADIANS = 7.0


def course_of(time: Array, place: Array) -> tuple[Array, Array]:
    """(P,) the direction in which each pose moves, radians from x to y, and (P,) where it moves far enough to tell."""
    before, after = (np.clip(time + aside, time[0], time[-1]) for aside in (-_ASIDE_S, _ASIDE_S))
    moved = np.stack([np.interp(after, time, axis) - np.interp(before, time, axis) for axis in place.T], axis=1)
    return np.arctan2(moved[:, 1], moved[:, 0]), np.linalg.norm(moved, axis=1) >= _FAR_M


def heading_of(
    time: Array, place: Array, given: Mapping[str, tuple[Array, float | None]], file: str, log: ProblemLog
) -> Array:
    """(P,) radians from x to y, without jumps.

    Args:
        time: (P,) seconds.
        place: (P, 2) metres.
        given: by word: `heading` (from x to y), `bearing` (clockwise from y), `qx` … `qw`; each with the factor to
            radians that its column says, None where it says none.
        file: how problems name it.
        log: takes what was found.
    """
    course, moves = course_of(time, place)
    best, least, told = None, np.inf, ""
    for label, heading in _candidates(given):
        off = np.abs(_wrapped(heading - course))[moves & np.isfinite(heading)]
        apart = float(np.median(off)) if len(off) else 0.0
        if apart < least - 0.02:
            best, least, told = heading, apart, label
    if best is not None and least <= _NEAR:
        if told:
            log.add(told, "repaired", file)
        return _filled(time, best)
    if best is not None:
        log.add("heading-disagrees-with-way", "skipped", file)
    if not moves.any():
        return np.zeros(len(time))
    return _filled(time, np.where(moves, course, np.nan))


def _candidates(given: Mapping[str, tuple[Array, float | None]]) -> list[tuple[str, Array]]:
    """What the columns can mean: first as they say it (no label), then what they may have meant."""
    found: list[tuple[str, Array]] = []
    if all(name in given for name in ("qx", "qy", "qz", "qw")):
        x, y, z, w = (given[name][0] for name in ("qx", "qy", "qz", "qw"))
        found.append(("", np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2))))
    for word in ("heading", "bearing"):
        if word not in given:
            continue
        angle, factor = given[word]
        large = np.nanmax(np.abs(angle), initial=0.0) > _RADIANS
        units = [factor] if factor is not None else [np.pi / 180] if large else [1.0, np.pi / 180]
        for place, unit in enumerate(units):
            degrees = factor is None and unit != 1.0
            note = "degrees-for-radians" if degrees and (word == "heading" or place) else ""
            radians = angle * unit
            if word == "heading":
                found += [(note, radians), ("heading-from-north", np.pi / 2 - radians)]
            else:
                found += [(note, np.pi / 2 - radians), ("bearing-from-east", radians)]
    return found


def _filled(time: Array, heading: Array) -> Array:
    """Without jumps and gaps."""
    known = np.isfinite(heading)
    return np.asarray(np.interp(time, time[known], np.unwrap(heading[known])))


def _wrapped(angle: Array) -> Array:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
