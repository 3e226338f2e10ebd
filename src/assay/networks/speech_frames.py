"""How many frames a network of speech makes of a sound, and how much of its windows one of Whisper's kind hears.

Shapes: B windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Values a second that networks of Whisper's kind hear, and the most that they hear at once.
WHISPER_RATE, LONGEST_S = 16_000, 30.0
#: Values of silence after a window, and the steps in which its length grows, so that windows of about one length share
#: a batch.
_BEHIND, STEP = WHISPER_RATE // 4, WHISPER_RATE


def frames_of(lengths: Any, window: int, hop: int, halvings: int) -> Any:
    """Frames (B,) of sounds of so many values (B,), tensors or arrays of whole numbers; at least one of each.

    Args:
        lengths: values of each sound.
        window: values of a frame.
        hop: values between the beginnings of two frames.
        halvings: how often two frames become one.
    """
    frames = (1 + (lengths - window) // hop).clip(min=1)
    for _ in range(halvings):
        frames = (frames + 1) // 2
    return frames


def heard_values(lengths: Array, context_s: float) -> Array:
    """(B,) how many values a network of Whisper's kind hears of windows of so many (B,).

    Args:
        lengths: values of each window.
        context_s: seconds that it hears at least.
    """
    steps = -(-(lengths + _BEHIND) // STEP) * STEP
    found: Array = steps.clip(max(STEP, round(context_s * WHISPER_RATE)), round(LONGEST_S * WHISPER_RATE))
    return found


def heard_together(sizes: Array) -> list[Array]:
    """The places of windows that hear equally much (B,), no more than 30 s of them together.

    That is kind to a processor's caches, and no window hears the silence that a longer one needs.
    """
    found: list[Array] = []
    for size in np.unique(sizes).tolist():
        rows, most = np.flatnonzero(sizes == size), max(1, round(LONGEST_S * WHISPER_RATE) // size)
        found += [rows[first : first + most] for first in range(0, len(rows), most)]
    return found
