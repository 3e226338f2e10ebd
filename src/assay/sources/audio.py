"""Recordings as samples: any format of libsndfile, any sampling rate, any number of channels, also hours of it.

A recording is read in blocks; the channels of each are averaged, and one resampler (libsoxr, linear phase, "high
quality") goes through all of them, so that a recording as a whole and the same in blocks have equal samples.

Shapes: F frames of the file, C channels, T samples at the rate that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import DataError, MissingExtraError, SettingError
from assay.sources._audio_header import MUCH_MISSING, RATES, AudioHeader, header_of, open_sound
from assay.sources.records import Action

Array = np.ndarray[Any, Any]

#: A longer recording is only taken in blocks, or up to a length that is asked for.
MOST_SECONDS = 4 * 3600.0

_BLOCK_VALUES = 1 << 18
#: Seconds before a beginning in the middle, without which MP3 and its like are not what they are in the whole.
_LEAD_S = 0.2
#: Frames that are read at once to find where damage begins.
_STEP = 1024
#: Values of 16 bits reach no further up than this.
_FULL_SCALE = 32767 / 32768
_SILENT = 2e-4
_MUCH_CLIPPED = 1e-3


@dataclass(frozen=True)
class SoundFacts:
    """What was found while a recording was decoded.

    Attributes:
        rate: of the file, in Hz.
        channels: of the file.
        format: "WAV", "FLAC", …, in libsndfile's words.
        file_seconds: how long the file is by its header; NaN where that does not say.
        peak: the largest magnitude in any channel; 1 is full scale.
        clipped: the share of frames with a channel at full scale.
        not_finite: frames with a channel that was NaN or infinite; they are zero now.
        cut: it goes on behind the samples that were asked for.
        missing: the share of frames that the header promises and that are not there.
    """

    rate: int
    channels: int
    format: str
    file_seconds: float
    peak: float
    clipped: float
    not_finite: int
    cut: bool
    missing: float


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded recording.

    Attributes:
        samples: (T,) float32, mono; full scale is from -1 to 1, which resampling can exceed a little.
        rate: of the samples, in Hz.
        seconds: how long the samples are.
        facts: what was found on the way.
    """

    samples: Array
    rate: int
    seconds: float
    facts: SoundFacts

    def problems(self) -> tuple[tuple[str, Action], ...]:
        """Kind and action of everything doubtful, as a `ProblemLog` takes it.

        `not-finite-samples`: values that are no numbers became zero. `truncated-recording`: more than 1 % of what the
        header promises is missing. `silent-recording`: nothing rises above -80 dB of full scale. `clipped-recording`:
        more than 0.1 % of it is at full scale.
        """
        return _problems(self.facts, float(np.ptp(self.samples)))


def _problems(facts: SoundFacts, range_: float) -> tuple[tuple[str, Action], ...]:
    """See `Sound.problems`; the range is from the smallest to the largest sample."""
    found: list[tuple[str, Action]] = []
    if facts.not_finite:
        found.append(("not-finite-samples", "repaired"))
    if facts.missing > MUCH_MISSING:
        found.append(("truncated-recording", "kept"))
    if range_ < _SILENT:
        found.append(("silent-recording", "kept"))
    elif facts.clipped > _MUCH_CLIPPED:
        found.append(("clipped-recording", "kept"))
    return tuple(found)


