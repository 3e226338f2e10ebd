"""Diagnosis from scans: the acceptance test on DICOM slices and on volumes, and what only this application has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scan_examples as scans
from assay.check import check_task
from assay.errors import SettingError
from assay.samples.scan_spec import diagnosis_target
from assay.samples.scan_windows import fit_scan_spec, on_grid, windows_of
from assay.sources.scan import Scan, Volume
from assay.sources.scans import read_scans
from assay.sources.source import DataOptions, open_source
from assay.tasks.scan_diagnosis import ScanDiagnosis

pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scans.slices_folder(tmp_path_factory.mktemp("slices"), patients=48, views=3)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scans.volumes_folder(tmp_path_factory.mktemp("volumes"), patients=48)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, slices: Path) -> list[Path]:
    """A DICOM without pixel data, one that is cut off, an empty NIfTI; an empty folder."""
    folder, empty = tmp_path_factory.mktemp("broken"), tmp_path_factory.mktemp("empty")
    (folder / "normal").mkdir()
    whole = next(slices.rglob("*.dcm")).read_bytes()
    scans.save(scans.dataset(np.zeros((8, 8)), "a", PixelData=None), folder / "normal" / "bare.dcm")
    (folder / "normal" / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "normal" / "a.nii").write_bytes(b"")
    return [folder, empty]


@pytest.mark.parametrize("kind", ["slices", "volumes"])
def test_check_task(kind: str, broken: list[Path], request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue(kind)
    options = DataOptions(split="50/25/25")
    results = check_task(ScanDiagnosis(), source, options, corrupt=broken, settings={"width": "8"})
    bad = [result for result in results if not result.ok]
    assert not bad, bad
    assert {result.name for result in results if result.outcome == "passed"} >= {"merge", "served", "explanation"}


def test_the_class_without_a_finding_comes_first() -> None:
    assert diagnosis_target(("abnormal", "normal"), None)[0].classes == ("normal", "abnormal")
    assert diagnosis_target(("a", "b"), None) == (diagnosis_target(("a", "b"), "a")[0], True)
    assert diagnosis_target(("a", "b"), "b")[0].classes == ("b", "a")
    target, healthy = diagnosis_target(("cyst", "stone", "tumour"), None)
    assert target.classes == ("cyst", "stone", "tumour") and not healthy
    with pytest.raises(SettingError, match="not one of the classes"):
        diagnosis_target(("a", "b"), "c")


@pytest.mark.parametrize(
    "extra",
    [{"at_sensitivity": "1.2"}, {"at_sensitivity": "much"}, {"grid": "3x3"}, {"view": "cube"}, {"merge": "least"},
     {"window": "9"}, {"healthy": "nobody"}],
)  # fmt: skip
def test_impossible_options_are_refused(volumes: Path, extra: dict[str, str]) -> None:
    with pytest.raises(SettingError):
        records = read_scans(open_source(volumes), DataOptions(extra=extra))
        fit_scan_spec(records, np.ones(records.index().num_rows, bool), DataOptions(extra=extra))


def test_volumes_are_brought_to_the_stated_grid(volumes: Path) -> None:
    options = DataOptions(extra={"grid": "6x8x10"})
    records = read_scans(open_source(volumes), options)
    spec = fit_scan_spec(records, np.ones(records.index().num_rows, bool), options)
    assert (spec.depth, spec.image.height, spec.image.width) == (6, 8, 10)
    assert spec.spacing_mm == (12 * 3.0 / 6, 20 * 2.0 / 8, 16 * 2.0 / 10)
    assert type(spec).from_json(spec.to_json()) == spec


def test_a_place_in_a_volume_stays_where_it_is_in_millimetres(volumes: Path) -> None:
    """The same ball, scanned with other voxels, comes to the same voxels of the grid."""
    records = read_scans(open_source(volumes), DataOptions())
    spec = fit_scan_spec(records, np.ones(records.index().num_rows, bool), DataOptions())
    centres = []
    for sizes in ((3.0, 2.0, 2.0), (1.5, 1.0, 4.0), (6.0, 2.5, 1.0)):
        shape = [round(extent / size) for extent, size in zip((36, 40, 32), sizes, strict=True)]
        axes = [(np.arange(count) + 0.5) * size for count, size in zip(shape, sizes, strict=True)]
        away = [axis - place for axis, place in zip(axes, (12, 25, 9), strict=True)]
        ball = 255 * np.exp(-sum(np.meshgrid(*(one**2 for one in away), indexing="ij")) / 40)
        found = on_grid(Volume(ball.astype(np.uint8), sizes), spec).astype(float)
        assert found.shape == (spec.depth, spec.image.height, spec.image.width)
        grid = np.indices(found.shape).reshape(3, -1)
        centres.append(((grid * found.ravel()).sum(axis=1) / found.sum() + 0.5) * np.asarray(spec.spacing_mm))
    assert np.abs(np.asarray(centres) - centres[0]).max() < 0.6


def test_slices_of_a_volume_are_pictures_where_that_is_asked_for(volumes: Path) -> None:
    options = DataOptions(extra={"view": "slices"})
    records = read_scans(open_source(volumes), options)
    spec = fit_scan_spec(records, np.ones(records.index().num_rows, bool), options)
    scan = Scan((), (Volume(np.zeros((40, 20, 16), np.uint8), (1.0, 1.0, 1.0)),))
    assert spec.depth == 0 and len(windows_of(scan, spec)) == 16
