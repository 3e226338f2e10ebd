"""What in a scan spoke for its diagnosis.

Shapes: B scans, C channels, D slices, H height, W width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import integrated_gradients
from assay.evidence.image_attribution import NOISE, STEPS, explain_images
from assay.samples.scan_spec import ScanSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = np.ndarray[Any, Any]
_AT_ONCE = 8


def explain_scans(network: nn.Module | None, image: Tensor, spec: ScanSpec) -> Array:
    """(B, H, W) of pictures (B, C, H, W), or (B, D, H, W) of volumes, how much each place weighed, in log-odds.

    Args:
        network: takes pixel values; None where a model without gradients answered, which is an error.
        image: pixel values.
        spec: its target says what an answer is.
    """
    import torch

    if not spec.depth:
        return explain_images(network, image, spec.image)
    if network is None:
        raise SettingError("only a network's answers about scans can be explained", "Explain them without --baseline.")
    module = network.eval()

    def explained(voxels: Tensor) -> Tensor:
        with torch.no_grad():
            answered = module(voxels)
        mean, noise = torch.tensor(spec.image.mean[0]), NOISE * torch.tensor(spec.image.deviation[0])
        return integrated_gradients(
            lambda other: spec.target.score(module(other), answered), voxels, mean, STEPS // 2, noise
        )

    return torch.cat([explained(part) for part in image.float().split(_AT_ONCE)]).double().numpy()
