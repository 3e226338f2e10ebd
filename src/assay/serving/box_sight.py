"""What a network that finds objects sees in frames of a camera: of each class the object that it is surest of."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.serving.predictor import Predictor
from assay.serving.video_session import LEAST, boxes_of
from assay.serving.watching import Sight


def sight(predictor: Predictor) -> Sight:
    """See `Traits.watched_by`."""
    names = predictor.task.classes(predictor.spec)

    def shares(frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = np.zeros((len(frames), len(names)), np.float32)
        for row, boxes in zip(found, boxes_of(predictor, frames), strict=True):
            np.maximum.at(row, boxes[:, 5].astype(np.int64), boxes[:, 4])
        return found

    return Sight(names, shares, LEAST)
