"""Frames without a log: pictures, each of which is answered by itself, and videos."""

from __future__ import annotations

from typing import Any

from assay.errors import DataError
from assay.sources._digest import content_digest
from assay.sources._drive_frames import FrameFiles
from assay.sources._image_header import is_image_name
from assay.sources.drive_records import Drive, drive_records
from assay.sources.image_memory import read_unlabelled
from assay.sources.records import ProblemLog, Records
from assay.sources.source import Source

#: Frames a second of pictures, of which each is a drive of its own.
_UNKNOWN_HZ = 1.0


def read(source: Source) -> Records:
    """The pictures and videos of a file, a folder, an archive, or in memory, without what was done.

    Raises:
        DataError: there is none that can be used.
    """
    if source.path is None:
        return _in_memory(source)
    files, log = FrameFiles(source), ProblemLog()
    pictures = [name for name in files.store.names if is_image_name(name)]
    digests = files.digests(pictures)
    for name in pictures:
        if name not in digests:
            log.add("unusable-frame", "skipped", name)
    drives = [Drive(name, [name], {}, digest=digest) for name, digest in digests.items()]
    rate = _UNKNOWN_HZ
    for name in files.videos():
        try:
            facts = files.video(name)
        except DataError:
            log.add("unreadable-video", "skipped", name)
            continue
        rate = facts.rate_hz or rate
        digest = content_digest(name.encode())
        drives.append(Drive(name, [f"{name}#{number}" for number in range(facts.frames)], {}, digest=digest))
    if not drives:
        raise DataError(
            "there is no picture and no video that can be used.",
            "See above what was skipped and why.",
            file=source.label,
        )
    return drive_records(drives, ["steering"], files.load, {"rate_hz": rate}, log, source.label)


def _in_memory(source: Source) -> Records:
    """Arrays or a list of pictures."""
    found = read_unlabelled(source)
    names = [str(name) for name in found.index().column("id").to_pylist()]
    places = [str(place) for batch in found.batches() for place in batch.column("location").to_pylist()]
    load: Any = found.load
    drives = [Drive(name, [place], {}) for name, place in zip(names, places, strict=True)]
    return drive_records(drives, ["steering"], load, {"rate_hz": _UNKNOWN_HZ}, label=source.label)
