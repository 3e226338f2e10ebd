"""Pictures with boxes as the readers of labels find them, before anybody has looked at the pictures themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assay.sources.records import ProblemLog
from assay.sources.store import Store


class RawBox(NamedTuple):
    """One box as a label file has it.

    Attributes:
        label: its class; "" where the file does not say what it is.
        corners: x0, y0, x1, y1 in pixels, or in shares of the picture's sides; left and top inclusive, right and bottom
            exclusive.
        difficult: a detector need not find it: a crowd, or marked as difficult.
        row: where it stands in its file; None where that has no lines.
    """

    label: str
    corners: tuple[float, float, float, float]
    difficult: bool = False
    row: int | None = None


@dataclass
class LabelledPicture:
    """A picture and what a label file says about it.

    Attributes:
        location: the picture's name in the store.
        file: the label file, for messages.
        boxes: in the file's order.
        size: height and width as the file says them, None where it does not.
        side: "train", "validation" or "test", where a split is given.
        group: what never crosses a split.
        shares: the corners are shares of the picture's sides.
    """

    location: str
    file: str
    boxes: list[RawBox] = field(default_factory=list)
    size: tuple[int, int] | None = None
    side: str | None = None
    group: str | None = None
    shares: bool = False


@dataclass
class Found:
    """What a reader gives.

    Attributes:
        store: holds the pictures.
        pictures: those that were labelled; one without boxes shows none of the objects.
        layout: the format in a few words.
    """

    store: Store
    pictures: list[LabelledPicture]
    layout: str


def number(value: Any) -> float:
    """A coordinate as a float; NaN where it is none, so that the box is skipped and told of."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def whole(value: Any) -> int:
    """A size in pixels; 0 where it is none."""
    found = number(value)
    return int(found) if 0 < found < 1e9 else 0


def size_of(height: Any, width: Any) -> tuple[int, int] | None:
    """Height and width that a label file tells; None where one of them is missing."""
    size = whole(height), whole(width)
    return size if min(size) > 0 else None


def around(points: Iterable[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The box around points (x, y); NaN where there are none."""
    placed = list(points)
    if not placed or any(value != value for point in placed for value in point):
        return (float("nan"),) * 4
    xs, ys = [point[0] for point in placed], [point[1] for point in placed]
    return min(xs), min(ys), max(xs), max(ys)


def turned(
    corners: tuple[float, float, float, float], degrees: float, about: tuple[float, float]
) -> tuple[float, float, float, float]:
    """The upright box around a box that is turned clockwise about a point; NaN where it is turned by no number."""
    import math

    if not degrees:
        return corners
    if not math.isfinite(degrees):
        return around(())
    x0, y0, x1, y1 = corners
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    steps = [(x - about[0], y - about[1]) for x in (x0, x1) for y in (y0, y1)]
    return around((about[0] + x * cosine - y * sine, about[1] + x * sine + y * cosine) for x, y in steps)


def merged(pictures: list[LabelledPicture], log: ProblemLog) -> list[LabelledPicture]:
    """One entry for each picture, in the order of their names; what several files say about one is put together."""
    by_name: dict[str, LabelledPicture] = {}
    for picture in pictures:
        first = by_name.setdefault(picture.location, picture)
        if first is picture:
            continue
        if picture.side != first.side:
            log.add("picture-on-two-sides", "skipped", picture.file)
            continue
        if picture.shares != first.shares:
            log.add("labels-of-two-kinds", "skipped", picture.file)
            continue
        log.add("picture-labelled-twice", "kept", picture.file)
        first.boxes += picture.boxes
    return [by_name[name] for name in sorted(by_name)]
