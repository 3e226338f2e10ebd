"""LabelMe: a JSON file a picture, with shapes in pixels; an outline counts as the box around it."""

from __future__ import annotations

import math
from typing import Any

from assay.errors import AssayError
from assay.sources._box_json import beginning, json_files, parsed
from assay.sources._box_pictures import Pictures, note_unlabelled, put_on_sides, side_of_folders
from assay.sources._boxes import Found, LabelledPicture, RawBox, around, number, size_of
from assay.sources._path_tables import Beside, is_one_file
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_LOOK_AT = 5
_OUTLINES = ("polygon", "rectangle", "oriented_rectangle", "rotation", "mask", "linestrip")


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like LabelMe's files; None where it does not."""
    files = json_files(source)
    if not any(_is_labelme(source.store, name) for name in files[:_LOOK_AT]):
        return None
    return Recognition(0.97, f"boxes in {len(files)} LabelMe JSON files")


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The pictures of all files; one without shapes shows no object."""
    store: Store = source.store
    pictures = Pictures(store.names)
    if is_one_file(source) and source.path is not None:
        store = Beside(source.path.parent)
        pictures = Pictures((), store.resolve)
    found: list[LabelledPicture] = []
    for name in json_files(source):
        if not _is_labelme(source.store, name):
            log.add("stray-file", "skipped", name)
            continue
        try:
            data = parsed(source.store, name)
        except AssayError:
            log.add("unreadable-labels", "skipped", name)
            continue
        told = str(data.get("imagePath") or "")
        place = pictures.named(told, name) or pictures.beside(name)
        if place is None:
            log.add("labels-without-picture", "skipped", name)
            continue
        size = size_of(data.get("imageHeight"), data.get("imageWidth"))
        found.append(LabelledPicture(place, name, _boxes(data, name, log), size))
    note_unlabelled(pictures, [picture.location for picture in found], log)
    put_on_sides(found, [side_of_folders(picture.location) for picture in found], options)
    return Found(store, found, "LabelMe")


def _is_labelme(store: Store, name: str) -> bool:
    """Whether a file begins as LabelMe's do; the picture itself, which it may hold, stands at its end."""
    head = beginning(store, name)
    return head.startswith("{") and '"shapes"' in head


def _boxes(data: Any, file: str, log: ProblemLog) -> list[RawBox]:
    shapes = data.get("shapes")
    boxes = []
    for shape in shapes if isinstance(shapes, list) else ():
        if not isinstance(shape, dict):
            log.add("label-without-box", "skipped", file)
            continue
        told = shape.get("points")
        points = [
            (number(point[0]), number(point[1]))
            for point in (told if isinstance(told, list) else ())
            if isinstance(point, list) and len(point) == 2
        ]
        kind = shape.get("shape_type") or "polygon"
        if kind == "circle" and len(points) == 2:
            (x, y), radius = points[0], math.dist(*points)
            corners = (x - radius, y - radius, x + radius, y + radius)
        elif kind in _OUTLINES and len(points) >= 2:
            corners = around(points)
        else:
            log.add("label-without-box", "skipped", file)
            continue
        flags = shape.get("flags")
        difficult = isinstance(flags, dict) and bool(flags.get("difficult"))
        boxes.append(RawBox(str(shape.get("label") or ""), corners, difficult))
    return boxes
