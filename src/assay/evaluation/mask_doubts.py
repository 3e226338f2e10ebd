"""Parts of masks that a network contradicts which has not seen the picture.

The idea is that of confident learning (Northcutt, Jiang and Chuang, JAIR 2021), as with boxes
(`assay.evaluation.box_doubts`): a network is believed where it is as sure as when it is right. What it contradicts is
cut into connected areas of one labelled and one answered class. Along outlines everybody is a little off, so an area
counts only where a disk fits in that is not much smaller than those that fit into the things of its class, and where it
does not lie along what network and labels agree on. It may be

* `missing`: a thing is answered where nothing is labelled;
* `another class`: this is labelled as one thing and answered as another;
* `nothing there`: a thing is labelled where nothing is answered.

All is looked at in the size in which the network sees pictures.

Shapes: h, w pixels of a shrunk picture, C classes, N areas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.doubting import FEW, sure_by_class
from assay.evaluation.metrics import Values
from assay.samples.mask_windows import Segmented, shrunk
from assay.sources.label_mask import VOID, LabelMask
from assay.task_parts import Doubt, Doubts

if TYPE_CHECKING:
    from assay.samples.mask_spec import MaskSpec

Array = np.ndarray[Any, Any]
MISSING, OTHER, NOTHING = "missing", "another class", "nothing there"
#: An area is as deep as a thing where it is so much of the depth that three of four things of its class have at least.
_DEEP, _QUANTILE = 0.6, 0.25
#: Areas of fewer pixels, or less deep ones, are nothing; a thing is found where more than half of it is answered right.
_PIXELS, _LEAST_DEEP, _FOUND = 12, 2.0, 0.5
#: More of its rim than this lies along a thing on which network and labels agree: it is a matter of outlines.
_ALONG = 0.5
#: Where more of the things than this are denied, the network is blind to such things rather than the labels wrong.
_MOST_DENIED = 0.25


@dataclass(frozen=True)
class _Area:
    """A connected area of one labelled and one answered class.

    Attributes:
        true, told: the classes.
        box: rows from and to, columns from and to, the last not included.
        inside: (box) bool.
        deep: the radius of the largest disk in it, in pixels.
        sure: the mean probability of the answer in it.
        along: the share of its rim that lies along what is both labelled and answered as one of the two classes.
    """

    true: int
    told: int
    box: tuple[slice, slice]
    inside: Array
    deep: float
    sure: float
    along: float = 0.0


def mask_doubts(outputs: Values, truths: Values, spec: MaskSpec) -> Doubts | None:
    """What looks wrong with the masks of pictures, the surest first.

    The place of a doubt is x0, y0, x1, y1 in pixels of the picture.

    Args:
        outputs: `Segmented` of networks that were not trained on these pictures; None where they do not say how sure
            they are.
        truths: the masks (`LabelMask`), as labelled.
        spec: classes and background.
    """
    if any(output.sure is None for output in outputs):
        return None
    looked = [_Looked.at(output, truth, spec) for output, truth in zip(outputs, truths, strict=True)]
    labels, found = sum(len(one.depths) for one in looked), sum(one.found for one in looked)
    if not labels or not found:
        return Doubts(labels, 0.0, ())
    classes = len(spec.classes)
    deep = np.maximum(_LEAST_DEEP, _DEEP * _deep([pair for one in looked for pair in one.depths], classes))
    wrong = [(row, area) for row, one in enumerate(looked) for area in one.wrong
             if area.deep >= deep[_thing(area, spec)] and area.along <= _ALONG]  # fmt: skip
    right = [pair for one in looked for pair in one.right]
    least = sure_by_class(right, [(area.told, area.sure) for _, area in wrong], classes)
    doubts = [_doubt(area, row, looked[row].ratio, spec) for row, area in wrong if area.sure >= least[area.told]]
    denied = sum(area.told == spec.background for _, area in wrong)
    kept = [one for one in doubts if one.kind != NOTHING or denied <= _MOST_DENIED * labels]
    told, hits = sum(one.told for one in looked), sum(one.hits for one in looked)
    return Doubts(labels, (found + hits) / (labels + told), tuple(sorted(kept, key=lambda one: -one.sure)))


@dataclass(frozen=True)
class _Looked:
    """One picture.

    Attributes:
        depths: of each labelled thing its class and the radius of the largest disk in it.
        found: how many of them are found.
        told: how many things are answered, and `hits` of them rightly.
        right: of each thing that is found, and of the background where it is right, the class and the sureness.
        wrong: the areas that are contradicted.
        ratio: pixels of the picture to one that is looked at, down and across.
    """

    depths: list[tuple[int, float]]
    found: int
    told: int
    hits: int
    right: list[tuple[int, float]]
    wrong: list[_Area]
    ratio: tuple[float, float]

    @staticmethod
    def at(output: Segmented, truth: LabelMask, spec: MaskSpec) -> _Looked:
        sure = np.asarray(output.sureness())
        high, wide = sure.shape
        told, true = shrunk(output.mask.array(), high, wide), shrunk(truth.array(), high, wide)
        depths, right = [], []
        for area in _areas(true, true, sure, lambda label, answer: label not in (spec.background, VOID)):
            depths.append((area.true, area.deep))
            same = area.inside & (told[area.box] == area.true)
            if same.sum() > _FOUND * area.inside.sum():
                right.append((area.true, float(sure[area.box][same].mean())))
        found = len(right)
        answers = list(_areas(told, told, sure, lambda label, answer: label not in (spec.background, VOID)))
        hits = sum((true[area.box][area.inside] == area.true).mean() > _FOUND for area in answers)
        nothing = (told == spec.background) & (true == spec.background)
        if spec.background is not None and nothing.any():
            right.append((spec.background, float(sure[nothing].mean())))
        wrong = [replace(area, along=_along(area, true, told, spec))
                 for area in _areas(true, told, sure, lambda label, answer: label not in (answer, VOID))]  # fmt: skip
        return _Looked(depths, found, len(answers), hits, right, wrong, (truth.height / high, truth.width / wide))


def _thing(area: _Area, spec: MaskSpec) -> int:
    """The class that is no background."""
    return area.told if area.true == spec.background else area.true


def _along(area: _Area, true: Array, told: Array, spec: MaskSpec) -> float:
    """See `_Area.along`."""
    from scipy.ndimage import binary_dilation

    rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in area.box)
    inside = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    first = area.box[0].start - rows.start, area.box[1].start - columns.start
    inside[first[0] : first[0] + area.inside.shape[0], first[1] : first[1] + area.inside.shape[1]] = area.inside
    labels, answers = true[rows, columns], told[rows, columns]
    rim = (binary_dilation(inside) & ~inside)[: labels.shape[0], : labels.shape[1]]
    agreed = (labels == answers) & (labels == _thing(area, spec))
    return float(agreed[rim].mean()) if rim.any() else 0.0


def _areas(true: Array, told: Array, sure: Array, wanted: Any) -> Iterator[_Area]:
    """The connected areas (h, w) of the pairs of classes that are `wanted`, but for specks."""
    from scipy.ndimage import distance_transform_edt, find_objects, label

    pairs = true.astype(np.int32) * (VOID + 1) + told
    for pair in np.unique(pairs):
        first, second = divmod(int(pair), VOID + 1)
        if not wanted(first, second):
            continue
        numbers, _ = label(pairs == pair)
        for number, box in enumerate(find_objects(numbers), 1):
            inside = numbers[box] == number
            if inside.sum() >= _PIXELS:
                deep = float(distance_transform_edt(np.pad(inside, 1)).max())
                yield _Area(first, second, box, inside, deep, float(sure[box][inside].mean()))


def _deep(depths: Sequence[tuple[int, float]], classes: int) -> Array:
    """(C,) how deep things of each class are at least, but for the smaller quarter; of all where a class has few."""
    every = [deep for _, deep in depths]
    of = [[deep for label, deep in depths if label == number] for number in range(classes)]
    return np.asarray([np.quantile(some if len(some) >= FEW else every, _QUANTILE) for some in of])


def _doubt(area: _Area, row: int, ratio: tuple[float, float], spec: MaskSpec) -> Doubt:
    kind = MISSING if area.true == spec.background else NOTHING if area.told == spec.background else OTHER
    (top, bottom), (left, right) = ((side.start * each, side.stop * each)
                                    for side, each in zip(area.box, ratio, strict=True))  # fmt: skip
    label, better = spec.classes[area.true], spec.classes[area.told]
    return Doubt(kind, label, better, area.sure, place=(left, top, right, bottom), row=row)
