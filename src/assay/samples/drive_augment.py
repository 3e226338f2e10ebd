"""Training frames of drives changed: mirrored with the wheel, in other light and colours; and how much each counts.

Shapes: B frames, K seen at once, A controls, H, W of a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assay.samples.augment import jitter
from assay.samples.drive_encoding import bend_of
from assay.samples.drive_spec import Box, DriveSpec

if TYPE_CHECKING:
    from assay.samples.draws import Draws


def augmented_drive(
    image: Tensor, action: Tensor | None, strength: Mapping[str, float], spec: DriveSpec, draws: Draws
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Changed frames, changed actions, and the weight (B,) of each frame.

    Args:
        image: (B, 3K, H, W) uint8.
        action: (B, A); None where it is not known.
        strength: `mirror` the share that is mirrored; `jitter` of light and contrast; `recolour` the share whose
            colours are changed at will; `balance` from 0, all frames count alike, to 1, straight ones, bends and sharp
            bends count alike in sum.
        spec: what a drive is.
        draws: the random numbers.
    """
    weight = None if action is None else weights(action[:, 0], strength.get("balance", 0.0), spec)
    if strength.get("mirror"):
        chosen = draws.uniform("mirror") < strength["mirror"]
        image = torch.where(chosen[:, None, None, None], mirrored(image, spec.mirror), image)
        if action is not None:
            sign = torch.where(chosen, -1.0, 1.0)
            action = torch.cat([action[:, :1] * sign[:, None], action[:, 1:]], dim=1)
    if strength.get("recolour"):
        image = recoloured(image, strength["recolour"], draws)
    if strength.get("jitter"):
        image = jitter(image.float(), strength["jitter"], 255.0, draws)
    return image, action, weight


def mirrored(image: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Frames (B, C, H, W) with each box turned left to right."""
    found = image.clone()
    for top, bottom, left, right in boxes:
        found[:, :, top:bottom, left:right] = image[:, :, top:bottom, left:right].flip(3)
    return found


def recoloured(image: Tensor, share: float, draws: Draws) -> Tensor:
    """A share of the frames with each colour a random mixture of the three, all frames of a window alike."""
    chosen = draws.uniform("recolour") < share
    mixture = draws.uniform("mixture", 9).view(-1, 3, 3) + 0.02
    mixture = mixture / mixture.sum(2, keepdim=True) * (0.4 + 0.8 * draws.uniform("light", 3))[:, :, None]
    colours = image.float().unflatten(1, (-1, 3))  # (B, K, 3, H, W)
    mixed = torch.einsum("bdc,bkchw->bkdhw", mixture, colours).clamp(0, 255).flatten(1, 2)
    return torch.where(chosen[:, None, None, None], mixed, image.float())


def weights(steering: Tensor, balance: float, spec: DriveSpec) -> Tensor:
    """(B,) how much each frame counts, 1 in the mean over the training frames."""
    shares = np.maximum(np.asarray(spec.shares), 1e-3)
    each = shares**-balance
    each = each / (each * shares).sum()
    return torch.from_numpy(each[bend_of(steering.numpy(), spec.bends)].astype(np.float32))
