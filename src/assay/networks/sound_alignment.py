"""Which stretch of a recording each token of a text was said in: the best monotonic path through scores.

Shapes: F frames, N tokens, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def monotonic_path(scores: Array) -> Array:
    """(N,) int64: the first frame of each token, where every frame belongs to one token and they follow one another.

    It is dynamic time warping in which a token takes at least one frame; the first begins with the first frame.

    Args:
        scores: (N, F), how well a frame fits a token; N <= F.

    Raises:
        ValueError: there are more tokens than frames.
    """
    tokens, frames = scores.shape
    if tokens > frames:
        raise ValueError(f"{tokens} tokens do not fit into {frames} frames")
    best = np.full(tokens, -np.inf)
    best[:1] = scores[:1, 0]
    came = np.zeros((frames, tokens), bool)
    for frame in range(1, frames):
        stepped = np.concatenate([[-np.inf], best[:-1]])
        came[frame] = stepped > best
        best = np.maximum(best, stepped) + scores[:, frame]
    first = np.zeros(tokens, np.int64)
    token = tokens - 1
    for frame in range(frames - 1, 0, -1):
        if token > 0 and came[frame, token]:
            first[token] = frame
            token -= 1
    return first


def ctc_path(log_probabilities: Array, ids: Sequence[int], blank: int = 0) -> tuple[Array, Array]:
    """The frames in which each token of a text was said, by the most probable path of a CTC network through it.

    Source: A. Graves et al., "Connectionist temporal classification", ICML 2006.

    Args:
        log_probabilities: (F, V) of a network with blanks.
        ids: the text, N tokens without blanks.
        blank: the token that says nothing.

    Returns:
        (N,) the first frame of each token and (N,) the last; both -1 where the text cannot be said in F frames.
    """
    tokens = len(ids)
    nowhere = np.full(tokens, -1, np.int64)
    if not tokens or not len(log_probabilities):
        return nowhere, nowhere
    states = np.full(2 * tokens + 1, blank, np.int64)
    states[1::2] = ids
    skips = np.zeros(len(states), bool)  # a blank may be left out between different tokens
    skips[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states), -np.inf)
    best[:2] = log_probabilities[0, states[:2]]
    came = np.zeros((len(log_probabilities), len(states)), np.int8)
    for frame in range(1, len(log_probabilities)):
        one = np.concatenate([[-np.inf], best[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf, -np.inf], best[:-2]]), -np.inf)
        choices = np.stack([best, one, two])
        came[frame] = choices.argmax(axis=0)
        best = choices.max(axis=0) + log_probabilities[frame, states]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    if not np.isfinite(best[state]):
        return nowhere, nowhere
    first, last = nowhere.copy(), nowhere.copy()
    for frame in range(len(log_probabilities) - 1, -1, -1):
        if state % 2:
            first[state // 2] = frame
            last[state // 2] = max(last[state // 2], frame)
        state -= int(came[frame, state])
    return first, last
