"""Answers that say how sure they are and are neither a class nor a number: do the good ones say so more loudly?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.answer_confidence import ConfidenceMap, RankCorrelation, fit_map, selective_curve, surest
from assay.evaluation.calibration import FEWEST, CalibrationError, calibration_error
from assay.evaluation.intervals import Estimate, estimate
from assay.evidence._reliability import counts, points
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import number, shown, spread, title, unit_of

_QUESTION = "Can its confidence be believed?"
#: A rank correlation that helps little, though chance does not explain it.
_WEAK = 0.2
#: From which error on a confidence is no longer on the scale of how good answers are.
_DOUBTFUL = 0.03
_SHARES = np.arange(1, 11) / 10

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Told:
    """What the test side's confidences are worth.

    Attributes:
        ranks: the rank correlation of confidence and how good answers are.
        surer: the metric of the surer half of the answers.
        rest: the metric of the others.
        before: the error of the confidence as it is delivered.
        after: the error of what the map makes of it; None where there is no map.
        binary: an answer is right or wrong, and nothing between.
    """

    ranks: Estimate
    surer: Estimate
    rest: Estimate
    before: CalibrationError
    after: CalibrationError | None
    binary: bool


def find_answers(context: Context, confidence: Array, goodness: Array) -> Finding:
    """Whether confidence ranks answers, and how far it is from how good they are, before and after a monotone map.

    Args:
        context: the finished training.
        confidence: (U,) of the test side's answers, from 0 to 1.
        goodness: (U,) how good they are, from 0 to 1.
    """
    confidence, goodness = np.asarray(confidence, float), np.asarray(goodness, float)
    known = _map(context)
    told = _measured(context, confidence, goodness, known)
    numbers = {
        "rank correlation of confidence and quality": number(told.ranks),
        f"{title(context.metric)} of the surer half": number(told.surer, unit_of(context.metric)),
        f"{title(context.metric)} of the other half": number(told.rest, unit_of(context.metric)),
        "ECE": number(told.before.error, "%"),
        "ECE, without the noise of the bins": number(told.before.debiased, "%"),
        "ECE after the map": Number(None, unit="%") if told.after is None else number(told.after.error, "%"),
    }
    status, verdict, step = _judge(context, told, confidence, goodness)
    figures = (
        _selective(context, confidence),
        _curve(told, confidence, goodness, known),
        counts(confidence),
    )
    return Finding("calibration", _QUESTION, status, verdict, numbers, figures, step, _certainty(context, known))


def _map(context: Context) -> ConfidenceMap | None:
    """From the validation side; None where that is too small."""
    side = context.validation
    if not len(side):
        return None
    told = context.task.confidences(side.outputs, side.truths, context.spec)
    return None if told is None else fit_map(*told, side.groups)


def _measured(context: Context, confidence: Array, goodness: Array, known: ConfidenceMap | None) -> _Told:
    test, half = context.test, surest(confidence, 0.5)
    before = calibration_error(confidence, goodness, test.groups)
    return _Told(
        estimate(RankCorrelation(), confidence, goodness, test.groups),
        test.only(half).measure(context.metric),
        test.only(~half).measure(context.metric),
        before,
        None if known is None else calibration_error(known(confidence), goodness, test.groups),
        bool(np.isin(goodness, (0, 1)).all()),
    )


def _judge(context: Context, told: _Told, confidence: Array, goodness: Array) -> tuple[Status, str, str]:
    """Whether it ranks answers first, then whether it is on their scale."""
    metric, ranks = context.metric, told.ranks
    halves = (
        f"{title(metric)} {spread(metric, told.surer)} of the surer half of its answers, "
        f"{shown(metric, told.rest.value)} of the others"
    )
    if not np.isfinite(ranks.value):
        verdict = "All answers say that they are equally sure, or all are equally good: nothing to compare."
        return "unknown", verdict, "Train for longer, or test on more samples, until answers differ."
    if ranks.low is None or ranks.low <= 0:
        verdict = f"Its confidence does not tell good answers from poor ones: {halves}."
        return "act", verdict, "Do not act on its confidence."
    if ranks.value < _WEAK:
        verdict = f"Its confidence hardly tells good answers from poor ones: {halves}."
        return "watch", verdict, "Take a high confidence as a weak hint, and read the answers."
    verdict = f"Its confidence tells good answers from poor ones: {halves}."
    return _on_the_scale(context, told, verdict, float(confidence.mean()), float(goodness.mean()))


def _on_the_scale(context: Context, told: _Told, verdict: str, said: float, came: float) -> tuple[Status, str, str]:
    if not _off(told.before):
        return "good", f"{verdict} It can be taken at its word.", ""
    what = "right" if told.binary else "good (of 100)"
    verdict += f" Its scale is another: it says {100 * said:.0f} % on average, where answers are {100 * came:.0f} "
    verdict += f"% {what}." if told.binary else f"{what}."
    if told.after is None:
        units = len(np.unique(context.validation.groups))
        step = f"Set at least {FEWEST} samples aside for validation ({units} now): a map to the right scale needs them."
        return "watch", verdict, step
    if _off(told.after):
        step = "Its validation samples are unlike its test samples: find out how they differ, or set more aside."
        return "watch", f"{verdict} A map from validation samples does not mend that.", step
    step = "Rank answers by it, and read from the curve how good answers of a confidence are."
    return "good", f"{verdict} A map from validation samples mends that.", step


def _off(error: CalibrationError) -> bool:
    return error.debiased.value > _DOUBTFUL and (error.debiased.low or 0.0) > _DOUBTFUL / 2


def _certainty(context: Context, known: ConfidenceMap | None) -> str:
    test = (
        f"judged on {len(context.test):,} test samples in bins of equally many; the noise of small bins is allowed for."
    )
    if known is None:
        return f"Confidence as it is delivered, {test}"
    kind = "A rising curve (isotonic)" if known.kind == "isotonic" else "A logistic curve (Platt)"
    return f"{kind} from {len(context.validation):,} validation samples maps the confidence, {test}"


def _selective(context: Context, confidence: Array) -> Figure:
    """The metric over the surest answers, by how many of them are kept."""
    metric, test = context.metric, context.test
    values = selective_curve(metric, test.outputs, test.truths, confidence, _SHARES)
    kept = [100 * share for share in _SHARES.tolist()]
    series: list[dict[str, Any]] = [
        {"label": "the surest answers", "series": 0, "dashed": False, "x": kept,
         "y": [value if np.isfinite(value) else None for value in values.tolist()]},
        {"label": "all answers", "series": 5, "dashed": True, "x": [kept[0], 100.0], "y": [float(values[-1])] * 2},
    ]  # fmt: skip
    data = {"series": series, "x": "answers kept, the surest first, %", "y": title(metric), "unit": unit_of(metric)}
    caption = "Where the line leaves the dashed one to the left, leaving out unsure answers pays."
    return Figure("lines", "What is gained by leaving out the least sure", data, caption)


def _curve(told: _Told, confidence: Array, goodness: Array, known: ConfidenceMap | None) -> Figure:
    series: list[dict[str, Any]] = [points("as delivered", 0, confidence, goodness)]
    if known is not None:
        series.append({**points("after the map", 1, known(confidence), goodness), "low": [], "high": []})
    ends = [min(min(one["x"]) for one in series), 100.0]
    series.append({"label": "perfect", "series": 2, "x": ends, "y": [end / 100 for end in ends], "dashed": True})
    data = {
        "series": series,
        "x": "confidence, %",
        "y": "share right" if told.binary else "how good it is",
        "unit": "%",
    }
    caption = (
        "Below the dashed line it is too sure of itself, above it less than it could be. Bands are 95 % intervals."
    )
    return Figure("lines", "What it says and how good that is", data, caption)
