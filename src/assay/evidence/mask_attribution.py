"""What in a picture spoke for the area of a class, and how much of that area is left when the picture changes.

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
STEPS, NOISE = 8, 0.15
_AT_ONCE = 8


def explain_masks(network: nn.Module | None, image: Tensor, spec: MaskSpec) -> Array:
    """(B, S, S) how much each pixel of windows (B, 3, S, S) weighed in the area of the class that is explained.

    That is the largest class but the background, or the background where there is nothing else. The attribution is of
    the mean log-odds of that class over the pixels that were answered with it.

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
    chosen = torch.from_numpy(explained_classes(answered.numpy(), spec))
    where = (answered == chosen[:, None, None]).float()
    count = where.flatten(1).sum(1).clamp(min=1)

    def score(other: Tensor) -> Tensor:
        logits = network(other).float()
        own = torch.zeros(len(logits), logits.shape[1], 1, 1, dtype=torch.bool)
        own[torch.arange(len(logits)), chosen] = True
        odds = logits.masked_fill(~own, -torch.inf).logsumexp(1) - logits.masked_fill(own, -torch.inf).logsumexp(1)
        mean: Tensor = (odds * where).flatten(1).sum(1) / count
        return mean

    return score


def explained_classes(answered: Array, spec: MaskSpec) -> Array:
    """(B,) int64, the class of each window (B, S, S) of class numbers whose area is explained."""
    counts = np.stack([np.bincount(window.ravel(), minlength=len(spec.classes)) for window in answered])
    if spec.background is not None:
        alone = counts[:, list(spec.foreground)].sum(axis=1) == 0
        counts[:, spec.background] = np.where(alone, counts[:, spec.background], 0)
    return np.asarray(counts.argmax(axis=1), np.int64)


def area_left(outputs: Values, answered: Values, spec: MaskSpec) -> Array:
    """(B,) the mean probability that outputs give the explained class where it was answered.

    Args:
        outputs: `WindowShares` of changed windows.
        answered: those of the same windows as they were.
        spec: the classes.
    """
    left = []
    for output, before in zip(outputs, answered, strict=True):
        classes = before.shares.argmax(axis=0)
        number = explained_classes(classes[None], spec)[0]
        left.append(output.shares[number][classes == number].mean(dtype=np.float64))
    return np.asarray(left)
