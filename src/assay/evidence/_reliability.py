"""What figures of confidence show: how good answers of like confidence are, and how many there are of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.calibration import reliability
from assay.evaluation.intervals import wilson
from assay.evidence.finding import Figure

Array = np.ndarray[Any, Any]
_Z = 1.959963984540054


def points(label: str, place: int, confidence: Array, right: Array) -> dict[str, Any]:
    """A series of a figure of lines: how good the answers of each bin are, with 95 % intervals.

    Args:
        label: of the series.
        place: its hue.
        confidence: (U,) from 0 to 1.
        right: (U,) 0 or 1, or how good an answer is, from 0 to 1.
    """
    found = reliability(confidence, right)
    if np.isin(right, (0, 1)).all():
        bounds = [wilson(float(share), int(count)) for share, count in zip(found.right, found.count, strict=True)]
    else:
        half = _Z * found.noise
        low, high = np.maximum(found.right - half, 0.0), np.minimum(found.right + half, 1.0)
        bounds = list(zip(low.tolist(), high.tolist(), strict=True))
    return {
        "label": label,
        "series": place,
        "dashed": False,
        "x": (100 * found.confidence).tolist(),
        "y": found.right.tolist(),
        "low": [low for low, _ in bounds],
        "high": [high for _, high in bounds],
    }


def counts(confidence: Array) -> Figure:
    """How many answers have which confidence (U,)."""
    found, edges = np.histogram(confidence, bins=10, range=(0.0, 1.0))
    kept = range(int(np.flatnonzero(found)[0]), 10)
    rows = [{"label": f"{100 * edges[at]:.0f}–{100 * edges[at + 1]:.0f}", "value": int(found[at])} for at in kept]
    return Figure("bars", "How sure it is", {"rows": rows, "x": "test answers by confidence, %", "unit": ""})
