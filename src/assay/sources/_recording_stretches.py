"""Stretches of recordings as files of their own, for utterances that a layout tells by their seconds.

A stretch is named as a media fragment (W3C): `wav/a.flac#t=1.25,3.5`, or `#t=1.25` up to the end.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from assay.errors import DataError, MissingExtraError
from assay.sources._audio_header import open_sound
from assay.sources.store import Store

#: Bytes that a stretch takes at most a second: two channels of 32 bits at 192 kHz.
_BYTES_A_SECOND = 2 * 4 * 192_000


class Stretches:
    """A store whose files are those of another, and stretches of them as WAV.

    Args:
        inner: holds the recordings.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._known: dict[str, tuple[str, float, float | None]] = {}
        self.path: Path = inner.path
        self.names = inner.names

    def add(self, name: str, start_s: float, end_s: float | None) -> str:
        """The name of a stretch of a recording; without an end it goes on to that of the recording."""
        found = f"{name}#t={start_s!r}" if end_s is None else f"{name}#t={start_s!r},{end_s!r}"
        self._known[found] = (name, start_s, end_s)
        return found

    def read(self, name: str) -> bytes:
        """As `Store.read`; raises `DataError` where the recording cannot be read, or ends before the stretch begins."""
        if name not in self._known:
            return self._inner.read(name)
        whole, start_s, end_s = self._known[name]
        try:
            import soundfile
        except ImportError as error:
            raise MissingExtraError("recordings", "audio") from error
        with self._inner.open(whole) as stream, open_sound(stream, whole) as sound:
            rate, first = sound.samplerate, round(start_s * sound.samplerate)
            if first >= sound.frames:
                raise DataError(f"the recording ends before {start_s:g} s", "Mend the segments.", file=whole)
            try:
                sound.seek(first)
                taken = sound.read(-1 if end_s is None else round(end_s * rate) - first, dtype="float32")
            except (RuntimeError, ValueError) as error:  # libsndfile's own
                raise DataError("the recording is damaged", "Copy or record it again.", file=whole) from error
            kind = "PCM_16" if sound.subtype in ("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW") else "FLOAT"
        written = io.BytesIO()
        soundfile.write(written, taken, rate, format="WAV", subtype=kind)
        return written.getvalue()

    def size(self, name: str) -> int:
        """As `Store.size`; of a stretch about as many as there can be."""
        if name not in self._known:
            return self._inner.size(name)
        whole, start_s, end_s = self._known[name]
        return self._inner.size(whole) if end_s is None else 44 + round((end_s - start_s) * _BYTES_A_SECOND)

    def open(self, name: str) -> BinaryIO:
        """As `Store.open`."""
        return io.BytesIO(self.read(name)) if name in self._known else self._inner.open(name)
