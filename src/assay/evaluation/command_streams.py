"""Streams of sound in which commands are said, made of clips: what a listener is settled and judged on.

Shapes: N clips, T values of a clip or of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.false_alarms import Spoken

Array = np.ndarray[Any, Any]
#: The root of a word's mean power: of a voice near a microphone.
_LOUDNESS = 0.1
#: Seconds between two words at least, longer than a listener takes to be ready for the next; and how much it varies.
PAUSE_S, _VARIES_S = 1.3, 0.5
_SILENT = 1e-6


@dataclass(frozen=True, eq=False)
class Stream:
    """A stretch of sound (T,) float32, and the commands that are said in it."""

    sound: Array
    spoken: tuple[Spoken, ...] = ()


def said_over(
    clips: Sequence[Array], commands: Sequence[str], background: Array, rate: int, ratio_db: float, seed: int
) -> Stream:
    """Clips one after another, with pauses, over a background that is so much softer than their words.

    Every clip is brought to one loudness; the background as a whole to another. A background that is too short ends
    the stream: nothing of it is heard twice.

    Args:
        clips: N arrays (T_i,) float32, in the order in which they are said.
        commands: what each says.
        background: (T,) float32.
        rate: values a second, in hertz.
        ratio_db: mean power of a word over that of the background, in decibels.
        seed: of the pauses.

    Raises:
        DataError: the background has no room for a single clip.
    """
    import torch

    from assay.samples.sound_position import loud_part

    random = np.random.default_rng(seed)
    level = _LOUDNESS / 10 ** (ratio_db / 20)
    sound = background.astype(np.float32) * np.float32(level / max(_root(background), _SILENT))
    spoken: list[Spoken] = []
    at = round(rate * (PAUSE_S + _VARIES_S * random.random()))
    for clip, command in zip(clips, commands, strict=True):
        if at + len(clip) + round(rate * PAUSE_S) > len(sound):
            break
        begin, end = (int(place) for place in loud_part(torch.from_numpy(clip)[None]))
        sound[at : at + len(clip)] += clip * np.float32(_LOUDNESS / max(_root(clip[begin:end]), _SILENT))
        spoken.append(Spoken(command, (at + begin) / rate, (at + end) / rate))
        at += len(clip) + round(rate * (PAUSE_S + _VARIES_S * random.random()))
    if not spoken:
        raise DataError("a background has no room for a single command", "Give a longer recording.")
    return Stream(np.clip(sound, -1, 1), tuple(spoken))


def seconds_for(clips: Sequence[Array], rate: int) -> float:
    """Seconds of background that are enough for all of these clips."""
    return sum(len(clip) for clip in clips) / rate + (len(clips) + 2) * (PAUSE_S + _VARIES_S)


def _root(sound: Array) -> float:
    """The root of the mean power."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0