def decode_audio(
    data: bytes | Path, rate: int, longest_s: float | None = None, name: str | None = None, start_s: float = 0.0
) -> Sound:
    """A recording as mono samples.

    Args:
        data: a file's bytes, or its place; WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF, AU, CAF, W64, NIST.
        rate: the sampling rate that the samples shall have, in Hz.
        longest_s: no more than so many seconds are decoded; None for all of it.
        name: what messages call it; None for the path.
        start_s: seconds from its beginning to the first sample; what is before it is not decoded.

    Raises:
        DataError: it is empty, too short for a single sample, damaged, no recording, or longer than `MOST_SECONDS`
            where no length is asked for.
        SettingError: a rate or a length that is not possible.
        MissingExtraError: soundfile or soxr is not installed.
    """
    name = name or (str(data) if isinstance(data, Path) else "recording")
    if longest_s is not None and not longest_s > 0:
        raise SettingError(f"a recording cannot be cut to {longest_s} seconds", "Give a number of seconds above 0.")
    with _Decoder(data, rate, name) as decoder:
        header = decoder.header
        if longest_s is None and header.seconds > MOST_SECONDS:
            raise DataError(
                f"the recording is {header.seconds / 3600:.1f} hours long; up to {MOST_SECONDS / 3600:.0f} are decoded "
                "at once.",
                "Cut it into pieces.",
                file=name,
            )
        decoder.most = None if longest_s is None else max(1, round(longest_s * header.rate))
        decoder.skip(start_s)
        pieces = list(decoder.resampled())
        samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        if not len(samples):
            raise DataError("the recording holds no sound.", "Record it again, or leave it out.", file=name)
        return Sound(samples, rate, len(samples) / rate, decoder.facts())


def audio_blocks(
    data: bytes | Path,
    rate: int,
    block_s: float,
    name: str | None = None,
    tell: Callable[[str, Action], None] | None = None,
) -> Iterator[Array]:
    """A recording of any length in blocks, with no more of it in memory than about a block.

    Args:
        data: as `decode_audio` takes it.
        rate: the sampling rate of the blocks, in Hz.
        block_s: how long each is, in seconds.
        name: what messages call it; None for the path.
        tell: is given at the end what was doubtful, in the words of `Sound.problems`.

    Yields:
        (round(block_s * rate),) float32, the last one shorter; all of them together are `decode_audio`'s samples.

    Raises:
        DataError: it is empty, damaged, or no recording; where the damage is further on, behind the sound before it.
        SettingError: a rate or a length that is not possible.
        MissingExtraError: soundfile or soxr is not installed.
    """
    size = round(block_s * rate)
    if size < 1:
        raise SettingError(f"a block of {block_s} seconds holds no sample", "Give longer blocks.")
    waiting: list[Array] = []
    length = 0
    low, high = np.inf, -np.inf
    with _Decoder(data, rate, name or (str(data) if isinstance(data, Path) else "recording")) as decoder:
        try:
            for piece in decoder.resampled():
                low, high = min(low, float(piece.min())), max(high, float(piece.max()))
                waiting.append(piece)
                length += len(piece)
                if length < size:
                    continue
                joined = np.concatenate(waiting)
                whole = length - length % size
                for start in range(0, whole, size):
                    yield joined[start : start + size]
                waiting, length = [joined[whole:].copy()], length - whole
        except DataError:
            if length:
                yield np.concatenate(waiting)
            raise
        if tell is not None and high >= low:
            for kind, action in _problems(decoder.facts(), high - low):
                tell(kind, action)
    if length:
        yield np.concatenate(waiting)


def audio_header(data: bytes | Path, name: str | None = None) -> AudioHeader:
    """Length, rate, channels and format of a recording, without decoding it; raises as `decode_audio` does."""
    with open_sound(data, name or (str(data) if isinstance(data, Path) else "recording")) as sound:
        return header_of(sound)


