"""Scans from files: pixels, places and windows agree with pydicom's and nibabel's own reading and the standard."""

from __future__ import annotations

import io
import logging
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scan_examples as scans
from assay.errors import SettingError
from assay.sources._dicom import read_dicom
from assay.sources._nifti import header_names, is_nifti_name, read_nifti
from assay.sources._scan_grid import in_window, stack_slices, upright
from assay.sources.scan import UnreadableScan
from real_data import DATA

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

Array = np.ndarray[Any, Any]
_SAMPLES = DATA / "dicom_nifti_samples"


def files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []


PYDICOM = files_below(Path(pydicom.__file__).parent / "data" / "test_files")
NIBABEL = files_below(Path(nibabel.__file__).parent / "tests" / "data")
#: Files that pydicom itself reads, and that are refused for a reason.
REFUSED = {"MR_truncated.dcm"}


@pytest.mark.parametrize("folder", ["pydicom", "nibabel", "samples"])
def test_pixels_of_dicom_files_are_those_of_pydicom(folder: str) -> None:
    """Every file that pydicom decodes: the same values in the units of the modality, size, place and spacing."""
    files = {"pydicom": PYDICOM, "nibabel": NIBABEL, "samples": files_below(_SAMPLES)}[folder]
    files = [file for file in files if file.suffix in (".dcm", "")]
    if not files:
        pytest.skip("these files do not come with the installation")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    same = 0
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                data = pydicom.dcmread(file, force=True)
                expected: Array | None = expected_values(data)
            except Exception:
                data, expected = None, None
        try:
            found = read_dicom(file.read_bytes(), file.name)
        except UnreadableScan as error:
            assert expected is None or file.name in REFUSED, f"{file.name}: {error}"
            assert error.kind in ("no-pixel-data", "no-dicom", "undecodable-pixels", "truncated-file",
                                  "unknown-compression")  # fmt: skip
            continue
        assert expected is not None, file.name
        assert np.allclose(found.values.reshape(expected.shape), expected, rtol=1e-6, atol=1e-3), file.name
        if "ImagePositionPatient" in data and len(found.values) == 1 and found.positions is not None:
            assert np.allclose(found.positions[0], [float(one) for one in data.ImagePositionPatient]), file.name
        if "PixelSpacing" in data and data.PixelSpacing:
            assert np.allclose(found.spacing_mm, [float(one) for one in data.PixelSpacing]), file.name
        same += 1
    assert same >= {"pydicom": 60, "nibabel": 2, "samples": 3}[folder]


def expected_values(data: Any) -> Array:
    """What pydicom makes of a file: measured values, or colours in 8 bits."""
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    stored = data.pixel_array
    if data.PhotometricInterpretation == "PALETTE COLOR":
        return np.asarray(apply_color_lut(stored, data) >> 8)
    if data.get("SamplesPerPixel", 1) > 1:
        return stored if stored.dtype == np.uint8 else (stored / (2.0**data.BitsStored - 1) * 255).round()
    return np.asarray(apply_modality_lut(stored, data), float) * float(data.get("DoseGridScaling", 1))


@pytest.mark.parametrize("folder", ["nibabel", "samples"])
def test_voxels_of_nifti_files_are_those_of_nibabel(folder: str) -> None:
    """Values and spacing in nibabel's closest canonical orientation, axes turned to head, back and left."""
    files = [file for file in (NIBABEL if folder == "nibabel" else files_below(_SAMPLES)) if is_nifti_name(file.name)]
    if not files:
        pytest.skip("these files do not come with the installation")
    same = 0
    for file in files:
        heads = [file.with_name(name) for name in header_names(file.name) if file.with_name(name).exists()]
        try:
            found = read_nifti(file.read_bytes(), file.name, heads[0].read_bytes() if heads else None)
        except UnreadableScan as error:
            assert error.kind == "not-a-volume" and "dconn" in file.name, str(error)
            continue
        canonical = nibabel.as_closest_canonical(nibabel.load(file))
        values = np.asarray(canonical.dataobj, np.float32)
        values = np.where(np.isfinite(values), values, values[np.isfinite(values)].min())
        values = values.mean(axis=3) if values.ndim == 4 else values
        assert np.allclose(found.values, values.transpose(2, 1, 0)[:, ::-1, ::-1], rtol=1e-5, atol=1e-4), file.name
        sizes = np.linalg.norm(canonical.affine[:3, :3], axis=0)[::-1]
        assert np.allclose(found.spacing_mm, sizes, rtol=1e-4), file.name
        same += 1
    assert same >= 6


