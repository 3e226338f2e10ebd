"""One volume of neuroimaging: NIfTI-1 and -2, as one file or a pair, Analyze, and FreeSurfer's MGH; compressed or not.

Shapes: D slices, H rows, W columns.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import MissingExtraError
from assay.sources._dicom import silence
from assay.sources._digest import array_digest
from assay.sources._scan_grid import upright
from assay.sources.scan import UnreadableScan

Array = np.ndarray[Any, Any]
ENDINGS = (".nii", ".nii.gz", ".img", ".img.gz", ".mgz", ".mgh")


@dataclass(frozen=True)
class NiftiImage:
    """A volume.

    Attributes:
        values: (D, H, W) float32 by the file's slope and intercept, axes as in `upright`.
        spacing_mm: along each axis.
        problems: what was repaired or is doubtful: `nan-voxels`, `several-volumes`.
        digest: of the values; "" where all are alike.
    """

    values: Array
    spacing_mm: tuple[float, float, float]
    problems: tuple[str, ...]
    digest: str


def is_nifti_name(name: str) -> bool:
    """Whether a file is such a volume by its name; a `.hdr` belongs to its `.img`."""
    return name.lower().endswith(ENDINGS)


def header_names(name: str) -> tuple[str, ...]:
    """Where the header of an `.img` file may lie; nothing for files that hold their own."""
    base = name.lower()
    if not base.endswith((".img", ".img.gz")):
        return ()
    stem = name[: base.rindex(".img")]
    return (f"{stem}.hdr", f"{stem}.hdr.gz", f"{stem}.HDR")


def read_nifti(payload: bytes, name: str, header: bytes | None = None) -> NiftiImage:
    """The volume in a file; several over time are averaged.

    Args:
        payload: the bytes of the file.
        name: its name, by which its kind is known.
        header: the bytes of the header of an `.img` file.

    Raises:
        UnreadableScan: the file is damaged (`truncated-file`, `unreadable-volume`), or holds no volume (`not-a-volume`,
            `only-nan-voxels`).
        MissingExtraError: nibabel is not installed.
    """
    try:
        from nibabel.orientations import io_orientation  # noqa: F401
    except ImportError:
        raise MissingExtraError("reading NIfTI files", "scan") from None
    silence("nibabel")
    silence("nibabel.global")
    payload, header = _unpacked(payload, name), None if header is None else _unpacked(header, name)
    try:
        image = _opened(payload, name, header)
        shape = tuple(int(size) for size in image.shape)
        values = np.asarray(image.dataobj)
        affine = np.asarray(image.affine, float)
    except Exception as error:  # damaged headers and short files fail in many ways
        raise UnreadableScan("truncated-file" if _too_short(error) else "unreadable-volume", name) from error
    return _volume(values, affine, shape, name)


def _volume(values: Array, affine: Array, shape: tuple[int, ...], name: str) -> NiftiImage:
    problems = []
    if values.dtype.kind not in "biuf" or not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise UnreadableScan("not-a-volume", name)
    found = np.asarray(values, np.float32)
    if not np.isfinite(found).all():
        good = found[np.isfinite(found)]
        if not good.size:
            raise UnreadableScan("only-nan-voxels", name)
        problems.append("nan-voxels")
        found = np.where(np.isfinite(found), found, good.min())
    if found.ndim == 2:
        found = found[:, :, None]
    if found.ndim == 4:
        if found.shape[3] > 1:
            problems.append("several-volumes")
        found = found.mean(axis=3)
    columns = affine[:3, :3]
    sizes = np.linalg.norm(columns, axis=0)
    if not np.isfinite(columns).all() or (sizes < 1e-9).any():
        columns, sizes = np.eye(3), np.ones(3)
    axes = (columns / sizes).T * np.asarray([-1.0, -1.0, 1.0])  # towards right and front becomes left and back
    turned, spacing = upright(found, axes, sizes.tolist())
    alike = turned.min() == turned.max()
    return NiftiImage(turned, spacing, tuple(problems), "" if alike else array_digest(turned))


def _opened(payload: bytes, name: str, header: bytes | None) -> Any:
    """Nibabel's image of a file in memory."""
    import nibabel
    from nibabel.fileholders import FileHolder

    base = name.lower().removesuffix(".gz")
    if base.endswith((".mgz", ".mgh")):
        return nibabel.MGHImage.from_bytes(payload)
    if base.endswith(".img"):
        if header is None:
            raise ValueError("no header")
        kinds = (nibabel.Nifti1Pair, nibabel.Nifti2Pair, nibabel.Spm99AnalyzeImage, nibabel.AnalyzeImage)
        kind = next(one for one in kinds if one.header_class.may_contain_header(header))
        parts = {"header": FileHolder(fileobj=io.BytesIO(header)), "image": FileHolder(fileobj=io.BytesIO(payload))}
        return kind.from_file_map(parts)
    kind = nibabel.Nifti2Image if payload[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nibabel.Nifti1Image
    return kind.from_bytes(payload)


def _unpacked(payload: bytes, name: str) -> bytes:
    if payload[:2] != b"\x1f\x8b":
        return payload
    try:
        return gzip.decompress(payload)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableScan("truncated-file", name) from error


def _too_short(error: BaseException) -> bool:
    """Whether an error says that bytes are missing."""
    text = f"{type(error).__name__} {error}".lower()
    return any(
        word in text for word in ("expected", "eof", "buffer", "not enough", "truncat", "too small", "cannot reshape")
    )
