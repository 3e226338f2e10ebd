"""CVAT's format "CVAT for images": one XML file with all pictures, whose boxes and outlines are in pixels."""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import DataError
from assay.sources._box_json import beginning, one_store
from assay.sources._box_pictures import Pictures, note_unlabelled, put_on_sides, side_of_folders
from assay.sources._boxes import Found, LabelledPicture, RawBox, around, number, size_of, turned
from assay.sources._image_header import suffix_of
from assay.sources._safe_xml import Event, xml_events
from assay.sources._splits import split_of
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like CVAT's XML; None where it does not."""
    files = _files(source.store)
    return Recognition(0.97, f"boxes in CVAT's XML, {files[0]}") if files else None


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The pictures that the file lists; one without boxes shows no object."""
    store, pictures = one_store(source)
    found: list[LabelledPicture] = []
    for name in _files(source.store):
        current: LabelledPicture | None = None
        for event in xml_events(source.store, name):
            if event.kind == "start" and event.name == "track":
                raise DataError("the labels are those of a video.", "Export as CVAT for images 1.1.", file=name)
            if event.kind == "start" and event.name == "image":
                current = _picture(event, name, pictures, log)
                found += [current] if current is not None else []
            elif event.kind == "end" and event.name == "image":
                current = None
            elif event.kind == "start" and current is not None:
                _take(event, current, log)
    put_on_sides(found, [picture.side for picture in found], options)
    note_unlabelled(pictures, [picture.location for picture in found], log)
    return Found(store, found, "CVAT for images")


def _files(store: Store) -> list[str]:
    """The XML files whose first element is CVAT's; that of VOC is `annotation`."""
    names = [name for name in store.names if suffix_of(name) == ".xml"]
    return [name for name in names if "<annotations" in beginning(store, name)]


def _picture(event: Event, file: str, pictures: Pictures, log: ProblemLog) -> LabelledPicture | None:
    """The picture that an element names; None, with a note, where it is not here."""
    told = event.attributes
    place = pictures.named(told.get("name", ""), file)
    if place is None:
        log.add("labels-without-picture", "skipped", file, event.line)
        return None
    side = split_of(told.get("subset", "")) or side_of_folders(place)
    return LabelledPicture(place, file, size=size_of(told.get("height"), told.get("width")), side=side)


def _take(event: Event, picture: LabelledPicture, log: ProblemLog) -> None:
    """Add the box of a shape to its picture."""
    told = event.attributes
    if event.name == "box":
        x0, y0, x1, y1 = (number(told.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
        corners = turned((x0, y0, x1, y1), number(told.get("rotation", "0")), ((x0 + x1) / 2, (y0 + y1) / 2))
    elif event.name == "polygon":
        corners = around(_points(told))
    elif event.name in ("polyline", "points", "ellipse", "cuboid", "mask", "skeleton", "tag"):
        log.add("label-without-box", "skipped", picture.file, event.line)
        return
    else:
        return
    picture.boxes.append(RawBox(told.get("label", ""), corners, row=event.line))


def _points(told: Mapping[str, str]) -> list[tuple[float, float]]:
    pairs = [point.split(",") for point in told.get("points", "").split(";")]
    return [(number(pair[0]), number(pair[-1])) for pair in pairs if len(pair) == 2]
