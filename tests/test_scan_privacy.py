"""Nothing that identifies a patient leaves the DICOM files: planted everywhere, it is looked for in every byte."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scan_examples as scans

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("onnx")

SECRET = "Zzsecretzz"
DAY, TIME, UID = "19470213", "031415.926535", "1.2.826.0.1.3680043.10.4711081500"
#: Elements whose values say how pixels are read; all others of the groups below are planted.
_NEEDED = {"SpecificCharacterSet", "SOPClassUID", "ImageType", "Modality", "SamplesPerPixel"}
_GROUPS = (0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0032, 0x0038, 0x0040, 0x0088, 0x0400, 0x4008)
#: Groups that say how files and pixels are read; all others are planted in some of the files, retired elements, too.
_READING = (0x0000, 0x0002, 0x0004, 0x0028, 0x5200, 0x7FE0, 0xFFFC, 0xFFFE)
#: Elements of overlays and curves, whose groups recur.
_RECURRING = {0x60000022: "LO", 0x60001500: "LO", 0x60004000: "LT", 0x50000022: "LO", 0x50002508: "LO"}
_TEXTS = {"PN": f"{SECRET}^Name", "LO": SECRET, "SH": SECRET, "ST": SECRET, "LT": SECRET, "UT": SECRET,
          "UC": SECRET, "UR": f"http://{SECRET}", "AE": SECRET, "DA": DAY, "TM": TIME,
          "DT": f"{DAY}{TIME}", "AS": "077Y"}  # fmt: skip


def plant(data: Any, patient: int, everywhere: bool = False) -> None:
    """Give every element that can name somebody or something a value that is looked for; in sequences, too."""
    from pydicom.datadict import DicomDictionary
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    somebody = Dataset()
    somebody.PatientName, somebody.PatientID, somebody.PatientBirthDate = f"{SECRET}^Nested", SECRET, DAY
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        group = tag >> 16
        if keyword in _NEEDED or (group in _READING if everywhere else retired or group not in _GROUPS):
            continue
        if vr in _TEXTS:
            data[tag] = DataElement(tag, vr, _TEXTS[vr])
        elif vr == "UI" and group != 0x0008:
            data[tag] = DataElement(tag, vr, f"{UID}.{patient}")
        elif vr == "SQ" and everywhere:
            data[tag] = DataElement(tag, vr, [somebody])
    for tag, vr in _RECURRING.items() if everywhere else ():
        data[tag] = DataElement(tag, vr, SECRET)
    data.PatientID = f"{SECRET}{patient:03d}"
    data.PatientName = f"{SECRET}^{patient:03d}"
    data.SOPInstanceUID = f"{UID}.{patient}.9"
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{UID}.{patient}.1", f"{UID}.{patient}.2"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.SourceApplicationEntityTitle = SECRET
    data.preamble = (SECRET * 20).encode()[:128]
    block = data.private_block(0x0011, SECRET, create=True)
    block.add_new(1, "LO", SECRET)
    block.add_new(2, "PN", f"{SECRET}^Private")


def make_invalid(data: Any) -> None:
    """Values that are not allowed where they stand: pydicom's warnings would hold them."""
    from pydicom.dataelem import DataElement

    for keyword, vr in (
        ("StudyDate", "DA"),
        ("PatientAge", "AS"),
        ("FrameOfReferenceUID", "UI"),
        ("AccessionNumber", "SH"),
    ):
        data[keyword] = DataElement(keyword, vr, f"{SECRET} {SECRET} {SECRET}", validation_mode=pydicom.config.IGNORE)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a class of slices with planted elements, file and folder names; some files are damaged."""
    folder, random = tmp_path_factory.mktemp("planted") / SECRET, np.random.default_rng(3)
    for number in range(36):
        data = scans.dataset(scans.grey(random, number % 2 == 1), "x")
        plant(data, number, everywhere=number < 8)
        if number == 4:
            data.BurnedInAnnotation = "YES"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pydicom.config.settings._writing_validation_mode", pydicom.config.IGNORE)
            make_invalid(data)
            scans.save(
                data, folder / ("lesion" if number % 2 else "normal") / f"{SECRET}_{number:03d}" / f"{SECRET}.dcm"
            )
    bare = scans.dataset(scans.grey(random, False), "x", PixelData=None)
    plant(bare, 99, everywhere=True)
    scans.save(bare, folder / "normal" / f"{SECRET}_bare.dcm")
    (folder / "normal" / f"{SECRET}_cut.dcm").write_bytes(next(folder.rglob(f"{SECRET}.dcm")).read_bytes()[:-900])
    return folder


def told(place: Path, *words: object) -> subprocess.CompletedProcess[bytes]:
    """A command of Assay's in a process of its own, and all that it writes."""
    environment = {**os.environ, "ASSAY_PRIVATE": str(place / "private"), "ASSAY_CACHE": str(place / "cache"),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    environment.pop("ASSAY_PRIVACY_KEY", None)
    command = [sys.executable, "-m", "assay", *map(str, words)]
    return subprocess.run(command, env=environment, cwd=place, capture_output=True, check=False)


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of every file, and of compressed tables what is in them."""
    import pyarrow.parquet as pq

    for file in sorted(folder.rglob("*")):
        yield f"the name of {file.name}", str(file.relative_to(folder)).encode()
        if file.is_file():
            yield file.name, file.read_bytes()
            if file.suffix in (".parquet", ".arrow"):
                yield f"{file.name}, read", repr(pq.read_table(file).to_pylist()).encode()
            if file.suffix == ".npz":
                with np.load(file) as arrays:
                    yield f"{file.name}, read", repr({name: arrays[name].tobytes() for name in arrays}).encode()


def wrong(payload: bytes) -> list[str]:
    """Which of the planted values, in any case or as UTF-16, are in some bytes."""
    lower = payload.lower()
    looked = {text for text in (SECRET, DAY, TIME, UID)}
    return [text for text in looked if text.lower().encode() in lower or text.lower().encode("utf-16-le") in lower]


@pytest.fixture(scope="module")
def trained(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """The place of a run with quick evidence and its export, and all that the commands wrote."""
    place = tmp_path_factory.mktemp("place")
    known = ("--epochs", 2, "--set", "width=16", "--evidence", "quick", "--json")
    first = told(place, "train", planted, *known)
    assert first.returncode == 0, first.stderr.decode()
    run = json.loads(first.stdout)["run"]
    one = next(planted.rglob(f"{SECRET}_005/*.dcm"))
    others = [told(place, "inspect", planted, "--json"),
              told(place, "predict", run, planted, "--out", place / "answers.csv"),
              told(place, "explain", run, one, "--out", place / "why.html"),
              told(place, "evaluate", run, planted, "--json"),
              told(place, "label-next", run, planted, "--count", 3),
              told(place, "export", run, "--out", place / "exported", "--json")]  # fmt: skip
    assert [done.returncode for done in others] == [0] * len(others), [done.stderr.decode() for done in others]
    return place, [text for done in (first, *others) for text in (done.stdout, done.stderr)]


def test_no_identity_leaves_the_files(trained: tuple[Path, list[bytes]]) -> None:
    place, written = trained
    (run,) = (place / "runs").iterdir()
    assert run.name == "scan-diagnosis-1"
    seen = 0
    for name, payload in [*contents(run), ("answers.csv", (place / "answers.csv").read_bytes()),
                          ("why.html", (place / "why.html").read_bytes()), *contents(place / "cache"),
                          *contents(place / "exported")]:  # fmt: skip
        assert not wrong(payload), f"{name} holds {wrong(payload)}"
        seen += 1
    assert seen > 20
    assert any((place / "exported").rglob("*.onnx"))
    for text in written:
        assert not wrong(text), text.decode()


def test_the_page_says_that_this_is_no_medical_device(trained: tuple[Path, list[bytes]]) -> None:
    place, _ = trained
    (run,) = (place / "runs").iterdir()
    for page in (run / "report.html", place / "why.html"):
        assert "This is not a medical device." in page.read_text(encoding="utf-8"), page.name


def test_what_is_planted_would_be_found(planted: Path) -> None:
    """The search itself: it finds every value in a file as it came."""
    assert len(wrong(next(planted.rglob("*.dcm")).read_bytes())) == 4


def test_the_key_lies_outside_and_is_the_users_alone(trained: tuple[Path, list[bytes]]) -> None:
    place, _ = trained
    key = place / "private" / "privacy.key"
    assert len(key.read_bytes()) == 64
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for name, payload in contents(place / "runs"):
        assert key.read_bytes() not in payload, name


def test_a_run_finds_its_source_again_for_who_trained_it(trained: tuple[Path, list[bytes]], planted: Path) -> None:
    from assay.errors import RunError
    from assay.sources.privacy import found_source

    place, _ = trained
    (run,) = (place / "runs").iterdir()
    named = json.loads((run / "plan.json").read_text())["source"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_PRIVATE", str(place / "private"))
        assert found_source(named) == str(planted.resolve())
        patch.setenv("ASSAY_PRIVATE", str(place / "elsewhere"))
        with pytest.raises(RunError, match="not known here"):
            found_source(named)


def test_who_may_know_can_look_up_every_name(trained: tuple[Path, list[bytes]], planted: Path) -> None:
    """Those of files that were skipped, too; where that stands is told."""
    _, written = trained
    inspected = next(json.loads(text) for text in written if b'"candidates"' in text)
    said = [text.decode().split("stands in ")[1].splitlines()[0] for text in written if b"names are hidden" in text]
    known = json.loads(Path(said[0]).read_text())["files"]
    assert len(said) >= 3 and len(set(said[:2])) == 1  # inspect, predict and explain among them
    for problem in inspected["problems"]:
        for example in problem["examples"]:
            assert (planted / known[example["file"]][0]).exists()


def test_names_depend_on_the_key_and_on_nothing_else() -> None:
    from assay.errors import SettingError
    from assay.sources.privacy import privacy_key, pseudonym

    first, again, other = (pseudonym(key, "patient", "1234") for key in (b"a" * 16, b"a" * 16, b"b" * 16))
    assert first == again != other and len(first) == 16
    assert pseudonym(b"a" * 16, "scan", "1234") != first
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_PRIVACY_KEY", "short")
        with pytest.raises(SettingError, match="5 characters"):
            privacy_key()
        patch.setenv("ASSAY_PRIVACY_KEY", "long enough to be a key")
        assert privacy_key() == b"long enough to be a key"
