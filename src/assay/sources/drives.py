"""Drives from wherever they come: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from types import ModuleType

from assay.errors import DataError
from assay.sources import drive_log, drive_pictures, simulator_drives
from assay.sources.records import Records
from assay.sources.source import DataOptions, Recognition, Source

#: Every reader has `recognise(source)` and `read(source, options)`.
READERS: tuple[ModuleType, ...] = (simulator_drives, drive_log)


def recognise_drives(source: Source) -> Recognition | None:
    """How well the source looks like drives, and why; None where no reader knows it."""
    found = _best(source)
    return None if found is None else found[0]


def read_drives(source: Source, options: DataOptions) -> Records:
    """The drives of a source, through the reader that fits best; see `drive_records` for their form.

    Raises:
        DataError: nothing that a reader knows, or no usable frame.
        SettingError: an option names a column that does not exist, or has an impossible value.
    """
    found = _best(source)
    if found is None:
        raise DataError(
            "there is no log of a drive.",
            "Expected: a table of frames with a column steering, a video beside such a table, or simulator:NAME.",
            file=source.label,
        )
    records: Records = found[1].read(source, options)
    return records


def read_drive_inputs(source: Source) -> Records:
    """Frames that are to be answered, with no need of what was done: a log or a table, videos, pictures.

    A log gives its stretches, a video is one drive, a picture by itself a drive of one frame. A simulator gives the
    expert's drives on a few tracks.

    Raises:
        DataError: there is no frame.
    """
    if simulator_drives.recognise(source) is not None:
        return simulator_drives.read(source, DataOptions(extra={"drives": "2", "tests": "2"}))
    if source.path is not None and drive_log.holds_table(source):
        return drive_log.read(source, DataOptions(), labelled=False)
    return drive_pictures.read(source)


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None
