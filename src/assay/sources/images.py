"""Images in any layout: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from collections import Counter
from types import ModuleType

from assay.errors import DataError
from assay.sources import image_arrays, image_folder, image_memory, image_parquet, image_table, image_webdataset
from assay.sources._image_header import is_image_name, suffix_of
from assay.sources._image_records import records_of_files
from assay.sources._listing import listing
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

#: Every reader has `recognise(source)` and `read(source, options)`.
READERS: tuple[ModuleType, ...] = (
    image_folder,
    image_table,
    image_parquet,
    image_webdataset,
    image_arrays,
    image_memory,
)

_EXPECTED = (
    "Expected: a folder for each class, a table of image paths and labels beside the images, "
    "Parquet with images, WebDataset shards, npz, or IDX files."
)


def recognise_images(source: Source) -> Recognition | None:
    """How well the source looks like labelled images, and why; None where no reader knows it."""
    found = _best(source)
    return None if found is None else found[0]


def read_images(source: Source, options: DataOptions) -> Records:
    """The labelled images of a source, through the reader that fits best.

    Returns:
        Records with `id`, `location`, `digest`, `target` (text, lists of text, or doubles: `facts["target"]["kind"]`
        is "class", "labels" or "number") and, where there are such, `group` and `split`. `load` gives an image file's
        bytes or (H, W, C); `decode.decode_image` takes both.

    Raises:
        DataError: nothing that a reader knows, or no usable image.
        SettingError: an option names a column that does not exist.
    """
    found = _best(source)
    if found is None:
        raise DataError(_what_is_there(source), _EXPECTED, file=source.label)
    records: Records = found[1].read(source, options)
    return records


def read_unlabelled_images(source: Source) -> Records:
    """The images of a file, a folder, an archive, arrays or a list, without targets, for prediction.

    Raises:
        DataError: no images, or none that can be used.
    """
    if source.path is None:
        return image_memory.read_unlabelled(source)
    names = source.store.names
    one_file = len(names) == 1 and source.path.is_file()
    images = [name for name in names if is_image_name(name)]
    if not images and image_arrays.recognise(source) is not None:
        return image_arrays.read_unlabelled(source)
    if not images and not one_file:
        raise DataError(_what_is_there(source), "Expected image files.", file=source.label)
    log = ProblemLog()
    kept = images or names
    for name in sorted(set(names) - set(kept)):
        log.add("stray-file", "skipped", name)
    return records_of_files(
        listing(id=kept, location=kept), source.store, log, target={"name": "", "kind": "none"}, label=source.label
    )


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None


def _what_is_there(source: Source) -> str:
    """One sentence about what a source holds."""
    if source.path is None:
        return f"{source.label} is no pair of images and labels."
    names = source.store.names
    if not names:
        return "the folder is empty." if source.path.is_dir() else "the archive is empty."
    endings = Counter(suffix_of(name) or "no ending" for name in names)
    told = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(4))
    images = sum(map(is_image_name, names))
    where = f"{images} images without class folders or labels" if images else "no images"
    return f"there are {where} among {len(names)} files ({told})."
