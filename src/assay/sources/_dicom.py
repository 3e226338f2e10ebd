"""One DICOM file: its pixels in the units of the modality, where they lie in the patient, and whose they are.

Compressed transfer syntaxes are decoded by pydicom with python-gdcm, or whatever else of its decoders is installed, in
processes of their own (`_dicom_decoding`).
What identifies a patient stays in memory: no message holds a value of a file's elements.

Sources: DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16 (multi-frame functional groups), C.11.1 (modality LUT).

Shapes: F frames, H rows, W columns.
"""

from __future__ import annotations

import gzip
import io
import logging
import re
import warnings
import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import MissingExtraError
from assay.sources._dicom_decoding import decoded_pixels
from assay.sources._digest import array_digest
from assay.sources.scan import UnreadableScan

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Array = np.ndarray[Any, Any]
#: What is written where a patient number was taken out.
_NOBODY = ("", "anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "n/a", "na", "null", "0", "patient")


@dataclass(frozen=True)
class DicomImage:
    """The picture or the frames of one file.

    Attributes:
        name: of the file.
        patient, study, series: who and what it belongs to; None where the file does not say. They never leave memory.
        number: its place in the series, as the device counted.
        values: (F, H, W) float32 in the units of the modality (Hounsfield in CT), or (F, H, W, 3) uint8 of colours.
        positions: (F, 3) mm, where the first voxel of each frame lies, to the patient's left, back and head; or None.
        orientation: (6,) the direction of rows and then of columns, as cosines; or None.
        spacing_mm: between rows and between columns.
        thickness_mm: of a slice, or from one to the next.
        inverted: the least value is white (MONOCHROME1).
        padding: the value, in the units of the modality, of what was never measured; or None.
        window: centre and width that the file proposes; or None.
        burned_in: it says that there is writing in the picture.
        digests: of each frame's values, "" where all pixels are alike.
    """

    name: str
    patient: str | None
    study: str | None
    series: str | None
    number: int
    values: Array
    positions: Array | None
    orientation: Array | None
    spacing_mm: tuple[float, float]
    thickness_mm: float
    inverted: bool
    padding: float | None
    window: tuple[float, float] | None
    burned_in: bool
    digests: tuple[str, ...]


def is_dicom(head: bytes) -> bool:
    """Whether the first 132 bytes are those of a DICOM file."""
    return head[128:132] == b"DICM"


def read_dicom(payload: bytes, name: str) -> DicomImage:
    """The image in a file.

    Raises:
        UnreadableScan: the file is no DICOM (`no-dicom`), has no pixels (`no-pixel-data`), or they cannot be decoded
            (`undecodable-pixels`, `truncated-file`, `unknown-compression`).
        MissingExtraError: pydicom, or what decodes such pixels, is not installed.
    """
    try:
        import pydicom
    except ImportError:
        raise MissingExtraError("reading DICOM files", "scan") from None
    silence("pydicom")
    if payload[:2] == b"\x1f\x8b":
        try:
            payload = gzip.decompress(payload)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableScan("truncated-file", name) from error
    try:
        data = pydicom.dcmread(io.BytesIO(payload), force=True)
        if not any(element in data for element in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            # Where compressed pixels end early, pydicom drops all elements.
            cut = not len(data) and is_dicom(payload[:132])
            raise UnreadableScan("truncated-file" if cut else "no-pixel-data" if len(data) else "no-dicom", name)
        _check_compression(data, name)
        return _image(data, _stored(data, payload, name), name)
    except (UnreadableScan, MissingExtraError):
        raise
    except Exception as error:  # damaged elements raise everything that Python knows, with their values in it
        raise UnreadableScan("undecodable-pixels", name) from error


def _check_compression(data: Dataset, name: str) -> None:
    """Tell pixels in a form that nothing here decodes from damaged ones, and from those that an extra would decode."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
    if syntax is None:
        return
    try:
        if get_decoder(syntax).is_available:
            return
    except NotImplementedError as error:
        raise UnreadableScan("unknown-compression", name) from error
    if find_spec("gdcm") is None:
        raise MissingExtraError("decoding compressed DICOM files", "scan")
    raise UnreadableScan("unknown-compression", name)


def silence(package: str) -> None:
    """Let a package warn of nothing, neither by Python's warnings nor by its log: it writes values of elements there.

    For as long as the process lives: filters that are set for a while are shared by all threads.
    """
    logging.getLogger(package).setLevel(logging.CRITICAL + 1)
    pattern = re.compile(rf"{package}(\.|$)")
    known = ("ignore", None, Warning, pattern, 0)
    if known not in warnings.filters:
        warnings.filterwarnings("ignore", module=pattern.pattern)


def _stored(data: Dataset, payload: bytes, name: str) -> Array:
    """The pixels as they were stored: (H, W), (F, H, W) or with colours (…, 3)."""
    from pydicom.uid import RLELossless

    syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
    if syntax is None or not syntax.is_encapsulated or syntax == RLELossless:  # which Python itself decodes
        return np.asarray(data.pixel_array)
    found = decoded_pixels(payload)
    if found is None:
        raise UnreadableScan("undecodable-pixels", name)
    return found


def _image(data: Dataset, stored: Array, name: str) -> DicomImage:
    values = _values(data, stored)
    frames = len(values)
    positions, orientation = _places(data, frames)
    first = _group(data, 0)
    measures = first.get("PixelMeasuresSequence") or [data]
    spacing = _numbers(measures[0].get("PixelSpacing") or data.get("ImagerPixelSpacing") or (), 2) or [1.0, 1.0]
    thickness = _numbers([measures[0].get("SpacingBetweenSlices") or measures[0].get("SliceThickness") or 0], 1) or [
        0.0
    ]
    voi = (first.get("FrameVOILUTSequence") or [data])[0]
    window = [_first(voi.get(element)) for element in ("WindowCenter", "WindowWidth")]
    known = window[0] is not None and window[1] is not None and window[1] > 0
    return DicomImage(
        name,
        _patient(data),
        str(data.get("StudyInstanceUID") or "") or None,
        str(data.get("SeriesInstanceUID") or "") or None,
        int(_first(data.get("InstanceNumber")) or 0),
        values,
        positions,
        orientation,
        (spacing[0] or 1.0, spacing[1] or 1.0),
        abs(thickness[0]) or 1.0,
        data.get("PhotometricInterpretation") == "MONOCHROME1",
        _padding(data),
        (float(window[0] or 0), float(window[1] or 0)) if known else None,
        str(data.get("BurnedInAnnotation") or "").upper() == "YES",
        tuple("" if frame.min() == frame.max() else array_digest(frame) for frame in values),
    )


def _patient(data: Dataset) -> str | None:
    """What tells patients apart: the number with who gave it, else name and day of birth; None where it is gone."""
    number = str(data.get("PatientID") or "").strip()
    if number.lower() not in _NOBODY:
        return f"{data.get('IssuerOfPatientID') or ''}|{number}"
    name = str(data.get("PatientName") or "").strip()
    return (
        f"{name}|{data.get('PatientBirthDate') or ''}"
        if name.replace("^", " ").strip().lower() not in _NOBODY
        else None
    )


def _values(data: Dataset, stored: Array) -> Array:
    """(F, H, W) float32 in the units of the modality, or (F, H, W, 3) uint8."""
    from pydicom.pixels.processing import apply_color_lut

    samples = int(data.get("SamplesPerPixel") or 1)
    if data.get("PhotometricInterpretation") == "PALETTE COLOR":
        stored, samples = apply_color_lut(stored, data), 3
        if stored.dtype != np.uint8:
            stored = (stored >> 8).astype(np.uint8)
    if samples > 1:
        colours = stored if stored.ndim == 4 else stored[None]
        if colours.dtype != np.uint8:
            bits = int(data.get("BitsStored") or 16)
            colours = (colours.astype(np.float64) / (2.0**bits - 1) * 255).round().clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(colours)
    frames = stored if stored.ndim == 3 else stored[None]
    return np.stack([_measured(frame, data, place) for place, frame in enumerate(frames)]).astype(np.float32)


def _measured(frame: Array, data: Dataset, place: int) -> Array:
    """A frame by the modality's LUT or slope and intercept, of its own where it has such; doses by their scaling."""
    from pydicom.pixels.processing import apply_modality_lut

    own = _group(data, place).get("PixelValueTransformationSequence")
    found = np.asarray(apply_modality_lut(frame, own[0] if own else data))
    scaling = _first(data.get("DoseGridScaling"))
    return found * scaling if scaling is not None else found


def _padding(data: Dataset) -> float | None:
    value = _first(data.get("PixelPaddingValue"))
    if value is None:
        return None
    slope, intercept = _first(data.get("RescaleSlope")), _first(data.get("RescaleIntercept"))
    return value * (1.0 if slope is None else slope) + (intercept or 0.0)


def _places(data: Dataset, frames: int) -> tuple[Array | None, Array | None]:
    """Where each frame lies, and its orientation."""
    first = _group(data, 0)
    turned = (first.get("PlaneOrientationSequence") or [data])[0].get("ImageOrientationPatient")
    orientation = _numbers(turned or (), 6)
    if not orientation or not all(0.5 < np.linalg.norm(part) < 1.5 for part in (orientation[:3], orientation[3:])):
        return None, None
    turn = np.asarray(orientation)
    own = [(_group(data, place).get("PlanePositionSequence") or [None])[0] for place in range(frames)]
    if all(one is not None for one in own):
        found = [_numbers(one.get("ImagePositionPatient") or (), 3) for one in own]
        return (np.asarray(found), turn) if all(found) else (None, turn)
    start = _numbers(data.get("ImagePositionPatient") or (), 3)
    if not start:
        return None, turn
    normal = np.cross(turn[:3], turn[3:])
    offsets = _numbers(data.get("GridFrameOffsetVector") or (), frames)
    step = _first(data.get("SpacingBetweenSlices")) or _first(data.get("SliceThickness")) or 1.0
    away = np.asarray(offsets) if offsets else np.arange(frames) * step
    return np.asarray(start) + (away - away[0])[:, None] * normal, turn


def _group(data: Dataset, place: int) -> Dataset:
    """The functional groups of a frame, its own before the shared ones; empty in files that have none."""
    from pydicom.dataset import Dataset

    found = Dataset()
    shared, frames = data.get("SharedFunctionalGroupsSequence"), data.get("PerFrameFunctionalGroupsSequence")
    if shared:
        found.update(shared[0])
    if frames and place < len(frames):
        found.update(frames[place])
    return found


def _numbers(values: Any, count: int) -> list[float]:
    """So many finite numbers, or none."""
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        return []
    return found if len(found) == count and np.isfinite(found).all() else []


def _first(value: Any) -> float | None:
    """A number, or the first of several; None where there is none."""
    if value is None or (hasattr(value, "__len__") and not len(value)):
        return None
    one = value[0] if isinstance(value, list | tuple) or hasattr(value, "insert") else value
    found = _numbers([one], 1)
    return found[0] if found else None
