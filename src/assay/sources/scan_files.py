"""DICOM and NIfTI files, pictures beside them: a folder for each class, or a table of paths, labels and patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import DataError
from assay.sources._class_folders import class_folders
from assay.sources._dicom import is_dicom
from assay.sources._image_header import is_image_name
from assay.sources._nifti import is_nifti_name
from assay.sources._rows import table_names
from assay.sources._scan_pieces import pieces_of, scan_opener
from assay.sources._scan_records import scan_records
from assay.sources._scan_table import read_scan_table
from assay.sources._splits import asks_for_shares
from assay.sources.records import ProblemLog, Records
from assay.sources.scan import way_out
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_DICOM_ENDINGS = (".dcm", ".dicom", ".ima", ".dcm.gz")


@dataclass(frozen=True)
class Labelled:
    """A file with what its folder or its row in a table says.

    Attributes:
        name: of the file.
        target: its label; None where there is none.
        patient: whose it is, where something else than the file says so.
        exam: what of that patient is answered together, likewise; None for all.
        side: of a split that comes with the data.
    """

    name: str
    target: str | None = None
    patient: str | None = None
    side: str | None = None
    exam: str | None = None


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like medical files with diagnoses; None where it holds no such file."""
    if source.path is None:
        return None
    names = source.store.names
    scans = scan_names(source.store)
    tables = table_names(names)
    if not scans:
        from assay.sources._scan_table import recognise_scan_table

        return recognise_scan_table(source)
    kinds = " and ".join(kind for kind, there in (("NIfTI", any(map(is_nifti_name, scans))),
                                                  ("DICOM", not all(map(is_nifti_name, scans)))) if there)  # fmt: skip
    classes = len(set(class_folders(names, set(scans).__contains__).classes))
    if len(tables) == 1:
        return Recognition(0.97, f"{len(scans)} {kinds} files and a table, {tables[0]}")
    if classes > 1:
        return Recognition(0.97, f"{classes} folders of {kinds} files, one per class")
    return Recognition(0.3, f"{len(scans)} {kinds} files, without labels")


def read(source: Source, options: DataOptions) -> Records:
    """The scans with their labels; a unit is an exam of a patient (see `pieces_of`).

    Raises:
        DataError: no labels, or nothing that can be read.
        SettingError: an option names a column that does not exist.
    """
    log, store = ProblemLog(), source.store
    tables = table_names(store.names)
    if len(tables) == 1:
        store, files = read_scan_table(source, tables[0], options, log)
    else:
        files = _in_folders(source, options, log)
    return _records(
        source, store, files, log, str(options.extra.get("window", "")), {"name": "folder", "kind": "class"}
    )


def read_inputs(source: Source, window: str = "") -> Records:
    """The scans without their labels; a table beside them still says whose they are."""
    log, store = ProblemLog(), source.store
    tables = table_names(store.names)
    if len(tables) == 1:
        store, files = read_scan_table(source, tables[0], None, log)
    else:
        files = [Labelled(name) for name in scan_names(store)]
    return _records(source, store, files, log, window, {"name": "", "kind": "none"})


def scan_names(store: Store) -> list[str]:
    """The files of a store that are medical images by their ending, or that begin as DICOM does."""
    return [name for name in store.names if is_scan(store, name)]


def is_scan(store: Store, name: str) -> bool:
    """Whether a file is a medical image: by its ending, without one by its first bytes."""
    base = name.rsplit("/", 1)[-1].lower()
    if base.startswith("dicomdir") or is_image_name(name):
        return False
    if is_nifti_name(base) or base.endswith(_DICOM_ENDINGS):
        return True
    if "." in base and not base.rsplit(".", 1)[-1].isdecimal():
        return False
    try:
        with store.open(name) as stream:
            return is_dicom(stream.read(132))
    except DataError:
        return False


def _in_folders(source: Source, options: DataOptions, log: ProblemLog) -> list[Labelled]:
    names = set(scan_names(source.store))
    layout = class_folders(source.store.names, names.__contains__)
    if not layout.names:
        raise DataError(
            "the scans have no labels: there are neither folders, one per class, nor a table.",
            "Expected a folder for each class, or a CSV with the columns path and label (and patient).",
            file=source.label,
        )
    for name in layout.stray:
        if not name.lower().removesuffix(".gz").endswith(".hdr"):
            log.add("stray-file", "skipped", name)
    sides: Sequence[str | None] = layout.sides
    if not layout.sides or asks_for_shares(options):
        sides = [None] * len(layout.names)
    return [Labelled(name, target, None, side)
            for name, target, side in zip(layout.names, layout.classes, sides, strict=True)]  # fmt: skip


def _records(
    source: Source, store: Store, files: Sequence[Labelled], log: ProblemLog, window: str, target: dict[str, str]
) -> Records:
    if not files:
        raise DataError("there are no DICOM or NIfTI files.", "Expected .dcm, .nii or .nii.gz.", file=source.label)
    pieces = pieces_of(store, files, log)
    if not pieces:
        skipped = [one for one in log.problems() if one.action == "skipped"]
        several = ", ".join(f"{one.count} {one.kind}" for one in skipped)
        hint = way_out(one.kind for one in skipped)
        if len(files) == 1:
            raise DataError(f"the scan cannot be read ({skipped[0].kind}).", hint, file=source.label)
        raise DataError(f"none of the {len(files)} files can be used ({several}).", hint, file=source.label)
    opener = scan_opener(store, {piece.name: piece.files for piece in pieces}, window)
    return scan_records(source, pieces, opener, log.problems(), {"target": target})
