"""Places in a scan by name, and scans in which a place says nothing.

Shapes: B windows, C channels, D slices, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.image_places import image_parts, mask_images
from assay.samples.scan_spec import ScanSpec

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]


def scan_parts(spec: ScanSpec) -> Mapping[str, Array]:
    """Those of a picture (H, W); of a volume the same through all slices, (D, H, W), and thirds of its slices."""
    flat = image_parts(spec.image)
    if not spec.depth:
        return flat
    shape = (spec.depth, spec.image.height, spec.image.width)
    found = {name: np.broadcast_to(part, shape).copy() for name, part in flat.items()}
    cuts = np.linspace(0, spec.depth, 4).round().astype(int)
    for name, low, high in zip(("lower slices", "middle slices", "upper slices"), cuts[:-1], cuts[1:], strict=True):
        part = np.zeros(shape, bool)
        part[low:high] = True
        found[name] = part
    return found


def mask_scans(image: Tensor, kept: Tensor, spec: ScanSpec, instead: Tensor | None = None) -> Tensor:
    """Scans with the training mean, or the pixels of other scans, wherever nothing is kept.

    Args:
        image: pictures (B, C, H, W) or volumes (B, D, H, W).
        kept: (H, W) or (B, H, W) bool of pictures; (D, H, W) or (B, D, H, W) of volumes.
        spec: holds the mean.
        instead: as many other scans of the same type; None for the mean.
    """
    import torch

    if not spec.depth:
        return mask_images(image, kept, spec.image, instead)
    if instead is None:
        mean = spec.image.mean[0]
        instead = torch.full((), mean if image.is_floating_point() else round(mean), dtype=image.dtype)
    return torch.where(kept, image, instead)
