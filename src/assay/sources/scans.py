"""Scans in any form: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from types import ModuleType

from assay.errors import DataError
from assay.sources import scan_files, scan_pictures
from assay.sources.records import Records
from assay.sources.source import DataOptions, Recognition, Source

#: Every reader has `recognise(source)`, `read(source, options)` and `read_inputs(source)`.
READERS: tuple[ModuleType, ...] = (scan_files, scan_pictures)


def recognise_scans(source: Source) -> Recognition | None:
    """How well the source looks like scans with diagnoses, and why."""
    found = _best(source)
    return None if found is None else found[0]


def read_scans(source: Source, options: DataOptions) -> Records:
    """The scans of a source: see `scan_records` for what each row holds.

    Raises:
        DataError: nothing that a reader knows, or no usable scan.
        SettingError: an option names a column that does not exist.
    """
    found = _best(source)
    reader = found[1] if found else scan_pictures
    if found is None and source.path is not None and not source.store.names:
        raise DataError("there is no file in it", "Give the folder that holds the scans.", file=source.label)
    records: Records = reader.read(source, options)
    return records


def read_scan_inputs(source: Source, window: str = "") -> Records:
    """The same without labels, grey values in a window (see `assay.sources._scan_grid.in_window`)."""
    reader: ModuleType = scan_pictures
    if source.path is not None and (_medical(source) or scan_files.recognise(source) is not None):
        reader = scan_files
    records: Records = reader.read_inputs(source, window)
    return records


def _medical(source: Source) -> bool:
    """Whether a source is a medical file by itself."""
    return len(source.store.names) == 1 and scan_files.is_scan(source.store, source.store.names[0])


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None
