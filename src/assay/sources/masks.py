"""Pictures with masks, in any layout: folders side by side, names with a suffix, Pascal VOC, or a table of both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from assay.errors import AssayError, DataError
from assay.sources import masks_table
from assay.sources._image_header import is_image_name
from assay.sources._image_records import records_of_files
from assay.sources._listing import listing
from assay.sources._mask_classes import find_class_table
from assay.sources._mask_files import read_mask
from assay.sources._mask_pairs import Pairs, find_pairs
from assay.sources._mask_records import Masked, records_of_masks
from assay.sources._splits import asks_for_shares, side_of_name
from assay.sources.checks import refuse_column
from assay.sources.images import read_unlabelled_images
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_EXPECTED = (
    "Expected: pictures in images/ and masks of the same names in masks/, names as a.jpg with a_mask.png, the layout "
    "of Pascal VOC, or a table with a column of pictures and one of masks."
)
_VOC_LIST = re.compile(r"(^|/)ImageSets/Segmentation/(train|val|test)\.txt$")


def recognise_masks(source: Source) -> Recognition | None:
    """How well the source looks like pictures with masks, and why; None where it does not."""
    if source.path is None:
        return None
    if (table := masks_table.recognise(source)) is not None:
        return table
    pairs = find_pairs(source.store.names)
    count = len(pairs.masks)
    if not count:
        return None
    alone = len(pairs.pictures_alone) + len(pairs.masks_alone)
    why = f"{count} pictures with masks" + (f" of {len(pairs.classes)} classes" if pairs.classes else "")
    if pairs.objects or _is_of_objects(source.store, pairs):
        return Recognition(0.92 if count > alone else 0.4, f"{why} of objects, whose foreground can be told")
    return Recognition(0.96 if count > alone else 0.4, why)


def _is_of_objects(store: Store, pairs: Pairs) -> bool:
    """Whether the first mask has more than 8 bits, as numbers of objects need."""
    first = next(iter(next(iter(pairs.masks.values())).values()))[0]
    try:
        return int(read_mask(store.read(first), first, False).values[-1]) > 255 or store.read(first)[24:26] == b"\x10\0"
    except AssayError:
        return False


def read_masks(source: Source, options: DataOptions, known: Sequence[str] = ()) -> Records:
    """The pictures of a source with their masks; see `records_of_masks`.

    Args:
        source: a folder, an archive or a table.
        options: `group` and `split` (columns of a table), `extra["mask_kind"]` ("classes" or "instances").
        known: the classes of a network that is judged by these masks, in the order of its numbers.

    Raises:
        DataError: no pictures with masks, or masks that cannot be understood.
        SettingError: an option names a column that does not exist.
    """
    if source.path is None:
        raise DataError(f"{source.label} is no folder of pictures and masks.", _EXPECTED)
    refuse_column("target", options.target, "what is learnt are the masks", "Leave it out.")
    log = ProblemLog()
    if masks_table.recognise(source) is not None:
        found, store = masks_table.read(source, options, log)
        return records_of_masks(found, store, options, log, source.label, known)
    store = source.store
    pairs = find_pairs(store.names)
    if not pairs.masks:
        raise DataError(_what_is_there(source), _EXPECTED, file=source.label)
    refuse_column("group", options.group, "folders have no columns", "Give a table of pictures and masks that has it.")
    for kind, names in (("picture-without-mask", pairs.pictures_alone), ("mask-without-picture", pairs.masks_alone)):
        for name in names:
            log.add(kind, "skipped", name)
    for name in pairs.stray:
        if is_image_name(name):
            log.add("stray-file", "skipped", name)
    pictures = list(pairs.masks)
    sides = None if asks_for_shares(options) else _sides(store, pictures)
    found = Masked(
        pictures,
        [pairs.masks[name] for name in pictures],
        pairs.classes,
        pairs.objects,
        split=None if sides is None else [sides[name] for name in pictures],
        table=None if pairs.classes or pairs.objects else find_class_table(store),
        voc=any("/SegmentationClass" in f"/{name}" for name in store.names),
    )
    return records_of_masks(found, store, options, log, source.label, known)


def read_pictures(source: Source) -> Records:
    """The pictures of a source without masks, for prediction; raises `DataError` where there are none."""
    if source.path is not None and recognise_masks(source) is not None:
        if masks_table.recognise(source) is not None:
            found, store = masks_table.read(source, DataOptions(), ProblemLog())
            pictures = list(found.pictures)
        else:
            store, pairs = source.store, find_pairs(source.store.names)
            pictures = sorted([*pairs.masks, *pairs.pictures_alone])
        nothing: Mapping[str, str] = {"name": "", "kind": "none"}
        images = listing(id=pictures, location=pictures)
        return records_of_files(images, store, ProblemLog(), target=nothing, label=source.label)
    return read_unlabelled_images(source)


def _sides(store: Store, pictures: list[str]) -> dict[str, str] | None:
    """The side of each picture by VOC's lists or by its folders; None where neither tells a whole split."""
    lists = [name for name in store.names if _VOC_LIST.search(name)]
    sides: dict[str, str] = {}
    for file in lists:
        listed = side_of_name(file) or "train"
        stems = set(store.read(file).decode("utf-8", "replace").split())
        sides |= {name: listed for name in pictures if name.rsplit("/", 1)[-1].rpartition(".")[0] in stems}
    if not sides:
        sides = {name: side for name in pictures if (side := side_of_name(f"{name.rpartition('/')[0]}/")) is not None}
    if len(set(sides.values())) < 2 or "train" not in sides.values():
        return None
    return {name: sides.get(name, "train") for name in pictures}


def _what_is_there(source: Source) -> str:
    names = source.store.names
    images = sum(map(is_image_name, names))
    if not names:
        return "there is no file."
    return f"there are {images} images among {len(names)} files, and none of them is the mask of another."
