"""Changes of whole batches of recordings of different lengths that leave what is said in them alone.

Source of speed: T. Ko et al., "Audio augmentation for speech recognition", Interspeech 2015; the others are those of
`assay.samples.sound_augment`.

Shapes: B windows, T values of the longest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.recording_windows import LONGEST_S
from assay.samples.sound_augment import augmented


def speech_augmented(
    sound: Tensor, mask: Tensor, strength: Mapping[str, float], rate: int, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Windows (B, T) float32 from -1 to 1 and their masks (B, T), changed.

    Args:
        sound: the windows, padded at the end.
        mask: True where they are real.
        strength: `speed` as a share; all others as `sound_augment.augmented` takes them.
        rate: values a second, in hertz.
        draws: the random numbers.
    """
    if strength.get("speed"):
        pace = torch.exp((draws.uniform("speed") * 2 - 1) * math.log1p(strength["speed"]))
        pace = torch.maximum(pace, mask.sum(dim=1) / (LONGEST_S * rate))  # what is played slower must still be heard
        sound, mask = played(sound, mask, pace)
    others = {name: value for name, value in strength.items() if name not in ("speed", "shift")}
    changed = torch.zeros_like(sound)
    for row, length in enumerate(mask.sum(dim=1).tolist()):  # one by one, so that no change depends on the padding
        if length:
            changed[row, :length] = augmented(sound[row : row + 1, :length], others, rate, draws.of(row))[0]
    return changed, mask


def played(sound: Tensor, mask: Tensor, pace: Tensor) -> tuple[Tensor, Tensor]:
    """Windows played `pace` (B,) times as fast, tempo and pitch together (linear interpolation), and their masks."""
    lengths = (mask.sum(dim=1) / pace).long()
    size = int(lengths.max()) if len(lengths) else 0
    at = torch.arange(size) * pace[:, None]
    low = at.long().clamp(max=max(0, sound.shape[1] - 1))
    high = (low + 1).clamp(max=max(0, sound.shape[1] - 1))
    part = at - low
    real = torch.arange(size) < lengths[:, None]
    moved = sound.gather(1, low) * (1 - part) + sound.gather(1, high) * part
    return moved * real, real