class _Decoder:
    """Reads one recording from its start, once."""

    def __init__(self, data: bytes | Path, rate: int, name: str) -> None:
        if rate not in RATES:
            raise SettingError(f"a sampling rate of {rate} Hz is not possible", f"Give {RATES[0]} to {RATES[-1]} Hz.")
        self._data, self._name, self._rate = data, name, rate
        self.most: int | None = None  # frames
        self._sound = _unsought(open_sound(data, name))
        self.header = header_of(self._sound)
        self._skipped = self._read = self._clipped = self._not_finite = 0
        self._peak = 0.0
        self._ended = False
        if self.header.rate not in RATES:
            self._sound.close()
            raise DataError(f"its header tells of {self.header.rate} samples a second.", "It is damaged.", file=name)

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._sound.close()

    def skip(self, seconds: float) -> None:
        """Begin so far behind the start, before anything is read."""
        frame = round(seconds * self.header.rate)
        if not frame:
            return
        lead = min(frame, round(_LEAD_S * self.header.rate))
        try:
            self._sound.seek(frame - lead)
            self._sound.read(lead)
        except Exception as error:  # libsndfile's own errors
            told = f"the recording has no sound {seconds:g} seconds behind its start."
            raise DataError(told, "Copy or record it again.", file=self._name) from error
        self._skipped = frame

    def resampled(self) -> Iterator[Array]:
        """Mono pieces at the rate that is asked for, none of them empty."""
        if self.header.rate == self._rate:
            yield from self._mono()
            return
        try:
            import soxr
        except ImportError as error:
            raise MissingExtraError("resampling recordings", "audio") from error
        stream = soxr.ResampleStream(self.header.rate, self._rate, 1, dtype="float32")
        for piece in self._mono():
            resampled = stream.resample_chunk(piece)
            if len(resampled):
                yield resampled
        rest = stream.resample_chunk(np.zeros(0, np.float32), last=True)
        if len(rest):
            yield rest

    def facts(self) -> SoundFacts:
        """What was found; complete once all pieces were taken."""
        told, header = self.header.frames, self.header
        missing = header.missing
        if self._ended and told > 0:
            missing = max(missing, 1 - (self._skipped + self._read) / told)
        return SoundFacts(
            header.rate,
            header.channels,
            header.format,
            header.seconds,
            self._peak,
            self._clipped / max(1, self._read),
            self._not_finite,
            not self._ended,
            missing,
        )

    def _mono(self) -> Iterator[Array]:
        """(F,) float32 pieces at the rate of the file."""
        frames = max(1024, _BLOCK_VALUES // self.header.channels)
        while self.most is None or self._read < self.most:
            wanted = frames if self.most is None else min(frames, self.most - self._read)
            block = self._block(wanted)
            if not len(block):
                self._ended = True
                return
            self._read += len(block)
            yield self._looked_at(block)
        self._ended = self._at_end()

    def _at_end(self) -> bool:
        """Whether nothing comes behind the frames that were taken; damage there is something."""
        try:
            return not len(self._block(1))
        except DataError:
            return False

    def _block(self, frames: int) -> Array:
        """(F, C) float32, the next frames; none at the end."""
        try:
            block: Array = self._sound.read(frames, dtype="float32", always_2d=True)
        except Exception as error:  # libsndfile's own errors, and those of the file that it reads through
            if frames > _STEP and len(whole := self._until_damage(frames)):
                return whole
            place = (self._skipped + self._read) / self.header.rate
            raise DataError(
                f"the recording is damaged {place:.2f} seconds behind its start.",
                "Copy, download or record it again.",
                file=self._name,
            ) from error
        return block

    def _until_damage(self, frames: int) -> Array:
        """(F, C) float32: what of the next frames, which cannot be read at once, can be read in small steps."""
        parts: list[Array] = [np.zeros((0, self.header.channels), np.float32)]
        with suppress(Exception), open_sound(self._data, self._name) as anew:  # a decoder that failed goes on failing
            _unsought(anew).seek(self._skipped + self._read)
            while frames > 0 and len(part := anew.read(min(_STEP, frames), dtype="float32", always_2d=True)):
                parts.append(part)
                frames -= len(part)
        return np.concatenate(parts)

    def _looked_at(self, block: Array) -> Array:
        """(F,) the mean of the channels of a block (F, C); what was found is counted."""
        finite = np.isfinite(block)
        if not finite.all():
            self._not_finite += int((~finite).any(axis=1).sum())
            block = np.where(finite, block, np.float32(0))
        magnitude = np.abs(block).max(axis=1)
        self._peak = max(self._peak, float(magnitude.max()))
        self._clipped += int((magnitude >= _FULL_SCALE).sum())
        return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float64).astype(np.float32)


def _unsought(sound: Any) -> Any:
    """The same `soundfile.SoundFile`; an MP3 no longer seeks behind each read, which spoils what follows.

    With other formats seeking spoils nothing, and shows damage that reading alone does not.
    """
    if sound.format == "MP3":
        sound.seekable = lambda: False
    return sound
