"""Sounds that are no command, made of the training clips where nobody recorded any.

Pieces of a clip in another order keep its voice and its sounds, but say nothing; noise of many colours stands for rooms
and streets. They are synthetic, and known to be: real background speech is better, where it is there.

Shapes: B sounds, T values of a window.
"""

from __future__ import annotations

import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.sound_augment import coloured
from assay.samples.sound_position import loud_part

#: A clip is cut into so many pieces at least and at most.
_FEWEST, _MOST = 4, 8
#: The shares of the kinds: pieces of the clip, noise as loud as the clip, and next to silence. More pieces make a voice
#: that was never heard sound like no command.
_PIECES, _NOISE = 0.15, 0.5


def made_others(sounds: Tensor, draws: Draws) -> Tensor:
    """(B, T) a sound that is no command out of each of the sounds (B, T) float32 from -1 to 1."""
    kind = draws.uniform("other kind")[:, None]
    loud = sounds.abs().amax(dim=1, keepdim=True).clamp(min=0.02)
    loudness = draws.uniform("other loudness", 2)
    still = 10 ** (-2 - 2 * loudness[:, :1])
    hiss = coloured(sounds.shape[1], draws.uniform("other colour") * 2.5 - 0.5, draws, kind[:, 0] >= _PIECES)
    swell = _swelling(sounds.shape[1], draws)
    rush = hiss * swell * loud * (0.1 + 0.4 * loudness[:, 1:])
    quiet = torch.where(kind < _PIECES + _NOISE, rush, hiss * still)
    return torch.where(kind < _PIECES, scrambled(sounds, draws), quiet).clamp(-1, 1)


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


def _swelling(length: int, draws: Draws) -> Tensor:
    """(B, length) how loud noise is over time: a slow wave of a random pace and depth, or none."""
    pace, depth, phase = draws.uniform("other swelling", 3).unbind(1)
    at = torch.arange(length)[None] / length
    wave = torch.sin(2 * torch.pi * (at * (1 + 5 * pace[:, None]) + phase[:, None]))
    return 1 - depth[:, None] * 0.5 * (1 + wave)
