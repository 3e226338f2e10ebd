"""Hearing commands in a stream of sound: windows at a hop, smoothed over time, each command by its own threshold.

Smoothing of the probabilities over windows follows G. Chen, C. Parada, G. Heigold, "Small-footprint keyword spotting
using deep neural networks", ICASSP 2014.

Shapes: T samples, B windows that are classified together, C classes, H hops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.samples.sound_windows import as_chunk
from assay.serving.deciding import Decider
from assay.serving.ears import Ear, Probabilities, WholeWindows
from assay.serving.standing_alone import Alone
from assay.serving.voice_activity import VoiceActivity, frame_powers
from assay.task import Session

Array = np.ndarray[Any, Any]
_MOST_WINDOWS = 32  # classified at once, so that a chunk of any length takes bounded memory
_FRAME_S = 0.02
_WORD_RANGE = 1e-3  # 30 dB: of a word's loudest and softest frames


@dataclass(frozen=True)
class Heard:
    """A command in a stream.

    Attributes:
        command: its name.
        confidence: its smoothed probability at its peak, as far as that was waited for, from 0 to 1.
        start_s: seconds from the start of the stream to where the sound of it begins, as far as the window tells.
        end_s: seconds to where that sound ends.
        at_s: seconds to the end of the window in which it was decided.
    """

    command: str
    confidence: float
    start_s: float
    end_s: float
    at_s: float


@dataclass(frozen=True)
class Hearing:
    """How a stream is listened to.

    Attributes:
        rate_hz: samples a second.
        window_s: seconds that the network takes at once.
        hop_s: seconds from one window to the next.
        smoothing_s: seconds over whose windows a probability is averaged; about half of it is added to the delay, and
            up to all of it where the average still rises when a threshold is reached.
        refractory_s: seconds after a command in which none is heard; the same one must also have faded before it can
            be heard again.
        threshold: the smoothed probability from which on a command is heard.
        thresholds: of single commands, by name, in its place.
        margin_db: how much louder than the noise floor a voice is; a window without any is not classified.
        voiced_s: seconds of voice that a window needs.
        alone: the quiet that a command needs about it, without which no window is classified; None where a word in a
            sentence is a command, too.
    """

    rate_hz: int = 16_000
    window_s: float = 1.0
    hop_s: float = 0.1
    smoothing_s: float = 0.3
    refractory_s: float = 1.0
    threshold: float = 0.8
    thresholds: Mapping[str, float] = field(default_factory=dict)
    margin_db: float = 9.0
    voiced_s: float = 0.06
    alone: Alone | None = None

    def __post_init__(self) -> None:
        """Raises `SettingError` where the values do not go together."""
        if not (self.rate_hz >= 1000 and 0.01 <= self.hop_s <= self.window_s <= 60):
            raise SettingError(
                f"windows of {self.window_s:g} s every {self.hop_s:g} s at {self.rate_hz:g} Hz are not possible",
                "A hop takes 0.01 s or more and no more than a window; a window no more than 60 s.",
            )
        for name, value in {"every command": self.threshold, **self.thresholds}.items():
            if not 0 < value <= 1:
                raise SettingError(f"a threshold of {value:g} for {name} is not possible", "Give one above 0, up to 1.")

    @property
    def smoothed_windows(self) -> int:
        """Windows over which probabilities are averaged."""
        return max(1, round(self.smoothing_s / self.hop_s))

    @property
    def held_hops(self) -> int:
        """Hops for which a decision is held: then no window from before is left in the average."""
        return self.smoothed_windows - 1

    @property
    def refractory_hops(self) -> int:
        """Hops after a command in which none is heard."""
        return round(self.refractory_s / self.hop_s)

    def threshold_of(self, command: str) -> float:
        """The threshold of one command."""
        return self.thresholds.get(command, self.threshold)


class Detector(Session):
    """Hears commands in a stream that arrives in chunks of any size; a chunk's size never changes what is heard.

    Args:
        ear: what classifies windows (B, T) float32 as (B, C), or an `Ear` of this stream alone.
        classes: the names of the C classes.
        hearing: how to listen.
        silent: classes that are no commands, such as "other"; a window without a voice is taken for them.

    Example:
        >>> import numpy as np
        >>> def loud(windows):
        ...     share = np.minimum(np.abs(windows[:, -800:]).max(axis=1), 1)
        ...     return np.stack([share, 1 - share], axis=1)
        >>> detector = Detector(loud, ["clap", "other"], Hearing(smoothing_s=0.1), silent=["other"])
        >>> sound = np.zeros(32_000, np.float32)
        >>> sound[16_000:17_600] = np.sin(np.arange(1600))
        >>> [(one.command, one.at_s) for one in detector.push(sound) + detector.close()]
        [('clap', 1.1)]
    """

    rate_hz: int

    def __init__(
        self,
        ear: Probabilities | Ear,
        classes: Sequence[str],
        hearing: Hearing | None = None,
        silent: Sequence[str] = (),
    ) -> None:
        self.hearing = hearing or Hearing()
        self.rate_hz = self.hearing.rate_hz
        self.classes = tuple(classes)
        self.commands = tuple(name for name in classes if name not in silent)
        rate = self.rate_hz
        self._hop = round(self.hearing.hop_s * rate)
        self._window = round(self.hearing.window_s * rate)
        self._ear: Ear = WholeWindows(ear, self._window) if callable(ear) else ear
        frames = max(1, round(self.hearing.hop_s / _FRAME_S))
        self._starts = np.arange(frames) * self._hop // frames
        self._frame = self._hop / frames
        self._margin = 10 ** (self.hearing.margin_db / 10)
        self._voice = VoiceActivity(self._frame / rate, self.hearing.margin_db)
        self._frames = max(1, round(self._window / self._frame))  # of a window
        self._voiced: deque[bool] = deque(maxlen=self._frames)
        alone = self.hearing.alone
        told_s = 0.0  # beside the window: a command that fills it is still seen whole when its quiet has been heard
        if alone is not None:
            told_s = alone.before_s + alone.after_s + self.hearing.smoothed_windows * self.hearing.hop_s
        frames_told = self._frames + round(told_s * rate / self._frame)
        self._powers: deque[float] = deque([0.0] * frames_told, frames_told)  # silence before the stream
        self._needed = max(1, round(self.hearing.voiced_s * rate / self._frame))
        self._recent: deque[Array] = deque(maxlen=self.hearing.smoothed_windows)
        self._buffer = np.zeros(self._window + _MOST_WINDOWS * self._hop, np.float32)
        self._waiting = 0  # samples behind the last window in the buffer
        self._hops = 0
        limits = [self.hearing.threshold_of(name) if name in self.commands else np.inf for name in classes]
        self._decider = Decider(np.asarray(limits), self.hearing.refractory_hops, self.hearing.held_hops)

    @property
    def heard_s(self) -> float:
        """Seconds of the stream that have been listened to."""
        return (self._hops * self._hop + self._waiting) / self.rate_hz

    def push(self, chunk: Any) -> list[Heard]:
        """Listen to the next chunk, (T,) float of amplitude 1 at full scale, or int16; what is not a number is silence.

        Raises:
            SettingError: the chunk has another shape.
        """
        return [heard for smoothed, spans in self._listen(chunk) for heard in self._decided(smoothed, spans)]

    def close(self) -> list[Heard]:
        """The commands that the end of the stream still owes: at least half a window of silence follows it."""
        return self.push(self._end())

    def smoothed(self, chunk: Any) -> Array:
        """As `push`, with the smoothed probabilities instead of what follows from them.

        Returns:
            (H, C) float32 for each hop that the chunk completes.
        """
        parts = [smoothed for smoothed, _ in self._listen(chunk)]
        return np.concatenate([np.zeros((0, len(self.classes)), np.float32), *parts])

    def smoothed_end(self) -> Array:
        """As `close`, likewise."""
        return self.smoothed(self._end())

    def _end(self) -> Array:
        return np.zeros(self._window // 2 + (1 + self.hearing.held_hops) * self._hop, np.float32)

    def _listen(self, chunk: Any) -> Iterator[tuple[Array, list[tuple[float, float]]]]:
        """For each stretch of whole hops the smoothed probabilities (H, C) and where the voice begins and ends."""
        samples = as_chunk(chunk)
        start = 0
        while start < len(samples):
            begin = self._window + self._waiting
            piece = samples[start : start + len(self._buffer) - begin]
            self._buffer[begin : begin + len(piece)] = piece
            start += len(piece)
            self._waiting += len(piece)
            count = self._waiting // self._hop
            if count:
                smoothed, spans = self._windows(count)
                self._forget(count)
                yield smoothed, spans

    def _windows(self, count: int) -> tuple[Array, list[tuple[float, float]]]:
        """Classify the windows that end with each of the next hops."""
        wanted, alone, spans = np.zeros(count, bool), self.hearing.alone, []
        for number in range(count):
            begin = self._window + number * self._hop
            powers = frame_powers(self._buffer[begin : begin + self._hop], self._starts).tolist()
            self._powers.extend(powers)
            self._voiced.extend(self._voice.push(powers))
            wanted[number] = sum(self._voiced) >= self._needed
            if alone is not None and wanted[number]:
                wanted[number] = alone.holds(np.asarray(self._powers), self._frame / self.rate_hz)
            spans.append(self._span(number + 1))
        found = np.zeros((count, len(self.classes)), np.float32)
        shown = self._buffer[: self._window + count * self._hop]
        if len(answers := self._ear.hear(shown, self._hop, wanted)):
            found[wanted] = answers
        return self._smooth(found), spans

    def _smooth(self, found: Array) -> Array:
        smoothed = np.empty_like(found)
        for number, row in enumerate(found):
            self._recent.append(row)
            smoothed[number] = np.sum(self._recent, axis=0) / self.hearing.smoothed_windows
        return smoothed

    def _span(self, hops: int) -> tuple[float, float]:
        """Where the sound begins and ends, in seconds, that stands out in the window that ends so many hops further."""
        end_s = (self._hops + hops) * self._hop / self.rate_hz
        frame_s = self._frame / self.rate_hz
        powers = np.asarray(self._powers)[-self._frames :]
        quiet = np.sort(powers)[len(powers) // 10]
        least = min(max(quiet * self._margin, powers.max() * _WORD_RANGE), powers.max())
        places = np.flatnonzero(powers >= least)
        first, last = len(powers) - int(places[0]), len(powers) - 1 - int(places[-1])
        return max(0.0, end_s - first * frame_s), max(0.0, end_s - last * frame_s)

    def _forget(self, count: int) -> None:
        """Move what is still needed to the front of the buffer."""
        used = count * self._hop
        self._waiting -= used
        kept = self._window + self._waiting
        self._buffer[:kept] = self._buffer[used : used + kept]
        self._hops += count

    def _decided(self, smoothed: Array, spans: Sequence[tuple[float, float]]) -> list[Heard]:
        first = self._hops - len(smoothed)
        heard = []
        for number, row in enumerate(smoothed):
            found = self._decider.step(first + number, row)
            if found is not None:
                at_s = (first + number + 1) * self._hop / self.rate_hz
                start_s, end_s = (round(value, 3) for value in spans[number])
                heard.append(Heard(self.classes[found[0]], round(found[1], 4), start_s, end_s, round(at_s, 3)))
        return heard
