"""Three ways in which recordings get worse, each at five strengths: noise, a telephone's band, reverberation.

Sources: the telephone's band and its coding, ITU-T G.712 and G.711; a room's reverberation as noise that decays
exponentially, J. Moorer, "About this reverberation business", Computer Music Journal 3, 1979.

Shapes: B sounds, T values of a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.sound_augment import coloured, loudness_for
from assay.samples.sound_windows import as_waves
from assay.task import Corruption

#: Signal-to-noise ratios in decibels.
NOISE_DB = (20.0, 15.0, 10.0, 5.0, 0.0)
#: What a telephone lets through, in hertz: the standard's own is the second; worse lines follow.
TELEPHONE_HZ = ((200.0, 3600.0), (300.0, 3400.0), (400.0, 2900.0), (500.0, 2400.0), (600.0, 2000.0))
#: Seconds until an echo is 60 dB softer, and how much of the power comes as echo.
ROOM = ((0.2, 0.3), (0.4, 0.4), (0.6, 0.5), (0.9, 0.6), (1.3, 0.7))
#: What prepares for noise.
_NOISE = ("noise", 0.3)
_LAW = 255.0


def sound_corruptions(rate: int) -> dict[str, Corruption]:
    """The three by name, for batches whose field `sound` holds (B, T) int16 or float at so many values a second."""

    def of_batch(change: Callable[[Tensor, int, Draws], Tensor]) -> Callable[[Any, int, Draws], Any]:
        return partial(_of_batch, change)

    return {
        "noise": Corruption(
            of_batch(lambda sounds, at, draws: noisy(sounds, NOISE_DB[at - 1], draws)),
            _NOISE,
            tuple(f"{ratio:g} dB signal to noise" for ratio in NOISE_DB),
        ),
        "telephone": Corruption(
            of_batch(lambda sounds, at, draws: telephone(sounds, *TELEPHONE_HZ[at - 1], rate)),
            strengths=tuple(f"{low:,g} to {high:,g} Hz" for low, high in TELEPHONE_HZ),
        ),
        "reverberation": Corruption(
            of_batch(lambda sounds, at, draws: reverberant(sounds, *ROOM[at - 1], rate, draws)),
            strengths=tuple(f"{decay:g} s of reverberation, {100 * echo:g} % of the power" for decay, echo in ROOM),
        ),
    }


def noisy(sounds: Tensor, ratio_db: float, draws: Draws) -> Tensor:
    """Add noise between white and brown at a signal-to-noise ratio; the colour is keyed by window."""
    added = coloured(sounds.shape[1], 2 * draws.uniform("corruption colour"), draws)
    return sounds + added * loudness_for(sounds, torch.full((len(sounds),), ratio_db))[:, None]


def telephone(sounds: Tensor, low_hz: float, high_hz: float, rate: int) -> Tensor:
    """Let through a band alone, its edges an eighth of an octave wide, and code each value in eight bits by mu-law."""
    spectrum = torch.fft.rfft(sounds)
    octaves = torch.log2(torch.linspace(0, rate / 2, spectrum.shape[1]).clamp(min=1e-3))
    above = ((octaves - math.log2(low_hz)) * 8 + 1).clamp(0, 1)
    below = ((math.log2(high_hz) - octaves) * 8 + 1).clamp(0, 1)
    heard = torch.fft.irfft(spectrum * (above * below), n=sounds.shape[1]).clamp(-1, 1)
    bent = heard.sign() * torch.log1p(_LAW * heard.abs()) / math.log1p(_LAW)
    coded = (bent * 127).round() / 127
    straight: Tensor = coded.sign() * torch.expm1(coded.abs() * math.log1p(_LAW)) / _LAW
    return straight


def reverberant(sounds: Tensor, decay_s: float, echo: float, rate: int, draws: Draws) -> Tensor:
    """Each sound in a room of its own: `echo` of its power comes as a tail that is 60 dB softer after `decay_s`."""
    long = round(min(decay_s, 1.0) * rate)
    seeds = draws.integers("room", 0, 2**24 - 1).tolist()
    drawn = [np.random.default_rng(seed).standard_normal(long, np.float32) for seed in seeds]
    tail = torch.from_numpy(np.stack(drawn)) * torch.exp(-math.log(1000) * torch.arange(long) / (decay_s * rate))
    tail = tail / tail.pow(2).sum(dim=1, keepdim=True).sqrt()
    size = sounds.shape[1] + long
    echoes = torch.fft.irfft(torch.fft.rfft(sounds, size) * torch.fft.rfft(tail, size), n=size)[:, : sounds.shape[1]]
    heard: Tensor = math.sqrt(1 - echo) * sounds + math.sqrt(echo) * echoes
    return heard


def _of_batch(change: Callable[[Tensor, int, Draws], Tensor], batch: Any, strength: int, draws: Draws) -> Any:
    """The batch changed; padded windows one by one, so that no change depends on the padding, which stays silent."""
    if not len(batch.sound):
        return batch
    sounds = as_waves(batch.sound)
    if batch.mask is None:
        return replace(batch, sound=change(sounds, strength, draws).clamp(-1, 1))
    changed = torch.zeros_like(sounds)
    for row, length in enumerate(batch.mask.sum(dim=1).tolist()):
        if length:
            changed[row, :length] = change(sounds[row : row + 1, :length], strength, draws.of(row))[0]
    return replace(batch, sound=changed.clamp(-1, 1))
