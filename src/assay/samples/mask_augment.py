"""Changes of whole batches of pictures that take their masks along.

Shapes: B windows, S the side of a window. Pictures are (B, 3, S, S), masks (B, S, S); all draw from `Draws`, keyed by
seed, epoch and window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from assay.samples import augment
from assay.samples.draws import Draws


def turn(images: Tensor, masks: Tensor | None, share: float, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """A share of the windows turned by none, one, two or three quarters."""
    quarters = torch.where(draws.uniform("turned") < share, draws.integers("quarters", 0, 3), 0)
    turned = images.clone()
    moved = None if masks is None else masks.clone()
    for quarter in (1, 2, 3):
        rows = quarters == quarter
        turned[rows] = images[rows].rot90(quarter, (2, 3))
        if masks is not None and moved is not None:
            moved[rows] = masks[rows].rot90(quarter, (1, 2))
    return turned, moved


def flip(images: Tensor, masks: Tensor | None, share: float, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """A share of the windows mirrored left to right."""
    return augment.flip(images, share, draws), None if masks is None else augment.flip(masks[:, None], share, draws)[
        :, 0
    ]


def zoom(
    images: Tensor, masks: Tensor | None, most: float, degrees: float, draws: Draws
) -> tuple[Tensor, Tensor | None]:
    """Each window enlarged or shrunk by up to a factor, stretched a little, turned by up to an angle, and moved.

    What comes in from beyond the edge is the mirrored inside. Pictures are interpolated, masks take the nearest pixel.

    Args:
        images: float.
        masks: class numbers; None where there are none.
        most: the largest factor, from 1 on.
        degrees: the largest angle.
        draws: the random numbers.
    """
    size, aspect, angle, down, across = ((value - 0.5) * 2 for value in draws.uniform("zoom", 5).unbind(1))
    seen = torch.exp(-size * math.log(most))  # the share of the window's side that is seen
    stretch = torch.exp(aspect * math.log(most) / 4)
    turned = angle * math.radians(degrees)
    moves = [(1 - seen).clamp(min=0) * offset for offset in (across, down)]
    places = torch.arange(images.shape[2], dtype=torch.float64) * 2 / images.shape[2] - 1 + 1 / images.shape[2]
    x, y = places[None, None, :], places[None, :, None]
    cosine, sine = (value.double()[:, None, None] for value in (turned.cos(), turned.sin()))
    wide, high = ((seen * factor).double()[:, None, None] for factor in (stretch, 1 / stretch))
    from_x = _mirrored(wide * (x * cosine - y * sine) + moves[0].double()[:, None, None])
    from_y = _mirrored(high * (x * sine + y * cosine) + moves[1].double()[:, None, None])
    grid = torch.stack([from_x, from_y], dim=3).float()
    changed = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if masks is None:
        return changed, None
    # Computed value by value, so that the nearest pixel never depends on the other windows of the batch.
    side = masks.shape[1]
    columns, rows = (((place + 1) * side / 2).long().clamp(0, side - 1) for place in (from_x, from_y))
    return changed, masks[torch.arange(len(masks))[:, None, None], rows, columns]


def colour(images: Tensor, strength: float, draws: Draws) -> Tensor:
    """Each channel's brightness and contrast changed by up to `strength` (a share), half of it alike in all channels.

    Stains, lamps and cameras differ in this way. Pictures are float from 0 to 255.
    """
    alike, apart = draws.uniform("colour", 2) - 0.5, draws.uniform("colour of channels", 6) - 0.5
    bright, contrast = (
        1 + strength * (one + own) for one, own in zip(alike.split(1, 1), apart.split(3, 1), strict=True)
    )
    return augment.relit(images, bright, contrast)


def _mirrored(places: Tensor) -> Tensor:
    """Places beyond -1 to 1 reflected back inside."""
    return 1 - ((places + 1).remainder(4) - 2).abs()
