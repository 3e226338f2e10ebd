"""What goes wrong with boxes: by picture, by kind of error, by size.

Shapes: U pictures, n boxes and m objects of a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.box_matching import NOBODY, match
from assay.evaluation.box_metrics import found_boxes
from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]


def picture_losses(outputs: Values, truths: Values) -> Array:
    """(U,) how many objects of a picture are missed, plus the scores of the boxes found that are wrong."""
    losses = []
    for found, objects in zip(outputs, truths, strict=True):
        one = match(found_boxes(found), objects, (0.5,))
        missed = int((one.wanted != NOBODY).sum()) - int(one.right.sum())
        losses.append(missed + float(one.score[~one.right[0] & ~one.ignored[0]].sum()))
    return np.asarray(losses, float)


def picture_confidences(outputs: Values, truths: Values) -> tuple[Array, Array]:
    """(U,) the F1 that the scores of a picture's boxes promise, were they probabilities, and (U,) its F1.

    A picture without objects in which none is found is as good as can be.
    """
    told, reached = [], []
    for found, objects in zip(outputs, truths, strict=True):
        scores = np.asarray(found)[:, 4].astype(float)
        counted = scores >= 0.5
        one = match(found_boxes(found), objects, (0.5,))
        wanted, boxes = int((one.wanted != NOBODY).sum()), int((~one.ignored).sum())
        expected = scores[counted].sum() + scores[~counted].sum()
        told.append(2 * scores[counted].sum() / (counted.sum() + expected) if counted.any() else 1.0 / (1.0 + expected))
        reached.append(2 * float(one.right.sum()) / (boxes + wanted) if boxes + wanted else 1.0)
    return np.clip(np.asarray(told, float), 0, 1), np.clip(np.asarray(reached, float), 0, 1)
