"""Manifests of recordings, and the layouts of Common Voice, LibriSpeech and Kaldi."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recording_reading import (
    clips,
    column,
    common_voice,
    decodes,
    kaldi,
    kinds,
    librispeech,
    manifest,
    rows,
    scores,
    transcripts,
)
from sounds import encoded, put, tone

from assay.errors import DataError, SettingError
from assay.sources.audio import decode_audio
from assay.sources.images import recognise_images
from assay.sources.recordings import (
    recognise_transcripts,
)
from assay.sources.source import open_source
from assay.sources.texts import recognise_texts


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("give", ["file", "folder", "zip"])
def test_manifests(form: str, give: str, commands: Path, tmp_path: Path) -> None:
    table = [
        {"audio": "go/0.wav", "sentence": "Go, please!", "client_id": "ann", "age": 30},
        {"audio": "go/1.wav", "sentence": "Go to 42 % now", "client_id": "bob", "age": 31},
        {"audio": "stop/0.wav", "sentence": "NA", "client_id": "eve", "age": 32},
        {"audio": "gone.wav", "sentence": "Stop", "client_id": "eve", "age": 33},
        {"audio": "stop/1.wav", "sentence": "", "client_id": "eve", "age": 34},
    ]
    data = commands / f"all.{form}"
    if form == "jsonl":
        data.write_text("".join(json.dumps(row) + "\n" for row in table))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(table), data)
    else:
        mark = "," if form == "csv" else "\t"
        cells = [[f'"{value}"' if "," in str(value) else str(value) for value in row.values()] for row in table]
        data.write_text("\n".join(mark.join(row) for row in [list(table[0]), *cells]) + "\n")
    if give == "folder":
        data = commands
    if give == "zip":
        data = tmp_path / "all.zip"
        with zipfile.ZipFile(data, "w") as archive:
            for file in sorted(commands.rglob("*.*")):
                archive.write(file, f"inside/{file.relative_to(commands)}")
    assert scores(data)[1] == 0.96
    assert recognise_images(open_source(data)) is None and recognise_texts(open_source(data)) is None
    records = transcripts(data)
    assert column(records, "target") == ["Go, please!", "Go to 42 % now", "NA"]
    assert column(records, "group") == ["ann", "bob", "eve"]
    found = {kind: value for kind, value in kinds(records).items() if kind != "recording-not-in-table"}
    assert found == {"missing-file": (1, "skipped"), "missing-target": (1, "skipped")}
    first = 1 if form in ("jsonl", "parquet") else 2
    assert rows(records, "missing-file") == [first + 3] and rows(records, "missing-target") == [first + 4]
    assert records.facts["words"] == 8
    decodes(records)


def test_labels_and_sides_in_a_manifest(commands: Path) -> None:
    lines = [f"{name}/{take}.wav,{name},s{take},{side}" for name in ("go", "stop")
             for take, side in enumerate(("train", "train", "dev", "test"))]  # fmt: skip
    file = manifest(commands, "\n".join(["path,command,Speaker ID,split", *lines, lines[0]]) + "\n")
    assert scores(file) == (0.96, 0.0)
    records = clips(file)
    assert column(records, "target") == ["go"] * 4 + ["stop"] * 4
    assert column(records, "group") == ["s0", "s1", "s2", "s3"] * 2
    assert records.facts["split"] == {"test": 2, "train": 4, "validation": 2}
    assert kinds(records) == {"repeated-row": (1, "skipped")}
    assert rows(records, "repeated-row") == [10]
    assert "split" not in clips(file, split="60/20/20").index().column_names
    assert column(clips(file, target="Speaker ID", group="command"), "target")[:2] == ["s0", "s1"]


def test_manifests_without_header_or_names(commands: Path) -> None:
    bare = manifest(commands, "".join(f"{name}/{take}.wav,{name}\n" for name in ("go", "stop") for take in range(4)))
    assert scores(bare)[0] == 0.93
    assert column(clips(bare), "target") == ["go"] * 4 + ["stop"] * 4
    bare.unlink()
    (commands / "wavs").mkdir()
    for take in range(4):
        shutil.move(commands / "go" / f"{take}.wav", commands / "wavs" / f"LJ-{take}.wav")
    shutil.rmtree(commands / "stop")
    said = ["In 1500, or so", "He went; she, he and it stayed", "Nothing at all", "Was it, or was it not?"]
    text = "".join(f"LJ-{take}|{words}|{words.lower()}\n" for take, words in enumerate(said))
    assert scores(manifest(commands, text, "metadata.csv")) == (0.0, 0.93)
    assert column(transcripts(commands), "target") == said
    decodes(transcripts(commands / "metadata.csv"))


def test_a_file_named_twice_with_two_labels(commands: Path) -> None:
    file = manifest(commands, "file,label\ngo/0.wav,go\nstop/0.wav,stop\ngo/0.wav,stop\n")
    records = clips(file)
    assert column(records, "id") == ["go/0.wav", "stop/0.wav", "clips.csv:4"]
    assert kinds(records) == {
        "equal-recordings-with-two-targets": (1, "kept"), "recording-with-two-targets": (1, "kept"),
    }  # fmt: skip
    assert rows(records, "recording-with-two-targets") == [4]


def test_equal_recordings_with_two_labels(commands: Path) -> None:
    shutil.copy(commands / "go" / "0.wav", commands / "stop" / "9.wav")
    records = clips(commands)
    assert kinds(records) == {"equal-recordings-with-two-targets": (1, "kept")}
    assert records.problems[0].examples[0].file == "stop/9.wav"


def test_manifest_errors(commands: Path) -> None:
    file = manifest(commands, "file,colour,size\ngo/0.wav,red,big\ngo/1.wav,blue,small\n")
    with pytest.raises(DataError, match="no label for each recording; known of each is 'colour', 'size'") as error:
        clips(file)
    assert "--target" in error.value.hint
    with pytest.raises(SettingError, match="no column 'color'") as wrong:
        clips(file, target="color")
    assert wrong.value.hint == "Did you mean 'colour'?"
    assert column(clips(file, target="colour"), "target") == ["red", "blue"]
    with pytest.raises(DataError, match="none of the 2 recordings can be used"):
        clips(manifest(commands, "file,label\nx.wav,a\ny.wav,b\n"))
    manifest(commands, "file,label\ngo/1.wav,a\n", "more.csv")
    with pytest.raises(DataError, match=r"several tables name recordings: clips\.csv, more\.csv"):
        clips(commands)


def test_common_voice(tmp_path: Path) -> None:
    data = common_voice(tmp_path / "cv" / "en").parent
    records = transcripts(data)
    assert records.facts["split"] == {"test": 1, "train": 3, "validation": 1}
    assert column(records, "target")[0] == 'Say "0", it\'s €0.'
    assert column(records, "group") == ["c0", "c1", "c2", "c3", "c4"]
    assert kinds(records)["other-table"] == (4, "skipped")
    assert kinds(records)["recording-not-in-table"] == (3, "skipped")
    assert "Common Voice" in recognise_transcripts(open_source(data)).why  # type: ignore[union-attr]
    assert len(column(transcripts(data, split="80/10/10"), "id")) == 6
    for name in ("train", "dev", "test"):
        (data / "en" / f"{name}.tsv").unlink()
    assert len(column(transcripts(data), "id")) == 6


def test_librispeech(tmp_path: Path) -> None:
    data = librispeech(tmp_path / "LibriSpeech")
    assert scores(data) == (0.0, 0.98)
    records = transcripts(data)
    assert records.facts["split"] == {"test": 2, "train": 4, "validation": 2}
    assert dict(zip(column(records, "target"), column(records, "group"), strict=True))["BUT IN 85 LESS THAN 1"] == "85"
    assert records.problems == ()
    place = data / "dev-clean" / "86" / "121"
    (place / "86-121-0000.flac").unlink()
    (place / "86-121.trans.txt").write_text("86-121-0000 GONE\n86-121-0001\n")
    put(place / "86-121-0009.flac", form="FLAC")
    records = transcripts(data)
    assert kinds(records) == {
        "missing-file": (1, "skipped"), "missing-target": (1, "skipped"),
        "recording-without-transcript": (1, "skipped"),
    }  # fmt: skip
    assert rows(records, "missing-file") == [1] and rows(records, "missing-target") == [2]


def test_kaldi(tmp_path: Path) -> None:
    for take in range(5):
        put(tmp_path / "corpus" / f"{take}.wav", take)
    marker = tmp_path / "ran"
    script = "".join(f"u{take} corpus/{take}.wav\n" for take in range(3))
    script += (
        f"u3 {tmp_path}/corpus/3.wav\nu4 touch {marker} && cat corpus/4.wav |\nu5 corpus/gone.wav\nu6 corpus/4.wav\n"
    )
    data = kaldi(
        tmp_path / "data" / "all", script,
        text="u0 no no\nu1 yes\nu2\nu3 yes 3 \nu4 no\nu5 no\nu9 lost\n",
        utt2spk="u0 a\nu1 b\nu2 b\nu3 c\nu3 a\n", spk2gender="a f\nb m\na m\n",
    )  # fmt: skip
    assert scores(data) == (0.0, 0.98)
    records = transcripts(data)
    assert column(records, "id") == ["u0", "u1", "u3"]
    assert column(records, "target") == ["no no", "yes", "yes 3"]
    assert column(records, "group") == ["a", "b", "c"]
    assert not marker.exists()
    assert kinds(records) == {
        "command-in-wav-scp": (1, "skipped"), "missing-file": (1, "skipped"), "missing-target": (2, "skipped"),
        "transcript-without-recording": (1, "skipped"), "utterance-with-two-speakers": (1, "kept"),
        "one-id-for-two-speakers": (1, "kept"),
    }  # fmt: skip
    assert rows(records, "command-in-wav-scp") == [5] and rows(records, "missing-file") == [6]
    decodes(records)


def test_kaldi_segments_are_stretches_of_recordings(tmp_path: Path) -> None:
    for take, form in enumerate(("wav", "flac")):
        put(tmp_path / "corpus" / f"{take}.{form}", take, seconds=2.0, form=form.upper())
    data = kaldi(
        tmp_path / "data", f"r0 corpus/0.wav\nr1 {tmp_path}/corpus/1.flac\nr2 cat x |\n",
        segments="u0 r0 0.25 0.75\nu1 r1 1.0 -1\nu2 r0 0.9 0.8\nu3 r2 0 1\nu4 r0 5 6\nu5 r0 x y\nu6 r1 0 0.5\n",
        text="".join(f"u{number} word {number}\n" for number in range(8)), utt2spk="u0 a\nu1 b\nu6 c\n",
    )  # fmt: skip
    records = transcripts(data)
    assert column(records, "id") == ["u0", "u1", "u6"] and column(records, "group") == ["a", "b", "c"]
    assert [round(value, 4) for value in column(records, "seconds")] == [0.5, 1.0, 0.5]
    told = kinds(records)
    assert told["unusable-segment"] == (3, "skipped") and told["unreadable-file"] == (1, "skipped")
    assert told["command-in-wav-scp"] == (1, "skipped") and told["transcript-without-recording"] == (1, "skipped")
    for place, take, start, end in zip(
        column(records, "location"), (0, 1, 1), (0.25, 1, 0), (0.75, 2, 0.5), strict=True
    ):
        assert records.load is not None
        found = decode_audio(records.load(place), 16000).samples
        np.testing.assert_allclose(found, tone(2.0, seed=take)[round(start * 16000) : round(end * 16000)], atol=1e-4)


def test_a_path_of_kaldi_is_taken_as_it_stands_before_by_its_name(tmp_path: Path) -> None:
    put(tmp_path / "all" / "other" / "0.wav", 3, seconds=0.3)
    put(tmp_path / "corpus" / "0.wav", 5, seconds=0.7)
    data = kaldi(tmp_path / "all", "u0 corpus/0.wav\nu1 elsewhere/0.wav\n", text="u0 yes\nu1 no\n")
    records = transcripts(data)
    assert [round(value, 4) for value in column(records, "seconds")] == [0.7, 0.3]


def test_kaldi_in_an_archive_reaches_no_file_outside(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside.wav")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for side, take in (("train", 0), ("test", 1)):
            archive.writestr(f"{side}/wav.scp", f"{side} wav/{take}.wav\n{side}-far {outside}\n")
            archive.writestr(f"{side}/text", f"{side} hello there {side}\n{side}-far nothing\n")
            archive.writestr(f"wav/{take}.wav", encoded(tone(seed=take)))
    records = transcripts(tmp_path / "x.zip")
    assert column(records, "split") == ["test", "train"]
    assert column(records, "location") == ["wav/1.wav", "wav/0.wav"]
    assert kinds(records) == {"missing-file": (2, "skipped")}
