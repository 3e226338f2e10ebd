"""Which words of a small vocabulary follow one another in a sound: one pass of dynamic time warping over all templates.

Source: H. Ney, "The use of a one-stage dynamic programming algorithm for connected word recognition", IEEE ASSP 32,
1984. A frame of a template is stayed in, left for the next, or the next is skipped.

Shapes: F frames of a sound, D values of a frame, S frames of all templates, W templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Templates:
    """Words as sequences of frames, one after the other.

    Attributes:
        frames: (S, D) float32.
        sizes: (W,) int64, how many frames each template has; a template of one frame may last for any time.
        words: (W,) int64, the word that each is an example of; -1 for silence.
    """

    frames: Array
    sizes: Array
    words: Array

    @property
    def starts(self) -> Array:
        """(W,) the first frame of each."""
        return np.asarray(np.cumsum(self.sizes) - self.sizes)


@dataclass(frozen=True)
class Said:
    """A word in a sound: its number, its first frame and the one after its last."""

    word: int
    start: int
    end: int


def distances(sound: Array, templates: Templates) -> Array:
    """(F, S) Euclidean distances of frames (F, D) to those of the templates."""
    squares = (sound**2).sum(axis=1)[:, None] + (templates.frames**2).sum(axis=1) - 2 * sound @ templates.frames.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def best_words(costs: Array, templates: Templates, penalty: float) -> list[Said]:
    """The words of the best path through distances (F, S), silence left out.

    Args:
        costs: of each frame of the sound and each of the templates.
        templates: the templates.
        penalty: what a word costs, beside its frames.
    """
    if not len(costs):
        return []
    starts, ends = templates.starts, templates.starts + templates.sizes - 1
    first = np.zeros(costs.shape[1], bool)
    first[starts] = True
    second = np.concatenate([[False], first[:-1]])
    fees = np.where(templates.words >= 0, penalty, 0.0)
    best, entered = np.full(costs.shape[1], np.inf), np.zeros(costs.shape[1], np.int64)
    best[starts] = costs[0, starts] + fees
    left: list[tuple[int, int]] = []  # the template that is best left after each frame, and when it was entered
    for frame in range(len(costs)):
        if frame:
            total = best[ends]
            gone = int(total.argmin())
            choices = np.stack([best, _later(best, 1, first), _later(best, 2, first | second)])
            taken = choices.argmin(axis=0)
            came = np.stack([entered, np.roll(entered, 1), np.roll(entered, 2)])
            best, entered = choices.min(axis=0), came[taken, np.arange(len(best))]
            fresh = total[gone] + fees
            better = fresh < best[starts]
            best[starts] = np.where(better, fresh, best[starts])
            entered[starts] = np.where(better, frame, entered[starts])
            best = best + costs[frame]
        gone = int(best[ends].argmin())
        left.append((gone, int(entered[ends[gone]])))
    return _traced(left, templates)


def _later(best: Array, by: int, barred: Array) -> Array:
    moved = np.concatenate([np.full(by, np.inf), best[:-by]])
    return np.where(barred, np.inf, moved)


def _traced(left: list[tuple[int, int]], templates: Templates) -> list[Said]:
    found: list[Said] = []
    end = len(left)
    while end > 0:
        template, start = left[end - 1]
        word = int(templates.words[template])
        if word >= 0:
            found.append(Said(word, start, end))
        end = start
    return found[::-1]
