"""Changes of whole batches of sounds that leave the words in them alone.

Voices differ in how long the throat is, in how high and how fast they speak; rooms and microphones in what they add and
what they let through. Each change imitates one of these.

Sources: speed, T. Ko et al., "Audio augmentation for speech recognition", Interspeech 2015; the length of the vocal
tract, N. Jaitly and G. Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition", ICML workshop
2013; masks, D. Park et al., "SpecAugment", Interspeech 2019.

All take sounds (B, T) float32 from -1 to 1 and draw from `Draws`, keyed by seed, epoch and window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.sound_position import cut_off, moved, placed

#: Seconds of the pieces in which the spectrum is stretched.
_PIECE_S = 0.032
#: Decibels that a sound is louder than its background, at least and at most; softer partners are no background.
_LEAST_RATIO_DB, _MOST_RATIO_DB, _AUDIBLE = 5.0, 35.0, 1e-3
#: The share of the noise that is a room's, not a recording's own.
_ROOM = 0.5
#: Less than half of the smallest step of 16 bits: what filters leave of silence.
_SILENCE = 1e-5


def speed(sounds: Tensor, most: float, draws: Draws) -> Tensor:
    """Play each sound faster or slower by up to a share `most`, about its middle: tempo and pitch change together."""
    rate = torch.exp((draws.uniform("speed") * 2 - 1) * math.log1p(most))
    return resampled(sounds, rate)


def resampled(sounds: Tensor, rate: Tensor) -> Tensor:
    """Sounds (B, T) played `rate` (B,) times as fast about their middle, silence around them (cubic interpolation)."""
    length = sounds.shape[1]
    middle = (length - 1) / 2
    at = (torch.arange(length) - middle) * rate[:, None] + middle
    whole = at.floor()
    part = at - whole
    padded = torch.nn.functional.pad(sounds, (2, 3))
    first = (whole.long() + 2).clamp(1, length + 2)
    before, here, after, later = (padded.gather(1, first + step) for step in (-1, 0, 1, 2))
    inside = (whole >= -1) & (whole <= length - 1)
    bent = 2 * before - 5 * here + 4 * after - later + part * (3 * (here - after) + later - before)
    return torch.where(inside, here + 0.5 * part * (after - before + part * bent), torch.zeros(()))


def throat(sounds: Tensor, most: float, rate: int, draws: Draws) -> Tensor:
    """Stretch the spectrum of each sound by up to a share `most`, as a shorter or longer vocal tract does.

    The tempo stays. Magnitudes move to other frequencies, each under the phase that was there.

    Args:
        sounds: (B, T).
        most: the largest share.
        rate: values a second, in hertz.
        draws: the random numbers.
    """
    factor = torch.exp((draws.uniform("throat") * 2 - 1) * math.log1p(most))

    def change(spectrum: Tensor) -> Tensor:
        count = spectrum.shape[1]
        at = torch.arange(count) / factor[:, None]  # (B, K)
        low = at.floor().long().clamp(max=count - 1)
        part = (at - low).clamp(0, 1)[..., None]
        size = spectrum.abs()
        batch = torch.arange(len(size))[:, None]
        moved = size[batch, low] * (1 - part) + size[batch, (low + 1).clamp(max=count - 1)] * part
        moved = torch.where((at < count)[..., None], moved, torch.zeros(()))
        return spectrum * (moved / (size + 1e-9))

    return through_spectrum(sounds, rate, change)


def through_spectrum(sounds: Tensor, rate: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Sounds (B, T) whose short-time spectrum, (B, K, P) complex of K frequencies and P pieces, was changed."""
    size = 2 ** round(math.log2(_PIECE_S * rate))
    window = torch.hann_window(size)
    spectrum = torch.stft(sounds, size, size // 4, window=window, pad_mode="constant", return_complex=True)
    return torch.istft(change(spectrum), size, size // 4, window=window, length=sounds.shape[1])


def shift(sounds: Tensor, most: float, draws: Draws) -> Tensor:
    """Move each sound by up to a share `most` of its length, earlier or later; silence takes its place."""
    length = sounds.shape[1]
    reach = round(most * length)
    if reach <= 0:
        return sounds
    return moved(sounds, draws.integers("sound shift", -reach, reach))


def gain(sounds: Tensor, most_db: float, draws: Draws) -> Tensor:
    """Make each sound louder or softer by up to so many decibels; what goes beyond the full scale is clipped."""
    louder = 10 ** ((draws.uniform("gain") * 2 - 1) * most_db / 20)
    return (sounds * louder[:, None]).clamp(-1, 1)


def noise(
    sounds: Tensor,
    share: float,
    draws: Draws,
    least_db: float = 5.0,
    most_db: float = 40.0,
    clip: Tensor | None = None,
) -> Tensor:
    """Add noise of a random colour to a share of the sounds, at a random signal-to-noise ratio between two.

    Half of the noise is a recording's own, which begins and ends with the clip, as in a clip that was cut close.

    Args:
        sounds: (B, T).
        share: of the sounds.
        draws: the random numbers.
        least_db: the ratio at least, in decibels.
        most_db: at most.
        clip: (B, T) bool, where each clip stands in its window; None for everywhere.
    """
    chosen = draws.uniform("noise") < share
    if not bool(chosen.any()):
        return sounds
    ratio = least_db + (most_db - least_db) * draws.uniform("noise ratio")
    added = coloured(sounds.shape[1], draws.uniform("noise colour") * 2.5 - 0.5, draws, chosen)
    heard = chosen[:, None]
    if clip is not None:
        heard = heard & (clip | (draws.uniform("noise of the room") < _ROOM)[:, None])
    return torch.where(heard, sounds + added * loudness_for(sounds, ratio)[:, None], sounds)


def recorded(sounds: Tensor) -> Tensor:
    """(B, T) bool, from the first to the last value of each sound that is more than the silence about a clip."""
    there = sounds.abs() > _SILENCE
    begun = there.cummax(dim=1).values
    return begun & there.flip(1).cummax(dim=1).values.flip(1)


def background(sounds: Tensor, others: Tensor, share: float, draws: Draws) -> Tensor:
    """Put a share of the sounds over another sound of the batch in which no command is said, some decibels softer.

    A partner is drawn as mixup draws it, out of the batch; where there is none, nothing changes.

    Args:
        sounds: (B, T).
        others: (B,) bool, in which no command is said.
        share: of the sounds.
        draws: the random numbers.
    """
    places = torch.nonzero(others)[:, 0]
    if not len(places):
        return sounds
    chosen, pick, level = draws.uniform("background", 3).unbind(1)
    partner = sounds[places[(pick * len(places)).long().clamp(max=len(places) - 1)]]
    power = partner.pow(2).mean(dim=1).clamp(min=1e-10).sqrt()
    ratio = _LEAST_RATIO_DB + (_MOST_RATIO_DB - _LEAST_RATIO_DB) * level
    mixed = sounds + partner * (loudness_for(sounds, ratio) / power)[:, None]
    heard = (chosen < share) & (partner.abs().amax(dim=1) > _AUDIBLE)
    return torch.where(heard[:, None], mixed, sounds)


def loudness_for(sounds: Tensor, ratio_db: Tensor) -> Tensor:
    """(B,) how loud noise of unit power has to be for a signal-to-noise ratio (B,), in decibels.

    The signal's power is that of its louder half of values, so that the silence about a word does not count.
    """
    power = sounds.pow(2)
    loud = power > power.mean(dim=1, keepdim=True) * 0.1
    signal = (power * loud).sum(dim=1) / loud.sum(dim=1).clamp(min=1)
    return (signal / 10 ** (ratio_db / 10)).clamp(min=1e-10).sqrt()


def coloured(length: int, slope: Tensor, draws: Draws, chosen: Tensor | None = None) -> Tensor:
    """(B, length) noise of unit power whose power falls with frequency to the `slope` (B,): 0 white, 1 pink, 2 brown.

    Args:
        length: values, T.
        slope: negative for noise that rises.
        draws: the random numbers.
        chosen: (B,) bool, which are wanted; the others are silence.
    """
    seeds = draws.integers("noise seed", 0, 2**24 - 1).tolist()
    wanted = [True] * len(seeds) if chosen is None else chosen.tolist()
    silence = np.zeros(length, np.float32)
    drawn = [np.random.default_rng(seed).standard_normal(length, np.float32) if use else silence
             for seed, use in zip(seeds, wanted, strict=True)]  # fmt: skip
    spectrum = torch.fft.rfft(torch.from_numpy(np.stack(drawn)))
    places = torch.arange(spectrum.shape[1]).clamp(min=max(1, spectrum.shape[1] // 100)) / spectrum.shape[1]
    shaped: Tensor = torch.fft.irfft(spectrum * places ** (-slope[:, None] / 2), n=length)
    return shaped / shaped.pow(2).mean(dim=1, keepdim=True).sqrt().clamp(min=1e-9)


def mask_time(sounds: Tensor, most: float, draws: Draws) -> Tensor:
    """Silence a stretch of each sound of up to a share `most` of its length, anywhere."""
    length = sounds.shape[1]
    wide, place = (draws.uniform("mask time", 2) * torch.tensor([most, 1.0])).unbind(1)
    at = torch.arange(length) / length
    start = place * (1 - wide)
    inside = (at >= start[:, None]) & (at < (start + wide)[:, None])
    return torch.where(inside, torch.zeros(()), sounds)


def filtered(sounds: Tensor, most_mels: float, tilt_db: float, rate: int, draws: Draws) -> Tensor:
    """Silence a band of each sound of up to a share `most_mels` of the mel scale, and let through other bands unevenly.

    Args:
        sounds: (B, T).
        most_mels: the widest band, as a share of the scale from 0 Hz to half the rate; 0 for none.
        tilt_db: by how much microphones and rooms raise or lower each sixth of the scale at most; 0 for none.
        rate: values a second, in hertz.
        draws: the random numbers.
    """
    length = sounds.shape[1]
    spectrum = torch.fft.rfft(sounds)
    hertz = torch.linspace(0, rate / 2, spectrum.shape[1])
    scale = torch.log1p(hertz / 700) / math.log1p(rate / 2 / 700)
    wide, place = (draws.uniform("mask band", 2) * torch.tensor([most_mels, 1.0])).unbind(1)
    start = place * (1 - wide)
    outside = ((scale < start[:, None]) | (scale >= (start + wide)[:, None])).float()
    if tilt_db:
        knots = 7
        heights = (draws.uniform("equaliser", knots) * 2 - 1) * tilt_db
        at = scale * (knots - 1)
        low = at.floor().long().clamp(max=knots - 2)
        curve = heights[:, low] + (heights[:, low + 1] - heights[:, low]) * (at - low)
        outside = outside * 10 ** (curve / 20)
    heard: Tensor = torch.fft.irfft(spectrum * outside, n=length)
    return heard


def augmented(
    sounds: Tensor,
    strength: Mapping[str, float],
    rate: int,
    draws: Draws,
    cut: Tensor | None = None,
    others: Tensor | None = None,
) -> Tensor:
    """Sounds (B, T) with every change that has a strength, in the order in which a voice, a room and a microphone act.

    Args:
        sounds: (B, T).
        strength: `speed`, `throat`, `shift`, `place`, `mask_time`, `mask_band`, `background` and
            `noise` as shares, `tilt` and
            `gain` in decibels; what is not there does nothing.
        rate: values a second, in hertz.
        draws: the random numbers.
        cut: (B,) bool, those of whose word the window holds a piece alone; None for none.
        others: (B,) bool, those in which no command is said; None for none.
    """
    if strength.get("speed"):
        sounds = speed(sounds, strength["speed"], draws)
    if strength.get("throat"):
        sounds = throat(sounds, strength["throat"], rate, draws)
    if strength.get("shift"):
        sounds = shift(sounds, strength["shift"], draws)
    if strength.get("place"):
        sounds = placed(sounds, strength["place"], draws)
    if cut is not None and bool(cut.any()):
        sounds = torch.where(cut[:, None], cut_off(sounds, draws), sounds)
    clip = recorded(sounds)
    if strength.get("mask_time"):
        sounds = mask_time(sounds, strength["mask_time"], draws)
    if strength.get("mask_band") or strength.get("tilt"):
        sounds = filtered(sounds, strength.get("mask_band", 0.0), strength.get("tilt", 0.0), rate, draws)
    if strength.get("background") and others is not None:
        sounds = background(sounds, others, strength["background"], draws)
    if strength.get("gain"):
        sounds = gain(sounds, strength["gain"], draws)
    if strength.get("noise"):
        sounds = noise(sounds, strength["noise"], draws, clip=clip)
    return sounds
