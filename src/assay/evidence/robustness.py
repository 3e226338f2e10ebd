"""Does it hold when the input is worse?"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, difference
from assay.evidence._unlike import how_sure, unlike_numbers
from assay.evidence._worsened import Condition, Tried, fewest, try_classical, try_network
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import counted, duration, number, shown, spread, title, unit_of

QUESTION = "Does it hold when the input is worse?"
#: The share of the training's time that it may take, and the least seconds.
_SHARE, _LEAST_S = 0.04, 1.0
#: The same where answers are rollouts, beside which there are hardly any side trainings.
_SHARE_OF_ROLLOUTS, _LEAST_OF_ROLLOUTS_S = 0.3, 90.0
#: The share of what it has learned that may be lost.
_LOST = 0.2


@dataclass(frozen=True)
class _Loss:
    """What one corruption does.

    Attributes:
        name: the corruption.
        values: the metric at each strength that was tried.
        kept: at each of them the share of what it has learned, the way from guessing to its unchanged metric.
        at: the least strength at which more than a fifth of that is lost beyond doubt; None for none.
    """

    name: str
    values: Mapping[int, Estimate]
    kept: Mapping[int, float]
    at: int | None


def find(context: Context) -> Finding:
    """The metric against the strength of each corruption, for the network and the classical model."""
    begun = time.monotonic()
    reason, step = _not_applicable(context)
    if reason:
        return Finding("robustness", QUESTION, "unknown", reason, unlike_numbers(context), (), step, how_sure(context))
    least, share = (
        (_LEAST_OF_ROLLOUTS_S, _SHARE_OF_ROLLOUTS) if context.task.in_loop(context.spec) else (_LEAST_S, _SHARE)
    )
    budget = max(least, share * context.fit_seconds)
    tried = try_network(context, budget)
    if tried is None:
        verdict = f"Its answers take too long to try enough worse inputs within {duration(budget)}."
        step = "Train for longer: evidence takes its share."
        return Finding("robustness", QUESTION, "unknown", verdict, unlike_numbers(context), (), step, how_sure(context))
    classical = try_classical(context, tried, budget - (time.monotonic() - begun))
    clean, guess = tried.clean.measure(context.metric), _guess(context, tried)
    losses = [_loss(context, tried, name, clean.value, guess) for name in tried.names]
    losses.sort(key=lambda one: (one.at or math.inf, float(np.mean(list(one.kept.values())))))
    status, verdict, step = _judge(context, losses, clean)
    figures = [_lines(context, losses, clean, guess)]
    if classical is not None:
        figures.append(_beside(context, tried, classical))
    figures += _stated(context, losses)
    steps = f"{len(tried.strengths)} strength{'s' if len(tried.strengths) > 1 else ''}"
    certainty = (
        f"{len(tried.clean):,} test samples, each made worse in {len(losses)} ways at {steps}, in "
        f"{duration(time.monotonic() - begun)}; a loss counts where chance does not explain it. {how_sure(context)}"
    ).rstrip()
    numbers = _numbers(context, losses, clean) | unlike_numbers(context)
    return Finding("robustness", QUESTION, status, verdict, numbers, tuple(figures), step, certainty)


def _not_applicable(context: Context) -> tuple[str, str]:
    """Why the question cannot be answered and what to do; empty where it can."""
    if not context.task.corruptions(context.spec):
        return "It is not known in which ways inputs of this kind get worse.", "Test it on inputs that are worse."
    independent = len(np.unique(context.test.groups))
    if independent < fewest(context):
        few = f"Only {counted(independent, 'independent test sample')}: too few to see a loss."
        return few, "Set more samples aside for testing."
    if not context.learned:
        why = "It does hardly better than guessing on unchanged samples, so there is nothing to lose."
        return why, "Train for longer, then ask again."
    return "", ""


def _guess(context: Context, tried: Tried) -> float:
    """What guessing reaches; where nobody knows, 0, or of an error twice the network's own."""
    metric, clean = context.metric, tried.clean
    if context.floor is not None and len(context.floor.test):
        found = metric.value(context.floor.test.outputs, context.floor.test.truths)
        if math.isfinite(found):
            return found
    return 0.0 if metric.higher_is_better else 2 * metric.value(clean.outputs, clean.truths)


def _loss(context: Context, tried: Tried, name: str, clean: float, guess: float) -> _Loss:
    values = {at: tried.measure(context.metric, (name, at)) for at in tried.strengths}
    way = clean - guess
    kept = {at: (found.value - guess) / way if way else math.nan for at, found in values.items()}
    lost = (at for at in tried.strengths if kept[at] < 1 - _LOST and _beyond_doubt(context, tried, (name, at)))
    return _Loss(name, values, kept, next(lost, None))


