"""What in an image spoke for its answer.

Shapes: B images, C channels, H height, W width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import integrated_gradients
from assay.samples.image_spec import ImageSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = np.ndarray[Any, Any]
#: Points on the way from the mean image, and the noise at each as a share of the pixels' deviation (`docs/log.md`).
STEPS, NOISE = 32, 0.3
_AT_ONCE = 64


def explain_images(network: nn.Module | None, image: Tensor, spec: ImageSpec) -> Array:
    """(B, H, W) how much each pixel of images (B, C, H, W) weighed, in log-odds or in the number's deviations.

    Smoothed integrated gradients from the mean image, all channels of a pixel together.

    Args:
        network: takes pixel values of any type; None where a model without gradients answered, which is an error.
        image: pixel values.
        spec: its target says what an answer is.
    """
    import torch

    if network is None:
        raise SettingError("only a network's answers about images can be explained", "Explain them without --baseline.")
    network.eval()
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.deviation))
    parts = [
        integrated_gradients(_score(network, pixels, spec), pixels, mean, STEPS, NOISE * deviation)
        for pixels in image.float().split(_AT_ONCE)
    ]
    return torch.cat(parts).sum(dim=1).double().numpy()


def _score(network: nn.Module, pixels: Tensor, spec: ImageSpec) -> Any:
    """How strongly the network speaks for what it answers to these pixels, as a function of other pixels."""
    import torch

    with torch.no_grad():
        answered = network(pixels)
    return lambda other: spec.target.score(network(other), answered)
