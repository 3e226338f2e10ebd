"""What a filter may believe of its sensors, read from training drives with references: where tuning begins.

Shapes: B drives, T steps, K coefficients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines.route_filter import Noise

if TYPE_CHECKING:
    from assay.samples.route_calibration import Signals

Array = np.ndarray[Any, Any]
#: m/s above which a car moves; m/s² of lateral acceleration below which it goes straight, and above which it turns.
_MOVING, _STRAIGHT, _TURNS = 2.0, 0.3, 1.0
#: Steps that a drive, and rows that a figure, needs.
_FEWEST = 100
#: No deviation is believed to be smaller than this share of what is usual.
_LEAST = 0.05


def noise_of(signals: Signals, moved: Array, length: Array, step_s: float, bend: float = 0.0) -> Noise:
    """Deviations by what the sensors of some drives are off by.

    Args:
        signals: (B, T) each.
        moved: (B, T, 3) how the drives truly moved, NaN where that is not known.
        length: (B,) steps that are real.
        step_s: seconds of a step.
        bend: see `Calibration.bend`.
    """
    usual = Noise()
    errors = [_of_drive(signals, moved[row] / step_s, row, int(size)) for row, size in enumerate(length.tolist())]
    errors = [one for one in errors if one is not None]
    found: dict[str, float] = {}
    if len(errors) > 2:
        for name, values in zip(("scale", "bias", "wheels"), np.asarray(errors, float).T, strict=True):
            known = values[np.isfinite(values)]
            found |= {name: float(np.sqrt(np.mean(known**2)))} if len(known) > 2 else {}
    found |= _second(signals, length, step_s, bend)
    kept = {name: max(value, _LEAST * getattr(usual, name)) for name, value in found.items() if np.isfinite(value)}
    return replace(usual, **kept)


def _of_drive(signals: Signals, true: Array, row: int, size: int) -> tuple[float, float, float] | None:
    """The errors of scale, bias and wheels of a drive; None where it moves too little."""
    speed, turning, second = (
        np.asarray(getattr(signals, name)[row, :size], float) for name in ("speed", "turning", "second")
    )
    known = np.isfinite(true[:size]).all(axis=1) & (speed > _MOVING)
    if known.sum() < _FEWEST:
        return None
    scale = float(true[:size][known, 0].sum() / speed[known].sum() - 1)
    bias = float((turning - true[:size, 2])[known].mean())
    told = known & np.asarray(signals.second_known[row, :size])
    if told.sum() < _FEWEST:
        return scale, bias, np.nan
    turned = true[:size, 2]
    table = np.stack([turned, speed**2 * turned, speed], axis=1)[told]
    wheels = float(np.linalg.lstsq(table, (second - turned)[told], rcond=1e-6)[0][2])
    return scale, bias, wheels


def _second(signals: Signals, length: Array, step_s: float, bend: float) -> dict[str, float]:
    """White noise of the second opinion on straight roads, and by how much more it is off in turns."""
    real = np.arange(signals.speed.shape[1]) < length[:, None]
    usable = np.asarray(signals.second_known) & np.asarray(signals.turning_known) & real
    speed = np.asarray(signals.speed, float)
    off = np.asarray(signals.turning, float) * (1 + bend * speed**2) - np.asarray(signals.second, float)
    aside = np.abs(speed * np.asarray(signals.turning, float))
    straight = usable & (aside < _STRAIGHT) & (speed > _MOVING)
    pairs = straight[:, 1:] & straight[:, :-1]
    if pairs.sum() < _FEWEST:
        return {}
    white = float(np.sqrt(np.mean(np.diff(off, axis=1)[pairs] ** 2) / 2))
    found = {"second": white * np.sqrt(step_s)}
    turns = usable & (aside > _TURNS)
    if turns.sum() >= _FEWEST:
        more = np.maximum(off[turns] ** 2 - white**2, 0.0) / aside[turns] ** 2
        found["lateral"] = float(np.sqrt(more.mean()))
    return found
