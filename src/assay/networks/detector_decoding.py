"""From what a detector gives at each place to the boxes of a picture.

Shapes: B pictures, A places, K classes, n boxes of a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

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
    found: Tensor, frames: Array, spec: BoxSpec, threshold: float, floor: float = 0.0, overlap: float = OVERLAP
) -> list[Array]:
    """The boxes of each picture, an array (n, 6) float32: x0, y0, x1, y1 in its pixels, score, class; best first.

    Args:
        found: (B, A, 4 + K) as a `Detector` gives.
        frames: (B, 2) height and width of each picture.
        spec: the field.
        threshold: the logit at which a score is one half.
        floor: the least score.
        overlap: the intersection over union from which on boxes of a class are taken for one.
    """
    return [
        _picture(one, frame, spec, threshold, floor, overlap)
        for one, frame in zip(found, frames, strict=True)
    ]  # fmt: skip


def _picture(found: Tensor, frame: Array, spec: BoxSpec, threshold: float, floor: float, overlap: float) -> Array:
    from torchvision.ops import batched_nms

    logits = found[:, 4:]
    likely = logits.flatten()
    values, at = likely.topk(min(_CANDIDATES, len(likely)))
    scores = (values - threshold).sigmoid()
    keep = (values.sigmoid() >= FLOOR) & (scores >= floor)
    scores, at = scores[keep], at[keep]
    place, label = at // logits.shape[1], at % logits.shape[1]
    edge = torch.tensor([spec.width, spec.height, spec.width, spec.height], dtype=found.dtype)
    boxes = torch.minimum(found[place, :4].clamp(min=0), edge)
    kept = batched_nms(boxes, scores, label, overlap)[:MOST]
    whole = torch.cat([boxes[kept], scores[kept, None], label[kept, None].to(boxes.dtype)], dim=1)
    return _real(out_of_frame(whole.double().numpy(), frame, spec))


def _real(boxes: Array) -> Array:
    """Without those that the edge of the picture left nothing of."""
    kept: Array = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    return kept
