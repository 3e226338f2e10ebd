"""Clips in folders and archives, and names that tell what is in them."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from recording_reading import (
    clips,
    column,
    decodes,
    fsdd,
    kinds,
    scores,
    transcripts,
)
from sounds import put

from assay.errors import DataError, SettingError
from assay.samples.split import split
from assay.sources.audio import decode_audio


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
