"""Is there enough data?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.learning_curve import Answers, PowerLaw, crossing, fit_power_law, value_of
from assay.evaluation.metrics import Metric, Values
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import number, shown, spread, title, unit_of
from assay.samples.split import TRAIN

QUESTION = "Is there enough data?"
#: Fewer test samples than this show no slope.
_FEW = 100
#: What twice the data must bring to be worth collecting, as a share of the range or of the error.
_LITTLE, _MUCH = 0.01, 0.02
_LITTLE_OF_ERROR, _MUCH_OF_ERROR = 0.05, 0.1
#: The share of the baseline's fitting time that its own learning curve may take.
_CLASSICAL_SHARE = 0.8


@dataclass(frozen=True)
class _Curve:
    """A model's learning curve: what was measured, and the law through it."""

    label: str
    points: Sequence[tuple[int, Estimate]]
    law: PowerLaw | None


def find(context: Context) -> Finding:
    """The metric against nested shares of the training data, a power law, and what twice the data would bring."""
    reason = _too_few(context)
    if reason:
        return Finding("data", QUESTION, "unknown", reason, next="Set more samples aside for testing.")
    metric, samples = context.metric, int((context.samples.side == TRAIN).sum())
    network, classical = _network(context, samples), _classical(context, samples)
    if network.law is None:
        verdict = "No law can be read from the learning curve: its points do not tell a slope."
        return Finding("data", QUESTION, "unknown", verdict, figures=(_figure(metric, network, classical),))
    twice = _value(metric, network.law.at(2 * samples))
    now = context.test.measure(metric)
    gain = _gain(metric, network.law)
    status, verdict, step = _judge(metric, gain, twice, samples, network.law)
    numbers = {
        "now": number(now, unit_of(metric)),
        "with twice the data": number(twice, unit_of(metric)),
        "gain of twice the data": number(gain, unit_of(metric)),
        "slope": Number(network.law.slope, *_bounds(network.law.slopes)),
    }
    met = crossing(network.law, classical.law) if classical is not None and classical.law is not None else None
    if met is not None and classical is not None:
        numbers["network overtakes at"] = Number(*met, unit="samples")
        verdict += _crossing_words(met[0], samples, classical.label)
    sizes = ", ".join(f"{size:,}" for size, _ in network.points)
    certainty = (
        f"Read from short trainings on {sizes} samples, asked about the same {len(context.test):,} test samples; the "
        "interval holds the chance of drawing other test samples and other training samples, and an allowance for the "
        "law itself."
    )
    return Finding("data", QUESTION, status, verdict, numbers, (_figure(metric, network, classical),), step, certainty)


def _too_few(context: Context) -> str:
    """Why the question cannot be answered; empty where it can."""
    if context.side is None:
        return "Nothing was trained on less data, so nobody knows what more would bring."
    if len(context.test) < _FEW:
        return f"Only {len(context.test):,} test samples: too few to see a slope."
    if context.side.halves is None:
        return "There are too few training samples to train on shares of them."
    return ""


def _network(context: Context, samples: int) -> _Curve:
    if context.side is None:
        raise ValueError("there are no side trainings")
    parts = [
        Answers(len(run.units), run.predictor.outputs(context.samples.view_of(context.test.units)))
        for runs in context.side.nested().values()
        for run in runs
    ]
    return _curve(context, "network", parts, Answers(samples, context.test.outputs))


