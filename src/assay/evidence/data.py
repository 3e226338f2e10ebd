"""Is there enough data?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.learning_curve import Answers, PowerLaw, fit_power_law
from assay.evaluation.metrics import Metric, Values
from assay.evidence._learning_curves import Curve, compared, estimated, figure, numbers, told
from assay.evidence.context import Context
from assay.evidence.finding import Finding, Number, Status
from assay.evidence.side import CLASSICAL_SHARES, SHARES
from assay.evidence.words import counted, gained, number, spread, title, unit_of, unit_of_difference
from assay.samples.draws import order
from assay.samples.split import TRAIN
from assay.serving.predictor import Predictor
from assay.task_parts import Amount

QUESTION = "Is there enough data?"
_NOTHING_TRAINED = "Nothing was trained on less data, so nobody knows what more would bring."
_NOTHING_TO_SHARE = "There are too few training samples to train on shares of them."
#: What to do where that is the reason not to know.
_STEPS = {_NOTHING_TRAINED: "Train with --evidence full.", _NOTHING_TO_SHARE: "Collect more to learn from."}
#: Fewer test samples than this show no slope.
_FEW = 100
#: Rollouts, each of which tells more than an answer.
_FEW_ROLLOUTS = 20
#: The share of the training's time that answers of the side trainings' models may take, and the least seconds.
_SHARE, _LEAST_S = 0.1, 5.0
#: What twice the data must bring to be worth collecting, as a share of the range or of the error; where nobody knows
#: how small an error can get, of the way from guessing to it instead.
_LITTLE, _MUCH = 0.01, 0.02
_LITTLE_OF_ERROR, _MUCH_OF_ERROR = 0.05, 0.1


def find(context: Context) -> Finding:
    """The metric against nested shares of the training data, a power law, and what twice the data would bring."""
    reason = too_few(context)
    whole = context.task.amount(context.samples, np.flatnonzero(context.samples.side == TRAIN), context.spec)
    if reason:
        return _unknown(reason, whole)
    context = _within_time(context)
    metric, samples = context.metric, int((context.samples.side == TRAIN).sum())
    network, classical = _network(context, samples), _classical(context, samples)
    met = compared(network, classical)
    drawn = figure(metric, network, classical, met, whole)
    if network.law is None:
        verdict = "No law can be read from the learning curve: its points do not tell a slope."
        step = "Train with a longer --budget: the points of the curve then tell of data rather than of too few steps."
        return Finding("data", QUESTION, "unknown", verdict, figures=(drawn,), next=step)
    twice, gain = estimated(metric, network.law.at(2 * samples)), _gain(network.law)
    status, verdict, step = _judge(metric, gain, twice, samples, _worth(context, network.law))
    found = {
        "now": number(context.test.measure(metric), unit_of(metric)),
        "with twice the data": number(twice, unit_of(metric)),
        "with four times the data": number(estimated(metric, network.law.at(4 * samples)), unit_of(metric)),
        "gain of twice the data": number(gain, unit_of_difference(metric)),
        "slope": Number(network.law.slope, *_bounds(network.law.slopes)),
        **numbers(met),
    }
    if whole is not None:
        found[f"{whole.name} to learn from"] = Number(whole.value)
    if met is not None and classical is not None and met.order == "overtakes" and met.at is not None:
        step = f"Until then use {classical.label}. {step}".strip() if met.at.value > samples else step
    verdict = f"{verdict} {told(met, network, classical)}".strip()
    sizes = ", ".join(f"{size:,}" for size, _ in network.points)
    certainty = (
        f"Read from trainings on {sizes} samples, asked about the same {len(context.test):,} test samples; more data "
        "is taken to get as many passes as this, so more time. The interval holds the chance of drawing other test and "
        "training samples, and an allowance for the law itself."
    )
    return Finding("data", QUESTION, status, verdict, found, (drawn,), step, certainty)


def _unknown(reason: str, whole: Amount | None) -> Finding:
    """That no slope can be seen; and where there is plainly too little to learn from, that."""
    numbers = {} if whole is None else {f"{whole.name} to learn from": Number(whole.value)}
    little = "" if whole is None else whole.little
    step = _STEPS.get(reason, "Set more samples aside for testing.")
    step = "Collect more of it." if little else step
    return Finding("data", QUESTION, "act" if little else "unknown", f"{little} {reason}".strip(), numbers, next=step)


def too_few(context: Context) -> str:
    """Why the question cannot be answered; empty where it can."""
    if context.side is None:
        return _NOTHING_TRAINED
    if len(context.test) < _fewest(context):
        return f"Only {counted(len(context.test), 'test sample')}: too few to see a slope."
    if context.side.halves is None:
        return _NOTHING_TO_SHARE
    return ""


def _fewest(context: Context) -> int:
    return _FEW_ROLLOUTS if context.task.in_loop(context.spec) else _FEW


def _within_time(context: Context) -> Context:
    """The same, with as many of the test units as there is time to ask the side trainings' models about."""
    test, fitted = context.test, context.baseline
    each = test.seconds * len(SHARES)
    if fitted is not None:
        each += fitted.test.seconds * len(CLASSICAL_SHARES)
    most = max(_LEAST_S, _SHARE * context.fit_seconds) * len(test) / max(each, 1e-9)
    if most >= len(test):
        return context
    rows = np.sort(order(np.arange(len(test)), "data")[: max(_fewest(context), int(most))])
    if fitted is not None:
        fitted = replace(fitted, test=fitted.test.only(rows))
    return replace(context, test=test.only(rows), baseline=fitted)


