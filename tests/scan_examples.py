"""Small scans that tests write: DICOM slices and series with a bright spot or none, and NIfTI volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
UID_ROOT = "1.2.826.0.1.3680043.10.998877."


def dataset(values: Array, patient: str, study: str = "1", series: str = "1", number: int = 1, **elements: Any) -> Any:
    """A CT slice of stored values (H, W) or frames (F, H, W), int16, as a pydicom data set."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    uid = f"{UID_ROOT}{abs(hash_of(patient, study, series, str(number)))}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid
    data.SOPClassUID, data.Modality = CTImageStorage, "CT"
    data.PatientID, data.PatientName = patient, f"Name^{patient}"
    data.StudyInstanceUID = f"{UID_ROOT}{abs(hash_of(patient, study))}"
    data.SeriesInstanceUID = f"{UID_ROOT}{abs(hash_of(patient, study, series))}"
    data.InstanceNumber = number
    data.Rows, data.Columns = values.shape[-2:]
    if values.ndim == 3:
        data.NumberOfFrames = len(values)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelSpacing, data.SliceThickness = [2.0, 1.5], 3.0
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [0, 0, 3.0 * number]
    data.WindowCenter, data.WindowWidth = 0, 400
    data.PixelData = np.ascontiguousarray(values, np.int16).tobytes()
    for name, value in elements.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def hash_of(*parts: str) -> int:
    import hashlib

    return int.from_bytes(hashlib.blake2b("/".join(parts).encode(), digest_size=6).digest(), "little")


def save(data: Any, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(file, enforce_file_format=True)
    return file


def grey(random: np.random.Generator, ill: bool, side: int = 24) -> Array:
    """(H, W) int16 stored values: noise, and a bright spot anywhere where ill."""
    values = random.normal(1024, 40, (side, side))
    if ill:
        row, column = random.integers(5, side - 5, 2)
        down, across = np.mgrid[:side, :side]
        values += 250 * np.exp(-((down - row) ** 2 + (across - column) ** 2) / 12)
    return np.asarray(values.round(), np.int16)


def slices_folder(folder: Path, patients: int = 40, seed: int = 0, views: int = 2) -> Path:
    """DICOM slices in a folder a class, one series of a single slice each view of a patient."""
    random = np.random.default_rng(seed)
    for number in range(patients):
        ill = number % 2 == 1
        for view in range(1 + number % views):
            data = dataset(grey(random, ill), f"P{number:03d}", series=str(view))
            save(data, folder / ("lesion" if ill else "normal") / f"{number:03d}-{view}.dcm")
    return folder


def series_of(values: Array, patient: str, **elements: Any) -> list[Any]:
    """A slice a data set, out of stored values (D, H, W)."""
    return [dataset(one, patient, number=place + 1, **elements) for place, one in enumerate(values)]


def volumes_folder(folder: Path, patients: int = 40, seed: int = 0) -> Path:
    """NIfTI volumes (12 slices of 3 mm, 20 rows and 16 columns of 2 mm) in a folder a class, up to two a patient."""
    import nibabel

    random = np.random.default_rng(seed)
    for number in range(patients):
        for scan in range(1 + number % 2):
            values = random.normal(90, 25, (16, 20, 12))
            if number % 4 > 1:
                centre = [random.integers(4, side - 4) for side in values.shape]
                grid = np.mgrid[:16, :20, :12]
                values += 160 * np.exp(-sum((grid[axis] - centre[axis]) ** 2 for axis in range(3)) / 10)
            file = folder / ("lesion" if number % 4 > 1 else "normal") / f"sub-{number:03d}_scan-{scan}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), np.diag([-2.0, 2.0, 3.0, 1.0])), file)
    return folder


def voxels(depth: int = 6) -> Array:
    """(D, 5, 7) int16 stored values."""
    return np.random.default_rng(1).integers(900, 1200, (depth, 5, 7)).astype(np.int16)


def read_back(datasets: list[Any]) -> list[Any]:
    """Data sets as `read_dicom` reads them from their files."""
    import io

    from assay.sources._dicom import read_dicom

    found = []
    for place, data in enumerate(datasets):
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        found.append(read_dicom(buffer.getvalue(), f"{place}.dcm"))
    return found
