"""Whether somebody speaks: energy against a noise floor that follows the room.

The floor is the smallest smoothed power of the last seconds (R. Martin, "Noise power spectral density estimation based
on optimal smoothing and minimum statistics", IEEE Transactions on Speech and Audio Processing 9(5), 2001): speech has
gaps, steady noise has none. Without its bias correction, for which the margin stands.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_PARTS = 6  # in which the history is kept: the floor forgets by a sixth of it


class VoiceActivity:
    """Tells frame by frame whether it is louder than the room; remembers a few numbers, whatever the length.

    As long as the history is not full everything above `quietest_dbfs` is taken for speech: a sound that begins with a
    word is no noise.

    Args:
        frame_s: seconds of a frame.
        margin_db: how much louder than the floor speech is, in dB.
        history_s: seconds over which the floor is the minimum; longer than a word, shorter than patience.
        quietest_dbfs: nothing below it is speech, in dB of full scale (a sine of amplitude 1 has −3).
    """

    def __init__(
        self, frame_s: float = 0.02, margin_db: float = 9.0, history_s: float = 3.0, quietest_dbfs: float = -65.0
    ) -> None:
        self._margin = 10 ** (margin_db / 10)
        self._quietest = 10 ** (quietest_dbfs / 10)
        self._keep = math.exp(-frame_s / 0.05)
        self._part = max(1, round(history_s / _PARTS / frame_s))
        self._minima: deque[float] = deque([0.0] * _PARTS, maxlen=_PARTS)
        self._smoothed: float | None = None
        self._lowest, self._seen = math.inf, 0

    def push(self, powers: Iterable[float]) -> list[bool]:
        """Whether each frame is speech, out of its mean power (amplitude squared, without its mean)."""
        return [self._is_speech(power) for power in powers]

    def _is_speech(self, power: float) -> bool:
        last = power if self._smoothed is None else self._smoothed
        self._smoothed = self._keep * last + (1 - self._keep) * power
        floor = min(*self._minima, self._lowest)
        self._lowest = min(self._lowest, self._smoothed)
        self._seen += 1
        if self._seen == self._part:
            self._minima.append(self._lowest)
            self._lowest, self._seen = math.inf, 0
        return power > max(self._quietest, floor * self._margin)


def frame_powers(samples: Array, starts: Array) -> Array:
    """(F,) float64 mean power of stretches of a sound without their own mean.

    Args:
        samples: (T,) float32.
        starts: (F,) int, ascending from 0: where each stretch begins; the last goes to the end.
    """
    exact = samples.astype(np.float64)
    counts = np.diff(np.r_[starts, len(samples)])
    means = np.add.reduceat(exact, starts) / counts
    return np.asarray(np.maximum(np.add.reduceat(exact * exact, starts) / counts - means**2, 0.0))
