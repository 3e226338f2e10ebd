"""Boxes drawn over pictures, kept as Pascal VOC: an XML file beside each picture, which `assay train` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from assay.errors import DataError, SettingError
from assay.serving.http.kinds import ending_of, endings
from assay.studio.files import class_name, listed, located
from assay.studio.workspace import Project, write_lines

_MOST = 2000
_CORNERS = ("x0", "y0", "x1", "y1")


def pictures(project: Project) -> list[dict[str, Any]]:
    """All pictures with how many boxes each has; None for one that was not looked at yet."""
    known = labelled(project)
    taken = endings(("picture",))
    names = [name for name in listed(project.data) if ending_of(name) in taken]
    return [{"id": name, "boxes": None if name not in known else len(known[name])} for name in names]


def labelled(project: Project) -> dict[str, list[dict[str, Any]]]:
    """The boxes of each labelled picture: label and corners in pixels, right and bottom exclusive."""
    from assay.sources.boxes_voc import find
    from assay.sources.records import ProblemLog
    from assay.sources.source import DataOptions, open_source

    if not any(name.endswith(".xml") for name in listed(project.data)):
        return {}
    found = find(open_source(project.data), DataOptions(), ProblemLog())
    return {
        picture.location: [
            {"label": box.label, **dict(zip(_CORNERS, box.corners, strict=True))} for box in picture.boxes
        ]
        for picture in found.pictures
    }


def write(project: Project, name: str, boxes: Sequence[Mapping[str, Any]]) -> int:
    """Keep the boxes of a picture, in place of those that it had; gives how many.

    Args:
        project: whose.
        name: of the picture.
        boxes: each with its label and corners in pixels, right and bottom exclusive.

    Raises:
        SettingError: a box has no label or no area in the picture.
        DataError: the picture cannot be read.
    """
    picture = located(project.data, name)
    width, height = _size(picture)
    if len(boxes) > _MOST:
        raise SettingError(f"a picture has at most {_MOST} boxes", "Delete some.")
    rows = [_row(box, width, height) for box in boxes]
    objects = "".join(
        f"<object><name>{escape(label)}</name><difficult>0</difficult><bndbox><xmin>{x0 + 1}</xmin>"
        f"<ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>\n"
        for label, x0, y0, x1, y1 in rows
    )
    write_lines(
        picture.with_suffix(".xml"),
        f"<annotation>\n<filename>{escape(picture.name)}</filename>\n"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n{objects}</annotation>\n",
    )
    return len(rows)


def _row(box: Mapping[str, Any], width: int, height: int) -> tuple[str, int, int, int, int]:
    corners = [box.get(corner) for corner in _CORNERS]
    if not isinstance(box.get("label"), str) or not all(isinstance(value, int | float) for value in corners):
        raise SettingError("a box lacks its label or a corner", "Draw it again.")
    x0, x1 = (round(min(max(float(value or 0), 0), width)) for value in (corners[0], corners[2]))
    y0, y1 = (round(min(max(float(value or 0), 0), height)) for value in (corners[1], corners[3]))
    if x1 <= x0 or y1 <= y0:
        raise SettingError(f"a box of {box['label'][:40]!r} has no area", "Draw it larger, or delete it.")
    return class_name(box["label"]), x0, y0, x1, y1


def _size(picture: Path) -> tuple[int, int]:
    """Width and height as a browser shows the picture, turned as its camera says."""
    from PIL import Image

    try:
        with Image.open(picture) as opened:
            width, height = opened.size
            turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception as error:  # Pillow fails on damage in many ways
        raise DataError("cannot be read as a picture", "Delete it, or save it again.", file=picture.name) from error
    return (height, width) if turned else (width, height)
