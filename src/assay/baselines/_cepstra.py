"""Mel-frequency cepstral coefficients of sounds: what classical recognisers of speech hear.

Source: S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition",
IEEE ASSP 28, 1980; differences over time, S. Furui, IEEE ASSP 34, 1986.

Shapes: N sounds, T values of a window, F frames, D coefficients of a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, hold_out, known, require_training

if TYPE_CHECKING:
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
#: What whoever hears cepstra imports.
LIBRARIES = ("torch", "scipy.fft", "assay.networks.log_mel")
COEFFICIENTS = 13
_MELS = 32
#: A frame belongs to the word where it is at most so much softer than the loudest, in natural logarithms of energy.
_RANGE = 6.0
#: No sound is made louder than one whose largest value is this.
_SOFTEST = 1e-3
_AT_ONCE = 256
_REACH = 2


def cepstra(sounds: Array, rate: int) -> list[Array]:
    """Of each sound (N, T) float32, its loud part's coefficients with their differences over time, (F_i, 3 D) float32.

    The mean over a sound is taken away, and with it what the microphone lets through; the first coefficient, which
    tells how loud a frame is, is counted from the loudest.
    """
    import torch
    from scipy.fft import dct

    from assay.networks.log_mel import LogMel

    front = LogMel(rate, _MELS)
    found: list[Array] = []
    for start in range(0, len(sounds), _AT_ONCE):
        some = sounds[start : start + _AT_ONCE]
        some = some / np.maximum(np.abs(some).max(axis=1, keepdims=True), _SOFTEST)
        with torch.inference_mode():
            energies = front(torch.from_numpy(some)).numpy()
        loudness = energies.mean(axis=1)
        floor = energies.max(axis=(1, 2), keepdims=True) - 2 * _RANGE
        coefficients = dct(np.maximum(energies, floor), axis=1, norm="ortho")[:, :COEFFICIENTS].transpose(0, 2, 1)
        for frames, loud in zip(coefficients, loudness, strict=True):
            inside = np.flatnonzero(loud >= loud.max() - _RANGE)
            found.append(_described(frames[inside[0] : inside[-1] + 1]))
    return found


def _described(frames: Array) -> Array:
    """Frames (F, D) without their mean, beside their differences and the differences of these, (F, 3 D)."""
    level = frames - frames.mean(axis=0)
    level[:, 0] = frames[:, 0] - frames[:, 0].max()
    first = _slopes(level)
    return np.concatenate([level, first, _slopes(first)], axis=1).astype(np.float32)


def _slopes(frames: Array) -> Array:
    """(F, D) how fast each value rises, by regression over two frames to each side."""
    padded = np.pad(frames, ((_REACH, _REACH), (0, 0)), mode="edge")
    size = len(frames)
    steps = range(1, _REACH + 1)
    rises = [step * (padded[_REACH + step :][:size] - padded[_REACH - step :][:size]) for step in steps]
    return np.asarray(sum(rises) / (2 * sum(step * step for step in steps)))


def waves_of(view: View) -> Array:
    """The sounds of a view, a window a unit, (N, T) float32 from -1 to 1."""
    import torch

    from assay.samples.sound_windows import as_waves

    pieces = [as_waves(torch.from_numpy(np.ascontiguousarray(piece))).numpy() for piece in view.field("sound")]
    return np.concatenate(pieces) if pieces else np.zeros((0, view.samples.spec.length), np.float32)


def learned_from(
    target: Target, train: View, validation: View, other: int | None, most: int, seed: int
) -> tuple[Array, Array, Array, Array]:
    """Training sounds (N, T) with their classes (N,), and those to choose on (V, T) with theirs (V,).

    Where a class stands for all that is no command and nobody recorded any, it gets as many synthetic sounds as the
    other classes have in the mean, made of training sounds.

    Args:
        target: classes.
        train: the training side.
        validation: the validation side; where it is empty, a tenth of the training side is set aside.
        other: the number of that class; None where there is none.
        most: training sounds at most.
        seed: of what is drawn.

    Raises:
        DataError: no training sound has a known class.
    """
    part = train.sample(most, seed)
    places, truths = known(target, part)
    require_training(len(places))
    sounds = waves_of(part)[places]
    held = validation.sample(max(64, most // 4), seed)
    chosen, answers = known(target, held)
    if len(chosen):
        aside = waves_of(held)[chosen]
    else:
        kept, out = hold_out(len(sounds), seed)
        aside, answers, sounds, truths = sounds[out], truths[out], sounds[kept], truths[kept]
    if other is not None and len(truths) and not (truths == other).any():
        count = max(1, len(truths) // max(1, len(np.unique(truths))))
        sounds = np.concatenate([sounds, _others(sounds, count, seed)])
        truths = np.concatenate([truths, np.full(count, other, truths.dtype)])
    return sounds, truths, aside, answers


def _others(sounds: Array, count: int, seed: int) -> Array:
    """(count, T) synthetic sounds that are no command, out of sounds (N, T)."""
    import torch

    from assay.samples.draws import Draws
    from assay.samples.sound_others import made_others

    drawn = np.random.default_rng(seed).integers(0, len(sounds), count)
    return made_others(torch.from_numpy(sounds[drawn]), Draws(seed, 0, np.arange(count))).numpy()


def affordable(measure: Callable[[int], object], count: int, budget_s: float, least: int = 64) -> int:
    """How many sounds can be described in a time, from a trial on a few; at most `count`."""
    few = min(count, 32)
    measure(min(few, 2))  # a first call takes longer
    clock = Clock(budget_s)
    measure(few)
    return min(count, max(least, int(budget_s * few / max(clock.spent_s, 1e-4))))
