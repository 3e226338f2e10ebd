"""Pictures with the outlines of what lies in them, and with what an answer missed or saw where it is not.

Shapes: H, W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.mask_answers import class_colour
from assay.report.close_ups import close_up, framed
from assay.report.images import thumbnail
from assay.samples.mask_windows import picture_of, shrunk
from assay.sources.decode import resize
from assay.sources.label_mask import VOID, LabelMask
from assay.task_parts import Drawing

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: The longer side of a drawing in pixels: outlines need more room than pictures.
SIZE = 224
#: What was missed is orange, what was answered falsely is blue, as elsewhere on the page.
MISSED, FALSE = (255, 140, 0), (40, 110, 240)
_STRENGTH = 0.6


def plain_or_outlined(samples: Samples, unit: int, background: int | None) -> Drawing:
    """A picture of the samples with the outlines of its mask; without them where it has none."""
    picture = _picture(samples, unit)
    index, name = samples.index, samples.id(unit)
    text = index.column("target")[unit].as_py() if "target" in index.column_names else None
    if text is None:
        return Drawing(image=thumbnail(picture, SIZE), lines=(name,))
    return Drawing(image=outlined(picture, LabelMask.from_text(text).array(), background), lines=(name,), large=True)


def compared_with_truth(
    samples: Samples, unit: int, answer: LabelMask, truth: LabelMask, background: int | None
) -> Drawing:
    """A picture of the samples with what an answer misses and has too much."""
    image = compared(_picture(samples, unit), truth.array(), answer.array(), background)
    return Drawing(
        image=image, lines=(samples.id(unit), "colours: orange missed, blue too much, white found"), large=True
    )


def doubted_area(samples: Samples, unit: int, box: Sequence[float], background: int | None) -> Drawing:
    """What lies around a part of a mask that is in doubt, with the outlines of the mask and a frame around the part.

    Args:
        samples: all samples.
        unit: the picture.
        box: x0, y0, x1, y1 in the picture's own pixels.
        background: the class that is not outlined.
    """
    picture, text = _picture(samples, unit), samples.index.column("target")[unit].as_py()
    mask = LabelMask.from_text(text)
    ratio = picture.shape[1] / mask.width
    inner = tuple(value * ratio for value in box)
    part, scale, (left, top) = close_up(picture, inner, SIZE)
    drawn = np.array(part)
    classes = shrunk(mask.array(), *picture.shape[:2])[top:, left:][: round(part.shape[0] / scale),
                                                                   : round(part.shape[1] / scale)]  # fmt: skip
    classes = shrunk(classes, *part.shape[:2])
    edge = edges(classes)
    for number in np.unique(classes):
        if number not in (background, VOID):
            drawn[edge & (classes == number)] = class_colour(int(number))
    frame = [scale * (value - start) for value, start in zip(inner, (left, top) * 2, strict=True)]
    return Drawing(
        image=thumbnail(framed(drawn, frame), SIZE),
        lines=(samples.id(unit), "in dashes: the place in doubt"),
        large=True,
    )


def _picture(samples: Samples, unit: int) -> Array:
    windows = samples.view_of(np.asarray([unit])).windows
    images, places = (np.asarray(samples.field(name, windows)) for name in ("image", "place"))
    return picture_of(images, places)


def outlined(picture: Array, mask: Array, background: int | None) -> str:
    """A picture with the outline of each class in its colour, as a data URI.

    Args:
        picture: (H, W, 3) uint8.
        mask: class numbers, of any size.
        background: the class that is not outlined.
    """
    drawn, mask = _small(picture, mask)
    edge = edges(mask)
    for number in np.unique(mask):
        if number not in (background, VOID):
            drawn[edge & (mask == number)] = class_colour(int(number))
    return thumbnail(drawn, SIZE)


def compared(picture: Array, truth: Array, answer: Array, background: int | None) -> str:
    """A picture in which is orange what the answer misses, blue what it has too much, as a data URI.

    What is of one class and was taken for another is orange inside and outlined in blue. Found areas are outlined in
    white.
    """
    drawn, truth = _small(picture, truth)
    answer = shrunk(answer, *truth.shape)
    known, wrong = truth != VOID, truth != answer
    back = -1 if background is None else background
    missed = known & wrong & (truth != back)
    false = known & wrong & (answer != back) & (truth == back)
    for places, colour in ((missed, MISSED), (false, FALSE)):
        drawn[places] = (drawn[places] * (1 - _STRENGTH) + np.asarray(colour) * _STRENGTH).astype(np.uint8)
    drawn[edges(answer) & (answer == truth) & (answer != back)] = 255
    drawn[edges(answer) & missed & (answer != back)] = FALSE
    return thumbnail(drawn, SIZE)


def edges(mask: Array) -> Array:
    """(H, W) bool, the pixels that have another class above, below, left or right of them."""
    found = np.zeros(mask.shape, bool)
    down, across = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= across
    found[:, :-1] |= across
    return found


def _small(picture: Array, mask: Array) -> tuple[Array, Array]:
    """Picture and mask at the size at which they are drawn."""
    ratio = SIZE / max(picture.shape[:2])
    height, width = (max(1, round(side * ratio)) for side in picture.shape[:2])
    return resize(picture, height, width).copy(), shrunk(mask, height, width)
