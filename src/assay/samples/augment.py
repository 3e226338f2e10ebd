"""Changes of whole image batches that leave their meaning alone, and mixing that moves the targets along.

All take images (B, C, H, W) of any dtype and draw from `Draws`, keyed by seed, epoch and window.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from assay.samples.draws import Draws

if TYPE_CHECKING:
    from assay.samples.image_spec import ImageSpec
    from assay.training.plan import Plan


def augmented(
    images: Tensor, target: Tensor | None, plan: Plan, spec: ImageSpec, draws: Draws
) -> tuple[Tensor, Tensor | None]:
    """Images mirrored, moved, cut, in other light, partly covered and mixed, as strongly as the plan says.

    Args:
        images: (B, C, H, W) of any type.
        target: as cached; None where there is none.
        plan: in `augment`: `flip` and `shift` (shares), `crop` (the least share of the area, 1 for none), `turn`
            (degrees), `jitter` and `erase` (shares); those that are not there do nothing.
        spec: of the images; a mean of one value serves all channels.
        draws: the random numbers.

    Returns:
        (B, C, H, W) float, and the target, which mixing makes shares (B, C).
    """
    strength = plan.augment
    if strength.get("flip"):
        images = flip(images, strength["flip"], draws)
    if strength.get("shift"):
        images = shift(images, max(1, round(strength["shift"] * spec.height)), draws)
    images = images.float()
    if strength.get("crop", 1.0) < 1.0 or strength.get("turn"):
        images = crop(images, strength.get("crop", 1.0), strength.get("turn", 0.0), draws)
    if strength.get("jitter"):
        images = jitter(images, strength["jitter"], 255.0, draws)
    if strength.get("erase"):
        images = erase(images, strength["erase"], torch.tensor(spec.mean).expand(images.shape[1]), draws)
    if target is not None and (plan.mixup or plan.cutmix) and len(images) > 1:
        mix, alpha = (mixup, plan.mixup) if plan.mixup else (cutmix, plan.cutmix)
        return mix(images, spec.target.soft(target), alpha, draws)
    return images, target


def flip(images: Tensor, share: float, draws: Draws) -> Tensor:
    """Mirror a share of the images left to right."""
    chosen = draws.uniform("flip") < share
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def shift(images: Tensor, pixels: int, draws: Draws) -> Tensor:
    """Move each image by up to `pixels` in both directions; the border is mirrored."""
    if pixels <= 0:
        return images
    height, width = images.shape[2:]
    down, right = draws.integers("shift", 0, 2 * pixels, 2).unbind(1)
    rows = _mirror(torch.arange(height)[None] + down[:, None] - pixels, height)
    columns = _mirror(torch.arange(width)[None] + right[:, None] - pixels, width)
    batch = torch.arange(len(images))[:, None, None]
    moved = images.movedim(1, 3)[batch, rows[:, :, None], columns[:, None, :]]
    return moved.movedim(3, 1)


def crop(images: Tensor, least: float, turn: float, draws: Draws) -> Tensor:
    """Cut a random part with a share of the area between `least` and 1 and a little of another aspect, resized back.

    Args:
        images: (B, C, H, W) float.
        least: the smallest share of the area.
        turn: the largest rotation, in degrees.
        draws: the random numbers.
    """
    area, aspect, across, down, angle = draws.uniform("crop", 5).unbind(1)
    side = (least + (1 - least) * area).sqrt()
    stretch = torch.exp((aspect - 0.5) * 2 * math.log(4 / 3) / 2)
    wide, high = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    turned = (angle - 0.5) * 2 * math.radians(turn)
    cosine, sine = turned.cos(), turned.sin()
    first = torch.stack([wide * cosine, -high * sine, (across * 2 - 1) * (1 - wide)], dim=1)
    second = torch.stack([wide * sine, high * cosine, (down * 2 - 1) * (1 - high)], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def jitter(images: Tensor, strength: float, largest: float, draws: Draws) -> Tensor:
    """Change brightness and contrast by up to `strength` (a share) each; (B, C, H, W) float."""
    bright, contrast = ((draws.uniform("jitter", 2) - 0.5) * 2 * strength + 1).split(1, dim=1)
    return relit(images, bright, contrast, largest)


def relit(images: Tensor, bright: Tensor, contrast: Tensor, largest: float = 255.0) -> Tensor:
    """Brightness and contrast multiplied, each about the mean, of (B, C, H, W) float.

    Args:
        images: pixel values from 0 on.
        bright: (B, 1) of whole images, about the mean of all their channels, or (B, C) of each channel about its own.
        contrast: likewise; where it is the same as `bright`, values are just multiplied by both.
        largest: the largest pixel value.
    """
    mean = images.mean(dim=(1, 2, 3) if bright.shape[1] == 1 else (2, 3), keepdim=True)
    changed = (images - mean) * contrast[:, :, None, None] + mean * bright[:, :, None, None]
    return changed.clamp(0, largest)


def erase(images: Tensor, side: float, fill: Tensor, draws: Draws) -> Tensor:
    """Cover a square of `side` times the height with `fill` (C,) in half of the images (DeVries and Taylor 2017)."""
    height, width = images.shape[2:]
    size = round(side * height)
    if size <= 0:
        return images
    centre = draws.uniform("erase", 2)
    rows = (torch.arange(height)[None] - centre[:, :1] * height).abs() < size / 2
    columns = (torch.arange(width)[None] - centre[:, 1:] * width).abs() < size / 2
    chosen = draws.uniform("erase chance") < 0.5
    covered = (rows[:, :, None] & columns[:, None, :] & chosen[:, None, None])[:, None]
    return torch.where(covered, fill.to(images.dtype)[None, :, None, None], images)


def mixup(images: Tensor, target: Tensor, alpha: float, draws: Draws) -> tuple[Tensor, Tensor]:
    """Mix each image with its neighbour in the batch, and their targets with the same weight (Zhang et al. 2018)."""
    weight = _beta(alpha, draws.uniform("mixup"))
    first = weight.view(-1, 1, 1, 1)
    mixed = images * first + images.roll(1, 0) * (1 - first)
    return mixed, _mix_targets(target, weight)


def cutmix(images: Tensor, target: Tensor, alpha: float, draws: Draws) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of the neighbour in the batch, and mix the targets by the area (Yun et al. 2019)."""
    height, width = images.shape[2:]
    side = (1 - _beta(alpha, draws.uniform("cutmix"))).sqrt()
    centre = draws.uniform("cutmix place", 2)
    rows = (torch.arange(height)[None] + 0.5 - centre[:, :1] * height).abs() < side[:, None] * height / 2
    columns = (torch.arange(width)[None] + 0.5 - centre[:, 1:] * width).abs() < side[:, None] * width / 2
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    weight = 1 - inside.float().mean(dim=(1, 2, 3))
    return torch.where(inside, images.roll(1, 0), images), _mix_targets(target, weight)


def _mix_targets(target: Tensor, weight: Tensor) -> Tensor:
    shaped = weight.view(-1, *[1] * (target.dim() - 1))
    return target * shaped + target.roll(1, 0) * (1 - shaped)


def _mirror(places: Tensor, size: int) -> Tensor:
    """Places outside 0 … size - 1 reflected back inside, for any distance."""
    period = max(2 * size - 2, 1)
    folded = places.remainder(period)
    return torch.where(folded >= size, period - folded, folded)


def _beta(alpha: float, uniform: Tensor) -> Tensor:
    """(B,) draws of Beta(alpha, alpha) out of uniform ones, by its quantile function."""
    from scipy.special import betaincinv

    return torch.from_numpy(betaincinv(alpha, alpha, uniform.double().numpy())).float()
