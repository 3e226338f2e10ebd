"""Changes of whole batches of scans that leave their diagnosis alone.

Pictures (B, C, H, W) change as photographs do, but are not mirrored by default; of volumes (B, D, H, W) all slices
change alike, and whole volumes move along the slices, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from assay.samples import augment
from assay.samples.draws import Draws
from assay.samples.scan_spec import ScanSpec

if TYPE_CHECKING:
    from assay.training.plan import Plan


def augmented(
    image: Tensor, target: Tensor | None, draws: Draws, plan: Plan, spec: ScanSpec
) -> tuple[Tensor, Tensor | None]:
    """Scans and their targets, changed as strongly as the plan says; mixing makes targets shares (B, C)."""
    if plan.augment.get("shift") and spec.depth:
        image = _along(image, max(1, round(plan.augment["shift"] * spec.depth)), draws)
    return augment.augmented(image, target, plan, spec.image, draws)


def _along(volumes: Tensor, slices: int, draws: Draws) -> Tensor:
    """Move each volume (B, D, H, W) by up to so many slices; what comes in repeats the last."""
    depth = volumes.shape[1]
    moved = draws.integers("along", 0, 2 * slices, 1).view(-1, 1) - slices
    places = (torch.arange(depth)[None] + moved).clamp(0, depth - 1)
    return volumes[torch.arange(len(volumes))[:, None], places]
