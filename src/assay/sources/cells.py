"""Pictures of cells in any layout: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from types import ModuleType

from assay.errors import DataError
from assay.sources import cell_masks, cell_points
from assay.sources.images import read_unlabelled_images
from assay.sources.records import Records
from assay.sources.source import DataOptions, Recognition, Source

#: Every reader has `recognise(source)` and `read(source, options)`.
READERS: tuple[ModuleType, ...] = (cell_points, cell_masks)

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
    """The pictures of a file, a folder, an archive or in memory, for prediction."""
    return read_unlabelled_images(source)


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None
