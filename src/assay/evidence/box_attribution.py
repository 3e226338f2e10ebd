"""What in a picture spoke for the best of its boxes.

Shapes: B pictures, C channels, H height and W width of the field, A places of a detector's maps, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.box_matching import overlaps
from assay.evidence.attribution import pixel_weights
from assay.samples.box_spec import BoxSpec
from assay.task_parts import Support

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
#: Points on the way from the mean picture, and the noise at each as a share of the pixels' deviation. Few, since
#: pictures of scenes are large.
STEPS, NOISE = 3, 0.2
_AT_ONCE = 4
#: Boxes that overlap the best one by so much are the same find.
_SAME = 0.5


def explain_boxes(network: nn.Module | None, image: Tensor, spec: BoxSpec) -> Array:
    """(B, H, W) how much each pixel of pictures (B, C, H, W) weighed in the best box of each, in log-odds.

    Smoothed integrated gradients from the mean picture, all channels of a pixel together, of the score of the best
    box's class at the places that give this box.

    Args:
        network: a detector; None where a model without gradients answered, which is an error.
        image: pixel values.
        spec: the field.
    """
    if network is None:
        raise SettingError("only a network's boxes can be explained", "Explain them without --baseline.")
    asked = network.eval()
    return pixel_weights(
        lambda pixels: _score(asked, pixels), image, (spec.mean, spec.deviation), (STEPS, NOISE), _AT_ONCE
    )


def _score(network: nn.Module, pixels: Tensor) -> Callable[[Tensor], Tensor]:
    """How strongly a detector speaks for what it finds best in these pictures, as a function of other pixels."""
    import torch

    with torch.no_grad():
        found = network(pixels)
        best, label = found[..., 4:].max(2)  # (B, A)
        place = best.argmax(1)
        rows = torch.arange(len(found))
        label = label[rows, place]  # (B,)
        same = torch.stack([_like(one[:, :4], one[at, :4]) for one, at in zip(found, place, strict=True)])
        logits = found[rows, :, 4 + label]
        weight = torch.where(same, logits, -torch.inf).softmax(1)  # (B, A)
    return lambda other: (network(other)[rows, :, 4 + label] * weight).sum(1)


def _like(boxes: Tensor, one: Tensor) -> Tensor:
    """(A,) bool: boxes (A, 4) that overlap one (4,) by half or more; itself always does."""
    import torch

    near = overlaps(boxes.numpy(), one[None].numpy())[:, 0] >= _SAME
    return torch.from_numpy(near) | (boxes == one).all(1)


def best_box_support(outputs: Values, answered: Values) -> Support:
    """The best score among boxes that are the same find as the best one answered; 0 where none is left."""
    values = np.zeros(len(answered))
    for place, (found, before) in enumerate(zip(outputs, answered, strict=True)):
        if not len(before) or not len(found):
            continue
        same = (overlaps(found, before[:1])[:, 0] >= _SAME) & (found[:, 5] == before[0, 5])
        values[place] = float(found[same, 4].max(initial=0.0))
    return Support(values)
