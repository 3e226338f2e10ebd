"""What the page shows of masks: which classes are taken for which, the IoU of each, and what is missed by size.

Shapes: U pictures, C classes, N connected components.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.mask_errors import FALSE, MISSED, OTHER, OUTLINES, mask_errors
from assay.evaluation.mask_metrics import ClassIoU, PixelAccuracy
from assay.evaluation.metrics import Values
from assay.evidence._by_diameter import found_by_diameter
from assay.evidence.finding import Figure
from assay.samples.mask_spec import MaskSpec
from assay.sources.label_mask import VOID, LabelMask
from assay.task import Confusion

Array = np.ndarray[Any, Any]
_WORDS = {
    OUTLINES: "along the outlines of what is found",
    MISSED: "things of which no more than half is answered right",
    FALSE: "answered areas of which no more than half is right",
    OTHER: "one thing answered as another",
}
_PLURALS = {
    OUTLINES: "along the outlines of what is found",
    MISSED: "in things that are missed",
    FALSE: "where nothing is",
    OTHER: "in things that were taken for others",
}
#: A thing is found where more than this share of it is answered with its class.
_FOUND = 0.5
#: A class is taken for another in a picture where that befalls such a share of it, and of the picture.
_TAKEN, _OF_PICTURE = 0.25, 0.005


def mask_figures(evaluation: Evaluation, spec: MaskSpec) -> tuple[Figure, ...]:
    """The figures of the test side."""
    errors = _errors(evaluation, spec)
    return (*_by_class(evaluation, spec), _matrix(evaluation, spec), *errors, *_by_size(evaluation, spec))


def _errors(evaluation: Evaluation, spec: MaskSpec) -> tuple[Figure, ...]:
    """What kinds of pixels are wrong; nothing where no class is the background."""
    found = mask_errors(evaluation.outputs, evaluation.truths, spec)
    total = sum(one.pixels for one in found.values())
    if not found:
        return ()
    if len(spec.foreground) < 2:
        found.pop(OTHER)
    order = sorted(found, key=lambda name: -found[name].pixels)
    rows = [[name, _WORDS[name], found[name].areas, f"{100 * found[name].pixels / max(1, total):.0f} %"]
            for name in order]  # fmt: skip
    data = {"columns": ["error", "what that is", "areas", "of the wrong pixels"], "rows": rows}
    first = order[0]
    caption = "No pixel is wrong." if not total else f"Most wrong pixels are {_PLURALS[first]}."
    return (Figure("table", "What goes wrong", data, caption),)


def _matrix(evaluation: Evaluation, spec: MaskSpec) -> Figure:
    names = list(spec.classes)
    counts = PixelAccuracy(len(names)).statistics(evaluation.outputs, evaluation.truths).sum(axis=0)
    thousandths = np.rint(1000 * counts / max(1.0, counts.sum())).astype(int).reshape(len(names), -1)
    data = {"rows": names, "columns": names, "counts": thousandths.tolist()}
    return Figure("matrix", "Which class is taken for which", data, "Of a thousand pixels of all test pictures.")


def _by_class(evaluation: Evaluation, spec: MaskSpec) -> tuple[Figure, ...]:
    rows = []
    for number, name in enumerate(spec.classes):
        found = evaluation.measure(ClassIoU(len(spec.classes), number, name))
        value = None if np.isnan(found.value) else found.value
        rows.append({"label": name, "value": value, "low": found.low, "high": found.high})
    text = "Intersection over union: of all pixels that are of a class or are answered as it, the share that is both."
    return (Figure("intervals", "The IoU of each class", {"rows": rows, "x": "IoU", "unit": ""}, text),)


def _by_size(evaluation: Evaluation, spec: MaskSpec) -> tuple[Figure, ...]:
    """How many of the connected areas of the classes are found, by their size; nothing where there are too few."""
    what = (
        "Connected areas of a class by their diameter (that of the square of the same area), in four groups of about "
        "equally many; one is found where more than half of it is answered with its class."
    )
    return found_by_diameter(*components(evaluation.outputs, evaluation.truths, spec), what)


def components(outputs: Values, truths: Values, spec: MaskSpec) -> tuple[Array, Array]:
    """(N,) diameters in pixels and (N,) bool whether found, of all connected areas of the classes but the background.

    Areas under four pixels are left out: they are slips of the pen.
    """
    from scipy.ndimage import label

    sizes: list[Array] = []
    hits: list[Array] = []
    for output, truth in zip(outputs, truths, strict=True):
        true, predicted = truth.array(), output.mask.array()
        for number in np.unique(truth.values):
            if number in (spec.background, VOID):
                continue
            pieces = label(true == number)[0].ravel()
            area = np.bincount(pieces)[1:]
            right = np.bincount(pieces, predicted.ravel() == number)[1:]
            kept = area >= 4
            sizes.append(np.sqrt(area[kept]))
            hits.append(right[kept] > _FOUND * area[kept])
    if not sizes:
        return np.zeros(0), np.zeros(0, bool)
    return np.concatenate(sizes), np.concatenate(hits)


def mask_confusions(outputs: Values, truths: Values, spec: MaskSpec) -> list[Confusion]:
    """Classes of which in some pictures a good part was taken for another, the commonest first."""
    classes = len(spec.classes)
    counts = PixelAccuracy(classes).statistics(outputs, truths).reshape(-1, classes, classes)
    of_class, of_picture = counts.sum(axis=2, keepdims=True), counts.sum(axis=(1, 2), keepdims=True)
    taken = (counts > _TAKEN * of_class) & (counts > _OF_PICTURE * of_picture)
    found = []
    for true in range(classes):
        for predicted in range(classes):
            rows = np.flatnonzero(taken[:, true, predicted])
            alone = classes == 2 and spec.background in (true, predicted)  # what is missed is told elsewhere
            if true != predicted and len(rows) and not alone:
                worst = rows[np.argsort(-counts[rows, true, predicted], kind="stable")]
                found.append(Confusion(spec.classes[true], spec.classes[predicted], tuple(worst.tolist())))
    return sorted(found, key=lambda one: -len(one.rows))


def picture_ious(outputs: Values, truths: Values, spec: MaskSpec) -> Array:
    """(U,) the mean IoU of each picture by itself, over the classes that it holds or that are answered."""
    from assay.evaluation.mask_metrics import MeanIoU

    metric = MeanIoU(len(spec.classes))
    return metric.from_sums(metric.statistics(outputs, truths)) if len(outputs) else np.zeros(0)


def accuracies(outputs: Values, truths: Values, spec: MaskSpec) -> Array:
    """(U,) the share of each picture's pixels that got the true class; 0 where all are void."""
    metric = PixelAccuracy(len(spec.classes))
    return np.nan_to_num(metric.from_sums(metric.statistics(outputs, truths))) if len(outputs) else np.zeros(0)


def truth_words(truth: LabelMask, spec: MaskSpec) -> str:
    """How large a share of a picture each class has, the largest first."""
    return area_words(truth.pixels(len(spec.classes)), spec)


def area_words(counts: Array, spec: MaskSpec, most: int = 4) -> str:
    """Shares of classes in words, such as "road 61 %, car 4.2 %"."""
    total = max(1, int(counts.sum()))
    order = [int(number) for number in np.argsort(-counts, kind="stable") if counts[number]]
    shown = [number for number in order if number != spec.background][:most] or order[:1]
    return ", ".join(f"{spec.classes[number]} {100 * counts[number] / total:.3g} %" for number in shown) or "nothing"
