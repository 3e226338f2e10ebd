"""Pictures with labelled boxes in any layout: every reader is asked, the one that fits best reads."""

from __future__ import annotations

from types import ModuleType

from assay.errors import DataError, SettingError
from assay.sources import boxes_coco, boxes_cvat, boxes_label_studio, boxes_labelme, boxes_voc, boxes_yolo
from assay.sources._box_records import BOXES, box_records
from assay.sources._image_header import is_image_name
from assay.sources.checks import refuse_column
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

__all__ = ["BOXES", "READERS", "read_boxes", "recognise_boxes"]

#: Every reader has `recognise(source)` and `find(source, options, log)`.
READERS: tuple[ModuleType, ...] = (
    boxes_coco, boxes_voc, boxes_cvat, boxes_label_studio, boxes_labelme, boxes_yolo,
)  # fmt: skip

_EXPECTED = (
    "Expected COCO JSON, Pascal VOC XML, YOLO text files, or an export of CVAT (for images), Label Studio or LabelMe."
)


def recognise_boxes(source: Source) -> Recognition | None:
    """How well the source looks like pictures with labelled boxes, and why; None where no reader knows it."""
    found = _best(source)
    return None if found is None else found[0]


def read_boxes(source: Source, options: DataOptions) -> Records:
    """The pictures of a source with their boxes, through the reader that fits best.

    Args:
        source: a folder, an archive, or a label file whose pictures lie beside it.
        options: `split` (shares; else the sides that lists, folders or file names give are taken); `group`: "folder",
            or, of COCO, a field of the images.

    Returns:
        Records with `id`, `location`, `digest`, `target` (see `BOXES`) and, where there are such, `group` and `split`.
        `load` gives a picture's bytes; the boxes fit what `decode.decode_image` makes of them. A picture that was
        labelled and shows no object has an empty target. `facts` count `classes`, `class_counts`, `boxes`,
        `difficult` ones and pictures `without_boxes`.

    Raises:
        DataError: nothing that a reader knows, or no usable picture or box.
        SettingError: an option names what does not exist.
    """
    found = _best(source)
    if found is None:
        raise DataError(_what_is_there(source), _EXPECTED, file=source.label)
    reader, log = found[1], ProblemLog()
    refuse_column("target", options.target, "what is learnt are the boxes", "Leave it out.")
    _check_group(reader, options)
    got = reader.find(source, options, log)
    if not got.pictures:
        raise DataError(
            f"the labels ({got.layout}) belong to no picture that is here.",
            "Give the folder that holds the pictures and the labels.",
            file=source.label,
        )
    if options.group == "folder":
        for picture in got.pictures:
            picture.group = picture.location.rpartition("/")[0]
    return box_records(got, log, source.label)


def _check_group(reader: ModuleType, options: DataOptions) -> None:
    if options.group not in (None, "folder") and reader is not boxes_coco:
        raise SettingError(
            f"--group {options.group}: these labels have no such field.",
            "Pass --group folder to keep the pictures of a folder together.",
        )


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    if source.path is None:
        return None
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None


def _what_is_there(source: Source) -> str:
    """One sentence about what a source holds."""
    if source.path is None:
        return f"{source.label} is no folder of pictures and labels."
    images = sum(map(is_image_name, source.store.names))
    return f"there are {images} pictures and no labels of boxes that are known among {len(source.store.names)} files."
