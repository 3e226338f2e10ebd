"""Ways in which pictures of cells get worse: those of small photographs, and another stain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay.samples.cell_augment import stain_changed
from assay.samples.corruptions import image_corruptions
from assay.samples.draws import Draws
from assay.task_parts import Corruption

#: Cells are as large as what stands in pictures of 64 pixels: a blur that is usual for photographs would erase them.
_LIKE_HEIGHT = 64
#: How far each stain's optical density goes up or down at most.
_STAIN = (0.1, 0.2, 0.3, 0.4, 0.5)


def cell_corruptions(stained: bool) -> dict[str, Corruption]:
    """By name, for batches whose field `image` holds pictures (B, 3, H, W) uint8.

    Args:
        stained: stains can be told apart.
    """
    found = image_corruptions(_LIKE_HEIGHT)
    if stained:
        told = tuple(f"{100 * share:.0f} % more or less of each stain" for share in _STAIN)
        found["stain"] = Corruption(_other_stain, ("stain", 0.25), told)
    return found


def _other_stain(batch: Any, strength: int, draws: Draws) -> Any:
    import torch

    changed = stain_changed(batch.image.float(), _STAIN[strength - 1], draws)
    return replace(batch, image=changed.round().to(torch.uint8))
