"""What in a picture spoke for one area of its mask, and how much of that area is left when the picture changes.

Shapes: B windows, C classes, S the side of a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.metrics import Values
from assay.evidence.attribution import pixel_weights
from assay.samples.mask_spec import MaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = np.ndarray[Any, Any]
#: Points on the way from the mean picture, and the noise at each as a share of the pixels' deviation. Fewer than for
#: whole images, since the answer is a sum over many pixels, whose gradients' noise evens out.
STEPS, NOISE = 3, 0.2
_AT_ONCE = 8


def explain_masks(network: nn.Module | None, image: Tensor, spec: MaskSpec) -> Array:
    """(B, S, S) how much each pixel of windows (B, 3, S, S) weighed in the area that is explained.

    That is the largest connected area of a class but the background, or of the background where there is nothing else.
    The attribution is of the mean log-odds of its class over its pixels.

    Raises:
        SettingError: a model without gradients answered.
    """
    if network is None:
        raise SettingError("only a network's masks can be explained", "Explain them without --baseline.")
    asked = network.eval()
    return pixel_weights(
        lambda pixels: _score(asked, pixels, spec), image, (spec.mean, spec.deviation), (STEPS, NOISE), _AT_ONCE
    )


def _score(network: nn.Module, pixels: Tensor, spec: MaskSpec) -> Any:
    import torch

    with torch.no_grad():
        answered = network(pixels).argmax(1)
    classes, areas = zip(*(explained_area(one, spec) for one in answered.numpy()), strict=True)
    chosen, where = torch.tensor(classes), torch.from_numpy(np.stack(areas)).float()
    count = where.flatten(1).sum(1).clamp(min=1)

    def score(other: Tensor) -> Tensor:
        logits = network(other).float()
        own = torch.zeros(len(logits), logits.shape[1], 1, 1, dtype=torch.bool)
        own[torch.arange(len(logits)), chosen] = True
        odds = logits.masked_fill(~own, -torch.inf).logsumexp(1) - logits.masked_fill(own, -torch.inf).logsumexp(1)
        mean: Tensor = (odds * where).flatten(1).sum(1) / count
        return mean

    return score


def explained_area(answered: Array, spec: MaskSpec) -> tuple[int, Array]:
    """The class and the pixels (S, S) bool of the area of a window (S, S) of class numbers that is explained."""
    from scipy.ndimage import label

    best, most = (0, np.ones(answered.shape, bool)), 0
    for number in np.unique(answered):
        pieces = label(answered == number)[0]
        sizes = np.bincount(pieces.ravel())[1:]
        size = int(sizes.max()) if number != spec.background else 0  # the background only where nothing else is
        if size > most or (size == 0 and not most):
            best, most = (int(number), pieces == 1 + sizes.argmax()), size
    return best


def area_left(outputs: Values, answered: Values, spec: MaskSpec) -> Array:
    """(B,) the mean probability that outputs give the class of the explained area, over its pixels.

    Args:
        outputs: `WindowShares` of changed windows.
        answered: those of the same windows as they were.
        spec: the classes.
    """
    left = []
    for output, before in zip(outputs, answered, strict=True):
        number, area = explained_area(np.asarray(before.shares).argmax(axis=0), spec)
        left.append(output.shares[number][area].mean(dtype=np.float64))
    return np.asarray(left)
