"""Which places of a detector answer for which object, and how wrong their answers are.

Sources: task-aligned assignment (Feng et al., TOOD, 2021): the places whose score and box suit an object best answer
for it; the quality focal loss (Li et al. 2020), whose target is how well the box fits; the generalised IoU loss
(Rezatofighi et al. 2019) of torchvision.

Shapes: B pictures, A places, K classes, N objects of the picture with most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

#: How much the score and the overlap count when places are chosen, and how many places an object gets.
_SCORE_POWER, _OVERLAP_POWER, _PLACES = 0.5, 4.0, 9
#: The loss of boxes, as a multiple of that of classes.
_BOX_WEIGHT = 2.0
#: An object is taken to reach at least so many strides to each side, so that the smallest covers a place's centre.
_LEAST_REACH = 0.75


@dataclass(frozen=True)
class Assigned:
    """What each place should say.

    Attributes:
        quality: (B, A, K) the target of the score of each class, from 0 to 1.
        weight: (B, A) how much the place's box counts: 1 for the best place of an object, 0 where it answers for none.
        boxes: (B, A, 4) the box that it should give.
        ignored: (B, A) bool, nothing is asked of the place: it lies on a difficult object alone.
    """

    quality: Tensor
    weight: Tensor
    boxes: Tensor
    ignored: Tensor


def detection_loss(
    found: Tensor, objects: Tensor, real: Tensor, where: tuple[Tensor, Tensor], expected: float
) -> Tensor:
    """(B,) the loss of each picture.

    Args:
        found: (B, A, 4 + K) as a `Detector` gives.
        objects: (B, N, 6): x0, y0, x1, y1 in pixels of the field, class, difficult.
        real: (B, N) bool, which objects are none of padding.
        where: centres (A, 2) and strides (A,) of the places.
        expected: objects of a picture in the mean, by which the loss is divided: each object then counts alike, and
            a picture's loss is the same in every batch.
    """
    from torchvision.ops import generalized_box_iou_loss

    boxes, logits = found[..., :4], found[..., 4:]
    assigned = assign(boxes.detach(), logits.detach().sigmoid(), objects, real, where)
    gap = (assigned.quality - logits.sigmoid()).abs() ** 2
    wrong = functional.binary_cross_entropy_with_logits(logits, assigned.quality, reduction="none") * gap
    classes = (wrong.sum(2) * ~assigned.ignored).sum(1)
    answering = assigned.weight > 0
    each = generalized_box_iou_loss(boxes[answering], assigned.boxes[answering], reduction="none")
    picture = answering.nonzero()[:, 0]
    off = torch.zeros(len(found)).index_add(0, picture, each * assigned.weight[answering])
    return (classes + _BOX_WEIGHT * off) / max(1.0, expected)


@torch.no_grad()
def assign(boxes: Tensor, scores: Tensor, objects: Tensor, real: Tensor, where: tuple[Tensor, Tensor]) -> Assigned:
    """Choose the places of each object by how well they do already.

    Args:
        boxes: (B, A, 4) in pixels of the field.
        scores: (B, A, K) from 0 to 1.
        objects: see `detection_loss`.
        real: see `detection_loss`.
        where: see `detection_loss`.
    """
    batch, count, classes = scores.shape
    wanted = real & (objects[..., 5] == 0)
    covered = _covered(objects, where)  # (B, N, A)
    difficult = (covered & (real & ~wanted)[..., None]).any(1)
    if not bool(wanted.any()):
        nothing = torch.zeros(batch, count)
        return Assigned(torch.zeros_like(scores), nothing, torch.zeros_like(boxes), difficult)
    number = objects[..., 4].long().clamp(0, classes - 1)
    overlap = pairwise_iou(objects[..., :4], boxes) * (covered & wanted[..., None])  # (B, N, A)
    score = scores.transpose(1, 2).gather(1, number[..., None].expand(-1, -1, count))
    fit = score**_SCORE_POWER * overlap**_OVERLAP_POWER
    chosen = _best(fit)
    chosen &= overlap >= torch.where(chosen, overlap, -1.0).amax(1, keepdim=True)  # an object a place, the best fitting
    fit, overlap = fit * chosen, overlap * chosen
    share = fit / fit.amax(2, keepdim=True).clamp(min=1e-12)  # (B, N, A), 1 for an object's best place
    weight, owner = share.max(1)  # (B, A)
    quality = (share * overlap.amax(2, keepdim=True)).amax(1)
    label = number.gather(1, owner)
    target = functional.one_hot(label, classes) * quality[..., None]
    taken = objects[..., :4].gather(1, owner[..., None].expand(-1, -1, 4))
    return Assigned(target, weight, taken, difficult & (weight == 0))


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """(B, N, A) intersection over union of boxes (B, N, 4) and (B, A, 4)."""
    low = torch.maximum(first[:, :, None, :2], second[:, None, :, :2])
    high = torch.minimum(first[:, :, None, 2:], second[:, None, :, 2:])
    shared = (high - low).clamp(min=0).prod(3)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(2) for boxes in (first, second)]
    return shared / (areas[0][:, :, None] + areas[1][:, None] - shared).clamp(min=1e-9)


def _covered(objects: Tensor, where: tuple[Tensor, Tensor]) -> Tensor:
    """(B, N, A) bool: whether an object lies on a place's centre, the smallest ones taken for a little larger."""
    centres, strides = where
    middle = (objects[..., :2] + objects[..., 2:4]) / 2
    reach = (objects[..., 2:4] - objects[..., :2]) / 2
    least = torch.where(strides == strides.min(), _LEAST_REACH * strides, 0.0)
    away = (centres - middle[:, :, None]).abs()  # (B, N, A, 2)
    return (away < torch.maximum(reach[:, :, None], least[:, None])).all(3)


def _best(fit: Tensor) -> Tensor:
    """(B, N, A) bool: the few places of each object that suit it best, of those that suit it at all."""
    few = min(_PLACES, fit.shape[2])
    values, at = fit.topk(few, dim=2)
    return torch.zeros_like(fit, dtype=torch.bool).scatter_(2, at, values > 0)
