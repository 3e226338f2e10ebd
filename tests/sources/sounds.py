"""Small recordings that the tests of `sources/` share."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]

pytest.importorskip("soundfile")
pytest.importorskip("soxr")


def tone(seconds: float = 0.5, rate: int = 16000, seed: int = 0, channels: int = 1) -> Array:
    """(frames,) or (frames, channels) float32: three partials of a voice, others for each seed."""
    time = np.arange(round(seconds * rate)) / rate
    base = 110 + 7 * seed
    wave = sum(np.sin(2 * np.pi * base * part * time + seed) / part for part in (1, 2, 3)) * 0.2
    wave = np.asarray(wave, np.float32)
    return wave if channels == 1 else np.repeat(wave[:, None], channels, axis=1)


def encoded(samples: Array, rate: int = 16000, form: str = "WAV", subtype: str | None = None) -> bytes:
    """Samples as a file's bytes."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=form, subtype=subtype)
    return stream.getvalue()


def put(place: Path, seed: int = 0, seconds: float = 0.5, form: str = "WAV", **others: Any) -> Path:
    """A recording in a file; its folder is made."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(encoded(tone(seconds, seed=seed), form=form, **others))
    return place
