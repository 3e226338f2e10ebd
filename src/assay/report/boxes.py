"""Pictures with boxes drawn on them.

Shapes: H height, W width, n boxes, m objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.evaluation.palette import NAMES, OKABE_ITO, WHITE
from assay.report.images import thumbnail
from assay.samples.box_frames import into_frame
from assay.task_parts import Drawing

if TYPE_CHECKING:
    import numpy as np

    from assay.samples.box_spec import BoxSpec
    from assay.samples.samples import Samples

    Array = np.ndarray[Any, Any]

#: One colour a class, again from the start after eight.
COLOURS, _NAMES = (*OKABE_ITO, WHITE), (*NAMES, "white")
LABELLED, MISSED, FOUND, WRONG = "labelled", "missed", "found", "wrong"
#: The longer side of a drawing in pixels: boxes need more room than pictures.
_SIZE = 320
#: Wrong boxes that are drawn in one picture: of more than these nothing is to be seen any more.
_MOST_WRONG = 10


def boxes_drawn(picture: Array, boxes: Array, classes: Array, marks: Sequence[str] = (), size: int = _SIZE) -> str:
    """A picture with boxes, a data URI; see `_with_boxes`."""
    return thumbnail(_with_boxes(picture, boxes, classes, marks, size), size)


def _with_boxes(picture: Array, boxes: Array, classes: Array, marks: Sequence[str], size: int) -> Array:
    """A picture (H', W', 3) uint8 with boxes.

    Args:
        picture: uint8 of shape (H, W), (H, W, 1) or (H, W, 3).
        boxes: (n, 4) x0, y0, x1, y1 in its pixels.
        classes: (n,) int, which decide the colours.
        marks: how each is drawn: `LABELLED`, `MISSED`, `FOUND` or `WRONG`; empty where all are labelled.
        size: the longer side, in pixels.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    import numpy as np

    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtraError("drawing pictures", "image") from None
    flat = picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    image = Image.fromarray(np.ascontiguousarray(flat)).convert("RGB")
    scale = size / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    draw = ImageDraw.Draw(image)
    for number in range(len(boxes)):
        x0, y0, x1, y1 = (float(value) * scale for value in boxes[number][:4])
        box = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
        colour = COLOURS[int(classes[number]) % len(COLOURS)]
        mark = marks[number] if len(marks) else LABELLED
        if mark in (FOUND, WRONG):
            corners = [(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])]
            for place in range(4):
                _dashed(draw, corners[place], corners[(place + 1) % 4], colour)
        else:
            draw.rectangle(box, outline=colour, width=4 if mark == MISSED else 2)
        if mark == WRONG:
            draw.line((box[0], box[1], box[2], box[3]), fill=colour, width=2)
            draw.line((box[0], box[3], box[2], box[1]), fill=colour, width=2)
    return np.asarray(image)


def compared(picture: Array, objects: Array, found: Array, names: Sequence[str], name: str) -> Drawing:
    """A picture with its labelled objects and the boxes that count as found, misses and wrong ones marked.

    Args:
        picture: uint8 of shape (H, W, 1 or 3).
        objects: (m, 6) in its pixels, as a truth has them.
        found: (n, 6) in its pixels, as an output has them; of many wrong ones the surest are drawn.
        names: of the classes.
        name: of the picture.
    """
    import numpy as np

    from assay.evaluation.box_errors import RIGHT, UNCOUNTED, box_errors

    errors = box_errors(found, objects)
    hard = np.asarray(objects)[:, 5] > 0
    labelled = np.where(errors.found | hard, LABELLED, MISSED)
    told = np.where((errors.kind == RIGHT) | (errors.kind == UNCOUNTED), FOUND, WRONG)
    missed, wrong = int((labelled == MISSED).sum()), int((told == WRONG).sum())
    surest = np.argsort(-np.where(told == WRONG, found[:, 4], np.inf), kind="stable")
    kept = np.sort(surest[: len(found) - max(0, wrong - _MOST_WRONG)])
    found, told = found[kept], told[kept]
    boxes, classes = np.concatenate([objects[:, :4], found[:, :4]]), np.concatenate([objects[:, 4], found[:, 5]])
    image = boxes_drawn(picture, boxes, classes, [*labelled.tolist(), *told.tolist()])
    lines = [
        f"missed (thick): {missed:,}",
        f"found wrongly (crossed): {wrong:,}{', the surest are drawn' if wrong > _MOST_WRONG else ''}",
        "lines: solid labelled, dashed found",
    ]
    used = sorted({int(label) for label in classes})
    named = [f"{_NAMES[label % len(COLOURS)]}: {names[label]}" for label in used]
    return Drawing(image=image, lines=(name, *lines, *named), large=True)


