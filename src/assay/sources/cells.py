"""Pictures of cells in any layout: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from types import ModuleType

from assay.arrow import pa, pc
from assay.errors import DataError
from assay.sources import cell_boxes, cell_masks, cell_monusac, cell_pannuke, cell_points
from assay.sources._cell_pictures import check_pictures, is_picture_name, loader, slide_check
from assay.sources._digest import fingerprint_of
from assay.sources._listing import note, usable_files
from assay.sources.images import read_unlabelled_images
from assay.sources.records import ProblemLog, Records, records_from_table
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
    if source.path is None:
        return read_unlabelled_images(source)
    store, log = source.store, ProblemLog()
    slides = {name: check for name in store.names if (check := slide_check(store, name)) is not None}
    if not slides:
        return read_unlabelled_images(source)
    checks, _ = check_pictures(store, [name for name in store.names if is_picture_name(name)])
    for check in checks:
        note(check, log)
    table = pa.table({name: pa.array([check.name for check in checks], pa.string()) for name in ("id", "location")})
    table = table.append_column("slide", pa.array([check.name in slides for check in checks]))
    kept = usable_files(table, checks, noun="images", label=source.label)
    facts = {"samples": kept.num_rows, "slides": int(pc.sum(kept["slide"]).as_py())}
    load, fingerprint = loader(store, frozenset(slides)), fingerprint_of(kept.to_batches())
    return records_from_table(kept, fingerprint, problems=log.problems(), load=load, facts=facts)


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None
