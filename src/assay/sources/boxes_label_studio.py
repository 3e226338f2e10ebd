"""Label Studio: one JSON file with all tasks (`JSON` or `JSON-MIN`); boxes are in per cent of the picture's sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from assay.errors import DataError
from assay.sources._box_json import beginning, json_files, one_store, parsed
from assay.sources._box_pictures import Pictures, note_unlabelled, put_on_sides, side_of_folders
from assay.sources._boxes import Found, LabelledPicture, RawBox, around, number, turned, whole
from assay.sources._image_header import is_image_name
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source

#: What Label Studio puts before the name of a picture that was uploaded.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_KINDS = ("rectanglelabels", "polygonlabels")


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like an export of Label Studio; None where it does not."""
    files = _files(source)
    return Recognition(0.97, f"boxes in Label Studio's JSON, {files[0]}") if files else None


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The pictures of all tasks that somebody has labelled; one that was sent in without boxes shows no object.

    Raises:
        DataError: a file that is broken or of another layout.
    """
    store, pictures = one_store(source)
    found: list[LabelledPicture] = []
    for name in _files(source):
        tasks = parsed(source.store, name)
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise DataError("expected a list of tasks.", "Export from Label Studio as JSON.", file=name)
        for task in tasks:
            about = f"{name}, task {task.get('id')}"
            place = _place(task, pictures, name)
            regions = _regions(task, about, log)
            if regions is None:
                log.add("picture-without-labels", "skipped", about)
            elif place is None:
                log.add("labels-without-picture", "skipped", about)
            else:
                boxes = [box for region in regions for box in _boxes(region, about, log)]
                found.append(LabelledPicture(place, about, boxes, shares=True))
    put_on_sides(found, [side_of_folders(picture.location) for picture in found], options)
    note_unlabelled(pictures, [picture.location for picture in found], log)
    return Found(store, found, "Label Studio")


def _files(source: Source) -> list[str]:
    found = []
    for name in json_files(source):
        head = beginning(source.store, name)
        if head.startswith("[") and any(f'"{kind}"' in head for kind in _KINDS):
            found.append(name)
    return found


def _place(task: Mapping[str, Any], pictures: Pictures, file: str) -> str | None:
    """The picture of a task: a path, an address, or the name of an upload with what Label Studio put before it."""
    data = task.get("data")
    for value in (data if isinstance(data, dict) else task).values():
        if not isinstance(value, str):
            continue
        try:
            parts = urlsplit(value)
        except ValueError:  # such as a bracket that is not closed
            continue
        local = parse_qs(parts.query).get("d", [""])[0]
        told = unquote(local or parts.path)
        if not is_image_name(told):
            continue
        folder, _, base = told.rpartition("/")
        short = _UPLOAD.sub("", base)
        for name in (told.lstrip("/"), base, f"{folder}/{short}".lstrip("/"), short):
            if (place := pictures.named(name, file)) is not None:
                return place
    return None


def _regions(task: Mapping[str, Any], about: str, log: ProblemLog) -> list[Mapping[str, Any]] | None:
    """What was drawn in a task, by the first who sent it in; None where nobody has."""
    annotations = task.get("annotations", task.get("completions"))
    if isinstance(annotations, list):
        sent = [item for item in annotations if isinstance(item, dict) and not item.get("was_cancelled")]
        sent = [item for item in sent if isinstance(item.get("result"), list)]
        if len(sent) > 1:
            log.add("picture-labelled-by-several", "kept", about)
        return [region for region in sent[0]["result"] if isinstance(region, dict)] if sent else None
    drawn = [value for value in task.values() if isinstance(value, list)]  # JSON-MIN
    regions: list[Mapping[str, Any]] = [region for value in drawn for region in value if isinstance(region, dict)]
    return regions if regions or "annotation_id" in task else None


def _boxes(region: Mapping[str, Any], about: str, log: ProblemLog) -> Iterator[RawBox]:
    """The box of a region; one with several labels is a box of each."""
    value = region.get("value", region)
    kind = next((kind for kind in _KINDS if isinstance(value, dict) and isinstance(value.get(kind), list)), None)
    if kind is None:
        if region.get("type") not in ("rectangle", "polygon", "choices", "textarea", "rating"):
            log.add("label-without-box", "skipped", about)
        return
    corners = _corners(value, region)
    for label in value[kind] or ("",):
        yield RawBox(str(label), corners)


def _corners(value: Mapping[str, Any], region: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """In shares of the picture's sides; a turned box, which is turned about its first corner, by the one around it."""
    if isinstance(value.get("points"), list):
        points = [point for point in value["points"] if isinstance(point, list) and len(point) == 2]
        return around((number(x) / 100, number(y) / 100) for x, y in points)
    x, y, width, height = (number(value.get(key)) / 100 for key in ("x", "y", "width", "height"))
    degrees = number(value.get("rotation") or 0)
    wide = whole(region.get("original_width", value.get("original_width"))) or 1
    high = whole(region.get("original_height", value.get("original_height"))) or 1
    pixels = (x * wide, y * high, (x + width) * wide, (y + height) * high)
    x0, y0, x1, y1 = turned(pixels, degrees, pixels[:2])
    return x0 / wide, y0 / high, x1 / wide, y1 / high
