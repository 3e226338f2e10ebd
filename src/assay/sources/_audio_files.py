"""Checking one recording: by its header, and a hash of its bytes; its sound is not decoded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from assay.errors import DataError, MissingExtraError
from assay.sources._audio_header import (
    AUDIO_SUFFIXES,
    MUCH_MISSING,
    OTHER_AUDIO_SUFFIXES,
    RATES,
    AudioHeader,
    header_of,
    open_sound,
)
from assay.sources._digest import content_digest
from assay.sources._image_header import suffix_of
from assay.sources._listing import FileCheck
from assay.sources._parallel import ordered_map
from assay.sources.records import Action
from assay.sources.store import Store

#: A file up to this size is read as a whole and hashed; of a larger one only the header is read, and its beginning.
WHOLE_BYTES = 1 << 25
_BEGINNING_BYTES = 1 << 23

#: A shorter recording holds no word: the shortest vowels take as long.
SHORTEST_S = 0.05


@dataclass(frozen=True)
class RecordingCheck(FileCheck):
    """What the header of one recording shows.

    Attributes:
        seconds: how long it is; NaN where the header does not say.
        rate: samples a second, in Hz.
        channels: how many there are.
        format: "WAV", "FLAC", ….
    """

    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    format: str = ""


def check_recordings(
    store: Store, names: Iterable[str], *, strict: bool, longest_s: Mapping[str, float]
) -> list[RecordingCheck]:
    """A check of every recording, in the order of the names, by as many threads as there are processors.

    Args:
        store: holds the files.
        names: the files; unusable ones come back with the reason, too.
        strict: whether short and cut recordings are of no use, as where they are to be learned from.
        longest_s: by name, from how many seconds on it is of no use either; no limit for others.
    """

    def check(name: str) -> RecordingCheck:
        return _judged(_looked_at(store, name), strict, longest_s.get(name))

    return list(ordered_map(check, names))


def _looked_at(store: Store, name: str) -> RecordingCheck:
    """The header and the digest of one file."""
    if suffix_of(name) in OTHER_AUDIO_SUFFIXES:
        return _skipped(name, "unsupported-format")
    try:
        size = store.size(name)
        if not size:
            return _skipped(name, "empty-file")
        if size <= WHOLE_BYTES:
            payload = store.read(name)
            header, digest = _header(io.BytesIO(payload), name), content_digest(payload)
        else:
            with store.open(name) as stream:
                header = _header(stream, name)
                stream.seek(0)
                digest = content_digest(stream.read(_BEGINNING_BYTES) + str(size).encode())
    except DataError:
        return _skipped(name, "unreadable-file")
    if header is None:
        return _skipped(name, "unreadable-recording")
    problems: list[tuple[str, Action]] = []
    expected = AUDIO_SUFFIXES.get(suffix_of(name))
    if expected is not None and header.format not in expected:
        problems.append(("mislabelled-file", "kept"))
    if header.missing > MUCH_MISSING:
        problems.append(("truncated-recording", "kept"))
    about = (header.seconds, header.rate, header.channels, header.format)
    return RecordingCheck(name, tuple(problems), digest, *about)


def _header(stream: BinaryIO, name: str) -> AudioHeader | None:
    """The header of an open file; None where there is none that makes sense."""
    try:
        with open_sound(stream, name) as sound:
            header = header_of(sound)
    except MissingExtraError:
        raise
    except DataError:
        return None
    return header if header.rate in RATES else None


def _judged(check: RecordingCheck, strict: bool, longest_s: float | None) -> RecordingCheck:
    """A check with what its length says, and the action that fits what it is for."""
    if not check.usable:
        return check
    problems = list(check.problems)
    if check.seconds == 0:
        problems.append(("no-sound", "skipped"))
    elif check.seconds < SHORTEST_S:
        problems.append(("short-recording", "kept"))
    elif longest_s is not None and check.seconds > longest_s:
        problems.append(("long-recording", "skipped"))
    if strict:
        problems = [
            (kind, "skipped" if kind in ("short-recording", "truncated-recording") else action)
            for kind, action in problems
        ]
    about = (check.digest, check.seconds, check.rate, check.channels, check.format)
    return RecordingCheck(check.name, tuple(problems), *about)


def _skipped(name: str, kind: str) -> RecordingCheck:
    return RecordingCheck(name, ((kind, "skipped"),))
