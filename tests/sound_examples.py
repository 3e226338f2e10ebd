"""Clips that say words of two tones, as different voices would: other pitches, paces and rooms."""

from __future__ import annotations

from pathlib import Path

import numpy as np

RATE = 8000
#: Each word as the two tones that it goes through, in hertz.
WORDS = {"up": (500, 1200), "down": (1200, 500), "left": (500, 2200), "right": (2200, 500)}


def spoken(word: str, random: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """(T,) float32 of a third of a second, about."""
    voice, long = random.uniform(0.85, 1.15), round(rate * random.uniform(0.25, 0.4))
    first, second = (hertz * voice for hertz in WORDS[word])
    pitch = np.linspace(first, second, long)
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / rate) + 0.4 * np.sin(4 * np.pi * np.cumsum(pitch) / rate)
    shape = np.sin(np.linspace(0, np.pi, long))
    noise = random.normal(0, random.uniform(0.001, 0.01), long)
    return (random.uniform(0.1, 0.5) * shape * tone + noise).astype(np.float32)


def write_words(folder: Path, count: int = 24, seed: int = 0, rate: int = RATE) -> Path:
    """`count` WAV files of each word, a folder a word."""
    import soundfile

    random = np.random.default_rng(seed)
    for word in WORDS:
        (folder / word).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            soundfile.write(folder / word / f"{number:03}.wav", spoken(word, random, rate), rate)
    return folder


def write_background(file: Path, seconds: float, seed: int = 0, rate: int = RATE) -> Path:
    """A recording of a room."""
    import soundfile

    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, np.random.default_rng(seed).normal(0, 0.05, round(rate * seconds)).astype(np.float32), rate)
    return file
