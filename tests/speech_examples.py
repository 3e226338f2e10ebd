"""Sentences of words that are two tones each, with pauses between them, as files with their transcripts."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from sound_examples import WORDS, spoken

RATE = 8000


def sentence(words: list[str], random: np.random.Generator, pause_s: float = 0.15) -> np.ndarray:
    """(T,) float32 of some words, with a little noise all over."""
    parts: list[np.ndarray] = []
    for word in words:
        parts += [np.zeros(round(RATE * pause_s * random.uniform(0.8, 1.5)), np.float32), spoken(word, random, RATE)]
    whole = np.concatenate([*parts, np.zeros(round(RATE * pause_s), np.float32)])
    return (whole + random.normal(0, 0.001, len(whole))).astype(np.float32)


def write_sentences(folder: Path, count: int = 60, seed: int = 0, long: int = 2) -> Path:
    """`count` recordings of two to four words, and `long` of more than half a minute, with a table and its sides."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    random, rows = np.random.default_rng(seed), []
    names = sorted(WORDS)
    for number in range(count + long):
        many = number >= count
        words = [names[place] for place in random.integers(0, len(names), 60 if many else random.integers(2, 5))]
        side = "test" if many or number % 6 == 5 else "validation" if number % 6 == 4 else "train"
        soundfile.write(folder / f"{number:03}.wav", sentence(words, random, 0.5 if many else 0.15), RATE)
        rows.append((f"{number:03}.wav", " ".join(words), side))
    with (folder / "said.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "text", "split"), *rows])
    return folder
