"""Can its confidence be believed?

Where an answer is a class: its probabilities are compared with how often they come true. Where it is a number: how
often the truth lies as near as the validation side promised (`_interval_calibration`). Where it is another thing that
says how sure it is: whether good answers say so more loudly than poor ones (`_answer_calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.calibration import (
    FEWEST,
    Brier,
    CalibrationError,
    calibration_error,
    sharpen,
    top_label,
)
from assay.evaluation.conformal import Covered, Mean, class_sets
from assay.evaluation.intervals import Estimate, estimate
from assay.evidence._reliability import counts, points
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import counted, number

QUESTION = "Can its confidence be believed?"
#: Fewer independent test units than this show no calibration.
_FEW = 100
#: From which error of a confidence on to beware of it, and not to use it.
_DOUBTFUL, _WRONG = 0.03, 0.08
#: How far from the promise the sets' coverage may lie, of all units and of the smallest class.
_OFF, _OFF_SMALLEST = 0.02, 0.05
_PROMISED = 0.9

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Sets:
    """What 90 % sets, calibrated on the validation side, hold of the test side.

    Attributes:
        coverage: the share of sets that hold the true class.
        size: the mean number of classes in a set.
        smallest: the number of the class of which there are fewest units.
        by_class: its number, and the coverage, of each class of the test side.
    """

    coverage: Estimate
    size: Estimate
    smallest: int
    by_class: tuple[tuple[int, Estimate], ...]

    @property
    def of_smallest(self) -> Estimate:
        """The coverage of the smallest class."""
        return dict(self.by_class)[self.smallest]


def find(context: Context) -> Finding:
    """Stated confidence against the share right, before and after scaling, and sets with a promised coverage."""
    task, test, spec = context.task, context.test, context.spec
    independent = len(np.unique(test.groups))
    if independent < _FEW:
        few = counted(independent, "independent test sample")
        verdict = f"Only {few}: too few to compare confidence with what comes true."
        return Finding("calibration", QUESTION, "unknown", verdict, next="Set more samples aside for testing.")
    residuals = task.residuals(test.outputs, test.truths, spec)
    if residuals is not None:
        from assay.evidence._interval_calibration import find_intervals

        return find_intervals(context, residuals)
    probabilities = task.probabilities(test.outputs, spec)
    if probabilities is None:
        told = task.confidences(test.outputs, test.truths, spec)
        if told is not None:
            from assay.evidence._answer_calibration import find_answers

            return find_answers(context, *told)
        verdict = (
            "Answers of this kind are not one class of several with a probability each, nor do they say otherwise how "
            "sure they are: nothing can be compared."
        )
        return Finding("calibration", QUESTION, "unknown", verdict, next="Do not read a confidence into its answers.")
    return _of_classes(context, np.asarray(probabilities, float), np.asarray(test.truths, np.int64))


def _of_classes(context: Context, probabilities: Array, truths: Array) -> Finding:
    groups, temperature = context.test.groups, context.predictor.temperature
    confidence, right = top_label(probabilities, truths)
    error = calibration_error(confidence, right, groups)
    unscaled = top_label(sharpen(probabilities, 1 / temperature), truths)[0]
    before = calibration_error(unscaled, right, groups) if temperature != 1.0 else error
    sets = _sets(context, probabilities, truths)
    numbers = {
        "ECE": number(error.error, "%"),
        "ECE, without the noise of the bins": number(error.debiased, "%"),
        "ECE before scaling": number(before.error, "%"),
        "temperature": Number(temperature),
        "Brier score": number(estimate(Brier(), probabilities, truths, groups)),
        **_set_numbers(sets),
    }
    status, verdict, step = _judge(context, confidence, right, error, sets)
    figures = [_curve(confidence, unscaled if temperature != 1.0 else None, right), counts(confidence)]
    if sets is not None:
        figures.append(_by_class(context, sets))
    return Finding(
        "calibration", QUESTION, status, verdict, numbers, tuple(figures), step, _certainty(context, sets is not None)
    )


def _sets(context: Context, probabilities: Array, truths: Array) -> _Sets | None:
    """Sets of classes that miss the truth in one of ten; None where the validation side is too small to make them."""
    validation, test = context.validation, context.test
    if len(np.unique(validation.groups)) < FEWEST:
        return None
    asked = context.task.probabilities(validation.outputs, context.spec)
    if asked is None:
        return None
    labels = np.asarray(validation.truths, np.int64)
    sets = class_sets(np.asarray(asked, float), labels).sets(probabilities)
    covered = sets[np.arange(len(truths)), truths]
    many = np.bincount(np.concatenate([labels, truths]), minlength=probabilities.shape[1])
    present = np.unique(truths)

    def measured(rows: Array) -> Estimate:
        return estimate(Covered(), covered[rows], truths[rows], test.groups[rows])

    return _Sets(
        measured(np.ones(len(truths), bool)),
        estimate(Mean(), sets.sum(axis=1), truths, test.groups),
        int(present[np.argmin(many[present])]),
        tuple((int(label), measured(truths == label)) for label in present),
    )


def _set_numbers(sets: _Sets | None) -> dict[str, Number]:
    if sets is None:
        return {}
    return {
        "coverage of 90 % sets": number(sets.coverage, "%"),
        "classes in a set": number(sets.size),
        "coverage of the smallest class": number(sets.of_smallest, "%"),
    }


def _judge(
    context: Context, confidence: Array, right: Array, error: CalibrationError, sets: _Sets | None
) -> tuple[Status, str, str]:
    """What the numbers say: of the confidence first, then of the sets."""
    distance, low = error.debiased.value, error.debiased.low or 0.0
    said, came = _near_the_promise(confidence, right)
    over = float(confidence.mean()) > float(right.mean())
    verdict = f"When it says {said}, it is right {came} of the time."
    if distance > _DOUBTFUL and low > _DOUBTFUL / 2:
        status: Status = "act" if distance > _WRONG and low > _DOUBTFUL else "watch"
        which = "more sure of itself than it should be" if over else "less sure of itself than it could be"
        verdict = f"It is {which} by {100 * distance:.0f} points on average: when it says {said}, it is right {came}."
        return status, verdict, _step(context, over)
    if sets is None:
        return "good", verdict, "Set at least 50 samples aside for validation: sets of classes can then be promised."
    if sets.coverage.high is not None and sets.coverage.high < _PROMISED - _OFF:
        step = "Its validation samples are unlike its test samples: find out how they differ, or set more aside."
        return "watch", f"{verdict} But sets that should hold the truth in 90 % hold it less often.", step
    smallest = sets.of_smallest
    if smallest.high is not None and smallest.high < _PROMISED - _OFF_SMALLEST:
        name = context.task.truth_words(sets.smallest, context.spec)
        return "watch", f"{verdict} But not for \u201c{name}\u201d.", f"Collect more samples of \u201c{name}\u201d."
    return "good", verdict, ""


def _step(context: Context, over: bool) -> str:
    units = len(np.unique(context.validation.groups))
    if units < FEWEST:
        return (
            f"Only {units} validation samples, too few to scale its confidence: set at least {FEWEST} aside, such as "
            "by --split 70/15/15."
        )
    if over:
        return "Do not act on its confidence alone; set more samples aside for validation, such as by --split 70/15/15."
    return "Its confidence may be taken as a lower bound; more validation samples would bring it closer."


def _near_the_promise(confidence: Array, right: Array) -> tuple[str, str]:
    """The mean confidence of the answers given with nearly 90 %, and the share of them that is right, in per cent."""
    nearest = np.argsort(np.abs(confidence - _PROMISED), kind="stable")[: max(60, len(confidence) // 10)]
    return f"{100 * confidence[nearest].mean():.0f} %", f"{100 * right[nearest].mean():.0f} %"


def _certainty(context: Context, sets: bool) -> str:
    validation, test = len(context.validation), len(context.test)
    scaled = f"Temperature {'and sets' if sets else ''} from {validation:,} validation samples".replace("  ", " ")
    return f"{scaled}, judged on {test:,} test samples in bins of equally many; the noise of small bins is allowed for."


def _curve(confidence: Array, unscaled: Array | None, right: Array) -> Figure:
    series: list[dict[str, Any]] = [points("as delivered", 0, confidence, right)]
    if unscaled is not None:
        series.append({**points("before scaling", 1, unscaled, right), "low": [], "high": []})
    ends = [min(min(one["x"]) for one in series), 100.0]
    series.append({"label": "perfect", "series": 2, "x": ends, "y": [end / 100 for end in ends], "dashed": True})
    data = {"series": series, "x": "confidence, %", "y": "share right", "unit": "%"}
    caption = (
        "Below the dashed line it is too sure of itself, above it less than it could be. Bands are 95 % intervals."
    )
    return Figure("lines", "What it says and how often that is right", data, caption)


def _by_class(context: Context, sets: _Sets) -> Figure:
    rows: Sequence[dict[str, Any]] = [
        {"label": context.task.truth_words(label, context.spec), **vars(found)} for label, found in sets.by_class
    ]
    reference = {"label": "promised", "value": _PROMISED}
    data = {"rows": rows, "x": "sets that hold the true class", "unit": "%", "reference": reference}
    caption = (
        "For each answer a set of classes that should hold the true one in 90 of 100; here by true class. A set is "
        "empty where no class is likely enough."
    )
    return Figure("intervals", "Whether 90 % sets keep their promise", data, caption)
