"""Changes of pictures of cells that leave the cells what they are; centres and depths move along.

Shapes: B pictures, H and W their sides, S the side of a crop, P places for cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from assay.samples.augment import relit
from assay.samples.draws import Draws

#: Haematoxylin, eosin and DAB in optical density of red, green and blue (Ruifrok and Johnston 2001).
_STAINS = torch.tensor([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])


@dataclass(frozen=True)
class Seen:
    """What a change moves.

    Attributes:
        image: (B, 3, H, W) pixel values.
        cells: (B, P, 4) x, y, class, radius; class -2 where there is no cell.
        depth: (B, H, W) uint8, see `cell_tiles.depth_map`; None where no outlines are known.
        valid: (B, H, W) bool, what lies in the picture.
        ignored: (B, H, W) bool, where nobody could tell what is a cell; None where there is no such place.
    """

    image: Tensor
    cells: Tensor
    depth: Tensor | None
    valid: Tensor
    ignored: Tensor | None = None


def cells_augmented(seen: Seen, strength: Mapping[str, float], stained: bool, draws: Draws) -> Seen:
    """Crop, flips, quarter turns, another scale, other stain or light, as strong as asked for.

    Args:
        seen: the pictures with their cells.
        strength: `crop` (its side in pixels, 0 for all), `flip` (1: flips and quarter turns), `scale` (the largest
            factor is 1 plus this), `stain` and `jitter` (shares).
        stained: stains can be told apart.
        draws: the random numbers.
    """
    if any(strength.get(name) for name in ("crop", "flip", "scale")):
        seen = moved(seen, strength, draws)
    image = seen.image.float()
    if strength.get("stain") and stained:
        image = stain_changed(image, strength["stain"], draws)
    if strength.get("jitter"):
        image = _light_changed(image, strength["jitter"], draws)
    return replace(seen, image=image)


def moved(seen: Seen, strength: Mapping[str, float], draws: Draws) -> Seen:
    """Every picture through a flip, quarter turns, a scale and a crop of its own, resampled once."""
    height, width = seen.image.shape[2:]
    asked = round(strength.get("crop", 0.0))
    side_y, side_x = (min(asked, height), min(asked, width)) if asked else (height, width)
    back = _turns(strength, draws)
    middle = _middles(seen.valid, back, side_y, side_x, draws)
    # A pixel of the crop, counted from the crop's middle, lies at `back @ pixel + middle` in the picture.
    rows, columns = torch.arange(side_y) - (side_y - 1) / 2, torch.arange(side_x) - (side_x - 1) / 2
    grid = torch.stack(torch.broadcast_tensors(columns[None, :], rows[:, None]), dim=-1)
    places = torch.einsum("bij,yxj->byxi", back, grid) + middle[:, None, None]
    size = torch.tensor([width, height], dtype=torch.float32)
    shares = (2 * places + 1) / size - 1
    image = functional.grid_sample(seen.image.float(), shares, padding_mode="reflection", align_corners=False)
    valid = _looked_up(seen.valid, places)
    depth, ignored = (None if one is None else _looked_up(one, places) for one in (seen.depth, seen.ignored))
    return Seen(image, _cells_moved(seen.cells, back, middle, side_y, side_x), depth, valid, ignored)


def stain_changed(image: Tensor, strength: float, draws: Draws) -> Tensor:
    """More or less of each stain (Tellez et al. 2018): (B, 3, H, W) float from 0 to 255.

    Each stain's optical density is multiplied by 1 plus or minus `strength`, and as much of a quarter added.
    """
    factor, offset = (draws.uniform("stain", 6) * 2 - 1).mul(strength).split(3, dim=1)
    stains = _STAINS / _STAINS.norm(dim=1, keepdim=True)
    density = -torch.log((image + 1) / 256)
    amounts = torch.einsum("bchw,cs->bshw", density, torch.linalg.inv(stains))
    changed = amounts * (1 + factor)[:, :, None, None] + 0.25 * offset[:, :, None, None]
    back = torch.einsum("bshw,sc->bchw", changed, stains)
    return (256 * torch.exp(-back) - 1).clamp(0, 255)


def _light_changed(image: Tensor, strength: float, draws: Draws) -> Tensor:
    """Another brightness, contrast and gamma."""
    bright, contrast, gamma = ((draws.uniform("light", 3) * 2 - 1) * strength).split(1, dim=1)
    changed = relit(image, 1 + 0.5 * bright, 1 + contrast)
    return 255 * (changed / 255).clamp(min=1e-4) ** torch.exp(gamma)[:, :, None, None]


def _turns(strength: Mapping[str, float], draws: Draws) -> Tensor:
    """(B, 2, 2) what takes an offset in the crop to one in the picture: a flip, quarter turns, a scale."""
    chance = draws.uniform("moves", 3)
    quarter = (chance[:, 0] * 4).floor() * (math.pi / 2)
    mirror = torch.where(chance[:, 1] < 0.5, -1.0, 1.0)
    if not strength.get("flip"):
        quarter, mirror = torch.zeros_like(quarter), torch.ones_like(mirror)
    spread = math.log1p(strength.get("scale", 0.0))
    factor = torch.exp((chance[:, 2] * 2 - 1) * -spread)
    cosine, sine = quarter.cos().round() * factor, quarter.sin().round() * factor
    return torch.stack([torch.stack([cosine * mirror, -sine], 1), torch.stack([sine * mirror, cosine], 1)], 1)


def _middles(valid: Tensor, back: Tensor, side_y: int, side_x: int, draws: Draws) -> Tensor:
    """(B, 2) where the crop's middle lies: anywhere so that the crop stays in the picture, if it fits at all."""
    reach = (back.abs() @ torch.tensor([side_x / 2, side_y / 2])).unbind(1)
    extent = (valid.any(1).sum(1).float(), valid.any(2).sum(1).float())
    share = draws.uniform("crop", 2).unbind(1)
    found = []
    for half, size, chance in zip(reach, extent, share, strict=True):
        room = (size - 2 * half).clamp(min=0)
        found.append(torch.where(room > 0, half + chance * room, size / 2) - 0.5)
    return torch.stack(found, dim=1)


def _looked_up(values: Tensor, places: Tensor) -> Tensor:
    """(B, S, S) the values (B, H, W) at the pixels nearest to places (B, S, S, 2); zero outside."""
    height, width = values.shape[1:]
    x, y = places.round().long().unbind(-1)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    batch = torch.arange(len(values))[:, None, None]
    found = values[batch, y.clamp(0, height - 1), x.clamp(0, width - 1)]
    return torch.where(inside, found, torch.zeros_like(found))


def _cells_moved(cells: Tensor, back: Tensor, middle: Tensor, side_y: int, side_x: int) -> Tensor:
    """(B, P, 4) the cells in the crop's pixels; those outside of it are none."""
    scale = back.det().abs().sqrt()
    offset = cells[..., :2] - middle[:, None]
    place = torch.einsum("bij,bpj->bpi", torch.linalg.inv(back), offset)
    place = place + torch.tensor([(side_x - 1) / 2, (side_y - 1) / 2])
    inside = ((place > -0.5) & (place < torch.tensor([side_x - 0.5, side_y - 0.5]))).all(-1)
    label = torch.where(inside, cells[..., 2], torch.full_like(cells[..., 2], -2))
    return torch.stack([place[..., 0], place[..., 1], label, cells[..., 3] / scale[:, None]], dim=-1)
