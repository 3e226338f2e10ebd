from __future__ import annotations

import json
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sounds import encoded, put, tone

from assay.errors import DataError, MissingExtraError, SettingError
from assay.flow import recognise
from assay.registry import load_tasks
from assay.samples.split import split
from assay.sources.audio import decode_audio
from assay.sources.images import recognise_images
from assay.sources.recordings import (
    read_clips,
    read_recordings_inputs,
    read_transcripts,
    recognise_clips,
    recognise_transcripts,
)
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from assay.sources.table import recognise_table
from assay.sources.texts import recognise_texts


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


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Two commands with four recordings each."""
    for number, name in enumerate(["go", "stop"]):
        for seed in range(4):
            put(tmp_path / "commands" / name / f"{seed}.wav", 10 * number + seed)
    return tmp_path / "commands"


def manifest(folder: Path, text: str, name: str = "clips.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_folder_zip_and_tar_give_the_same(commands: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted(commands.rglob("*.wav")):
            archive.write(file, f"wrapped/{file.relative_to(commands)}")
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
        tar.add(commands, ".")
    found = [clips(commands), clips(tmp_path / "all.zip"), clips(tmp_path / "all.tar.gz")]
    for records in found:
        assert column(records, "target") == ["go"] * 4 + ["stop"] * 4
        assert column(records, "digest") == column(found[0], "digest")
        assert records.problems == ()
        decodes(records)
    assert found[0].fingerprint == found[2].fingerprint
    assert column(found[0], "id")[0] == "go/0.wav"
    facts = found[0].facts
    assert facts["class_counts"] == {"go": 4, "stop": 4} and facts["rates"] == {"16000": 8}
    assert facts["seconds"] == {"total": 4.0, "min": 0.5, "median": 0.5, "max": 0.5}
    assert scores(commands) == (0.9, 0.0)


def test_folders_below_given_sides(tmp_path: Path) -> None:
    for side in ("train", "valid", "test"):
        for name in ("go", "stop"):
            put(tmp_path / "data" / side / name / "0.ogg", form="OGG", seed=len(side) + len(name))
    records = clips(tmp_path / "data")
    assert records.facts["split"] == {"test": 2, "train": 2, "validation": 2}
    assert "split" not in clips(tmp_path / "data", split="80/10/10").index().column_names
    with pytest.raises(SettingError, match="'fold' is neither shares"):
        clips(tmp_path / "data", split="fold")
    for side in ("train", "test"):
        put(tmp_path / "bare" / side / "0.wav")
    assert scores(tmp_path / "bare") == (0.0, 0.0)


def test_speech_commands(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    for seed, (word, speaker) in enumerate(
        (word, speaker) for word in ("yes", "no") for speaker in ("aa01", "bb02", "cc03")
    ):
        put(folder / word / f"{speaker}_nohash_0.wav", seed)
    put(folder / "_background_noise_" / "rain.wav", 40, 90.0)
    (folder / "validation_list.txt").write_text("yes/bb02_nohash_0.wav\nno/bb02_nohash_0.wav\n")
    (folder / "testing_list.txt").write_text("yes/cc03_nohash_0.wav\nno/cc03_nohash_0.wav\n")
    records = clips(folder)
    assert records.facts["background"] == ["_background_noise_/rain.wav"]
    assert column(records, "group") == ["aa01", "bb02", "cc03"] * 2
    assert column(records, "split") == ["train", "validation", "test"] * 2
    assert records.problems == ()
    assert (
        records.load is not None and decode_audio(records.load("_background_noise_/rain.wav"), 8000, 1.0).seconds == 1.0
    )


def fsdd(folder: Path, speakers: tuple[str, ...] = ("ann", "bob", "eve")) -> Path:
    for digit in range(3):
        for seed, speaker in enumerate(speakers):
            for take in range(2):
                put(folder / f"{digit}_{speaker}_{take}.wav", 30 * digit + 3 * seed + take)
    return folder


def test_names_with_label_and_speaker(tmp_path: Path) -> None:
    records = clips(fsdd(tmp_path / "recordings"))
    assert records.facts["class_counts"] == {"0": 6, "1": 6, "2": 6} and records.facts["speakers"] == 3
    sides = split(records.index(), None, 0)
    assert sides.by == "group"
    for speaker in ("ann", "bob", "eve"):
        assert len(set(sides.side[np.array(column(records, "group")) == speaker])) == 1
    assert set(sides.side) == {0, 1, 2}
    assert "group" not in clips(tmp_path / "recordings", group="none").index().column_names
    with pytest.raises(SettingError) as error:
        clips(tmp_path / "recordings", group="speakers")
    assert error.value.hint == "Did you mean 'speaker'?"
    assert scores(tmp_path / "recordings") == (0.92, 0.0)
    with pytest.raises(DataError, match="no transcript for each recording; known of each is 'label', 'speaker'"):
        transcripts(tmp_path / "recordings")
    assert column(transcripts(tmp_path / "recordings", target="label"), "target")[0] == "0"


def test_fewer_speakers_than_sides_are_no_groups(tmp_path: Path) -> None:
    records = clips(fsdd(tmp_path / "x", ("ann", "bob")))
    assert kinds(records) == {"too-few-speakers-to-split-by": (1, "kept")}
    assert "group" not in records.index().column_names and set(column(records, "speaker")) == {"ann", "bob"}
    assert "group" in clips(tmp_path / "x", split="80/20/0").index().column_names
    assert "group" in clips(tmp_path / "x", group="speaker").index().column_names


@pytest.mark.parametrize("names", [
    ["holiday_anna_1", "beach_tom_2", "song_tim_3", "wind_jo_4"],  # no label comes twice
    ["00_11_22", "00_11_23", "01_11_22", "01_11_23"],  # nothing that could be a speaker
    ["take1", "take2", "take3"],
    ["0_1", "1_0", "1_1"],
])  # fmt: skip
def test_names_that_follow_no_rule(names: list[str], tmp_path: Path) -> None:
    for seed, name in enumerate(names):
        put(tmp_path / "x" / f"{name}.wav", seed)
    assert scores(tmp_path / "x") == (0.0, 0.0)
    with pytest.raises(DataError, match=f"{len(names)} recordings without labels"):
        clips(tmp_path / "x")


def test_names_of_yesno(tmp_path: Path) -> None:
    names = ["0_0_1_1_0_1_0_1", "1_1_1_1_0_0_0_0", "0_1_0_1_0_1_0_1"]
    for seed, name in enumerate(names):
        put(tmp_path / "waves" / f"{name}.wav", seed)
    (tmp_path / "waves" / "README").write_text("about")
    records = transcripts(tmp_path)
    assert column(records, "target")[1] == "no yes no yes no yes no yes"
    assert (
        dict(zip(column(records, "id"), column(records, "target"), strict=True))["waves/0_0_1_1_0_1_0_1.wav"]
        == "no no yes yes no yes no yes"
    )
    assert scores(tmp_path)[1] == 0.92


def test_a_pattern_of_the_users_own(tmp_path: Path) -> None:
    for seed, (speaker, word) in enumerate(
        (speaker, word) for speaker in ("a-1", "b-2", "c-3") for word in ("on", "off")
    ):
        put(tmp_path / "x" / speaker / f"{word}+{seed}.flac", seed, form="FLAC")
    put(tmp_path / "x" / "loose.wav", 99)
    records = clips(tmp_path / "x", extra={"file_names": "{speaker}/{label}+{}"})
    assert column(records, "target") == ["off", "on"] * 3
    assert column(records, "group") == ["a-1", "a-1", "b-2", "b-2", "c-3", "c-3"]
    assert kinds(records) == {"unreadable-name": (1, "skipped")}
    assert column(clips(tmp_path / "x", extra={"file_names": "{label}+{}"}), "target") == ["off", "on"] * 3
    with pytest.raises(SettingError, match="names no part"):
        clips(tmp_path / "x", extra={"file_names": "label"})
    with pytest.raises(DataError, match="no name of 7 recordings follows"):
        clips(tmp_path / "x", extra={"file_names": "{label}#{speaker}"})


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


def kaldi(folder: Path, script: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wav.scp").write_text(script)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


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
