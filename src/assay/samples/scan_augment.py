"""Changes of whole batches of scans that leave their diagnosis alone.

Pictures (B, C, H, W) change as photographs do, but are not mirrored by default; of volumes (B, D, H, W) all slices
change alike, and whole volumes move along the slices, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from assay.samples import augment as change
from assay.samples.draws import Draws
from assay.samples.scan_spec import ScanSpec

if TYPE_CHECKING:
    from assay.training.plan import Plan


def augmented(
    image: Tensor, target: Tensor | None, draws: Draws, plan: Plan, spec: ScanSpec
) -> tuple[Tensor, Tensor | None]:
    """Scans and their targets, changed as strongly as the plan says; mixing makes targets shares (B, C)."""
    strength, form = plan.augment, spec.image
    if strength.get("flip"):
        image = change.flip(image, strength["flip"], draws)
    if strength.get("shift"):
        image = change.shift(image, max(1, round(strength["shift"] * form.height)), draws)
        if spec.depth:
            image = _along(image, max(1, round(strength["shift"] * spec.depth)), draws)
    image = image.float()
    if strength.get("crop", 1.0) < 1.0 or strength.get("turn"):
        image = change.crop(image, strength.get("crop", 1.0), strength.get("turn", 0.0), draws)
    if strength.get("jitter"):
        image = change.jitter(image, strength["jitter"], form.largest, draws)
    if strength.get("erase"):
        mean = torch.tensor(form.mean)
        image = change.erase(image, strength["erase"], mean.expand(image.shape[1]) if spec.depth else mean, draws)
    if target is not None and (plan.mixup or plan.cutmix) and len(image) > 1:
        mix, alpha = (change.mixup, plan.mixup) if plan.mixup else (change.cutmix, plan.cutmix)
        image, target = mix(image, form.target.soft(target), alpha, draws)
    return image, target


def _along(volumes: Tensor, slices: int, draws: Draws) -> Tensor:
    """Move each volume (B, D, H, W) by up to so many slices; what comes in repeats the last."""
    depth = volumes.shape[1]
    moved = draws.integers("along", 0, 2 * slices, 1).view(-1, 1) - slices
    places = (torch.arange(depth)[None] + moved).clamp(0, depth - 1)
    return volumes[torch.arange(len(volumes))[:, None], places]
