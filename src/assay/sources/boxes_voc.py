"""Pascal VOC: an XML file a picture, beside it or in `Annotations/`; lists in `ImageSets/Main/` tell the sides.

Corners are whole pixels counted from 1, the last one included (Everingham et al. 2010, the development kit).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.errors import AssayError
from assay.sources._box_pictures import (
    Pictures,
    given_by,
    is_side_list,
    listed_sides,
    note_unlabelled,
    side_of_folders,
    stem_of,
)
from assay.sources._boxes import Found, LabelledPicture, RawBox, number, size_of
from assay.sources._image_header import suffix_of
from assay.sources._safe_xml import xml_events
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LOOK_AT = 5


@dataclass
class _Annotation:
    """What one XML file says."""

    filename: str = ""
    size: dict[str, str] = field(default_factory=dict)
    boxes: list[RawBox] = field(default_factory=list)


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like Pascal VOC; None where it does not."""
    files = _xml_files(source.store.names)
    if not files or not any(_is_voc(source.store, name) for name in files[:_LOOK_AT]):
        return None
    return Recognition(0.97, f"boxes in {len(files)} Pascal VOC XML files")


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The pictures of all XML files; one that names another picture than its own name does is noted."""
    store = source.store
    pictures = Pictures(store.names)
    found = []
    for name in _xml_files(store.names):
        try:
            annotation = _read(store, name)
        except AssayError:
            log.add("unreadable-labels", "skipped", name)
            continue
        if annotation is None:
            log.add("stray-file", "skipped", name)
            continue
        place = _place(name, annotation, pictures, log)
        if place is None:
            log.add("labels-without-picture", "skipped", name)
            continue
        size = size_of(annotation.size.get("height"), annotation.size.get("width"))
        found.append(LabelledPicture(place, name, annotation.boxes, size))
    note_unlabelled(pictures, [picture.location for picture in found], log)
    return Found(store, _with_sides(found, store, options, log), "Pascal VOC")


def _xml_files(names: list[str]) -> list[str]:
    return [name for name in names if suffix_of(name) == ".xml"]


def _is_voc(store: Store, name: str) -> bool:
    try:
        return _read(store, name) is not None
    except AssayError:
        return False


def _read(store: Store, name: str) -> _Annotation | None:
    """What a file says; None where it is XML of another kind."""
    got = _Annotation()
    path: list[str] = []
    values: dict[str, str] = {}  # of the object that is being read, by path inside it
    for event in xml_events(store, name):
        if event.kind == "start":
            path.append(event.name)
            if path[0] != "annotation":
                return None
            if path == ["annotation", "object"]:
                values = {"line": str(event.line)}
        elif event.kind == "text":
            _take(got, path, values, event.name)
        else:
            if path == ["annotation", "object"]:
                got.boxes.append(_box(values))
            path.pop()
    return got if got.filename or got.size or got.boxes else None


def _take(got: _Annotation, path: list[str], values: dict[str, str], text: str) -> None:
    """Keep a text where it stands at a place that counts; parts of an object are no objects."""
    inside = path[1:]
    if inside == ["filename"]:
        got.filename += text.strip()
    elif len(inside) == 2 and inside[0] == "size":
        got.size[inside[1]] = got.size.get(inside[1], "") + text.strip()
    elif inside[:1] == ["object"] and 2 <= len(inside) <= 3:
        key = "/".join(inside[1:])
        values[key] = (values.get(key, "") + text).strip()


def _box(values: dict[str, str]) -> RawBox:
    x0, y0, x1, y1 = (number(values.get(f"bndbox/{corner}")) for corner in _CORNERS)
    difficult = values.get("difficult", "0").lower() in ("1", "true")
    return RawBox(values.get("name", ""), (x0 - 1, y0 - 1, x1, y1), difficult, int(values["line"]))


def _place(name: str, annotation: _Annotation, pictures: Pictures, log: ProblemLog) -> str | None:
    """The picture of an XML file: that of its own name, else the one that it names."""
    named = pictures.named(annotation.filename, name) if annotation.filename else None
    own = pictures.beside(name)
    if named is not None and stem_of(named) == stem_of(name):
        return named  # of two pictures that differ in their ending the right one
    if own is not None and annotation.filename and stem_of(annotation.filename) != stem_of(own):
        log.add("labels-name-another-picture", "repaired", name)
    return own or named


def _with_sides(
    found: list[LabelledPicture], store: Store, options: DataOptions, log: ProblemLog
) -> list[LabelledPicture]:
    """The pictures with the sides that lists or folders give; one that stands in no list is left out."""
    lists = [name for name in store.names if is_side_list(name) and name.rpartition("/")[0].endswith("ImageSets/Main")]
    listed = listed_sides(store, lists, lambda line: stem_of(line.split()[0]))
    sides = {picture.location: listed.get(stem_of(picture.location)) for picture in found}
    by_list = given_by(sides.values(), options)
    if not by_list:
        sides = {picture.location: side_of_folders(picture.location) for picture in found}
        if not given_by(sides.values(), options):
            return found
    kept = []
    for picture in found:
        picture.side = sides[picture.location] or (None if by_list else "train")
        if picture.side is None:
            log.add("picture-in-no-list", "skipped", picture.location)
        else:
            kept.append(picture)
    return kept