def doubted(picture: Array, objects: Array, label: Array | None, find: Array | None, name: str) -> Drawing:
    """What lies around a label that is in doubt or seems to be missing, enlarged, in a frame of black and white dashes.

    Labelled objects are drawn, the one in doubt thick, and what was found in its place dashed.

    Args:
        picture: uint8 of shape (H, W, 1 or 3).
        objects: (m, 6) in its pixels, as a truth has them.
        label: (6,) likewise, the one in doubt; None where a label is missing.
        find: (6,) in its pixels, as an output has it; None where nothing was found.
        name: of the picture.
    """
    import numpy as np

    from assay.report.close_ups import close_up, framed

    marks = np.full(len(objects), LABELLED)
    if label is not None:
        marks[np.abs(objects[:, :5] - label[:5]).max(axis=1, initial=0.0) < 1] = MISSED
    boxes, classes, drawn_as = objects[:, :4], objects[:, 4], marks.tolist()
    if find is not None:
        boxes, classes = np.concatenate([boxes, find[None, :4]]), np.append(classes, find[5])
        drawn_as.append(FOUND)
    colour = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
    meant = np.asarray([one[:4] for one in (label, find) if one is not None], float)
    meant = np.concatenate([meant[:, :2].min(axis=0), meant[:, 2:].max(axis=0)])
    part, scale, corner = close_up(colour, meant.tolist(), _SIZE)
    corners = np.asarray([*corner, *corner])
    image = _with_boxes(part, (boxes - corners) * scale, classes, drawn_as, max(part.shape[:2]))
    image = framed(image, ((meant - corners) * scale + (-4, -4, 4, 4)).tolist())
    return Drawing(image=thumbnail(image, _SIZE), lines=(name, "in dashes: the place in doubt"), large=True)


def picture_of(samples: Samples, unit: int) -> tuple[Array, Array, Array]:
    """A picture as the network sees it, (H, W, 1 or 3) uint8, its objects (m, 6) there, and its own size (2,)."""
    import numpy as np

    window = samples.view_of(np.asarray([unit])).windows[:1]
    image, frame = (np.asarray(samples.field(name, window))[0] for name in ("image", "frame"))
    shown = image[:3] if len(image) >= 3 else image[:1]
    batch: Any = samples.batch(window)
    objects = np.zeros((0, 6)) if batch.objects is None else batch.objects[0].numpy()
    return np.asarray(shown.transpose(1, 2, 0)), objects, frame


def drawn(samples: Samples, unit: int) -> Drawing:
    """A picture of the samples with its labelled objects."""
    picture, objects, _ = picture_of(samples, unit)
    return Drawing(image=boxes_drawn(picture, objects[:, :4], objects[:, 4]), lines=(samples.id(unit),), large=True)


def drawn_with_found(samples: Samples, unit: int, found: Array, spec: BoxSpec) -> Drawing:
    """The same beside boxes (n, 6) found, in pixels of the picture; see `compared`."""
    picture, objects, frame = picture_of(samples, unit)
    return compared(picture, objects, into_frame(found, frame, spec), spec.classes, samples.id(unit))


def drawn_with_doubt(samples: Samples, unit: int, label: Array | None, find: Array | None, spec: BoxSpec) -> Drawing:
    """The same with a label (6,) that is in doubt and a find (6,), in pixels of the picture; see `doubted`."""
    picture, objects, frame = picture_of(samples, unit)
    moved = [None if box is None else into_frame(box[None], frame, spec)[0] for box in (label, find)]
    return doubted(picture, objects, moved[0], moved[1], samples.id(unit))


def drawn_explained(samples: Samples, unit: int, weights: Array) -> Drawing:
    """A picture in grey with what weighed in colour; where that is a small part, only what lies around it."""
    import numpy as np

    from assay.report.close_ups import overlaid_close_up

    picture = picture_of(samples, unit)[0]
    colour = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
    lines = samples.id(unit), "explained: the best box"
    return Drawing(image=overlaid_close_up(colour, weights, _SIZE), lines=lines, large=True)


def _dashed(
    draw: Any, start: tuple[float, float], end: tuple[float, float], colour: tuple[int, int, int], dash: float = 6.0
) -> None:
    """A line with gaps."""
    steps = max(1, int(max(abs(end[0] - start[0]), abs(end[1] - start[1])) / dash))
    for step in range(0, steps, 2):
        shares = step / steps, min(1.0, (step + 1) / steps)
        points = [tuple(low + (high - low) * share for low, high in zip(start, end, strict=True)) for share in shares]
        draw.line(points, fill=colour, width=2)
