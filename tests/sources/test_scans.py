"""Scans from folders and tables: whose they are, what they show, and nothing odd in them goes unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scan_examples as scans
from assay.errors import DataError, SettingError
from assay.sources._scan_grid import stack_slices
from assay.sources.scans import read_scan_inputs, read_scans, recognise_scans
from assay.sources.source import DataOptions, open_source

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

Array = np.ndarray[Any, Any]


def test_what_is_white_in_the_file_is_white(tmp_path: Path) -> None:
    values = np.full((8, 8), 1024, np.int16)
    values[2:4] = 1300
    for name, kind in (("a", "MONOCHROME1"), ("b", "MONOCHROME2")):
        scans.save(scans.dataset(values, name, PhotometricInterpretation=kind), tmp_path / kind / "1.dcm")
    records = read_scan_inputs(open_source(tmp_path))
    pictures = {}
    for row in records.index().column("location").to_pylist():
        picture = records.load(row).pictures[0]  # type: ignore[misc]
        pictures[bool(picture[2, 0, 0] > picture[0, 0, 0])] = picture[..., 0]
    assert np.array_equal(pictures[True], 255 - pictures[False])


def series_folder(folder: Path, change: Any = None, patients: int = 4) -> Path:
    """Series of ten slices, a patient each, in two classes; `change` takes the first patient's data sets."""
    random = np.random.default_rng(0)
    for number in range(patients):
        data = scans.series_of(random.integers(900, 1200, (10, 8, 8)).astype(np.int16), f"P{number}")
        if change is not None and not number:
            data = change(data)
        for place, one in enumerate(data):
            scans.save(one, folder / ("ill" if number % 2 else "well") / f"{number}" / f"{place}.dcm")
    return folder


def duplicate(data: list[Any]) -> list[Any]:
    data[4].ImagePositionPatient = data[5].ImagePositionPatient
    return data


def uneven(data: list[Any]) -> list[Any]:
    for place, one in enumerate(data[5:]):
        one.ImagePositionPatient = [0, 0, 18 + 3.9 * place]
    return data


def other_pixels(data: list[Any]) -> list[Any]:
    data[3].PixelSpacing = [1.0, 1.0]
    return data


def without_pixels(data: list[Any]) -> list[Any]:
    del data[9].PixelData
    return data


@pytest.mark.parametrize(
    ("change", "kind", "action"),
    [
        (lambda data: [one for place, one in enumerate(data) if place != 4], "missing-slice", "repaired"),
        (duplicate, "duplicate-slice", "repaired"),
        (uneven, "mixed-spacing", "repaired"),
        (other_pixels, "mixed-spacing", "skipped"),
        (without_pixels, "no-pixel-data", "skipped"),
    ],
)
def test_what_is_wrong_with_a_series_is_told(tmp_path: Path, change: Any, kind: str, action: str) -> None:
    records = read_scans(open_source(series_folder(tmp_path, change)), DataOptions())
    assert (kind, action) in {(problem.kind, problem.action) for problem in records.problems}
    assert records.facts["samples"] == 4
    for place in records.index().column("location").to_pylist():
        (found,) = records.load(place).volumes  # type: ignore[misc]
        assert len(found.values) in (9, 10, 11) and found.values.shape[1:] == (8, 8)


def test_missing_slices_are_interpolated() -> None:
    values = np.repeat(np.arange(8, dtype=np.int16)[:, None, None] * 10, 4, 1).repeat(4, 2)
    data = [one for place, one in enumerate(scans.series_of(values, "a")) if place not in (3, 4)]
    stack = stack_slices(scans.read_back(data))
    assert stack is not None and np.allclose(stack.values[:, 0, 0], np.arange(8) * 10 - 1024)
    assert dict(stack.problems) == {"missing-slice": 2}


def test_nan_voxels_and_short_files_are_told(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(4):
        values = random.normal(size=(6, 6, 6)).astype(np.float32)
        if not number:
            values[2, 2, 2] = np.nan
        file = tmp_path / ("ill" if number % 2 else "well") / f"{number}.nii"
        file.parent.mkdir(exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), file)
        if number == 3:
            (tmp_path / "ill" / "5.nii").write_bytes(file.read_bytes()[:500])
    (tmp_path / "well" / "6.nii.gz").write_bytes(b"")
    nibabel.save(nibabel.Nifti1Image(np.full((4, 4, 4), np.nan, np.float32), np.eye(4)), tmp_path / "well" / "7.nii")
    records = read_scans(open_source(tmp_path), DataOptions())
    kinds = {problem.kind: problem.action for problem in records.problems}
    assert kinds == {"nan-voxels": "repaired", "truncated-file": "skipped", "empty-file": "skipped",
                     "only-nan-voxels": "skipped"}  # fmt: skip
    assert records.facts["samples"] == 4


def test_one_patient_under_two_numbers_is_found(tmp_path: Path) -> None:
    """The same pixels under another number: both are one group, and that is told."""
    random = np.random.default_rng(0)
    for number in range(6):
        values = (
            scans.grey(np.random.default_rng(77), False) if number in (2, 4) else scans.grey(random, number % 2 == 1)
        )
        scans.save(scans.dataset(values, f"P{number}"), tmp_path / ("ill" if number % 2 else "well") / f"{number}.dcm")
    records = read_scans(open_source(tmp_path), DataOptions())
    assert ("one-patient-under-two-ids", 1) in {(problem.kind, problem.count) for problem in records.problems}
    assert records.facts["patients"] == 5 and records.facts["samples"] == 6


