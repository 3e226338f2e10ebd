"""Arrays small enough to travel to the browser, which colours them: a byte a cell, from the least to the greatest.

Shapes: C channels, H rows, W columns, T steps.
"""

from __future__ import annotations

import base64
import itertools
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def plane(values: Array, low: float, high: float, most: tuple[int, int]) -> dict[str, Any]:
    """A map (H, W) as the browser draws it.

    Args:
        values: what is not finite is drawn as the least.
        low: the value of the first colour.
        high: the value of the last.
        most: rows and columns at most; neighbours are averaged.
    """
    small = shrunk(np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low), most)
    shares = np.clip((small - low) / ((high - low) or 1.0), 0, 1)
    return {"rows": small.shape[0], "columns": small.shape[1], "cells": encoded(shares)}


def encoded(shares: Array) -> str:
    """Shares from 0 to 1 of any shape as a byte each, in base64."""
    return base64.b64encode((shares * 255).round().astype(np.uint8).tobytes()).decode("ascii")


def shrunk(values: Array, most: tuple[int, int]) -> Array:
    """(H, W) with no more rows and columns than `most`, neighbours averaged."""
    for axis, limit in enumerate(most):
        size = values.shape[axis]
        if size > limit:
            starts = np.linspace(0, size, limit, endpoint=False).astype(np.int64)
            counts = np.diff(np.r_[starts, size])
            values = np.add.reduceat(values, starts, axis=axis) / np.expand_dims(counts, 1 - axis)
    return values


def strongest(values: Array, most: int) -> Array:
    """(N,) as at most `most` numbers: of each stretch of neighbours the one that is largest in size."""
    if len(values) <= most:
        return values
    bounds = np.linspace(0, len(values), most + 1).astype(np.int64)
    parts = [values[first:end] for first, end in itertools.pairwise(bounds)]
    return np.asarray([part[np.argmax(np.abs(part))] for part in parts])


def ends(values: Array) -> tuple[float, float]:
    """The least and the greatest of what is finite; 0 and 0 where nothing is."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def tidy(value: float) -> float | None:
    """Four digits; None for what JSON has no number for."""
    return float(f"{value:.4g}") if np.isfinite(value) else None