def _classical(context: Context, samples: int) -> _Curve | None:
    if context.side is None or context.baseline is None:
        return None
    fitted = context.side.classical(_CLASSICAL_SHARE * context.baseline.fit_seconds)
    parts = [Answers(samples // divisor, one.test.outputs) for divisor, one in fitted.items()]
    return _curve(context, context.baseline.model.name, parts, Answers(samples, context.baseline.test.outputs))


def _curve(context: Context, label: str, parts: list[Answers], whole: Answers) -> _Curve:
    test, metric = context.test, context.metric
    law = fit_power_law(metric, parts, whole, test.truths, test.groups)
    sizes: dict[int, list[Values]] = {}
    for part in parts:
        sizes.setdefault(round(part.samples, -1) if part.samples > 1000 else part.samples, []).append(part.outputs)
    points = [(size, _mean(context, outputs)) for size, outputs in sorted(sizes.items())]
    return _Curve(label, [*points, (whole.samples, _measure(context, whole.outputs))], law)


def _measure(context: Context, outputs: Values) -> Estimate:
    return estimate(context.metric, outputs, context.test.truths, context.test.groups)


def _mean(context: Context, given: list[Values]) -> Estimate:
    """The mean of several trainings of one size, with the widest of their intervals about it."""
    found = [_measure(context, outputs) for outputs in given]
    value = float(np.mean([one.value for one in found]))
    lows = [one.low for one in found if one.low is not None]
    highs = [one.high for one in found if one.high is not None]
    return Estimate(value, min(lows, default=None), max(highs, default=None))


def _value(metric: Metric, error: Estimate) -> Estimate:
    """An error's estimate as the metric's."""
    bounds = [None if bound is None else value_of(metric, bound) for bound in (error.low, error.high)]
    known = sorted(bound for bound in bounds if bound is not None)
    low, high = (known[0], known[-1]) if known else (None, None)
    return Estimate(value_of(metric, error.value), low, high)


def _gain(metric: Metric, law: PowerLaw) -> Estimate:
    """By how much the metric is better with twice the data; paired, so narrower than the two values are."""
    draws = law.errors * (1 - 2.0**-law.slopes)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(law.error * (1 - 2.0**-law.slope), float(low), float(high))


def _judge(metric: Metric, gain: Estimate, twice: Estimate, samples: int, law: PowerLaw) -> tuple[Status, str, str]:
    bounded = metric.higher_is_better
    little = _LITTLE if bounded else _LITTLE_OF_ERROR * law.error
    much = _MUCH if bounded else _MUCH_OF_ERROR * law.error
    told = f"{title(metric)} {spread(metric, twice)}"
    if gain.high is not None and gain.high < little:
        words = f"There is enough: twice the {samples:,} training samples would bring {_points(metric, gain)} ({told})."
        return "good", words, ""
    words = f"Twice the {samples:,} training samples would bring {_points(metric, gain)} ({told})."
    if gain.low is not None and gain.low > much:
        return "act", f"More data would help. {words}", "Collect more samples; assay label-next says which to label."
    return "watch", words, "Collect more where that is cheap; the harder classes first."


def _points(metric: Metric, gain: Estimate) -> str:
    if metric.unit != "share":
        return shown(metric, gain.value)
    if gain.low is None or gain.high is None:
        return f"{100 * gain.value:.1f} points"
    return f"{100 * gain.value:.1f} points [{100 * gain.low:.1f}, {100 * gain.high:.1f}]"


def _crossing_words(size: float, samples: int, name: str) -> str:
    near = f"{_round(size):,}"
    if size > samples:
        return f" From about {near} samples on the network should overtake {name}; this data set has {samples:,}."
    return f" The network overtook {name} at about {near} samples."


def _round(size: float) -> int:
    digits = max(0, int(np.floor(np.log10(max(size, 1)))) - 1)
    return int(round(size / 10**digits) * 10**digits)


def _bounds(draws: np.ndarray[Any, Any]) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _figure(metric: Metric, network: _Curve, classical: _Curve | None) -> Figure:
    """Both curves on one plot with their forecasts, where they cross, and where this data set stands."""
    series: list[dict[str, Any]] = []
    for place, curve in enumerate(curve for curve in (network, classical) if curve is not None):
        series.append({
            "label": curve.label, "series": place, "dashed": False,
            "x": [size for size, _ in curve.points],
            "y": [found.value for _, found in curve.points],
            "low": [found.low for _, found in curve.points],
            "high": [found.high for _, found in curve.points],
        })  # fmt: skip
        if curve.law is not None:
            sizes = [curve.law.anchor * factor for factor in (1, 2, 4, 8)]
            found = [_value(metric, curve.law.at(size)) for size in sizes]
            series.append({
                "label": f"{curve.label}, expected", "series": place, "dashed": True, "x": sizes,
                "y": [one.value for one in found],
                "low": [one.low for one in found],
                "high": [one.high for one in found],
            })  # fmt: skip
    samples = network.points[-1][0]
    marks = [{"x": samples, "label": "this data set"}]
    if classical is not None and network.law is not None and classical.law is not None:
        met = crossing(network.law, classical.law)
        if met is not None and samples / 16 < met[0] < samples * 8:
            marks.append({"x": met[0], "label": "they cross"})
    data = {"series": series, "x": "training samples", "y": title(metric), "unit": unit_of(metric), "log_x": True,
            "marks": marks}  # fmt: skip
    caption = (
        "Points left of the last come from shorter side trainings on part of the data; dashed: what more data should "
        "bring."
    )
    return Figure("lines", "What more data brings, to the network and to classical machine learning", data, caption)
