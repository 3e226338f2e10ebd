"""Numbers in plain words, the same way in every verdict."""

from __future__ import annotations

import math

from assay.evaluation.intervals import Estimate
from assay.evaluation.metrics import Metric
from assay.evidence.finding import Number

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "auc": "AUC",
    "micro_f1": "F1",
    "subset_accuracy": "share with all labels right",
    "r2": "R²",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
}


def title(metric: Metric) -> str:
    """A metric's name as text."""
    return TITLES.get(metric.name, metric.name.replace("_", " "))


def unit_of(metric: Metric) -> str:
    """A metric's unit as findings write it: `%` for a share (a value from 0 to 1)."""
    return "%" if metric.unit == "share" else metric.unit


def shown(metric: Metric, value: float | None) -> str:
    """A value of a metric: shares in per cent, all else to three digits."""
    if value is None or math.isnan(value):
        return "unknown"
    return f"{100 * value:.1f} %" if metric.unit == "share" else f"{value:.3g}"


def spread(metric: Metric, found: Estimate) -> str:
    """A value with its interval."""
    if found.low is None:
        return shown(metric, found.value)
    return f"{shown(metric, found.value)} [{shown(metric, found.low)}, {shown(metric, found.high)}]"


def number(found: Estimate, unit: str = "") -> Number:
    """An estimate as a finding's number."""
    return Number(None if math.isnan(found.value) else found.value, found.low, found.high, unit)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def size(count: float) -> str:
    """Bytes as a person says them."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
