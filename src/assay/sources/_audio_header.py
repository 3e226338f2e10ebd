"""What recordings are called, and what libsndfile reads from their headers."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from assay.errors import DataError, MissingExtraError
from assay.sources._image_header import suffix_of

#: File name endings of recordings that are read, with the formats that they stand for, in libsndfile's words.
AUDIO_SUFFIXES = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".wave": ("WAV", "WAVEX", "RF64"),
    ".rf64": ("RF64",),
    ".w64": ("W64",),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".oga": ("OGG",),
    ".opus": ("OGG",),
    ".mp3": ("MP3",),
    ".aif": ("AIFF",),
    ".aiff": ("AIFF",),
    ".aifc": ("AIFF",),
    ".au": ("AU",),
    ".snd": ("AU",),
    ".caf": ("CAF",),
    ".sph": ("NIST",),
}

#: Endings of recordings that cannot be read here, but are no stray files either.
OTHER_AUDIO_SUFFIXES = {".m4a", ".m4b", ".aac", ".wma", ".amr", ".webm", ".3gp", ".mka", ".ape", ".wv", ".shn"}

#: The share of a recording from which on what is missing of it counts.
MUCH_MISSING = 0.01

#: Sampling rates in Hz outside of this are taken for a damaged header.
RATES = range(1_000, 1_000_001)

_UNKNOWN_LENGTH = 1 << 62
_OPEN_END = (1 << 31) - 4096
_CUT = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)


@dataclass(frozen=True)
class AudioHeader:
    """What the header of a recording says.

    Attributes:
        seconds: how long it is; NaN where the header does not say.
        rate: samples a second, in Hz.
        channels: how many there are.
        frames: samples of each channel; -1 where the header does not say.
        format: "WAV", "FLAC", …, in libsndfile's words.
        missing: the share of the samples that the header promises and that are not in the file any more.
    """

    seconds: float
    rate: int
    channels: int
    frames: int
    format: str
    missing: float = 0.0


def is_audio_name(name: str) -> bool:
    """Whether a file's name ends as a recording's does (also one that cannot be read here)."""
    suffix = suffix_of(name)
    return suffix in AUDIO_SUFFIXES or suffix in OTHER_AUDIO_SUFFIXES


def open_sound(data: bytes | Path | BinaryIO, name: str) -> Any:
    """A `soundfile.SoundFile` with its header read; the format is told by the content, whatever the name says.

    Args:
        data: a file's bytes, its place, or an open file that can be wound back.
        name: what messages call it.

    Raises:
        DataError: it is empty, or no recording that libsndfile knows.
        MissingExtraError: soundfile is not installed.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: libsndfile itself is missing
        raise MissingExtraError("reading recordings", "audio") from error
    try:
        if isinstance(data, Path):
            if data.stat().st_size == 0:
                raise DataError("the file is empty.", "Record it again, or leave it out.", file=name)
            return soundfile.SoundFile(str(data))
        if isinstance(data, bytes) and not data:
            raise DataError("the file is empty.", "Record it again, or leave it out.", file=name)
        return soundfile.SoundFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError("there is no such file.", "Check the spelling and the current folder.", file=name) from error
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:
        raise DataError(
            "this is no recording that can be read.",
            "Give WAV, FLAC, OGG or MP3; other programs can save as such.",
            file=name,
        ) from error


def header_of(sound: Any) -> AudioHeader:
    """The header of an open `soundfile.SoundFile`."""
    frames = int(sound.frames) if 0 <= sound.frames < _UNKNOWN_LENGTH else -1
    seconds = frames / sound.samplerate if frames >= 0 else float("nan")
    missing = 0.0
    if (found := _CUT.search(sound.extra_info)) is not None:
        told, there = int(found[1]), int(found[2])
        if there < told < _OPEN_END:  # a larger number stands in what was written while it was recorded
            missing = 1 - there / told
    return AudioHeader(seconds, int(sound.samplerate), int(sound.channels), frames, str(sound.format), missing)
