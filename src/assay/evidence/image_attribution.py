"""What in an image spoke for its answer.

Shapes: B images, C channels, H height, W width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import pixel_weights
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
    if network is None:
        raise SettingError("only a network's answers about images can be explained", "Explain them without --baseline.")
    asked = network.eval()
    return pixel_weights(
        lambda pixels: _score(asked, pixels, spec), image, (spec.mean, spec.deviation), (STEPS, NOISE), _AT_ONCE
    )


def _score(network: nn.Module, pixels: Tensor, spec: ImageSpec) -> Any:
    """How strongly the network speaks for what it answers to these pixels, as a function of other pixels."""
    import torch

    with torch.no_grad():
        answered = network(pixels)
    return lambda other: spec.target.score(network(other), answered)
