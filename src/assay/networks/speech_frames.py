"""How many frames a network of speech makes of a sound."""

from __future__ import annotations

from typing import Any


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
