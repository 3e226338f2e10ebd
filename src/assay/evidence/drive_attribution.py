"""What in a frame decided the wheel.

Shapes: B windows, K frames seen at once, H, W of a frame, A controls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import pixel_weights
from assay.samples.drive_spec import DriveSpec
from assay.task_parts import Support

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
#: Points on the way from the mean frame, and the noise at each as a share of the pixels' deviation.
STEPS, NOISE = 24, 0.3
_AT_ONCE = 32


def explain_wheel(network: nn.Module | None, image: Tensor, spec: DriveSpec) -> Array:
    """(B, H, W) how much each pixel of frames (B, 3K, H, W) turned the wheel, in usual sizes; to the right is positive.

    Smoothed integrated gradients from the mean frame, all colours of a pixel, and all frames that are seen at once,
    together.

    Args:
        network: a policy; None where a model without gradients answered, which is an error.
        image: pixel values.
        spec: what a drive is.
    """
    if network is None:
        raise SettingError("only a network's driving can be explained", "Explain it without --baseline.")
    asked = network.eval()
    scale = spec.scale[0]
    return pixel_weights(
        lambda pixels: lambda other: asked(other)[:, 0] / scale,
        image,
        (spec.mean, spec.deviation),
        (STEPS, NOISE),
        _AT_ONCE,
    )


def wheel_support(outputs: Values, answered: Values, spec: DriveSpec) -> Support:
    """Minus the distance of the wheel from where it was, in usual sizes."""
    moved = np.abs(np.asarray(outputs, float)[:, 0] - np.asarray(answered, float)[:, 0])
    return Support(-moved / spec.scale[0], "usual steering", by_size=True)