def _network(context: Context, samples: int) -> Curve:
    if context.side is None:
        raise ValueError("there are no side trainings")
    parts = [
        Answers(len(run.units), _answered(context, run.predictor))
        for runs in context.side.nested().values()
        for run in runs
    ]
    return _curve(context, "network", parts, Answers(samples, context.test.outputs))


def _answered(context: Context, predictor: Predictor) -> Values:
    """What a network answers to the test units; or in a closed loop what comes of its rollouts."""
    view = context.samples.view_of(context.test.units)
    if context.task.in_loop(context.spec):
        return context.task.evaluate(predictor, view).outputs
    return predictor.outputs(view)


def _classical(context: Context, samples: int) -> Curve | None:
    if context.side is None or context.baseline is None:
        return None
    fitted = context.side.classical(context.baseline.fit_seconds, context.test.units)
    parts = [Answers(samples // divisor, one.test.outputs) for divisor, one in fitted.items()]
    return _curve(context, context.baseline.model.name, parts, Answers(samples, context.baseline.test.outputs), 1)


def _curve(context: Context, label: str, parts: list[Answers], whole: Answers, doubt_seed: int = 0) -> Curve:
    test, metric = context.test, context.metric
    law = fit_power_law(metric, [*parts, whole], whole, test.truths, test.groups, doubt_seed=doubt_seed)
    sizes: dict[int, list[Values]] = {}
    for part in parts:
        sizes.setdefault(round(part.samples, -1) if part.samples > 1000 else part.samples, []).append(part.outputs)
    points = [(size, _mean(context, outputs)) for size, outputs in sorted(sizes.items())]
    return Curve(label, [*points, (whole.samples, _measure(context, whole.outputs))], law)


def _measure(context: Context, outputs: Values) -> Estimate:
    return estimate(context.metric, outputs, context.test.truths, context.test.groups)


def _mean(context: Context, given: list[Values]) -> Estimate:
    """The mean of several trainings of one size, with the widest of their intervals about it."""
    found = [_measure(context, outputs) for outputs in given]
    value = float(np.mean([one.value for one in found]))
    lows = [one.low for one in found if one.low is not None]
    highs = [one.high for one in found if one.high is not None]
    return Estimate(value, min(lows, default=None), max(highs, default=None))


def _gain(law: PowerLaw) -> Estimate:
    """By how much the metric is better with twice the data; paired, so narrower than the two values are."""
    low, high = np.quantile(law.draws(law.anchor) - law.draws(2 * law.anchor), [0.025, 0.975])
    return Estimate(law.error - law.at(2 * law.anchor).value, float(low), float(high))


def _worth(context: Context, law: PowerLaw) -> tuple[float, float]:
    """Gains of the metric: below the first more data is not worth it, beyond the second it is."""
    metric = context.metric
    if metric.higher_is_better:
        return _LITTLE * metric.best, _MUCH * metric.best
    if not metric.best_known and context.floor is not None and len(context.floor.test):
        way = metric.value(context.floor.test.outputs, context.floor.test.truths) - law.error
        if way > 0:
            return _LITTLE * way, _MUCH * way
    return _LITTLE_OF_ERROR * law.error, _MUCH_OF_ERROR * law.error


def _judge(
    metric: Metric, gain: Estimate, twice: Estimate, samples: int, worth: tuple[float, float]
) -> tuple[Status, str, str]:
    little, much = worth
    told = f"{title(metric)} {spread(metric, twice)}"
    if gain.high is not None and gain.high < little:
        words = f"There is enough: twice the {samples:,} training samples would bring {gained(metric, gain)} ({told})."
        return "good", words, ""
    words = f"Twice the {samples:,} training samples would bring {gained(metric, gain)} ({told})."
    if gain.low is not None and gain.low > much:
        return "act", f"More data would help. {words}", "Collect more samples; assay label-next says which to label."
    return "watch", words, "Collect more where that is cheap; the harder classes first."


def _bounds(draws: np.ndarray[Any, Any]) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
