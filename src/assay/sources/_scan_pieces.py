"""From files to series: which slices belong together, what is wrong with them, and how they are opened again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.sources._dicom import DicomImage, read_dicom
from assay.sources._digest import array_digest, content_digest
from assay.sources._image_header import is_image_name
from assay.sources._nifti import NiftiImage, header_names, is_nifti_name, read_nifti
from assay.sources._parallel import ordered_map
from assay.sources._scan_grid import in_window, parse_window, stack_slices
from assay.sources._scan_records import Piece
from assay.sources.decode import decode_values
from assay.sources.records import ProblemLog
from assay.sources.scan import Scan, UnreadableScan, Volume
from assay.sources.store import Store

if TYPE_CHECKING:
    from assay.sources.scan_files import Labelled

Array = np.ndarray[Any, Any]
_MOST_FRAMES = 16
_REPAIRED = {"duplicate-slice", "missing-slice", "mixed-spacing", "nan-voxels"}


@dataclass(frozen=True)
class _Seen:
    """What a first look at a file left: whose and what it is, without its pixels."""

    file: Labelled
    digests: tuple[str, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    image: DicomImage | None = None  # with one row of pixels at most
    shape: tuple[int, ...] = ()


def pieces_of(store: Store, files: Sequence[Labelled], log: ProblemLog) -> list[Piece]:
    """The pictures, series and volumes in some files; what cannot be used is noted.

    An exam is what the table calls so, or a study of a patient; where neither is known, all of one patient.
    """
    seen = list(ordered_map(lambda file: _look(store, file), files, chunk=8))
    for one in seen:
        if one.problem:
            log.add(one.problem, "skipped", one.file.name)
        for note in one.notes:
            log.add(note, "repaired" if note in _REPAIRED else "kept", one.file.name)
    usable = [one for one in seen if not one.problem]
    patients = _patients(usable, log)
    series: dict[tuple[Any, ...], list[_Seen]] = {}
    for one in usable:
        series.setdefault(_series_key(one, patients[one.file.name]), []).append(one)
    return [piece for found in series.values() for piece in _pieces(store, found, patients, log)]


def _look(store: Store, file: Labelled) -> _Seen:
    """Read a file once; its pixels are let go."""
    try:
        found = read_file(store, file.name)
    except UnreadableScan as error:
        return _Seen(file, problem=error.kind)
    except DataError:
        return _Seen(file, problem="unreadable-file")
    if isinstance(found, DicomImage):
        notes = ("burned-in-annotation",) if found.burned_in else ()
        small = replace(found, values=found.values[:, :1, :1])
        return _Seen(file, found.digests, notes=notes, image=small, shape=found.values.shape[1:])
    if isinstance(found, NiftiImage):
        return _Seen(file, (found.digest,), notes=found.problems, shape=found.values.shape)
    return _Seen(file, ("" if found.min() == found.max() else array_digest(found),), shape=found.shape)


def read_file(store: Store, name: str) -> DicomImage | NiftiImage | Array:
    """What lies in a file: frames, a volume, or a picture (H, W, C); raises `DataError`."""
    payload = store.read(name)
    if not payload:
        raise UnreadableScan("empty-file", name)
    if is_image_name(name):
        return decode_values(payload)
    if is_nifti_name(name):
        known = set(store.names) if store.names else None
        heads = [head for head in header_names(name) if known is None or head in known]
        return read_nifti(payload, name, store.read(heads[0]) if heads else None)
    return read_dicom(payload, name)


def _patients(seen: Sequence[_Seen], log: ProblemLog) -> dict[str, str | None]:
    """Whose each file is, by the table, its own elements, or the names of its folders (`sub-01`, as in BIDS).

    One number for all files, which belong to several studies and labels, tells nobody apart: studies do then.
    """
    found: dict[str, str | None] = {}
    for one in seen:
        own = None if one.image is None else one.image.patient or one.image.study
        bids = next((part for part in one.file.name.split("/") if part.startswith("sub-")), None)
        found[one.file.name] = one.file.patient or own or (bids.split("_")[0].split(".")[0] if bids else None)
    numbers = {one.image.patient for one in seen if one.image is not None and one.file.patient is None}
    studies = {one.image.study for one in seen if one.image is not None}
    labels = {one.file.target for one in seen}
    if len(numbers) == 1 and None not in numbers and len(studies) > 2 and len(labels) > 1:
        log.add("one-patient-number-for-all", "kept", seen[0].file.name, count=len(seen))
        for one in seen:
            if one.image is not None and one.file.patient is None:
                found[one.file.name] = one.image.study
    return found


def _series_key(one: _Seen, patient: str | None) -> tuple[Any, ...]:
    """What slices of one volume have in common."""
    image = one.image
    if image is None or image.series is None:
        return (one.file.name,)
    turn = None if image.orientation is None else tuple(np.round(image.orientation, 2).tolist())
    frames = one.file.name if len(image.digests) > 1 else ""
    return (patient, image.study, image.series, turn, one.shape, one.file.target, one.file.side, one.file.exam, frames)


def _pieces(store: Store, found: Sequence[_Seen], patients: Mapping[str, str | None], log: ProblemLog) -> list[Piece]:
    """A series as one piece, less the slices of another pixel spacing."""
    first = found[0]
    images = [one.image for one in found if one.image is not None]
    if len(images) == len(found) > 1:
        usual = Counter(image.spacing_mm for image in images).most_common(1)[0][0]
        odd = [image.name for image in images if not np.allclose(image.spacing_mm, usual, rtol=0.01)]
        for name in odd:
            log.add("mixed-spacing", "skipped", name)
        found = [one for one in found if one.file.name not in odd]
        first = found[0]
        stack = stack_slices([image for image in images if image.name not in odd])
        for kind, count in () if stack is None else stack.problems:
            log.add(kind, "repaired" if kind in _REPAIRED else "kept", first.file.name, count=count)
    files = tuple(one.file.name for one in found)
    patient = patients[first.file.name]
    exam = first.file.exam or (first.image.study if first.image is not None else None) or patient
    digests = tuple(digest for one in found for digest in one.digests if digest)
    joined = content_digest("".join(sorted(digests)).encode()) if digests else ""
    name = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    return [Piece(name, patient, exam or name, first.file.target, first.file.side, joined, files, digests)]


def scan_opener(store: Store, files: Mapping[str, Sequence[str]], window: str) -> Callable[[Sequence[str]], Scan]:
    """What opens pieces by their names; raises `SettingError` for an impossible window at once."""
    if window not in ("", "full"):
        parse_window(window)

    def open_unit(names: Sequence[str]) -> Scan:
        pictures: list[Array] = []
        volumes: list[Volume] = []
        for name in names:
            found = [read_file(store, file) for file in files[name]]
            _add(found, window, pictures, volumes)
        return Scan(tuple(pictures), tuple(volumes))

    return open_unit


def _add(found: Sequence[Any], window: str, pictures: list[Array], volumes: list[Volume]) -> None:
    """The pixels of a piece in 8 bits, as a volume where it is one."""
    images = [one for one in found if isinstance(one, DicomImage)]
    stack = stack_slices(images) if images else None
    if stack is not None:
        middle = sorted(images, key=lambda image: image.number)[len(images) // 2]
        grey = in_window(stack.values, window, middle.window, middle.padding)
        volumes.append(Volume(_shown(grey, middle), stack.spacing_mm))
        return
    for one in found:
        if isinstance(one, DicomImage):
            pictures += _frames(one, window)
        elif isinstance(one, NiftiImage):
            grey = in_window(one.values, window, None)
            if min(grey.shape) > 1:
                volumes.append(Volume(grey, one.spacing_mm))
            else:
                pictures.append(np.squeeze(grey, int(np.argmin(grey.shape)))[..., None])
        else:
            pictures.append(one)


def _frames(image: DicomImage, window: str) -> list[Array]:
    """The frames as pictures; of a film so many of them, evenly spaced."""
    count = len(image.values)
    frames = [
        image.values[place] for place in np.unique(np.linspace(0, count - 1, min(count, _MOST_FRAMES)).astype(int))
    ]
    if image.values.ndim == 4:
        return frames
    return [_shown(in_window(frame, window, image.window, image.padding), image)[..., None] for frame in frames]


def _shown(grey: Array, image: DicomImage) -> Array:
    """White where the file means white."""
    return 255 - grey if image.inverted else grey
