"""Pictures of cells in any layout: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from assay.errors import DataError
from assay.sources import cell_boxes, cell_masks, cell_monusac, cell_pannuke, cell_points
from assay.sources._digest import content_digest, fingerprint_of
from assay.sources._image_files import check_files
from assay.sources._image_header import is_image_name, suffix_of
from assay.sources._listing import note
from assay.sources.images import read_unlabelled_images
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.slides import ALWAYS, LEAST_PIXELS, Slide, is_slide_name
from assay.sources.source import DataOptions, Recognition, Source

#: Every reader has `recognise(source)` and `read(source, options)`.
READERS: tuple[ModuleType, ...] = (cell_points, cell_masks, cell_boxes, cell_pannuke, cell_monusac)

_EXPECTED = (
    "Expected: a table of points (image, x, y and maybe class), label images or masks beside images, "
    "or boxes around cells."
)


def recognise_cells(source: Source) -> Recognition | None:
    """How well the source looks like pictures of marked cells, and why; None where no reader knows it."""
    found = _best(source)
    return None if found is None else found[0]


def read_cells(source: Source, options: DataOptions) -> Records:
    """The pictures of a source with their cells, through the reader that fits best.

    Returns:
        Records with `id`, `location`, `digest`, `target` (`_cell_records.CELLS`) and, where there are such, `group` and
        `split`; `load` gives an image file's bytes or (H, W, C). `facts["marked_by"]` is "outlines" or "points".

    Raises:
        DataError: nothing that a reader knows, or no usable picture.
        SettingError: an option names a column that does not exist.
    """
    found = _best(source)
    if found is None:
        raise DataError("there are no images with marked cells here.", _EXPECTED, file=source.label)
    records: Records = found[1].read(source, options)
    return records


def read_cell_pictures(source: Source) -> Records:
    """The pictures and slides of a file, a folder, an archive or in memory, for prediction.

    Returns:
        Records as of `read_unlabelled_images`; where there are slides, with a column `slide`, and `load` gives the
        open `Slide` at the location of one.

    Raises:
        DataError: no pictures, or none that can be used.
    """
    log = ProblemLog()
    slides = {} if source.path is None else _slides(source, log)
    if not slides and not log.problems():
        return read_unlabelled_images(source)
    rows: list[dict[str, Any]] = []
    for name, digest in slides.items():
        rows.append({"id": name, "location": name, "digest": digest, "slide": True})
    others = [name for name in source.store.names if _is_picture(name) and name not in slides]
    checks = check_files(source.store.read, source.store.size, others)
    for check in checks:
        note(check, log)
    rows += [
        {"id": one.name, "location": one.name, "digest": one.digest, "slide": False} for one in checks if one.usable
    ]
    if not rows:
        told = ", ".join(f"{problem.count} {problem.kind}" for problem in log.problems())
        raise DataError(f"none of the images can be used ({told}).", "Copy them again.", file=source.label)
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["id"])))

    def load(location: str) -> Any:
        return Slide(_path(source, location), location) if location in slides else source.store.read(location)

    facts = {"samples": len(rows), "slides": sum(bool(row["slide"]) for row in rows)}
    return records_from_table(
        table, fingerprint_of(table.to_batches()), problems=log.problems(), load=load, facts=facts
    )


def _is_picture(name: str) -> bool:
    return is_image_name(name) and suffix_of(name) not in ALWAYS


def _slides(source: Source, log: ProblemLog) -> dict[str, str]:
    """The digest of each slide among a source's files; those that cannot be read are noted."""
    found: dict[str, str] = {}
    for name in source.store.names:
        path = _path(source, name)
        if not is_slide_name(name) or not path.is_file():
            continue
        size = path.stat().st_size
        try:
            slide = Slide(path, name)
        except DataError:
            if suffix_of(name) in ALWAYS:  # what is wrong with any other TIFF, the check of pictures says
                log.add("unreadable-slide" if size else "empty-file", "skipped", name)
            continue
        if suffix_of(name) in ALWAYS or slide.height * slide.width >= LEAST_PIXELS:
            found[name] = content_digest(f"{size} {slide.height} {slide.width}".encode() + _ends(path, size))
        slide.close()
    return found


def _ends(path: Path, size: int) -> bytes:
    """The first and last megabyte of a file, by which slides are told apart."""
    with open(path, "rb") as file:
        head = file.read(1 << 20)
        file.seek(max(0, size - (1 << 20)))
        return head + file.read(1 << 20)


def _path(source: Source, name: str) -> Path:
    """Where a file of a folder lies, or a file by itself; members of archives lie nowhere."""
    path = source.store.path
    return path / name if path.is_dir() else path if path.name == name else path / name


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None