def _beyond_doubt(context: Context, tried: Tried, condition: Condition) -> bool:
    """Whether chance alone does not explain that the answers got worse."""
    clean = tried.clean
    found = difference(context.metric, clean.outputs, tried.worse[condition], clean.truths, clean.groups)
    return found.low is not None and found.low > 0


def _numbers(context: Context, losses: Sequence[_Loss], clean: Estimate) -> dict[str, Number]:
    unit, last = unit_of(context.metric), max(losses[0].values)
    numbers = {"unchanged": number(clean, unit)}
    numbers |= {f"{one.name}, strength {last}": number(one.values[last], unit) for one in losses}
    if losses[0].at is not None:
        numbers[f"strength at which {losses[0].name} takes a fifth"] = Number(losses[0].at)
    return numbers


def _judge(context: Context, losses: Sequence[_Loss], clean: Estimate) -> tuple[Status, str, str]:
    worst, metric = losses[0], context.metric
    last = max(worst.values)
    if worst.at is None:
        verdict = (
            f"It holds: even {worst.name} at strength {last} of 5, the worst of all that was tried, leaves its "
            f"{title(metric)} at {shown(metric, worst.values[last].value)} instead of {shown(metric, clean.value)}."
        )
        return "good", verdict, ""
    means = context.task.corruptions(context.spec)[worst.name].strengths
    stated = f" ({means[worst.at - 1]})" if means else ""
    fell = f"{title(metric)} {shown(metric, worst.values[worst.at].value)} instead of {shown(metric, clean.value)}"
    verdict = (
        f"{worst.name[:1].upper()}{worst.name[1:]} hurts it most: at strength {worst.at} of 5{stated} more than a "
        f"fifth of what it has learned is lost ({fell})."
    )
    status: Status = "act" if worst.at == 1 else "watch" if worst.at <= 3 else "good"
    return status, verdict, _step(context, worst.name)


def _step(context: Context, name: str) -> str:
    """What prepares a network for a corruption: an augmentation that is weak or off, else samples of that kind."""
    against = context.task.corruptions(context.spec)[name].against
    if against is not None and context.plan.augment.get(against[0], math.inf) < against[1]:
        return f"Train with --set augment.{against[0]}={against[1]:g} if such inputs are to be expected."
    return f"If inputs with {name} are to be expected, collect some and train with them."


def _lines(context: Context, losses: Sequence[_Loss], clean: Estimate, guess: float) -> Figure:
    series: list[dict[str, Any]] = [
        {"label": one.name, "dashed": False, **_points({0: clean, **one.values})} for one in losses
    ]
    ends = [0, max(losses[0].values)]
    if context.floor is not None:
        series.append({"label": "guessing", "x": ends, "y": [guess, guess], "dashed": True, "series": 5})
    caption = "Each line is one way in which the same test samples get worse; bands are 95 % intervals."
    return Figure("lines", "The worse the input", _axes(context, series), caption)


def _stated(context: Context, losses: Sequence[_Loss]) -> list[Figure]:
    """What the strengths stand for, with what the network reaches under each; none where that cannot be said."""
    known = context.task.corruptions(context.spec)
    rows = [
        [one.name, at, known[one.name].strengths[at - 1], spread(context.metric, found)]
        for one in losses
        if known[one.name].strengths
        for at, found in one.values.items()
    ]
    if not rows:
        return []
    name = title(context.metric)
    columns = ["what gets worse", "strength", "which is", name]
    return [Figure("table", f"What the strengths are, and the {name}", {"columns": columns, "rows": rows})]


def _beside(context: Context, tried: Tried, classical: Tried) -> Figure:
    """The network and the classical model, over all corruptions together."""
    name = context.baseline.model.name if context.baseline is not None else ""
    series: list[dict[str, Any]] = []
    for place, (label, one) in enumerate((("network", tried), (name, classical))):
        values = {at: one.together(context.metric, at) for at in one.strengths}
        series.append({"label": label, "series": place, **_points({0: one.clean.measure(context.metric), **values})})
    return Figure("lines", "All of them together, beside the classical model", _axes(context, series))


def _axes(context: Context, series: list[dict[str, Any]]) -> dict[str, Any]:
    metric = context.metric
    return {"series": series, "x": "strength (0: unchanged)", "y": title(metric), "unit": unit_of(metric)}


def _points(values: Mapping[int, Estimate]) -> dict[str, Any]:
    return {
        "x": list(values),
        "y": [None if math.isnan(found.value) else found.value for found in values.values()],
        "low": [found.low for found in values.values()],
        "high": [found.high for found in values.values()],
    }