@pytest.mark.parametrize("kind", ["nii", "pair", "nifti2"])
def test_kinds_of_nifti_are_alike(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    head = None
    if kind == "pair":
        nibabel.save(nibabel.Nifti1Pair(values, affine), tmp_path / "a.img")
        file, head = tmp_path / "a.img", (tmp_path / "a.hdr").read_bytes()
    else:
        image = nibabel.Nifti1Image if kind == "nii" else nibabel.Nifti2Image
        nibabel.save(image(values, affine), file := tmp_path / "a.nii")
    found = read_nifti(file.read_bytes(), file.name, head)
    assert np.array_equal(found.values, values.transpose(2, 1, 0)[:, ::-1, ::-1])
    assert found.spacing_mm == (4.0, 3.0, 2.0)


def test_slices_are_sorted_by_where_they_lie_and_not_by_their_number() -> None:
    values = scans.voxels()
    data = [scans.dataset(one, "a", number=9 - place, ImagePositionPatient=[0, 0, 3.0 * place])
            for place, one in enumerate(values)]  # fmt: skip
    stack = stack_slices(scans.read_back([data[place] for place in (3, 0, 5, 1, 4, 2)]))
    assert stack is not None and not stack.problems
    assert np.array_equal(stack.values, values.astype(np.float32) - 1024)
    assert stack.spacing_mm == (3.0, 2.0, 1.5)


def test_a_sagittal_series_is_turned_as_an_axial_one() -> None:
    """Slices from left to right, rows towards the feet: the same voxels come out where they lie."""
    values = scans.voxels()
    turn = [0, 1, 0, 0, 0, -1]  # along a row to the back, along a column to the feet; the normal then points right
    data = scans.series_of(values, "a", ImageOrientationPatient=turn)
    for place, one in enumerate(data):
        one.ImagePositionPatient = [-3.0 * place, 0, 0]
    stack = stack_slices(scans.read_back(data))
    assert stack is not None
    # values[slice, row, column]: head = -row, back = column, left = -slice
    assert np.array_equal(stack.values, values.transpose(1, 2, 0)[::-1, :, ::-1].astype(np.float32) - 1024)
    assert stack.spacing_mm == (2.0, 1.5, 3.0)


def test_upright_agrees_with_nibabel() -> None:
    """Random affines: the closest canonical orientation of an independent implementation."""
    random = np.random.default_rng(4)
    for _ in range(20):
        values = random.normal(size=(3, 4, 5)).astype(np.float32)
        turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
        sizes = random.uniform(0.5, 4, 3)
        affine = np.eye(4)
        affine[:3, :3] = turn * sizes
        canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine))
        found, spacing = upright(values, turn.T * np.asarray([-1, -1, 1]), sizes.tolist())
        order = np.argmax(np.abs(turn), axis=1)
        if len(set(order.tolist())) < 3:
            continue  # two axes are about as near: either order is right
        assert np.array_equal(found, np.asarray(canonical.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1])
        assert np.allclose(spacing, np.linalg.norm(canonical.affine[:3, :3], axis=0)[::-1])


def test_a_multi_frame_file_is_a_volume() -> None:
    values = scans.voxels()
    (image,) = scans.read_back([scans.dataset(values, "a", SpacingBetweenSlices=3.0)])
    stack = stack_slices([image])
    assert stack is not None and np.array_equal(stack.values, values.astype(np.float32) - 1024)
    assert stack.spacing_mm == (3.0, 2.0, 1.5)


def test_a_window_is_that_of_the_standard() -> None:
    from pydicom.pixels import apply_windowing

    data = scans.dataset(scans.voxels(1)[0], "a", WindowCenter=20, WindowWidth=150)
    (image,) = scans.read_back([data])
    expected = apply_windowing(image.values[0].astype(np.float64), data)
    low, high = expected.min(), expected.max()
    own = in_window(image.values[0], "", image.window).astype(float)
    assert np.abs(own - (expected - low) / (high - low) * 255).max() <= 1.0
    assert in_window(np.asarray([-200.0, 40.0, 300.0]), "soft-tissue", None).tolist() == [0, 128, 255]
    with pytest.raises(SettingError, match="no window"):
        in_window(np.zeros(3), "9,1", None)


@pytest.mark.parametrize(("payload", "kind"), [(b"", "no-dicom"), (b"\x1f\x8b\x08 cut", "truncated-file")])
def test_an_error_says_what_kind_of_problem_it_is(payload: bytes, kind: str) -> None:
    with pytest.raises(UnreadableScan, match=kind) as told:
        read_dicom(payload, "a.dcm")
    assert told.value.kind == kind and told.value.hint and told.value.file == "a.dcm"


