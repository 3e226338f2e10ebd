"""Numbers in plain words, the same way in every verdict; how durations and sizes are written on the page too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from assay.evidence.finding import Number

if TYPE_CHECKING:
    from assay.evaluation.intervals import Estimate
    from assay.evaluation.metrics import Metric

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "auc": "AUC",
    "sensitivity": "sensitivity at the stated operating point",
    "specificity": "specificity at the stated operating point",
    "micro_f1": "F1",
    "subset_accuracy": "share with all labels right",
    "r2": "R²",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "bleu": "BLEU",
    "chrf": "chrF",
    "bits_per_byte": "bits per byte",
    "exact_match": "exact match",
    "f1": "F1",
    "map": "mAP@[.5:.95]",
    "map50": "mAP50",
    "wer": "word error rate",
    "cer": "character error rate",
    "position_error": "position error (m)",
    "horizontal_50": "horizontal error of half of the places (m)",
    "horizontal_95": "horizontal error of 95 % of the places (m)",
    "heading_drift": "heading drift (degrees/100 m)",
    "ate": "ATE (m)",
    "rpe_10s": "RPE over 10 s (m)",
}
_TERMS = {"auc": "AUC", "dice": "Dice", "f1": "F1", "gnss": "GNSS", "iou": "IoU", "mae": "MAE"}
#: From which best value on a metric is written with one decimal, as BLEU of 0 to 100 is.
_LARGE = 10.0
#: Values with more decimals than this are very small: each has its own.
_MOST_DECIMALS = 4
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))


def counted(count: int, noun: str) -> str:
    """A count with its noun in the right number: "1 finding", "12 findings"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def title(metric: Metric) -> str:
    """A metric's name as text."""
    return TITLES.get(metric.name) or " ".join(_TERMS.get(word, word) for word in metric.name.split("_"))


def unit_of(metric: Metric) -> str:
    """A metric's unit as findings write it: `%` for a share or a rate (1 is 100 %)."""
    return "%" if metric.in_per_cent else metric.unit


def unit_of_difference(metric: Metric) -> str:
    """The unit of a difference of two of a metric's values: `points` between two shares or rates."""
    return "points" if metric.in_per_cent else metric.unit


def shown(metric: Metric, value: float | None) -> str:
    """A value of a metric with its unit, as 98.1 % or 2.31 m: see `_figures`."""
    if value is None or math.isnan(value):
        return "unknown"
    return _figures(metric, value) + _behind(metric)


def _behind(metric: Metric) -> str:
    """The unit that stands behind a number; nothing of shares, and where the metric's name says it already."""
    unit = unit_of(metric)
    return "" if unit in ("", "%") or unit in title(metric).split() else f" {unit}"


def _figures(metric: Metric, value: float) -> str:
    """Shares and rates in per cent, BLEU and its like with a decimal, all else to three digits."""
    if metric.in_per_cent:
        return f"{100 * value:.1f} %"
    return f"{value:z.1f}" if _large(metric) else three_digits(value)


def spread(metric: Metric, found: Estimate) -> str:
    """A value with its interval: "98.1 % [97.0, 98.9]"."""
    if found.low is None or found.high is None:
        return shown(metric, found.value)
    if metric.in_per_cent or _large(metric) or math.isnan(found.value):
        low, high = (_figures(metric, bound).removesuffix(" %") for bound in (found.low, found.high))
        return f"{shown(metric, found.value)} [{low}, {high}]"
    value, low, high = _alike((found.value, found.low, found.high))
    return f"{value}{_behind(metric)} [{low}, {high}]"


def _alike(values: tuple[float, float, float]) -> list[str]:
    """Numbers to three digits, all with the most decimals that one of them has, unless one is very large or small."""
    texts = [three_digits(value) for value in values]
    if any("e" in text or "," in text for text in texts):
        return texts
    decimals = max(len(text.partition(".")[2]) for text in texts)
    return [f"{value:z.{decimals}f}" for value in values] if decimals <= _MOST_DECIMALS else texts


def gained(metric: Metric, gain: Estimate) -> str:
    """A difference of a metric with its interval: "+2.3 points [0.4, 4.2]" of a share or rate, else a signed number."""
    share = metric.in_per_cent
    factor, form = 100 if share else 1, "z.1f" if share or _large(metric) else "z.3g"
    unit = unit_of_difference(metric)
    written = f"{factor * gain.value:+{form}} {unit}".rstrip()
    if gain.low is None or gain.high is None:
        return written
    return f"{written} [{factor * gain.low:{form}}, {factor * gain.high:{form}}]"


def _large(metric: Metric) -> bool:
    return metric.higher_is_better and metric.best >= _LARGE


def number(found: Estimate, unit: str = "") -> Number:
    """An estimate as a finding's number."""
    return Number(None if math.isnan(found.value) else found.value, found.low, found.high, unit)


def three_digits(value: float) -> str:
    """A number to three digits, or to its last whole one with thousands set apart: "0.0123", "45.6", "7,890"."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: "3.2 ms", "0.4 s", "3 min 20 s", "2 h 5 min"; "not known" where they are not."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "not known"
    if seconds < 60:
        unit, factor = time_unit(seconds) if seconds < 0.1 else ("s", 1.0)
        return f"{three_digits(seconds / factor)} {unit}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{amount:,} {unit}" for amount, unit in parts if amount)


def size(count: float) -> str:
    """Bytes as a person says them: "512 B", "1.85 MB"."""
    unit, factor = size_unit(count)
    return f"{three_digits(count / factor)} {unit}"


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit in which so many seconds read best, never more than a second, and how many seconds it has."""
    if not 0 < seconds < 1:
        return "s", 1.0
    return ("ms", 1e-3) if seconds >= 1e-3 else ("µs", 1e-6)


def size_unit(count: float) -> tuple[str, float]:
    """The unit in which so many bytes read best, and how many bytes it has."""
    return next(((unit, factor) for unit, factor in _SIZES if count >= factor), _SIZES[-1])
