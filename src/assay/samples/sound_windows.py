"""Sounds of any length as windows of one, and as whole numbers for the cache.

Shapes: T values of a window, B sounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.samples.draws import order

if TYPE_CHECKING:
    from torch import Tensor

    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: Full scale in the cache.
SCALE = 32767
#: Windows that are looked at to say how much sound there is.
_LOOK_AT = 256


def window_of(samples: Array, length: int) -> Array:
    """(length,) int16: a sound (N,) float from -1 to 1 in the middle of silence; of a longer one its loudest part."""
    if len(samples) > length:
        start = loudest(samples, length)
        samples = samples[start : start + length]
    window = np.zeros(length, np.int16)
    begin = (length - len(samples)) // 2
    window[begin : begin + len(samples)] = np.round(np.clip(samples, -1, 1) * SCALE)
    return window


def loudest(samples: Array, length: int) -> int:
    """Where the stretch of that length with the most energy begins."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    return int(np.argmax(energy[length:] - energy[:-length]))


def as_waves(sounds: Tensor) -> Tensor:
    """Sounds (B, T), as they are in the cache or float already, as float32 from -1 to 1."""
    if isinstance(sounds, np.ndarray):  # an export answers
        return sounds.astype(np.float32) / np.float32(SCALE if sounds.dtype.kind == "i" else 1)
    import torch

    return sounds.float() if sounds.is_floating_point() else sounds.to(torch.float32) / SCALE


def as_chunk(chunk: Any) -> Array:
    """The next sound (T,) of a stream as float32 from -1 to 1: int16 is scaled, what is not a number is silence.

    Raises:
        SettingError: it has another shape.
    """
    sound = np.asarray(chunk)
    if sound.ndim != 1:
        raise SettingError(f"a chunk has the shape {sound.shape}", "Give one channel: an array of one axis.")
    scaled = sound.astype(np.float32) / SCALE if sound.dtype == np.int16 else sound.astype(np.float32)
    return np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0)


def lengths_of(batch: Any) -> list[int]:
    """How many values each sound (B, T) of a batch has, without what stands behind it."""
    if batch.mask is None:
        return [batch.sound.shape[1]] * len(batch.sound)
    lengths: list[int] = batch.mask.sum(axis=1).tolist()
    return lengths


def minutes_of_sound(
    samples: Samples, units: Array, rate: int, field: str = "sound", learned: str | None = None
) -> float:
    """How many minutes the sounds of some units take, without the silence of no noise at all about them.

    Read from some hundred of their windows, drawn evenly, where there are more.

    Args:
        samples: all samples.
        units: (U,) the units.
        rate: values a second, in hertz.
        field: where the sounds are: a field (W, T) or of W arrays (T_i,).
        learned: a field of W arrays, such as the tokens of transcripts: where one is empty nothing can be learned from
            the sound, and it does not count.
    """
    windows = samples.view_of(units).windows
    chosen = order(windows, "minutes", 0)[:_LOOK_AT]
    there = [np.flatnonzero(sound) for sound in samples.field(field, chosen)]
    values = [int(places[-1] - places[0]) + 1 if len(places) else 0 for places in there]
    if learned is not None:
        values = [value if len(one) else 0 for value, one in zip(values, samples.field(learned, chosen), strict=True)]
    return float(np.mean(values)) * len(windows) / rate / 60 if values else 0.0
