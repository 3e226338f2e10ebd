"""From what a detector gives at each place to the boxes of a picture.

Shapes: B pictures, A places, K classes, n boxes of a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.arrays import array_of, largest, sigmoid
from assay.samples.box_frames import out_of_frame
from assay.samples.box_spec import BoxSpec

Array = np.ndarray[Any, Any]
#: Boxes of a picture that are kept at most, and looked at before those that overlap better ones are dropped.
MOST, _CANDIDATES = 100, 400
#: What the network scores lower than this is no box at all.
FLOOR = 0.005
#: Boxes of one class that overlap by more are taken for one.
OVERLAP = 0.6


def decode(
    found: Any, frames: Any, spec: BoxSpec, threshold: Any, floor: float = 0.0, overlap: float = OVERLAP
) -> list[Array]:
    """The boxes of each picture, an array (n, 6) float32: x0, y0, x1, y1 in its pixels, score, class; best first.

    Args:
        found: (B, A, 4 + K) as a `Detector` gives, a tensor or an array.
        frames: (B, 2) height and width of each picture.
        spec: the field.
        threshold: the logit at which a score is one half.
        floor: the least score.
        overlap: the intersection over union from which on boxes of a class are taken for one.
    """
    return [
        _picture(one, frame, spec, float(threshold), floor, overlap)
        for one, frame in zip(array_of(found), array_of(frames), strict=True)
    ]  # fmt: skip


def _picture(found: Array, frame: Array, spec: BoxSpec, threshold: float, floor: float, overlap: float) -> Array:
    logits = found[:, 4:]
    likely = logits.reshape(-1)
    at = largest(likely, _CANDIDATES)
    values = likely[at]
    scores = sigmoid(values - np.float32(threshold))
    keep = (sigmoid(values) >= FLOOR) & (scores >= floor)
    scores, at = scores[keep], at[keep]
    place, label = at // logits.shape[1], at % logits.shape[1]
    edge = np.asarray([spec.width, spec.height, spec.width, spec.height], found.dtype)
    boxes = np.minimum(found[place, :4].clip(min=0), edge)
    kept = apart_in_classes(boxes, scores, label, overlap)[:MOST]
    whole = np.concatenate([boxes[kept], scores[kept, None], label[kept, None]], axis=1)
    return _real(out_of_frame(whole.astype(np.float64), frame, spec))


def apart_in_classes(boxes: Array, scores: Array, labels: Array, overlap: float) -> Array:
    """(M,) which boxes (N, 4) are left, the best first: of two of a class that overlap by more the better stays."""
    if not len(boxes):
        return np.zeros(0, np.int64)
    # Classes are moved apart, so that boxes of different ones do not overlap.
    moved = boxes + (labels * (boxes.max() + 1))[:, None].astype(boxes.dtype)
    area = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low, high = np.maximum(moved[best, :2], moved[left, :2]), np.minimum(moved[best, 2:], moved[left, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        left = left[~(shared > overlap * (area[best] + area[left] - shared))]
    return np.asarray(kept, np.int64)


def _real(boxes: Array) -> Array:
    """Without those that the edge of the picture left nothing of."""
    kept: Array = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    return kept
