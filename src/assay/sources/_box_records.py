"""From pictures with boxes as they were found, and a look at each picture, to `Records`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._boxes import Found, LabelledPicture, RawBox, merged
from assay.sources._image_files import ImageCheck, check_files
from assay.sources._image_records import image_records
from assay.sources._listing import listing, note
from assay.sources.records import ProblemLog, Records

#: What `target` holds: the boxes of a picture, in pixels of the upright picture, right and bottom exclusive. `hard` is
#: what the field calls difficult; runs know their data by fingerprints that hold this name.
BOXES = pa.list_(
    pa.struct(
        [("label", pa.string()), *((side, pa.float32()) for side in ("x0", "y0", "x1", "y1")), ("hard", pa.bool_())]
    )
)
_Corners = tuple[float, float, float, float]
#: By how many pixels a box may stand over the picture without a word: what rounding does.
_SLACK = 0.51
#: A box that keeps less than this share of its area when it is clipped lies elsewhere.
_LEAST_SHARE = 0.05
_UNKNOWN = "box-of-unknown-class"
_CLASSES = "List all classes: in data.yaml, classes.txt or obj.names (YOLO), or in categories (COCO)."
_EXPECTED = "Expected pixels (COCO, Pascal VOC, CVAT, LabelMe), shares of the sides (YOLO) or per cent (Label Studio)."


def box_records(found: Found, log: ProblemLog, label: str) -> Records:
    """Records of pictures with boxes; what is wrong with a picture or a box is noted.

    Args:
        found: what a reader gave.
        log: the problems so far.
        label: how messages name the source.

    Raises:
        DataError: no picture can be used, or no box at all is left.
    """
    pictures = merged(found.pictures, log)
    checks = check_files(found.store.read, found.store.size, [picture.location for picture in pictures])
    rows: list[tuple[LabelledPicture, ImageCheck, list[dict[str, Any]] | None]] = []
    for picture, check in zip(pictures, checks, strict=True):
        note(check, log)
        boxes = _boxes(picture, check, log) if check.usable else None
        if boxes == [] and picture.boxes:  # it is not one that shows no object
            log.add("picture-without-usable-box", "skipped", picture.location)
        else:
            rows.append((picture, check, boxes))
    targets = [boxes for _, _, boxes in rows]
    facts = {**_facts(targets), "layout": found.layout}
    if any(check.usable for check in checks) and not facts["boxes"]:
        raise _no_box(len(checks), log, label)
    names = [picture.location for picture, _, _ in rows]
    table = listing(
        id=names,
        location=names,
        target=pa.array(targets, BOXES),
        group=_column([picture.group for picture, _, _ in rows]),
        split=_column([picture.side for picture, _, _ in rows]),
    )
    target = {"name": "boxes", "kind": "boxes"}
    usable = [check for _, check, _ in rows]
    return image_records(table, usable, found.store.read, log, target=target, label=label, facts=facts)


def _no_box(pictures: int, log: ProblemLog, label: str) -> DataError:
    """The error of pictures without a single usable box, with what is wrong with the boxes that there are."""
    wrong = {one.kind: one.count for one in log.problems() if one.action == "skipped" and one.kind.startswith("box-")}
    told = ", ".join(f"{count} {kind}" for kind, count in wrong.items())
    return DataError(
        f"none of the {pictures} pictures has a box that can be used{f' ({told})' if told else ''}.",
        _CLASSES if set(wrong) == {_UNKNOWN} else _EXPECTED,
        file=label,
    )


def _facts(targets: Sequence[list[dict[str, Any]] | None]) -> dict[str, Any]:
    """How many boxes there are, of which class, and pictures without any."""
    counts = Counter(box["label"] for boxes in targets for box in boxes or ())
    return {
        "classes": len(counts),
        "class_counts": dict(sorted(counts.items())),
        "boxes": counts.total(),
        "difficult": sum(box["hard"] for boxes in targets for box in boxes or ()),
        "without_boxes": sum(boxes == [] for boxes in targets),
    }


def _column(values: Sequence[str | None]) -> Sequence[str | None] | None:
    return None if all(value is None for value in values) else values


def _boxes(picture: LabelledPicture, check: ImageCheck, log: ProblemLog) -> list[dict[str, Any]]:
    """The boxes of a picture as its target has them."""
    scale_y, scale_x, is_lying = _scale(picture, check, log)
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for box in picture.boxes:
        corners = _turn(box.corners, picture, check.orientation) if is_lying else box.corners
        x0, y0, x1, y1 = corners
        scaled = (x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y)
        clipped = _clipped(scaled, box, picture, check, log)
        if clipped is None:
            continue
        key = (box.label, *(round(value, 2) for value in clipped))
        if key in kept:
            log.add("same-box-twice", "skipped", picture.file, box.row)
            kept[key]["hard"] &= box.difficult
            continue
        sides = dict(zip(("x0", "y0", "x1", "y1"), clipped, strict=True))
        kept[key] = {"label": box.label, **sides, "hard": box.difficult}
    return list(kept.values())


def _scale(picture: LabelledPicture, check: ImageCheck, log: ProblemLog) -> tuple[float, float, bool]:
    """By what y and x are to be multiplied, and whether the boxes are those of the picture as it lies in its file.

    A picture whose EXIF data turns it by 90 degrees is read upright; some tools label it as it lies. Its size in the
    label file tells. A picture that was scaled after it was labelled has another size of the same proportions.
    """
    if picture.shares:
        return float(check.height), float(check.width), False
    if picture.size is None or picture.size == (check.height, check.width):
        return 1.0, 1.0, False
    if check.orientation >= 5 and picture.size == (check.width, check.height):
        log.add("boxes-turned-with-picture", "repaired", picture.file)
        return 1.0, 1.0, True
    scale_y, scale_x = check.height / picture.size[0], check.width / picture.size[1]
    if abs(scale_y / scale_x - 1) < 0.02 and picture.boxes:
        log.add("picture-of-another-size", "repaired", picture.file)
        return scale_y, scale_x, False
    log.add("picture-of-another-size", "kept", picture.file)
    return 1.0, 1.0, False


def _turn(corners: _Corners, picture: LabelledPicture, orientation: int) -> _Corners:
    """A box of a picture as it lies in its file, in the upright picture; see `decode._upright`."""
    height, width = picture.size or (0, 0)
    x0, y0, x1, y1 = corners
    if orientation == 5:
        return y0, x0, y1, x1
    if orientation == 6:
        return height - y1, x0, height - y0, x1
    if orientation == 7:
        return height - y1, width - x1, height - y0, width - x0
    return y0, width - x1, y1, width - x0


def _clipped(
    corners: _Corners, box: RawBox, picture: LabelledPicture, check: ImageCheck, log: ProblemLog
) -> _Corners | None:
    """The part of a box that lies in the picture; None, with a note, where nothing is left."""
    if not box.label:
        log.add(_UNKNOWN, "skipped", picture.file, box.row)
        return None
    if not all(map(math.isfinite, corners)):
        log.add("box-without-numbers", "skipped", picture.file, box.row)
        return None
    x0, y0, x1, y1 = corners
    if x1 < x0 or y1 < y0:
        log.add("box-with-swapped-corners", "repaired", picture.file, box.row)
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if x1 - x0 <= 0 or y1 - y0 <= 0:
        log.add("box-without-area", "skipped", picture.file, box.row)
        return None
    left, top, right, bottom = max(x0, 0.0), max(y0, 0.0), min(x1, float(check.width)), min(y1, float(check.height))
    inside = max(0.0, right - left) * max(0.0, bottom - top)
    if inside <= _LEAST_SHARE * (x1 - x0) * (y1 - y0):
        log.add("box-outside-picture", "skipped", picture.file, box.row)
        return None
    if max(x1 - x0, y1 - y0) <= 1:  # most likely a click by mistake
        log.add("box-of-one-pixel", "kept", picture.file, box.row)
    if max(left - x0, top - y0, x1 - right, y1 - bottom) > _SLACK:
        log.add("box-outside-picture", "repaired", picture.file, box.row)
    return left, top, right, bottom
