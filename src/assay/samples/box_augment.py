"""Changes of whole batches of pictures that move their objects along.

All draw from `Draws`, keyed by seed, epoch and window; only a mosaic looks at other pictures of the batch.

Shapes: B pictures, C channels, H height and W width of the field, N objects of a picture; objects are (B, N, 6): x0,
y0, x1, y1 in pixels of the field, class, difficult; with a mask (B, N).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from assay.samples.augment import jitter, relit
from assay.samples.box_spec import BoxSpec
from assay.samples.draws import Draws

#: An object of which less than this share is left is dropped; less than the second, it is difficult: not to be learned.
_GONE, _DIFFICULT = 0.1, 0.4
#: Objects with a shorter side than this, in pixels of the field, cannot be learned.
_SMALLEST = 2.0
#: Of a mosaic: how far from the middle its four pictures meet, and how far they are scaled beyond what fills a part.
_OFF_MIDDLE, _MOST_SCALE = 0.2, 1.5


@dataclass(frozen=True)
class Scene:
    """Pictures (B, C, H, W) float32 with their objects (B, N, 6) and which of these are real (B, N)."""

    image: Tensor
    objects: Tensor
    real: Tensor


@dataclass(frozen=True)
class Placing:
    """Where pictures of the field's size come to lie: `x -> x * scale + shift`, for both axes, (B, 2) each.

    Attributes:
        scale: of width and height; a negative width mirrors.
        shift: in pixels of the field.
    """

    scale: Tensor
    shift: Tensor


def augment_boxes(
    image: Tensor, objects: Tensor, real: Tensor, strength: Mapping[str, float], spec: BoxSpec, draws: Draws
) -> tuple[Tensor, Tensor, Tensor]:
    """Changed pictures (B, C, H, W), their objects and which are real, as strongly as a plan's `augment` says.

    Args:
        image: (B, C, H, W) uint8.
        objects: see the module.
        real: the mask.
        strength: `flip` and `mosaic` (shares of the pictures), `scale`, `jitter` and `colour`; those that are not there
            do nothing.
        spec: the field.
        draws: the random numbers.
    """
    fill = torch.tensor(spec.mean)
    scene = Scene(image, objects, real)
    flip, scale = strength.get("flip", 0.0), strength.get("scale", 0.0)
    if flip or scale:
        scene = flip_and_scale(Scene(image.float(), objects, real), flip, scale, fill, draws)
    if strength.get("mosaic"):
        scene = mosaic(replace(scene, image=scene.image.float()), strength["mosaic"], fill, draws)
    changed = scene.image
    if strength.get("jitter"):
        changed = jitter(changed.float(), strength["jitter"], 255.0, draws)
    if strength.get("colour"):
        changed = colour(changed.float(), strength["colour"], draws)
    return changed, scene.objects, scene.real


def flip_and_scale(scene: Scene, flip: float, scale: float, fill: Tensor, draws: Draws) -> Scene:
    """Mirror a share of the pictures, and make each larger or smaller, cut at the field's edges or filled with `fill`.

    Args:
        scene: pictures and objects.
        flip: the share that is mirrored.
        scale: the scale lies between `1 - scale` and `1 / (1 - scale)`, by its logarithm.
        fill: (C,) where nothing of the picture is.
        draws: the random numbers.
    """
    size, across, down, aspect = draws.uniform("scale", 4).unbind(1)
    factor = torch.exp((size * 2 - 1) * -math.log(1 - min(scale, 0.9)))
    stretch = torch.exp((aspect - 0.5) * 0.5 * min(scale, 0.9))
    both = torch.stack([factor * stretch, factor / stretch], dim=1)
    field = torch.tensor([scene.image.shape[3], scene.image.shape[2]], dtype=torch.float32)
    shift = torch.stack([across, down], dim=1) * (field - field * both)
    mirrored = draws.uniform("flip") < flip
    sign = torch.where(mirrored, -1.0, 1.0)
    moved = torch.stack([shift[:, 0] + mirrored * field[0] * both[:, 0], shift[:, 1]], dim=1)
    placing = Placing(both * torch.stack([sign, torch.ones_like(sign)], dim=1), moved)
    return Scene(_drawn(scene.image, placing, fill), *_moved(scene, placing, torch.zeros(2), field))


def mosaic(scene: Scene, share: float, fill: Tensor, draws: Draws) -> Scene:
    """Make of a share of the pictures one of four: itself and the three that follow it in the batch.

    Each is scaled so that it fills its part (Bochkovskiy et al., YOLOv4, 2020).
    """
    batch, _, height, width = scene.image.shape
    chosen = (draws.uniform("mosaic") < share).nonzero()[:, 0]
    if batch < 2 or not len(chosen):
        return scene
    field = torch.tensor([width, height], dtype=torch.float32)
    meet = ((0.5 + (draws.uniform("mosaic place", 2) - 0.5) * 2 * _OFF_MIDDLE) * field).round()[chosen]
    picks = draws.uniform("mosaic scale", 4, 3)[chosen]
    image, rest = scene.image.clone(), torch.ones(batch, dtype=torch.bool)
    rest[chosen] = False
    objects, real = [scene.objects], [scene.real & rest[:, None]]
    for part in range(4):
        second = torch.tensor([part % 2 == 1, part >= 2])  # the right one, the lower one
        low, high = meet * second, torch.where(second, field, meet)
        theirs = (chosen + part) % batch
        other = Scene(scene.image[theirs], scene.objects[theirs], scene.real[theirs])
        placing = _filling(low, high, field, picks[:, part])
        inside = _inside(low, high, height, width)
        image[chosen] = torch.where(inside, _drawn(other.image, placing, fill), image[chosen])
        moved, there = _moved(other, placing, low, high)
        objects.append(torch.zeros(batch, *moved.shape[1:]).index_copy(0, chosen, moved))
        real.append(torch.zeros(batch, there.shape[1], dtype=torch.bool).index_copy(0, chosen, there))
    return Scene(image, *packed(torch.cat(objects, 1), torch.cat(real, 1)))


def colour(image: Tensor, strength: float, draws: Draws) -> Tensor:
    """Change the balance of the channels of (B, C, H, W) by up to `strength` (a share) each."""
    gains = 1 + (draws.uniform("colour", image.shape[1]) * 2 - 1) * strength
    return relit(image, gains, gains)


def packed(objects: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """The same objects (B, N, 6) with the real ones first, and no more room than the fullest picture needs."""
    order = (~real).to(torch.uint8).argsort(dim=1, stable=True)[:, : max(1, int(real.sum(1).max()))]
    there = real.gather(1, order)
    return objects.gather(1, order[..., None].expand(-1, -1, objects.shape[2])) * there[..., None], there


def _filling(low: Tensor, high: Tensor, field: Tensor, picks: Tensor) -> Placing:
    """A placing that fills the part from `low` to `high` (B, 2), a little larger and anywhere, by `picks` (B, 3)."""
    size = high - low
    scale = ((size / field).amax(1) * _MOST_SCALE ** picks[:, 0])[:, None].expand(-1, 2)
    return Placing(scale, low - picks[:, 1:] * (field * scale - size))


def _inside(low: Tensor, high: Tensor, height: int, width: int) -> Tensor:
    """(B, 1, H, W) bool: the pixels from `low` to `high` (B, 2)."""
    columns, rows = torch.arange(width), torch.arange(height)
    across = (columns >= low[:, :1]) & (columns < high[:, :1])
    down = (rows >= low[:, 1:]) & (rows < high[:, 1:])
    return (down[:, :, None] & across[:, None])[:, None]


def _drawn(image: Tensor, placing: Placing, fill: Tensor) -> Tensor:
    """Pictures where a placing puts them; `fill` (C,) elsewhere."""
    field = torch.tensor([image.shape[3], image.shape[2]], dtype=torch.float32)
    turn = 1 / placing.scale
    theta = torch.zeros(len(image), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = turn.unbind(1)
    theta[:, :, 2] = turn - 2 * placing.shift / field * turn - 1
    grid = functional.affine_grid(theta, list(image.shape), align_corners=False)
    ground = fill[None, :, None, None]
    return functional.grid_sample(image - ground, grid, padding_mode="zeros", align_corners=False) + ground


def _moved(scene: Scene, placing: Placing, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Objects where a placing puts them, cut at `low` and `high`, and which of them are left."""
    ends = [scene.objects[..., at : at + 2] * placing.scale[:, None] + placing.shift[:, None] for at in (0, 2)]
    first, second = torch.minimum(*ends), torch.maximum(*ends)
    low, high = (edge.expand(len(first), 2)[:, None] for edge in (low, high))
    cut_first, cut_second = (torch.minimum(torch.maximum(end, low), high) for end in (first, second))
    sides = cut_second - cut_first
    left = sides.prod(2) / (second - first).prod(2).clamp(min=1e-6)
    difficult = torch.maximum(scene.objects[..., 5], (left < _DIFFICULT).float())
    real = scene.real & (left >= _GONE) & (sides.amin(2) >= _SMALLEST)
    moved = torch.cat([cut_first, cut_second, scene.objects[..., 4:5], difficult[..., None]], dim=2)
    return moved * real[..., None], real
