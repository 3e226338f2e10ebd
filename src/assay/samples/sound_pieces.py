"""The word of a clip cut into pieces, in an order that says nothing: by itself, or as others' talk behind the clip.

Shapes: B sounds, T values of a window.
"""

from __future__ import annotations

import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.sound_position import loud_part

#: A clip is cut into so many pieces at least and at most.
_FEWEST, _MOST = 4, 8


def scrambled(sounds: Tensor, draws: Draws) -> Tensor:
    """Each sound (B, T) cut into pieces of its loud part, in another order, each of them backwards or not.

    The pieces join where both are faded, so that no click tells them.
    """
    length = sounds.shape[1]
    begin, end = loud_part(sounds)
    count = draws.integers("other pieces", _FEWEST, _MOST)
    long = ((end - begin) / count).clamp(min=1.0)[:, None]  # values of a piece
    at = torch.arange(length)[None] - begin[:, None]
    place = (at / long).floor().clamp(0, _MOST - 1).long()
    inside = (at - place * long).clamp(min=0)
    order = _another_order(count, draws)
    backwards = (draws.uniform("other backwards", _MOST) < 0.5).gather(1, place)
    source = begin[:, None] + order.gather(1, place) * long + torch.where(backwards, long - 1 - inside, inside)
    moved = sounds.gather(1, source.round().long().clamp(0, length - 1))
    fade = (torch.minimum(inside, long - 1 - inside) / (0.1 * long)).clamp(0, 1)
    spoken = (at >= 0) & (torch.arange(length)[None] < end[:, None])
    return torch.where(spoken, moved * fade, torch.zeros(()))


def _another_order(count: Tensor, draws: Draws) -> Tensor:
    """(B, _MOST) int64: the first `count` (B,) numbers of each row in an order that is not their own."""
    numbers = torch.arange(_MOST)
    there = numbers < count[:, None]
    order = torch.where(there, draws.uniform("other order", _MOST), torch.tensor(2.0)).argsort(dim=1)
    same = ((order == numbers) | ~there).all(dim=1, keepdim=True)
    turned = torch.where(there, count[:, None] - 1 - numbers, numbers)
    return torch.where(same, turned, order)


def chatter(sounds: Tensor, draws: Draws) -> Tensor:
    """(B, T) of unit power: the scrambled word of each sound (B, T) over and over, for the whole of the window."""
    begin, end = loud_part(sounds)
    long = (end - begin).clamp(min=1)[:, None]
    start = (draws.uniform("chatter")[:, None] * long).long()
    at = begin[:, None] + (torch.arange(sounds.shape[1])[None] + start) % long
    talk = scrambled(sounds, draws).gather(1, at.clamp(max=sounds.shape[1] - 1))
    return talk / talk.pow(2).mean(dim=1, keepdim=True).sqrt().clamp(min=1e-9)
