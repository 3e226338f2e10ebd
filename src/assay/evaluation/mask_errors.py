"""What is wrong with masks: where the pixels lie that got another class than theirs.

Every wrong pixel is of one kind, the first that holds:

* another class: one thing answered as another;
* missed: of a thing of which no more than half is answered right;
* false: of an answered area of which no more than half is right;
* outlines: the rest, along things that are found.

Shapes: H, W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.metrics import Values
from assay.sources.label_mask import VOID

if TYPE_CHECKING:
    from assay.samples.mask_spec import MaskSpec

Array = np.ndarray[Any, Any]
OTHER, MISSED, FALSE, OUTLINES = "another class", "missed", "nothing there", "outlines"
#: Areas of fewer pixels are slips of the pen and no things.
_PIXELS = 4


@dataclass(frozen=True)
class MaskErrors:
    """Errors of one kind.

    Attributes:
        areas: connected areas; None for outlines.
        pixels: that are wrong.
    """

    areas: int | None
    pixels: int


def mask_errors(outputs: Values, truths: Values, spec: MaskSpec) -> dict[str, MaskErrors]:
    """By kind the errors of all pictures, see the module; empty where no class is the background."""
    if spec.background is None:
        return {}
    areas, pixels = dict.fromkeys((OTHER, MISSED, FALSE), 0), dict.fromkeys((OTHER, MISSED, FALSE, OUTLINES), 0)
    for output, truth in zip(outputs, truths, strict=True):
        true, told = truth.array(), output.mask.array()
        wrong = (true != told) & (true != VOID)
        other = wrong & (true != spec.background) & (told != spec.background)
        missed, count_missed = _poor(true, true == told, spec.background)
        false, count_false = _poor(np.where(true == VOID, spec.background, told), true == told, spec.background)
        kinds = {OTHER: other, MISSED: wrong & ~other & missed, FALSE: wrong & ~other & ~missed & false}
        areas[OTHER] += _count(other)
        areas[MISSED] += count_missed
        areas[FALSE] += count_false
        for name, places in kinds.items():
            pixels[name] += int(places.sum())
        pixels[OUTLINES] += int(wrong.sum()) - sum(int(places.sum()) for places in kinds.values())
    return {name: MaskErrors(areas.get(name), count) for name, count in pixels.items()}


def _poor(classes: Array, right: Array, background: int) -> tuple[Array, int]:
    """(H, W) bool, the connected areas of a class of which no more than half is right; how many of these there are."""
    from scipy.ndimage import label

    found, count = np.zeros(classes.shape, bool), 0
    for number in np.unique(classes):
        if number in (background, VOID):
            continue
        pieces = label(classes == number)[0]
        area = np.bincount(pieces.ravel())
        good = np.bincount(pieces.ravel(), right.ravel(), len(area))
        poor = good <= 0.5 * area
        poor[0] = False
        found |= poor[pieces]
        count += int((poor & (area >= _PIXELS)).sum())
    return found, count


def _count(places: Array) -> int:
    """Connected areas that are no specks."""
    from scipy.ndimage import label

    return int((np.bincount(label(places)[0].ravel())[1:] >= _PIXELS).sum())
