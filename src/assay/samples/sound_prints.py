"""What a sound is known by: how its bands swell over time wherever it begins, and its waveform in few values.

Shapes: B or N sounds, T values, M bands, F frames, D values of a print, W values of a small waveform.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import MissingExtraError
from assay.progress import Progress
from assay.sources._parallel import ordered_map
from assay.sources.records import Records

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: Values a second that the bands are heard at, and of the small waveform; seconds that are looked at.
RATE, SMALL_RATE, SECONDS = 8000, 4000, 2.0
_MELS, _FRAME_S, _HOP_S = 16, 0.04, 0.02
#: What is so much softer than the loudest place, in natural logarithms of energy, is silence; so noise changes little.
_RANGE = 5.0
_PADDED, _KEPT = 128, 32  # frames, and the slow waves of each band that are kept
_SOFTEST = 1e-3
_EMPHASIS = 0.95  # takes away the hum that recordings of one room share
_AT_ONCE, _BYTES_AT_ONCE = 256, 64e6


@dataclass(frozen=True)
class SoundPrints:
    """Prints of N sounds.

    Attributes:
        swelling: (N, D) float32, the sizes of the slow waves in the loudness of each band; 0 for silence.
        waves: (N, W) int8, the loudest two seconds at a low rate; 0 for silence.
    """

    swelling: Array
    waves: Array


def prints_of_records(records: Records, progress: Progress) -> SoundPrints:
    """Prints of all rows; those that cannot be decoded are silence.

    Args:
        records: rows whose `location` tells `load` where a recording lies.
        progress: is told how many are done.
    """
    from assay.sources.other_clips import sound_at

    locations = records.index().column("location").to_pylist()

    def heard(location: str) -> Array:
        sound = sound_at(records, location, RATE, 60.0)
        return _loudest_part(np.zeros(0, np.float32) if sound is None else sound.samples)

    return _joined(_told(ordered_map(heard, locations), progress))


def prints_of_samples(samples: Samples, rate: int, field: str = "sound") -> SoundPrints:
    """Prints of all N units, whose windows are a field (W, T) or ragged, whole numbers at so many values a second."""
    from assay.samples.sound_windows import SCALE

    units = len(samples.side)
    unit_bytes = samples.window_bytes * len(samples.unit) / max(1, units)
    at_once = int(np.clip(_BYTES_AT_ONCE // unit_bytes, 1, _AT_ONCE))

    def sounds() -> Iterator[Array]:
        for start in range(0, units, at_once):
            view = samples.view_of(np.arange(start, min(units, start + at_once)))
            stored = samples.field(field, view.windows)
            ends = np.cumsum(np.bincount(samples.unit[view.windows] - start, minlength=len(view)))
            for begin, end in pairwise([0, *ends.tolist()]):
                whole = np.concatenate([np.zeros(0, np.int16), *stored[begin:end]]).astype(np.float32) / SCALE
                yield _resampled(whole[None], rate, RATE)[0]

    return prints_of_sounds(sounds())


def prints_of_sounds(sounds: Iterable[Array]) -> SoundPrints:
    """Prints of sounds (T_i,) float32 at `RATE`."""
    return _joined(_loudest_part(sound) for sound in sounds)


def _told(sounds: Iterator[Array], progress: Progress) -> Iterator[Array]:
    for row, sound in enumerate(sounds):
        if row % 64 == 63:
            progress.advance(row + 1)
        yield sound


def _joined(sounds: Iterator[Array]) -> SoundPrints:
    parts: list[tuple[Array, Array]] = []
    waiting: list[Array] = []
    for sound in sounds:
        waiting.append(sound)
        if len(waiting) == _AT_ONCE:
            parts.append(_prints(np.stack(waiting)))
            waiting = []
    if waiting:
        parts.append(_prints(np.stack(waiting)))
    swelling, waves = zip(*parts, strict=True) if parts else ((np.zeros((0, _MELS * _KEPT)),), (np.zeros((0, 8)),))
    return SoundPrints(np.concatenate(swelling).astype(np.float32), np.concatenate(waves).astype(np.int8))


def _loudest_part(samples: Array) -> Array:
    """(T,) float32 at `RATE`: the loudest `SECONDS` of a sound, or the whole with silence about it."""
    from assay.samples.sound_windows import SCALE, window_of

    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples / max(peak, _SOFTEST)
    return window_of(scaled, round(RATE * SECONDS)).astype(np.float32) / np.float32(SCALE)


def _prints(sounds: Array) -> tuple[Array, Array]:
    """Of sounds (B, T) at `RATE`: (B, D) and (B, W)."""
    import torch

    from assay.networks.log_mel import LogMel

    with torch.inference_mode():
        energies = LogMel(RATE, _MELS, _FRAME_S, _HOP_S)(torch.from_numpy(sounds)).numpy()  # (B, M, F)
    loudest = energies.max(axis=(1, 2), keepdims=True)
    above = np.maximum(energies - loudest + _RANGE, 0.0)
    sizes = np.abs(np.fft.rfft(above, _PADDED, axis=2))[:, :, :_KEPT].reshape(len(sounds), -1)
    small = _resampled(sounds, RATE, SMALL_RATE)
    sharp = small.copy()
    sharp[:, 1:] -= _EMPHASIS * small[:, :-1]
    peak = np.abs(sharp).max(axis=1, keepdims=True)
    there = np.abs(sounds).max(axis=1) > 0.5  # brought to full scale unless next to silent
    waves = np.rint(127 * sharp / np.maximum(peak, 1e-9)).astype(np.int8)
    return np.where(there[:, None], sizes, 0.0).astype(np.float32), np.where(there[:, None], waves, 0).astype(np.int8)


def _resampled(sounds: Array, rate: int, wanted: int) -> Array:
    """Sounds (B, T) at another rate."""
    if rate == wanted or not len(sounds):
        return sounds
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError("sounds", "audio") from error
    found = np.asarray([soxr.resample(sound, rate, wanted) for sound in sounds], np.float32)
    return found
