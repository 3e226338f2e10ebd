"""Where in a window a word stands: a window of a stream meets it first at its end, and may hold a piece of it alone.

Shapes: B sounds, T values of a window.
"""

from __future__ import annotations

import torch
from torch import Tensor

from assay.samples.draws import Draws

#: Shares of a word that are heard of one that is cut off, at least and at most: too little to tell it by.
_LEAST_HEARD, _MOST_HEARD = 0.1, 0.45
#: What is soft about a word's ends belongs to it: this share of the loud part's length at each.
_SOFT = 0.1
_SHORTEST = 8


def loud_part(sounds: Tensor, share: float = 0.02) -> tuple[Tensor, Tensor]:
    """(B,) where each sound (B, T) begins and ends: all but a share of its energy at each end. Int64."""
    energy = sounds.double().pow(2).cumsum(dim=1)
    whole = energy[:, -1:]
    begin = (energy < share * whole).sum(dim=1)
    end = (energy < (1 - share) * whole).sum(dim=1)
    return begin, torch.maximum(end, begin + _SHORTEST).clamp(max=sounds.shape[1])


def moved(sounds: Tensor, by: Tensor) -> Tensor:
    """Each sound (B, T) later by so many values (B,) int64, or earlier; silence takes its place."""
    length = sounds.shape[1]
    at = torch.arange(length)[None] - by[:, None]
    shifted = sounds.gather(1, at.clamp(0, length - 1))
    return torch.where((at >= 0) & (at < length), shifted, torch.zeros(()))


def placed(sounds: Tensor, most: float, draws: Draws) -> Tensor:
    """Each sound (B, T) with its word anywhere in the window, as a whole; at a share `most` of the way there."""
    begin, end = _word(sounds)
    room = (sounds.shape[1] - (end - begin)).clamp(min=0)
    wanted = draws.uniform("place") * room
    return moved(sounds, (most * (wanted - begin)).round().long())


def cut_off(sounds: Tensor, draws: Draws) -> Tensor:
    """Each sound (B, T) with a piece of its word alone: its beginning at the window's end, or its end at the start."""
    begin, end = _word(sounds)
    part, side = draws.uniform("cut off", 2).unbind(1)
    heard = (_LEAST_HEARD + (_MOST_HEARD - _LEAST_HEARD) * part) * (end - begin)
    early, late = sounds.shape[1] - heard - begin, heard - end
    return moved(sounds, torch.where(side < 0.5, early, late).round().long())


def _word(sounds: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) where each word begins and ends, what is soft about it included."""
    begin, end = loud_part(sounds)
    soft = ((end - begin) * _SOFT).long()
    return (begin - soft).clamp(min=0), (end + soft).clamp(max=sounds.shape[1])
