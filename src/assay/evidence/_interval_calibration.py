"""Intervals about answers that are numbers: do they hold the truth as often as they promise?"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.calibration import FEWEST
from assay.evaluation.conformal import MISSED, Covered, threshold
from assay.evaluation.intervals import Estimate, estimate
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import number, three_digits

_QUESTION = "Can its confidence be believed?"
_PROMISED = 1 - MISSED
#: How far from the promise the coverage may lie before one should know it, and before one must not rely on it.
_OFF, _FAR_OFF = 0.03, 0.1
_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

Array = np.ndarray[Any, Any]


def find_intervals(context: Context, residuals: Array) -> Finding:
    """Intervals of one width about every answer, from the validation side, judged on the test side.

    Args:
        context: the finished training.
        residuals: (U,) truth minus answer on the test side.
    """
    validation, test = context.validation, context.test
    units = len(np.unique(validation.groups))
    known = context.task.residuals(validation.outputs, validation.truths, context.spec) if len(validation) else None
    if units < FEWEST or known is None:
        verdict = f"Only {units:,} independent validation samples: too few to say how far an answer may be off."
        step = f"Set at least {FEWEST} samples aside for validation, such as by --split 70/15/15."
        return Finding("calibration", _QUESTION, "unknown", verdict, next=step)
    distances, own = np.abs(known), np.abs(residuals)
    half = threshold(distances)
    coverage = _coverage(own <= half, test.groups)
    numbers = {
        "coverage of 90 % intervals": number(coverage, "%"),
        "half the width of an interval": Number(half),
        "mean error, truth minus answer": number(_mean_error(residuals, test.groups)),
    }
    status, verdict, step = _judge(coverage, half)
    figures = (_levels(distances, own, test.groups), _thirds(own <= half, np.asarray(test.outputs, float), test.groups))
    certainty = (
        f"The width is from {len(validation):,} validation samples and the same for all answers, judged on "
        f"{len(test):,} test samples."
    )
    return Finding("calibration", _QUESTION, status, verdict, numbers, figures, step, certainty)


def _coverage(covered: Array, groups: Array) -> Estimate:
    return estimate(Covered(), covered, covered, groups)


def _mean_error(residuals: Array, groups: Array) -> Estimate:
    from assay.evaluation.conformal import Mean

    return estimate(Mean(), residuals, residuals, groups)


def _judge(coverage: Estimate, half: float) -> tuple[Status, str, str]:
    low = coverage.value if coverage.low is None else coverage.low
    high = coverage.value if coverage.high is None else coverage.high
    verdict = (
        f"{100 * coverage.value:.0f} % of its answers lie within ±{three_digits(half)} of the truth, where "
        f"{100 * _PROMISED:.0f} % should."
    )
    if high < _PROMISED - _OFF:
        step = "Its validation samples are unlike its test samples: find out how they differ, or set more aside."
        return ("act" if high < _PROMISED - _FAR_OFF else "watch"), verdict, step
    if low > _PROMISED + _OFF:
        return "watch", verdict, "The intervals are wider than they need be: set more samples aside for validation."
    return "good", verdict, ""


def _levels(distances: Array, own: Array, groups: Array) -> Figure:
    found = [_coverage(own <= threshold(distances, 1 - level), groups) for level in _LEVELS]
    per_cent = [100 * level for level in _LEVELS]
    series = [
        {
            "label": "intervals",
            "dashed": False,
            "x": per_cent,
            "y": [one.value for one in found],
            "low": [one.low for one in found],
            "high": [one.high for one in found],
        },
        {"label": "perfect", "series": 2, "x": per_cent[:: len(per_cent) - 1],
         "y": [_LEVELS[0], _LEVELS[-1]], "dashed": True},
    ]  # fmt: skip
    data = {"series": series, "x": "promised, %", "y": "truths inside", "unit": "%"}
    caption = "Below the dashed line intervals hold the truth less often than they promise."
    return Figure("lines", "How often intervals hold the truth", data, caption)


def _thirds(covered: Array, answers: Array, groups: Array) -> Figure:
    """Whether one width suits small and large answers alike."""
    parts = np.array_split(np.argsort(answers, kind="stable"), 3)
    rows = [
        {"label": f"{three_digits(answers[part].min())} to {three_digits(answers[part].max())}",
         **vars(_coverage(covered[part], groups[part]))}
        for part in parts
    ]  # fmt: skip
    reference = {"label": "promised", "value": _PROMISED}
    data = {"rows": rows, "x": "truths inside 90 % intervals", "unit": "%", "reference": reference}
    return Figure("intervals", "The smallest, the middle and the largest answers", data)
