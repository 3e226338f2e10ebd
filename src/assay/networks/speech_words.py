"""Words with their times, out of tokens with theirs.

Source of the times of a network that looks at what it writes about: dynamic time warping over the shares of some of its
heads, as Whisper does (A. Radford et al., 2023).

Shapes: H heads, N tokens, F frames, A heads that tell where a token is spoken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.transcripts import Word
from assay.networks.sound_alignment import monotonic_path

Array = np.ndarray[Any, Any]
_SMOOTHED = 7
#: Places of seven values that are put in order one after the other, until the middle one is their median.
#: Source: N. Devillard, "Fast median search: an ANSI C implementation", 1998.
_PAIRS = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4))


@dataclass(frozen=True)
class Written:
    """A transcript that was written token by token.

    Attributes:
        ids: its tokens, without marks.
        log_probability: of the tokens and the end, in nats.
        nats: N + 1, that of each and of the end; none where nobody asked.
        shares: (A, N + 1, F) how much the heads that tell where a token is spoken look at each frame for each of them,
            a tensor, or of an export an array; None where nobody asked.
    """

    ids: tuple[int, ...]
    log_probability: float
    nats: tuple[float, ...] = ()
    shares: Any = None


def looked_times(shares: Any, frames: int, seconds_per_frame: float) -> Array:
    """(N, 2) seconds in which each token was said.

    Args:
        shares: (H, N + 1, F), a tensor or an array: how much heads look at each frame for each token and for the end.
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
        found = np.asarray(shares, dtype=np.float32)[:, :, :frames]
        found = found / found.sum(axis=-1, keepdims=True).clip(min=1e-9)
        deviation, mean = found.std(axis=1, keepdims=True), found.mean(axis=1, keepdims=True)
        levelled = (found - mean) / deviation.clip(min=1e-9)
        edges = monotonic_path(_median(levelled).mean(axis=0).astype(np.float64)).astype(float)
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


def _median(shares: Array) -> Array:
    """Each value (H, N, F) the median of those about it, over frames; by comparing pairs, many values at a time."""
    half, count = _SMOOTHED // 2, shares.shape[-1]
    if count <= half:
        return shares
    found = []
    for head in np.pad(shares, ((0, 0), (0, 0), (half, half)), mode="reflect"):
        around = [head[:, first : first + count] for first in range(_SMOOTHED)]
        for one, other in _PAIRS:
            low, high = around[one], around[other]
            around[one], around[other] = np.minimum(low, high), np.maximum(low, high)
        found.append(around[half])
    return np.stack(found)
