"""What can be wrong with recordings, what else they are, and real ones."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_reading import (
    clips,
    column,
    common_voice,
    decodes,
    fsdd,
    kaldi,
    kinds,
    librispeech,
    manifest,
    rows,
    scores,
    transcripts,
)
from sounds import encoded, put, tone

from assay.errors import DataError, MissingExtraError
from assay.flow import recognise
from assay.registry import load_tasks
from assay.samples.split import split
from assay.sources.images import recognise_images
from assay.sources.recordings import (
    read_clips,
    read_recordings_inputs,
    read_transcripts,
    recognise_clips,
    recognise_transcripts,
)
from assay.sources.source import DataOptions, open_source
from assay.sources.table import recognise_table
from assay.sources.texts import recognise_texts


def test_bad_recordings_are_counted(commands: Path) -> None:
    whole = encoded(tone(seed=50))
    (commands / "go" / "empty.wav").write_bytes(b"")
    (commands / "go" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (commands / "go" / "word.mp3").write_bytes(b"no recording")
    (commands / "go" / "liar.mp3").write_bytes(encoded(tone(seed=51), form="FLAC"))
    (commands / "go" / "phone.m4a").write_bytes(b"\0\0\0\x18ftypM4A ")
    (commands / "go" / "nothing.wav").write_bytes(encoded(np.zeros(0, np.float32)))
    put(commands / "stop" / "blink.wav", 52, 0.01)
    put(commands / "stop" / "long.wav", 53, 61.0)
    (commands / "stop" / "high.wav").write_bytes(encoded(tone(0.5, 192000, channels=8), 192000))
    (commands / "stop" / "quiet.wav").write_bytes(encoded(np.zeros(8000, np.float32)))
    (commands / "stop" / ".hidden.wav").write_bytes(b"")
    (commands / "stop" / "note.txt").write_text("hello")
    records = clips(commands)
    assert kinds(records) == {
        "empty-file": (1, "skipped"), "truncated-recording": (1, "skipped"), "unreadable-recording": (1, "skipped"),
        "mislabelled-file": (1, "kept"), "unsupported-format": (1, "skipped"), "no-sound": (1, "skipped"),
        "short-recording": (1, "skipped"), "long-recording": (1, "skipped"), "stray-file": (1, "skipped"),
    }  # fmt: skip
    assert records.facts["samples"] == 11 and records.facts["channels"] == {"1": 10, "8": 1}
    decodes(records)
    inputs = read_recordings_inputs(open_source(commands))
    kept = {kind for kind, (_, action) in kinds(inputs).items() if action == "kept"}
    assert kept == {"truncated-recording", "short-recording", "mislabelled-file"}
    assert len(column(inputs, "id")) == 14 and "target" not in inputs.index().column_names


def test_nothing_usable(commands: Path, tmp_path: Path) -> None:
    for file in commands.rglob("*.wav"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 8 recordings can be used \(8 empty-file\)"):
        clips(commands)
    (tmp_path / "none").mkdir()
    for read in (clips, transcripts, lambda data: read_recordings_inputs(open_source(data))):
        with pytest.raises(DataError, match="the folder is empty"):
            read(tmp_path / "none")
    (tmp_path / "none" / "x.txt").write_text("hello")
    with pytest.raises(DataError, match=r"no recordings among 1 files \(1 \.txt\)"):
        clips(tmp_path / "none")


def test_an_hour_is_known_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.sources import _audio_files

    head = bytearray(encoded(np.zeros(0, np.float32)))
    size = 3600 * 16000 * 2
    head[4:8], head[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    hour = tmp_path / "x" / "hour.wav"
    hour.parent.mkdir()
    with hour.open("wb") as out:
        out.write(head)
        out.truncate(len(head) + size)  # a hole: it takes no room on disk
    put(tmp_path / "x" / "hello.wav")
    manifest(tmp_path / "x", "file,text\nhour.wav,a long talk\nhello.wav,hello world\n")

    def refuse(*_: Any) -> bytes:
        raise AssertionError("a large file is not read as a whole")

    source = open_source(tmp_path / "x")
    monkeypatch.setattr(_audio_files, "WHOLE_BYTES", 1 << 20)
    whole = source.store.read
    monkeypatch.setattr(source.store, "read", lambda name: refuse() if "hour" in name else whole(name))
    records = read_transcripts(source, DataOptions())
    assert column(records, "seconds") == [3600.0, 0.5]
    assert records.load is not None and records.load("hour.wav") == hour
    assert isinstance(records.load("hello.wav"), bytes)


def test_transcripts_are_kept_as_they_are(commands: Path) -> None:
    said = ["  42 % — of “all”, naïve\u0301 ½ £3.50?! ", "none", "?", "null", "12", "\u0007bell", "a" * 500, "   "]
    data = [{"path": f"{name}/{take}.wav", "text": text} for (name, take), text in zip(
        [(name, take) for name in ("go", "stop") for take in range(4)], said, strict=True)]  # fmt: skip
    (commands / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    records = transcripts(commands)
    assert column(records, "target") == [said[0].strip(), *said[1:7]]
    assert kinds(records) == {
        "missing-target": (1, "skipped"), "control-character": (1, "kept"),
        "transcript-too-long-for-its-recording": (1, "kept"),
    }  # fmt: skip
    assert rows(records, "transcript-too-long-for-its-recording") == [7]


def test_two_speakers_with_one_id_are_one_group(commands: Path, tmp_path: Path) -> None:
    lines = ["go/0.wav,go,7,female", "go/1.wav,go,7,Male", "go/2.wav,go,7,male", "stop/0.wav,stop,8,",
             "stop/1.wav,stop,8,male", "stop/2.wav,stop,9,female"]  # fmt: skip
    file = manifest(commands, "\n".join(["path,label,speaker,gender", *lines]) + "\n")
    records = clips(file)
    assert kinds(records) == {"one-id-for-two-speakers": (1, "kept")}
    assert rows(records, "one-id-for-two-speakers") == [3]
    assert column(records, "group") == ["7", "7", "7", "8", "8", "9"]
    data = librispeech(tmp_path / "LibriSpeech")
    with (data / "SPEAKERS.TXT").open("a") as out:
        out.write("84 | F | dev-clean | 8 | Eve\n")
    assert kinds(transcripts(data)) == {"one-id-for-two-speakers": (1, "kept")}


def test_a_speaker_on_two_given_sides_is_told(commands: Path) -> None:
    lines = [f"{name}/{take}.wav,{name},s{take % 2},{side}" for name in ("go", "stop")
             for take, side in enumerate(("train", "train", "test", "test"))]  # fmt: skip
    records = clips(manifest(commands, "\n".join(["path,label,speaker,split", *lines]) + "\n"))
    assert kinds(records) == {"speaker-on-two-sides": (2, "kept")}


def test_a_manifest_with_a_wrong_encoding_names_the_place(commands: Path) -> None:
    (commands / "all.csv").write_bytes("path,text\ngo/0.wav,über\ngo/1.wav,so weiter\n".encode("latin-1"))
    assert scores(commands)[1] == 0.96
    with pytest.raises(DataError, match=r"all\.csv"):
        transcripts(commands)
    assert column(transcripts(commands, extra={"encoding": "latin-1"}), "target")[0] == "über"


def test_inputs_of_every_shape(commands: Path, tmp_path: Path) -> None:
    one = read_recordings_inputs(open_source(commands / "go" / "0.wav"))
    assert column(one, "id") == ["0.wav"]
    decodes(one)
    odd = shutil.copy(commands / "go" / "0.wav", tmp_path / "recording")
    decodes(read_recordings_inputs(open_source(odd)))
    with pytest.raises(DataError, match="the recording cannot be used"):
        read_recordings_inputs(open_source(manifest(tmp_path, "hello", "x.txt")))
    with pytest.raises(DataError, match="no file"):
        read_recordings_inputs(open_source([1, 2]))


def test_other_data_is_left_alone(commands: Path, tmp_path: Path) -> None:
    from PIL import Image

    pictures, texts = tmp_path / "pictures", tmp_path / "texts"
    for name in ("cat", "dog"):
        for take in range(3):
            for folder in (pictures / name, texts / name):
                folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (take, 0, 0)).save(pictures / name / f"{take}.png")
            (texts / name / f"{take}.txt").write_text("Here is a text of some words.")
    photos = "path,label\n" + "".join(f"{name}/{take}.png,{name}\n" for name in ("cat", "dog") for take in range(3))
    table = manifest(
        tmp_path, "size,weight,kind\n" + "".join(f"{n},{n * 2.5},{'ab'[n % 2]}\n" for n in range(30)), "t.csv"
    )
    says = manifest(
        tmp_path, "text,label\n" + "".join(f"I say {n} words to you,{'ab'[n % 2]}\n" for n in range(30)), "s.csv"
    )
    for data in (pictures, texts, manifest(pictures, photos), table, says):
        assert scores(data) == (0.0, 0.0)
    for data in (commands, manifest(commands, "path,label\ngo/0.wav,a\ngo/1.wav,b\n")):
        source = open_source(data)
        assert recognise_images(source) is None and recognise_texts(source) is None
        found = recognise_table(source)
        assert found is None or found.score <= 0.2
    assert recognise(open_source(pictures), None)[0].name == "image-classification"


def test_folders_of_classes_win_over_names_that_say_something_else(tmp_path: Path) -> None:
    for seed, (word, year, part, take) in enumerate(
        (word, year, part, take)
        for word in ("go", "stop")
        for year in (2022, 2023)
        for part in ("am", "pm")
        for take in (1, 2)
    ):
        put(tmp_path / "x" / word / f"{year}_{part}_{take}.wav", seed)
        put(tmp_path / "y" / word / f"{word}_{part}_{take}.wav", seed)
    assert scores(tmp_path / "x") == (0.9, 0.0)
    assert set(column(clips(tmp_path / "x"), "target")) == {"go", "stop"}
    assert scores(tmp_path / "y") == (0.92, 0.0)
    assert set(column(clips(tmp_path / "y"), "speaker")) == {"am", "pm"}


def test_no_present_application_takes_recordings(commands: Path, tmp_path: Path) -> None:
    put(tmp_path / "kaldi" / "wav" / "0.wav")
    layouts = [
        commands, fsdd(tmp_path / "named"), common_voice(tmp_path / "cv"), librispeech(tmp_path / "libri"),
        kaldi(tmp_path / "kaldi", "u0 wav/0.wav\n", text="u0 hello\n", utt2spk="u0 ann\n"),
        manifest(tmp_path / "named", "file,text\n0_ann_0.wav,one word or so\n1_ann_0.wav,two words at most\n"),
    ]  # fmt: skip
    for data in layouts:
        others = [found for task in load_tasks() if task.name not in ("voice-commands", "transcription")
                  and (found := task.recognise(open_source(data))) is not None]  # fmt: skip
        assert max((found.score for found in others), default=0.0) < max(scores(data)) - 0.1, (data, others)


def test_without_soundfile_the_extra_is_named(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError) as error:
        clips(commands)
    assert error.value.hint == 'pip install "assay[audio]"'


@pytest.mark.data
def test_fsdd(data_set: Any) -> None:
    source = open_source(data_set("fsdd") / "recordings.zip")
    assert recognise_clips(source).score == 0.92 and recognise_transcripts(source) is None  # type: ignore[union-attr]
    records = read_clips(source, DataOptions())
    assert records.problems == ()
    assert records.facts["class_counts"] == {str(digit): 300 for digit in range(10)}
    assert records.facts["speakers"] == 6 and records.facts["rates"] == {"8000": 3000}
    sides = split(records.index(), None, 0)
    speakers = np.array(column(records, "speaker"))
    assert [len(set(speakers[sides.side == side])) for side in range(3)] == [4, 1, 1]


@pytest.mark.data
def test_yesno(data_set: Any) -> None:
    source = open_source(data_set("yesno") / "waves_yesno.zip")
    assert recognise_transcripts(source).score == 0.92  # type: ignore[union-attr]
    records = read_transcripts(source, DataOptions())
    assert records.facts["samples"] == 60 and records.facts["words"] == 480
    assert column(records, "target")[0] == "no no no no yes yes yes yes"
    assert records.facts["seconds"]["total"] == pytest.approx(368, abs=1)


@pytest.mark.data
def test_asterisk_prompts(data_set: Any) -> None:
    folder = data_set("asterisk_prompts_en")
    for data in (folder, folder / "transcripts.tsv"):
        assert scores(data)[1] == 0.96
        records = transcripts(data)
        assert records.facts["samples"] == 541 and records.facts["formats"] == {"FLAC": 541}
        assert records.facts["seconds"]["total"] == pytest.approx(1428, abs=2)
        assert kinds(records).keys() <= {"equal-recordings-with-two-targets"}
    assert {"at", "at [@]"} <= set(column(records, "target"))  # digits/at.flac and letters/at.flac
    texts = dict(zip(column(records, "id"), column(records, "target"), strict=True))
    assert texts["flac/activated.flac"] == "Activated."