def _compressed(syntax: str, payload: bytes) -> bytes:
    """A file whose pixels are that payload in a transfer syntax."""
    data = scans.dataset(scans.voxels(1)[0], "a")
    file = io.BytesIO()
    data.PixelData = pydicom.encaps.encapsulate([payload])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(file, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return file.getvalue()


@pytest.mark.parametrize("syntax", ["1.2.3.4", "1.2.840.10008.1.2.4.102"])
def test_an_unknown_transfer_syntax_is_told_apart_from_damaged_pixels(syntax: str) -> None:
    with pytest.raises(UnreadableScan, match="unknown-compression") as told:
        read_dicom(_compressed(syntax, b"\0" * 64), "a.dcm")
    assert "transfer syntax" in told.value.hint and told.value.file == "a.dcm"
    with pytest.raises(UnreadableScan, match="undecodable-pixels"):
        read_dicom(_compressed("1.2.840.10008.1.2.4.80", b"\0" * 64), "a.dcm")


def test_a_compressed_file_that_is_cut_off_is_still_known_as_dicom() -> None:
    whole = _compressed("1.2.840.10008.1.2.4.80", b"\0" * 4096)
    with pytest.raises(UnreadableScan, match="truncated-file"):
        read_dicom(whole[:-2000], "a.dcm")


def test_compressed_pixels_that_are_damaged_end_nothing_and_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Libraries in python-gdcm write onto standard error by themselves, and over some files end their process."""
    from pydicom.encaps import encapsulate, generate_frames

    random, kinds = np.random.default_rng(0), set()
    for file in PYDICOM:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(file, force=True)
        syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
        if syntax is None or "JPEG" not in syntax.name or len(data.get("PixelData") or b"") not in range(1, 20_000):
            continue
        (frame, *_) = generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1))
        noise = bytearray(frame)
        noise[20 : len(noise) // 2] = random.integers(0, 256, len(noise) // 2 - 20, np.uint8).tobytes()
        small = pydicom.Dataset()
        small.file_meta = data.file_meta
        for element in data.group_dataset(0x0028):
            small.add(element)
        for damaged in (frame[: len(frame) // 2], bytes(noise)):
            small.add_new("PixelData", "OB", encapsulate([damaged]))
            small["PixelData"].is_undefined_length = True
            small.save_as(payload := io.BytesIO(), implicit_vr=False, little_endian=True)
            with pytest.raises(UnreadableScan, match="undecodable-pixels"):
                read_dicom(payload.getvalue(), file.name)
        kinds.add(syntax)
    assert len(kinds) >= 4
    assert capfd.readouterr().err == ""


def test_a_child_that_ends_over_a_file_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from assay.sources import _dicom_decoding as decoding

    dying = tmp_path / "_dicom_child.py"
    dying.write_text("import os, sys\nsys.stdin.buffer.read(8)\nos.abort()\n")
    monkeypatch.setattr(decoding, "_IDLE", {})
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "__file__", str(tmp_path / "_dicom_decoding.py"))
        assert decoding.decoded_pixels(b"any" * 100_000) is None
    assert not decoding._IDLE[os.getpid()]
    whole = next(file for file in PYDICOM if file.name == "MR_small_jpeg_ls_lossless.dcm").read_bytes()
    found = decoding.decoded_pixels(whole)
    assert found is not None and np.array_equal(found, pydicom.dcmread(io.BytesIO(whole)).pixel_array)
    ((child,),) = decoding._IDLE.values()
    assert decoding.decoded_pixels(whole) is not None
    assert decoding._IDLE[os.getpid()] == [child]
    child._process.kill()  # as over a file before, whose damage shows late: the next file is whole all the same
    child._process.wait()
    assert decoding.decoded_pixels(whole) is not None
    ((other,),) = decoding._IDLE.values()
    assert other is not child
    decoding._end_all()


def test_a_child_that_never_answers_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from assay.sources import _dicom_decoding as decoding

    (tmp_path / "_dicom_child.py").write_text("import sys, time\nsys.stdin.buffer.read(8)\ntime.sleep(60)\n")
    monkeypatch.setattr(decoding, "_IDLE", {})
    monkeypatch.setattr(decoding, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(decoding, "__file__", str(tmp_path / "_dicom_decoding.py"))
    start = time.monotonic()
    assert decoding.decoded_pixels(b"any") is None
    assert time.monotonic() - start < 30
    assert not decoding._IDLE[os.getpid()]


def test_a_child_that_is_interrupted_is_ended_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.sources import _dicom_decoding as decoding

    children = []

    def interrupted(child: Any, payload: bytes) -> None:
        children.append(child)
        raise KeyboardInterrupt

    monkeypatch.setattr(decoding, "_IDLE", {})
    monkeypatch.setattr(decoding._Child, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decoding.decoded_pixels(b"any")
    assert decoding._IDLE[os.getpid()] == []
    assert [child._process.poll() is None for child in children] == [False]
