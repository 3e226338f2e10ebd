"""Recordings as the tests read them, in the layouts that are known, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sounds import put

from assay.sources.audio import decode_audio
from assay.sources.recordings import (
    read_clips,
    read_transcripts,
    recognise_clips,
    recognise_transcripts,
)
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source


def clips(data: Any, **options: Any) -> Records:
    return read_clips(open_source(data), DataOptions(**options))


def transcripts(data: Any, **options: Any) -> Records:
    return read_transcripts(open_source(data), DataOptions(**options))


def scores(data: Any) -> tuple[float, float]:
    """How sure it is that the data is clips, and that it is transcribed."""
    found = [recognised(open_source(data)) for recognised in (recognise_clips, recognise_transcripts)]
    return (found[0].score if found[0] else 0.0), (found[1].score if found[1] else 0.0)


def kinds(records: Records) -> dict[str, tuple[int, str]]:
    return {problem.kind: (problem.count, problem.action) for problem in records.problems}


def rows(records: Records, kind: str) -> list[int | None]:
    return [place.row for problem in records.problems if problem.kind == kind for place in problem.examples]


def column(records: Records, name: str) -> list[Any]:
    return [value for batch in records.batches() for value in batch.column(name).to_pylist()]


def decodes(records: Records) -> None:
    assert records.load is not None
    for location in column(records, "location"):
        assert decode_audio(records.load(location), 16000).seconds == pytest.approx(0.5)


def manifest(folder: Path, text: str, name: str = "clips.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def fsdd(folder: Path, speakers: tuple[str, ...] = ("ann", "bob", "eve")) -> Path:
    for digit in range(3):
        for seed, speaker in enumerate(speakers):
            for take in range(2):
                put(folder / f"{digit}_{speaker}_{take}.wav", 30 * digit + 3 * seed + take)
    return folder


def common_voice(folder: Path) -> Path:
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\tlocale\n"
    takes = {
        "train": [0, 1, 2],
        "dev": [3],
        "test": [4],
        "validated": [0, 1, 2, 3, 4, 5],
        "other": [6],
        "invalidated": [7],
    }
    for take in range(8):
        put(folder / "clips" / f"common_voice_en_{take}.mp3", take, form="MP3")
    for name, these in takes.items():
        lines = [f'c{take}\tcommon_voice_en_{take}.mp3\tSay "{take}", it\'s €{take}.\t2\t0\t\t\ten\n' for take in these]
        manifest(folder, head + "".join(lines), f"{name}.tsv")
    manifest(folder, "clip\tduration[ms]\n" + "".join(f"common_voice_en_{take}.mp3\t500\n" for take in range(8)),
             "clip_durations.tsv")  # fmt: skip
    manifest(folder, "sentence\treason\nBad\tno\n", "reported.tsv")
    return folder


def librispeech(folder: Path) -> Path:
    for side, speaker in (("train-clean-100", 84), ("train-clean-100", 85), ("dev-clean", 86), ("test-other", 87)):
        place = folder / side / str(speaker) / "121"
        for take in range(2):
            put(place / f"{speaker}-121-000{take}.flac", 3 * (speaker - 84) + take, form="FLAC")
        lines = [f"{speaker}-121-000{take} BUT IN {speaker} LESS THAN {take}\n" for take in range(2)]
        (place / f"{speaker}-121.trans.txt").write_text("".join(lines))
    (folder / "SPEAKERS.TXT").write_text(
        ";ID |SEX| SUBSET |MINUTES| NAME\n84 | F | train-clean-100 | 25 | Ann\n85 | M | train-clean-100 | 25 | Bob\n"
    )
    return folder


def kaldi(folder: Path, script: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wav.scp").write_text(script)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
