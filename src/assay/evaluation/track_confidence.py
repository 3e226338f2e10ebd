"""How sure tracks say that they are, and how good they were, both from 0 to 1.

Shapes: U drives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.metrics import Values
from assay.evaluation.track_metrics import place_errors
from assay.evaluation.tracks import Track, largest_sigma, together

Array = np.ndarray[Any, Any]
#: A track that is off by so many metres, and by such a share of its way, is half as good as a perfect one.
_HALF_M, _HALF_SHARE = 1.0, 0.01
#: The mean of the distance in two dimensions is about so many deviations.
_MEAN = 1.25


def track_confidences(outputs: Values, truths: Values) -> tuple[Array, Array]:
    """(U,) by the mean deviation, and (U,) by the mean error of the places."""
    pairs = list(zip(outputs, truths, strict=True))
    return np.asarray([_sure(*pair) for pair in pairs], float), np.asarray([_good(*pair) for pair in pairs], float)


def _sure(output: Track, truth: Track) -> float:
    track, true = together(output, truth)
    if not len(true) or not len(track.spread):
        return 0.0
    return _share(_MEAN * float(largest_sigma(track.spread).mean()), true, output.anchored)


def _good(output: Track, truth: Track) -> float:
    _, true = together(output, truth)
    errors = place_errors(output, truth)
    return _share(float(errors.mean()), true, output.anchored) if len(errors) else 0.0


def _share(off: float, true: Track, anchored: bool) -> float:
    half = _HALF_M + (0.0 if anchored else _HALF_SHARE * true.length_m)
    return 1 / (1 + off / half)
