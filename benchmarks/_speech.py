"""The recordings that transcription is measured on, and the forms in which they lie on disk."""

from __future__ import annotations

import csv
import hashlib
import itertools
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import data_root

Row = tuple[str, str, str]  # file, text, side
FOLDS = 5
RATE = 16_000


def yesno() -> list[tuple[str, str]]:
    """The 60 recordings' names, and what is said by their names: 1 for yes, 0 for no."""
    with zipfile.ZipFile(data_root() / "yesno" / "waves_yesno.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
    said = {"0": "no", "1": "yes"}
    return [(name, " ".join(said[sign] for sign in Path(name).stem.split("_"))) for name in names
            if set(Path(name).stem) <= {"0", "1", "_"}]  # fmt: skip


def prompts() -> list[tuple[str, str, float]]:
    """File, text and seconds of the prompts, in their order."""
    with (data_root() / "asterisk_prompts_en" / "transcripts.tsv").open(encoding="utf-8") as file:
        return [(row["file"], row["text"], float(row["seconds"])) for row in csv.DictReader(file, delimiter="\t")]


def fold_of_text(text: str) -> tuple[int, int]:
    """The fold of a prompt, and which half of it, by what is said, so that the same text never lies on two sides."""
    from assay.evaluation.spoken_text import spoken

    half, fold = divmod(int(hashlib.sha256(spoken(text, "en").encode()).hexdigest(), 16), FOLDS)
    return fold, half % 2


def yesno_folder(work: Path, fold: int) -> Path:
    """Every fifth recording, from this one on, is tested, the next fifth validates."""
    folder = work / "yesno"
    with zipfile.ZipFile(data_root() / "yesno" / "waves_yesno.zip") as archive:
        rows: list[Row] = []
        for number, (name, text) in enumerate(yesno()):
            target = folder / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
            rows.append((target.name, text, side_of((number - fold) % FOLDS, number % 2)))
    return _table(folder, rows)


def side_of(distance: int, half: int) -> str:
    """Test for a fold, validation for half of the next, training for the rest."""
    if distance == 0:
        return "test"
    return "validation" if distance == 1 and half else "train"


def prompts_folder(work: Path, fold: int, minutes: float | None = None) -> Path:
    """The prompts, those of one fold tested; of the training side so many minutes, drawn by hash, or all."""
    folder = work / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    sides: list[tuple[str, str, float, str]] = []
    for name, text, seconds in prompts():
        linked(data_root() / "asterisk_prompts_en" / "flac" / name, folder / name)
        where, half = fold_of_text(text)
        sides.append((name, text, seconds, side_of((where - fold) % FOLDS, half)))
    order = sorted(range(len(sides)), key=lambda place: hashlib.sha256(sides[place][0].encode()).hexdigest())
    used = 0.0
    for place in order:
        name, text, seconds, side = sides[place]
        if side == "train" and minutes is not None:
            if used + seconds > 60 * minutes:
                continue
            used += seconds
        rows.append((name, text, side))
    return _table(folder, rows)


def invented(work: Path) -> Path:
    """Sentences of two words, each a tone, for the smoke test."""
    import soundfile

    folder, random, rows = work / "smoke", np.random.default_rng(0), list[Row]()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(30):
        words = ["yes" if random.random() < 0.5 else "no" for _ in range(3)]
        tones = [np.sin(np.arange(3000) * (0.3 if word == "yes" else 0.8)) * 0.3 for word in words]
        sound = np.concatenate([part for tone in tones for part in (np.zeros(1500), tone)])
        soundfile.write(folder / f"{number}.wav", sound + random.normal(0, 0.001, len(sound)), 8000)
        rows.append((f"{number}.wav", " ".join(words), side_of(number % FOLDS, number // FOLDS % 2)))
    return _table(folder, rows)


def linked(source: Path, target: Path) -> None:
    """A copy of a file, unless it is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.write_bytes(source.read_bytes())


def _table(folder: Path, rows: Sequence[Row]) -> Path:
    with (folder / "transcripts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "text", "split"), *rows])
    return folder


def long_recording(work: Path, seconds: float, recordings: Sequence[tuple[Path, str]]) -> tuple[Path, str]:
    """Recordings one after the other, with half a second between them, and all that is said in them.

    They begin again from the first where they end, and stop before they would take more than so many seconds.
    """
    import soundfile
    import soxr

    file, told = work / f"long-{seconds:g}.wav", work / f"long-{seconds:g}.txt"
    if file.exists() and told.exists():
        return file, told.read_text(encoding="utf-8")
    random, said, written = np.random.default_rng(0), list[str](), 0
    with soundfile.SoundFile(file, "w", RATE, 1, "PCM_16") as out:
        for place, text in itertools.cycle(recordings):
            sound, rate = soundfile.read(place, dtype="float32")
            pause = random.normal(0, 1e-4, RATE // 2).astype(np.float32)
            part = np.concatenate([soxr.resample(sound, rate, RATE), pause])
            if written + len(part) > seconds * RATE:
                break
            out.write(part)
            said.append(text)
            written += len(part)
    told.write_text(" ".join(said), encoding="utf-8")
    return file, " ".join(said)


def prompt_files() -> list[tuple[Path, str]]:
    """The prompts with what is said in them, in their order."""
    return [(data_root() / "asterisk_prompts_en" / "flac" / name, text) for name, text, _ in prompts()]


def invented_files(work: Path) -> list[tuple[Path, str]]:
    """Those of `invented`, with what is said in them."""
    folder = invented(work)
    with (folder / "transcripts.csv").open(encoding="utf-8") as file:
        return [(folder / row["file"], row["text"]) for row in csv.DictReader(file)]
