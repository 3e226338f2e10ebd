"""Words with their times, out of tokens with theirs.

Source of the times of a network that looks at what it writes about: dynamic time warping over the shares of some of its
heads, as Whisper does (A. Radford et al., 2023).

Shapes: H heads, N tokens, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.transcripts import Word
from assay.networks.sound_alignment import monotonic_path

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
_SMOOTHED = 7
#: Places of seven values that are put in order one after the other, until the middle one is their median.
#: Source: N. Devillard, "Fast median search: an ANSI C implementation", 1998.
_PAIRS = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4))


def looked_times(shares: Tensor, frames: int, seconds_per_frame: float) -> Array:
    """(N, 2) seconds in which each token was said.

    Args:
        shares: (H, N + 1, F) how much heads look at each frame for each token and for the end.
        frames: of them that are real.
        seconds_per_frame: between two frames.
    """
    count = shares.shape[1] - 1
    frames = min(frames, shares.shape[2])
    if not count:
        return np.zeros((0, 2))
    if frames <= count:  # more tokens than anybody says in so short a time
        edges = np.linspace(0, frames, count + 1)
    else:
        found = shares[:, :, :frames]
        found = found / found.sum(dim=-1, keepdim=True).clamp_min(1e-9)
        deviation, mean = found.std(dim=1, keepdim=True, unbiased=False), found.mean(dim=1, keepdim=True)
        levelled = (found - mean) / deviation.clamp_min(1e-9)
        edges = monotonic_path(_median(levelled).mean(dim=0).double().numpy()).astype(float)
    return np.stack([edges[:count], edges[1 : count + 1]], axis=1) * seconds_per_frame


def words_of(texts: Sequence[str], times: Array, nats: Sequence[float], spaced: bool = True) -> tuple[Word, ...]:
    """Words out of tokens.

    Args:
        texts: of each token, with the space before it; together they are the whole text.
        times: (N, 2) seconds.
        nats: the log-probability of each token.
        spaced: a word begins where there is a space; else with each token.
    """
    begins = [place for place, text in enumerate(texts) if not place or not spaced or text[:1].isspace()]
    words: list[Word] = []
    for first, end in zip(begins, [*begins[1:], len(texts)], strict=False):
        text = "".join(texts[first:end]).strip()
        if text:
            confidence = float(np.exp(min(0.0, float(np.mean(nats[first:end])))))
            there = [place for place in range(first, end) if texts[place].strip()]
            words.append(Word(text, float(times[there[0], 0]), float(times[there[-1], 1]), confidence))
    return tuple(words)


def _median(shares: Tensor) -> Tensor:
    """Each value (H, N, F) the median of those about it, over frames; by comparing pairs, many values at a time."""
    import torch
    from torch.nn.functional import pad

    half = _SMOOTHED // 2
    if shares.shape[-1] <= half:
        return shares
    found = []
    for head in pad(shares, (half, half), mode="reflect"):
        around = list(head.unfold(-1, _SMOOTHED, 1).unbind(-1))
        for one, other in _PAIRS:
            low, high = around[one], around[other]
            around[one], around[other] = torch.minimum(low, high), torch.maximum(low, high)
        found.append(around[half])
    return torch.stack(found)