def test_patients_are_groups_and_exams_are_units(tmp_path: Path) -> None:
    """Two series of one study are one unit; another study of the patient is a unit of the same group."""
    random = np.random.default_rng(0)
    for number, (patient, study, series) in enumerate(
        [("a", "1", "1"), ("a", "1", "2"), ("a", "2", "1"), ("b", "1", "1")]
    ):
        data = scans.dataset(scans.grey(random, False), patient, study, series)
        scans.save(data, tmp_path / ("ill" if patient == "b" else "well") / f"{number}.dcm")
    index = read_scans(open_source(tmp_path), DataOptions()).index()
    assert index.num_rows == 3 and len(set(index.column("group").to_pylist())) == 2


def test_one_number_for_all_tells_nobody_apart(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(6):
        data = scans.dataset(scans.grey(random, False), "STUDY-7", study=str(number))
        scans.save(data, tmp_path / ("ill" if number % 2 else "well") / f"{number}.dcm")
    records = read_scans(open_source(tmp_path), DataOptions())
    assert records.facts["patients"] == 6
    assert [problem.kind for problem in records.problems] == ["one-patient-number-for-all"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_names_files_folders_and_patients(tmp_path: Path, packed: bool) -> None:
    import shutil

    folder = series_folder(tmp_path / "scans")
    rows = ["path,diagnosis,patient", "well/0,no,x", "ill/1,yes,y", "well/2,no,z", "ill/3,yes,z", "gone,no,w"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    place = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder)) if packed else folder
    assert (found := recognise_scans(open_source(place))) is not None and found.score > 0.9
    records = read_scans(open_source(place), DataOptions())
    index = records.index()
    assert sorted(index.column("target").to_pylist()) == ["no", "no", "yes", "yes"]
    assert len(set(index.column("group").to_pylist())) == 3
    assert {problem.kind for problem in records.problems} == {"missing-file"}
    with pytest.raises(SettingError, match="no column"):
        read_scans(open_source(place), DataOptions(group="whose"))


def test_files_without_labels_are_refused_with_what_is_expected(tmp_path: Path) -> None:
    scans.save(scans.dataset(scans.voxels(1)[0], "a"), tmp_path / "1.dcm")
    with pytest.raises(DataError, match="no labels") as caught:
        read_scans(open_source(tmp_path), DataOptions())
    assert "CSV" in caught.value.hint
    assert read_scan_inputs(open_source(tmp_path / "1.dcm")).facts["samples"] == 1


def test_pictures_of_a_patient_in_a_table_are_one_unit_and_exams_part_them(tmp_path: Path) -> None:
    from PIL import Image

    random, rows = np.random.default_rng(0), ["file,finding,subject,visit"]
    for number in range(8):
        Image.fromarray(random.integers(0, 255, (9, 9)).astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'ill' if number < 4 else 'well'},p{number // 4},v{number // 2}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    records = read_scans(open_source(tmp_path), DataOptions())
    assert records.facts["samples"] == 4 and records.facts["patients"] == 2
    place = records.index().column("location")[0].as_py()
    assert len(records.load(place).pictures) == 2  # type: ignore[misc]
    (tmp_path / "table.csv").write_text("\n".join(row.rsplit(",", 1)[0] for row in rows) + "\n")
    assert read_scans(open_source(tmp_path), DataOptions()).facts["samples"] == 2


def test_an_input_that_cannot_be_used_is_told_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "head.nii.gz").write_bytes(b"")
    with pytest.raises(DataError, match="the scan cannot be read") as told:
        read_scan_inputs(open_source(tmp_path / "head.nii.gz"))
    assert "export it again" in told.value.hint


def test_a_damaged_picture_among_scans_is_counted_by_a_kind_and_not_by_words_of_its_message(tmp_path: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    rows = ["file,finding,subject"]
    for number in range(4):
        Image.fromarray(random.integers(0, 255, (40, 40)).astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'ill' if number < 2 else 'well'},p{number // 2}")
    broken = tmp_path / "0.png"
    broken.write_bytes(broken.read_bytes()[:-600])
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    records = read_scans(open_source(tmp_path), DataOptions())
    assert [(one.kind, one.action) for one in records.problems] == [("unreadable-file", "skipped")]


def test_arrays_in_the_layout_of_medmnist_keep_their_sides(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, Array] = {}
    for side, count in (("train", 12), ("val", 4), ("test", 5)):
        arrays[f"{side}_images"] = random.integers(0, 255, (count, 14, 14), np.uint8)
        arrays[f"{side}_labels"] = (np.arange(count) % 2)[:, None]
    np.savez(tmp_path / "chests.npz", **arrays)
    records = read_scans(open_source(tmp_path / "chests.npz"), DataOptions())
    index = records.index()
    sides = index.column("split").to_pylist()
    assert [sides.count(side) for side in ("train", "validation", "test")] == [12, 4, 5]
    assert sorted(set(index.column("target").to_pylist())) == ["0", "1"]
    pictures = [records.load(place).pictures for place in index.column("location").to_pylist()]  # type: ignore[misc]
    assert all(np.array_equal(one[..., 0], own) for (one,), own in zip(pictures, arrays["train_images"], strict=False))
    whole = (tmp_path / "chests.npz").read_bytes()
    at = whole.rindex(b"PK\x01\x02")
    for place, value in ((at + 8, 1), (at + 10, 99)):  # said to be encrypted, or compressed in an unknown way
        broken = bytearray(whole)
        broken[place] = value
        (tmp_path / "broken.npz").write_bytes(bytes(broken))
        with pytest.raises(DataError):
            read_scans(open_source(tmp_path / "broken.npz"), DataOptions())
    np.savez(tmp_path / "short.npz", **{**arrays, "train_labels": arrays["train_labels"][:3]})
    with pytest.raises(DataError, match="12 images, but 3 labels"):
        read_scans(open_source(tmp_path / "short.npz"), DataOptions())
