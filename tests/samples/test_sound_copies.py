"""Copies of sounds: planted ones are found, words said twice are not accused, and nothing is silent about silence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.progress import Progress
from assay.samples.sound_copies import copied_sound_rows, correlations
from assay.sources.source import DataOptions, open_source
from fakes.text_samples import DATA

soundfile = pytest.importorskip("soundfile")
soxr = pytest.importorskip("soxr")
RATE = 8000
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


FORMANTS = {"up": (700, 1100), "down": (400, 900), "left": (500, 1800), "right": (300, 2200)}


def voiced(word: str, random: np.random.Generator) -> Array:
    """A word of two formants, as one voice says it again: its pitch never goes the same way twice."""
    count = round(RATE * random.uniform(0.3, 0.4))
    pitch = 120 * np.exp(np.cumsum(random.normal(0, 0.0015, count)) + random.uniform(-0.05, 0.05))
    turns = 2 * np.pi * np.cumsum(pitch) / RATE + random.uniform(0, 6)
    sound = np.zeros(count)
    for harmonic in range(1, 25):
        near = sum(np.exp(-((harmonic * 120 - hertz) ** 2) / 2 / 150**2) for hertz in FORMANTS[word])
        sound += (near + 0.02) * np.cos(harmonic * turns)
    return np.asarray(0.1 * np.sin(np.linspace(0, np.pi, count)) * sound + random.normal(0, 0.004, count), np.float32)


def write_voice(folder: Path, count: int) -> Path:
    """So many clips of each word, a folder a word; no two have the same name."""
    random = np.random.default_rng(0)
    for word in FORMANTS:
        (folder / word).mkdir(parents=True)
        for number in range(count):
            soundfile.write(folder / word / f"{word}-{number:03}.wav", voiced(word, random), RATE)
    return folder


def noisy(sound: Array, ratio_db: float = 20.0) -> Array:
    noise = np.random.default_rng(9).normal(0, 1, len(sound))
    return sound + noise * np.sqrt(np.mean(sound**2) / 10 ** (ratio_db / 10))


def telephone(sound: Array) -> Array:
    spectrum = np.fft.rfft(sound)
    hertz = np.linspace(0, RATE / 2, len(spectrum))
    return np.fft.irfft(np.where((hertz > 300) & (hertz < 3400), spectrum, 0), len(sound))


CHANGES: dict[str, Callable[[Array], Array]] = {
    "softer": lambda sound: 0.2 * sound,
    "turned over": lambda sound: -sound,
    "later": lambda sound: np.pad(sound, (2500, 400)),
    "without its beginning": lambda sound: sound[120:],
    "noise": noisy,
    "telephone": telephone,
    "coarse": lambda sound: np.round(sound * 40) / 40,
}


def found_in(folder: Path) -> set[tuple[str, str]]:
    from assay.tasks.voice_commands import VoiceCommands

    task = VoiceCommands()
    records = task.read(open_source(folder), DataOptions())
    ids = [Path(name).name for name in records.index().column("id").to_pylist()]
    pairs = task.copied_rows(records, Progress())
    assert pairs is not None
    return {(min(ids[a], ids[b]), max(ids[a], ids[b])) for a, b in pairs.tolist()}


@pytest.mark.parametrize("kind", CHANGES)
def test_planted_copies_are_found_and_nothing_else(kind: str, tmp_path: Path) -> None:
    clips = write_voice(tmp_path / "words", 10)
    planted = set()
    for place, word in enumerate(FORMANTS):
        source = sorted((clips / word).iterdir())[place]
        sound = soundfile.read(source, dtype="float32")[0]
        soundfile.write(clips / word / f"z-{word}.wav", CHANGES[kind](sound).astype(np.float32), RATE)
        planted.add((source.name, f"z-{word}.wav"))
    assert found_in(clips) == planted


def test_another_rate_and_another_code(tmp_path: Path) -> None:
    clips = write_voice(tmp_path / "words", 6)
    sound = soundfile.read(clips / "up" / "up-000.wav", dtype="float32")[0]
    soundfile.write(clips / "up" / "z-16k.wav", soxr.resample(sound, RATE, 16000), 16000)
    soundfile.write(clips / "up" / "z-lossy.ogg", soxr.resample(sound, RATE, 16000), 16000, format="OGG")
    assert {("up-000.wav", "z-16k.wav"), ("up-000.wav", "z-lossy.ogg")} <= found_in(clips)


def test_copies_never_cross_the_split(tmp_path: Path) -> None:
    from assay.flow import prepare
    from assay.tasks.voice_commands import VoiceCommands

    clips = write_voice(tmp_path / "words", 12)
    for word in FORMANTS:
        for file in sorted((clips / word).iterdir()):
            sound = soundfile.read(file, dtype="float32")[0]
            soundfile.write(file.with_name(f"copy-{file.name}"), noisy(0.5 * sound), RATE)
    made = prepare(clips, DataOptions(split="60/20/20"), task=VoiceCommands())
    sides = dict(zip(made.records.index().column("id").to_pylist(), made.split.side.tolist(), strict=True))
    pairs = [(side, sides[name.replace("copy-", "")]) for name, side in sides.items() if "copy-" in name]
    assert len(pairs) == 48 and all(side == other for side, other in pairs)
    assert len(set(sides.values())) == 3


def test_lookalikes_of_samples(tmp_path: Path) -> None:
    from assay.samples.samples import build_samples
    from assay.tasks.voice_commands import VoiceCommands

    clips, task = write_voice(tmp_path / "words", 8), VoiceCommands()
    sound = soundfile.read(clips / "up" / "up-003.wav", dtype="float32")[0]
    soundfile.write(clips / "up" / "up-900.wav", noisy(0.3 * np.pad(sound, (900, 0))), RATE)
    records = task.read(open_source(clips), DataOptions())
    side = np.zeros(records.index().num_rows, np.int8)
    spec = task.fit_spec(records, side == 0, DataOptions())
    samples = build_samples(task, records, spec, side, folder=tmp_path / "samples")
    found = task.lookalikes(samples, np.arange(len(side)), 5.0)
    named = [{Path(samples.id(int(unit))).name for unit in pair} for pair in found.pairs]
    assert named == [{"up-003.wav", "up-900.wav"}]
    assert len(found.asked) == len(side)


def test_silence_and_noise_are_copies_of_nothing(tmp_path: Path) -> None:
    clips = write_voice(tmp_path / "words", 4)
    (clips / "still").mkdir()
    for number in range(5):
        soundfile.write(clips / "still" / f"none-{number}.wav", np.zeros(3000 + number, np.float32), RATE)
        noise = np.random.default_rng(number).normal(0, 0.1, 8000).astype(np.float32)
        soundfile.write(clips / "still" / f"noise-{number}.wav", noise, RATE)
    assert not found_in(clips)


def test_too_many_or_unreadable_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.tasks.voice_commands import VoiceCommands

    clips = write_voice(tmp_path / "words", 3)
    (clips / "up" / "broken.wav").write_bytes((clips / "up" / "up-000.wav").read_bytes()[:50])
    records = VoiceCommands().read(open_source(clips), DataOptions())
    assert copied_sound_rows(records, Progress()) is not None
    monkeypatch.setattr("assay.samples.sound_copies.MOST_SOUNDS", 5)
    assert copied_sound_rows(records, Progress()) is None


@pytest.mark.parametrize("raised", [0.0, 0.9])
def test_the_correlation_against_numpy(raised: float) -> None:
    random = np.random.default_rng(0)
    waves = random.integers(-127, 128, (3, 500)).astype(np.int8)
    waves[1] = np.roll(waves[0], 40)
    waves[1, :40] = 0
    pairs = np.asarray([[0, 1], [0, 2]])
    for (a, b), found in zip(pairs, correlations(waves, pairs, raised), strict=True):
        one, other = (np.convolve(waves[place].astype(float), [1, -raised])[:500] for place in (a, b))
        every = np.correlate(one, other, "full") / np.linalg.norm(one) / np.linalg.norm(other)
        assert found == pytest.approx(np.abs(every).max(), abs=1e-4)


def test_words_that_one_voice_says_again_are_no_copies() -> None:
    file = DATA / "fsdd" / "recordings.zip"
    if not file.exists():
        pytest.skip("fsdd is not in ASSAY_DATA")
    from assay.samples.sound_copies import find_copied_sounds
    from assay.samples.sound_prints import prints_of_sounds

    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if "_theo_" in name and name.endswith(".wav"))[:200]
        sounds = [soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")[0] for name in names]
    planted = [noisy(0.5 * sound) for sound in sounds[:20]]
    pairs = find_copied_sounds(prints_of_sounds([*sounds, *planted])).pairs
    assert {tuple(pair) for pair in pairs.tolist()} == {(place, 200 + place) for place in range(20)}


def test_copies_of_recordings_beside_one_of_several_windows(tmp_path: Path) -> None:
    import csv

    from assay.samples.samples import build_samples
    from assay.samples.sound_windows import minutes_of_sound
    from assay.tasks.transcription import Transcription

    random, folder = np.random.default_rng(1), tmp_path / "said"
    folder.mkdir()
    rows = []
    for number in range(12):
        words = [str(word) for word in random.choice(list(FORMANTS), 90 if number == 3 else 3)]
        sound = np.concatenate([np.pad(voiced(word, random), 600) for word in words])
        rows.append((f"{number:02}.wav", " ".join(words)))
        soundfile.write(folder / rows[-1][0], sound, RATE)
    for number in (2, 5):
        sound = soundfile.read(folder / f"{number:02}.wav", dtype="float32")[0]
        soundfile.write(folder / f"z{number}.ogg", noisy(0.4 * np.pad(sound, (900, 0)), 25), RATE, format="OGG")
        rows.append((f"z{number}.ogg", rows[number][1]))
    with (folder / "said.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "text"), *rows])
    task = Transcription()
    records = task.read(open_source(folder), DataOptions())
    ids = records.index().column("id").to_pylist()
    pairs = task.copied_rows(records, Progress())
    planted = [("02.wav", "z2.ogg"), ("05.wav", "z5.ogg")]
    assert pairs is not None and sorted(tuple(sorted((ids[a], ids[b]))) for a, b in pairs.tolist()) == planted
    side = np.zeros(len(ids), np.int8)
    spec = task.fit_spec(records, side == 0, DataOptions())
    samples = build_samples(task, records, spec, side, folder=tmp_path / "samples")
    assert len(samples.unit) > len(samples.side) == 14
    found = task.lookalikes(samples, np.arange(14), 20.0)
    assert sorted(tuple(sorted(samples.id(int(unit)) for unit in pair)) for pair in found.pairs) == planted
    place = [samples.id(unit) for unit in range(14)].index("00.wav")
    seconds = len(soundfile.read(folder / "00.wav")[0]) / RATE
    assert 60 * minutes_of_sound(samples, np.asarray([place]), 16_000) == pytest.approx(seconds, abs=0.2)
