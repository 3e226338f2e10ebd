"""Recordings of any length in windows that hold speech, cut in pauses while the sound arrives.

Voice activity is told by energy: a frame is speech where it is some decibels above the floor, the level that a tenth of
the last seconds stays below. Speech that goes on for longer than a window is cut where the last part of it is quietest.
All memory is that of one window, and what comes out depends on the sound alone, not on the chunks in which it came.

Source of the floor: R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum
statistics", IEEE Trans. Speech and Audio Processing 9, 2001, in its simplest form.

Shapes: T values of sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_FRAME_S = 0.01
#: Frames that are looked at together, about the floor that they and those of so many seconds before tell.
_BLOCK, _FLOOR_S, _FLOOR_SHARE = 50, 20.0, 10.0
#: Decibels that speech is above the floor; between which levels the floor lies, where 0 is full scale.
_ABOVE_DB, _LOWEST_DB, _HIGHEST_DB = 6.0, -75.0, -35.0
_SMOOTHED = 5
#: Frames before and after speech that stay with it.
_AROUND = 25
#: A window ends at a long pause, of so many frames; where somebody waits and it is a third full, also at a short one.
_PAUSE, _LONG_PAUSE = 60, 150
#: The last part of a full window, in which it is cut where it is quietest.
_LAST = 0.4
#: Energies up to this multiple of the least count as equally quiet.
_NEARLY = 2.0


@dataclass(frozen=True)
class Piece:
    """A window of a recording.

    Attributes:
        start: the number of its first value in the recording.
        sound: (T,) float32.
    """

    start: int
    sound: Array


class SpeechCutter:
    """Takes sound in chunks and gives the windows that are complete.

    Args:
        rate: values a second, in hertz.
        longest_s: seconds of a window at most.
        live: somebody waits for what is said: a window that is a third full ends at the next short pause. Else windows
            are filled.
    """

    def __init__(self, rate: int, longest_s: float, live: bool = False) -> None:
        self._live = live
        self._frame = round(rate * _FRAME_S)
        self._longest = max(2 * _BLOCK, int(longest_s / _FRAME_S))  # frames
        self._waiting = np.zeros(0, np.float32)  # less than a block, not looked at yet
        self._levels: deque[Array] = deque(maxlen=round(_FLOOR_S / _FRAME_S / _BLOCK))
        self._before = np.full(_SMOOTHED - 1, 10 ** (_LOWEST_DB / 10))  # the last energies, for smoothing
        # What is held of the recording, in frames; frames are numbered from the recording's first.
        self._sound = np.zeros((0, self._frame), np.float32)
        self._energy = np.zeros(0)
        self._first = 0
        self._free = 0  # the frame from which on a window may begin
        self._begin: int | None = None  # of the window that is being filled
        self._spoke = 0  # the last frame of speech

    def push(self, sound: Array) -> list[Piece]:
        """Take the next sound (T,) float32 from -1 to 1; the windows that it completes."""
        self._waiting = np.concatenate([self._waiting, np.asarray(sound, np.float32)])
        size, found = self._frame * _BLOCK, list[Piece]()
        whole = len(self._waiting) // size * size
        for start in range(0, whole, size):
            found += self._look(self._waiting[start : start + size])
        if whole:
            self._waiting = self._waiting[whole:]
        return found

    def close(self) -> list[Piece]:
        """The sound has ended: the windows still owed."""
        missing = -len(self._waiting) % self._frame
        found = self._look(np.pad(self._waiting, (0, missing))) if len(self._waiting) else []
        self._waiting = np.zeros(0, np.float32)
        if self._begin is None:
            return found
        last = self._taken(min(self._spoke + 1 + _AROUND, self._end))
        over = max(0, last.start + len(last.sound) - (self._end * self._frame - missing))
        return [*found, Piece(last.start, last.sound[: len(last.sound) - over])]

    @property
    def going_on(self) -> Piece | None:
        """The window that is being filled, as far as it was looked at; None in a pause."""
        if self._begin is None:
            return None
        return Piece(self._begin * self._frame, self._sound[self._begin - self._first :].reshape(-1))

    @property
    def _end(self) -> int:
        """The number of the frame after the last that is held."""
        return self._first + len(self._sound)

    def _look(self, sound: Array) -> list[Piece]:
        """At a block of whole frames."""
        frames, number = sound.reshape(-1, self._frame), self._end
        energy = np.maximum((frames.astype(np.float64) ** 2).mean(axis=1), 10 ** (_LOWEST_DB / 10))
        behind = np.concatenate([self._before, energy])
        smooth = np.convolve(behind, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")
        self._before = behind[1 - _SMOOTHED :]
        levels = 10 * np.log10(smooth)
        self._levels.append(levels)
        floor = np.clip(np.percentile(np.concatenate(self._levels), _FLOOR_SHARE), _LOWEST_DB, _HIGHEST_DB)
        self._sound = np.concatenate([self._sound, frames])
        self._energy = np.concatenate([self._energy, smooth])
        found: list[Piece] = []
        for speech in (levels > floor + _ABOVE_DB).tolist():
            piece = self._next(speech, number)
            number += 1
            if piece is not None:
                found.append(piece)
        self._forget(self._end - _AROUND if self._begin is None else self._begin)
        return found

    def _next(self, speech: bool, number: int) -> Piece | None:
        """The window that a frame completes."""
        if speech:
            self._spoke = number
        if self._begin is None:
            if speech:
                self._begin = max(self._free, self._first, number - _AROUND)
            return None
        length = number + 1 - self._begin
        if length >= self._longest:
            return self._cut(number + 1)
        patience = _PAUSE if self._live and 3 * length >= self._longest else _LONG_PAUSE
        return self._taken(self._spoke + 1 + _AROUND) if number - self._spoke >= patience else None

    def _cut(self, end: int) -> Piece:
        """A full window up to where its last part is quietest, at the last of several places that are nearly so.

        The rest begins the next, if there is speech in it.
        """
        low = end - int(_LAST * self._longest)
        energy = self._energy[low - self._first : end - self._first]
        place = low + int(np.flatnonzero(energy <= _NEARLY * energy.min())[-1])
        piece = self._taken(place)
        self._begin = place if self._spoke >= place else None
        return piece

    def _taken(self, end: int) -> Piece:
        """The window that is being filled, up to a frame."""
        begin = self._begin or 0
        self._begin, self._free = None, end
        return Piece(begin * self._frame, self._sound[begin - self._first : end - self._first].reshape(-1).copy())

    def _forget(self, number: int) -> None:
        """What stands before a frame is needed no more."""
        gone = max(0, number - self._first)
        if gone:
            self._sound, self._energy = self._sound[gone:].copy(), self._energy[gone:].copy()
            self._first += gone


def speech_pieces(blocks: Iterable[Array], rate: int, longest_s: float) -> Iterator[Piece]:
    """The windows of a recording that comes in blocks (T,) float32; a recording without speech gives none."""
    cutter = SpeechCutter(rate, longest_s)
    for block in blocks:
        yield from cutter.push(block)
    yield from cutter.close()
