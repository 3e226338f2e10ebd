"""COCO: one JSON file with `images`, `annotations` and `categories`, or several, such as one for each side.

Boxes are `[x, y, width, height]` in pixels from the left top corner of the picture (Lin et al. 2014).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import AssayError, DataError, SettingError
from assay.sources._box_json import beginning, json_files, one_store, parsed
from assay.sources._box_pictures import note_unlabelled, put_on_sides, side_of_folders
from assay.sources._boxes import Found, LabelledPicture, RawBox, around, number, size_of
from assay.sources._lines import whole_text
from assay.sources._splits import side_of_name
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_EMPTY = re.compile(r'"annotations"\s*:\s*\[\s*\]')
_EXPECTED = "Expected COCO's layout: lists of objects called images, annotations and categories."


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like COCO; None where it does not."""
    files = _files(source)
    if not files:
        return None
    return Recognition(0.97, f"boxes in COCO JSON, {files[0]}" if len(files) == 1 else f"{len(files)} COCO JSON files")


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The pictures of all files; one without annotations shows no object.

    Raises:
        DataError: a file that is broken or of another layout.
    """
    files = _files(source)
    store, pictures = one_store(source)
    found: list[LabelledPicture] = []
    for name in files:
        data = parsed(source.store, name)
        boxes, told = _boxes(data, name, log)
        for row in _objects(data, "images", name):
            place = pictures.named(str(row.get("file_name", "")), name)
            key = str(row.get("id"))
            told.discard(key)
            if place is None:
                log.add("labels-without-picture", "skipped", f"{name}, image {key}")
                continue
            size = size_of(row.get("height"), row.get("width"))
            about = f"{name}, {row.get('file_name')}"
            side = side_of_name(name) or side_of_folders(place)
            found.append(LabelledPicture(place, about, boxes.get(key, []), size, side, _group(row, options, name)))
        for key in sorted(told):
            log.add("labels-without-picture", "skipped", f"{name}, annotations of image {key}")
    put_on_sides(found, [picture.side for picture in found], options)
    note_unlabelled(pictures, [picture.location for picture in found], log)
    return Found(store, found, "COCO")


def _files(source: Source) -> list[str]:
    """The COCO files; those of key points and captions beside those of objects are left aside."""
    found = [name for name in json_files(source) if _is_coco(source.store, name)]
    objects = [name for name in found if "instances" in name.rsplit("/", 1)[-1]]
    return objects or found


def _is_coco(store: Store, name: str) -> bool:
    head = beginning(store, name)
    if not head.startswith("{") or not any(word in head for word in ('"images"', '"annotations"', '"categories"')):
        return False
    try:
        text = whole_text(store, name) or ""
    except AssayError:
        return False
    return '"images"' in text and '"annotations"' in text and ('"bbox"' in text or _EMPTY.search(text) is not None)


def _objects(data: Any, key: str, file: str) -> Sequence[Mapping[str, Any]]:
    rows = data.get(key) if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{key!r} is no list of objects.", _EXPECTED, file=file)
    return rows


def _boxes(data: Any, file: str, log: ProblemLog) -> tuple[dict[str, list[RawBox]], set[str]]:
    """The boxes of each image by its id; and the ids that annotations speak of."""
    names = {str(row.get("id")): str(row.get("name", "")) for row in _objects(data, "categories", file)}
    boxes: dict[str, list[RawBox]] = {}
    for row in _objects(data, "annotations", file):
        label = names.get(str(row.get("category_id")), "")
        boxes.setdefault(str(row.get("image_id")), []).append(RawBox(label, _corners(row), bool(row.get("iscrowd"))))
    return boxes, set(boxes)


def _corners(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    box = row.get("bbox")
    if isinstance(box, list) and len(box) == 4:
        x, y, width, height = map(number, box)
        return x, y, x + width, y + height
    rings = row.get("segmentation")
    flat = (
        [number(value) for ring in rings if isinstance(ring, list) for value in ring] if isinstance(rings, list) else []
    )
    return around(zip(flat[::2], flat[1::2], strict=False))


def _group(row: Mapping[str, Any], options: DataOptions, file: str) -> str | None:
    """The value of the image's field that `--group` names."""
    if options.group in (None, "folder"):
        return None
    if options.group not in row:
        raise SettingError(
            f"--group {options.group}: images in {file} have no such field.", f"They have {', '.join(row)}."
        )
    return str(row[options.group])
