"""What classical drivers share: answers to whole drives. Shapes: T frames of a drive, A controls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_AT_ONCE = 256


def by_drive(view: View, respond: Callable[[Any], Values]) -> list[Array]:
    """(T, A) of each drive of a view, in its order."""
    from assay.serving.predictor import window_bounds

    parts = [np.asarray(respond(batch), np.float32) for batch in view.batches(_AT_ONCE)]
    if not parts:
        return []
    whole = np.concatenate(parts)
    return [whole[first:end] for first, end in window_bounds(view)]
