"""The loss of a class for each pixel: cross-entropy for what a pixel is, and soft Dice, which weighs rare classes.

Source of the sum: Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
segmentation" (Nature Methods 18, 2021); of soft Dice: Milletari, Navab and Ahmadi, "V-Net" (3DV 2016).

Shapes: B windows, C classes, H, W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from assay.sources.label_mask import VOID


def mask_loss(logits: Tensor, masks: Tensor, smoothing: float = 0.0) -> Tensor:
    """(B,) cross-entropy in nats plus one minus the mean Dice of the classes that a window holds.

    Args:
        logits: (B, C, H, W) of any float type.
        masks: (B, H, W) class numbers; 255 counts nothing. A window of nothing else has the loss 0.
        smoothing: the share of a pixel's weight that is spread over all classes.
    """
    masks = masks.long()
    logits = logits.float()
    known = masks != VOID
    pixels = known.flatten(1).sum(1).clamp(min=1)
    losses = functional.cross_entropy(logits, masks, ignore_index=VOID, reduction="none", label_smoothing=smoothing)
    entropy = losses.flatten(1).sum(1) / pixels
    shares = logits.softmax(1) * known[:, None]
    wanted = functional.one_hot(torch.where(known, masks, 0), logits.shape[1]).movedim(3, 1) * known[:, None]
    both = (shares * wanted).flatten(2).sum(2)  # (B, C)
    held = wanted.flatten(2).sum(2)
    dice = (2 * both + 1) / (shares.flatten(2).sum(2) + held + 1)
    there = (held > 0).float()
    missed = ((1 - dice) * there).sum(1) / there.sum(1).clamp(min=1)
    return entropy + missed
