"""A network's and a classical model's answers to inputs made worse, on as many test units as the time allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.metrics import Metric, Values
from assay.evidence.context import Context
from assay.samples.draws import order
from assay.serving.predictor import Answering, Classical

#: Fewer test units than this show no loss; so many are asked about first. More than `_MOST` add nothing to be seen.
FEW = 60
#: Of rollouts, each of which is a long answer, fewer do.
FEW_ROLLOUTS = 4
_MOST = 1000
#: The strengths that are tried: as many as the time allows.
_LADDERS = ((1, 2, 3, 4, 5), (1, 3, 5), (3,))
#: The share of the time that the network gets where there is a classical model beside it.
_NETWORK_SHARE = 0.6

#: The share of the time left that the next units should take: a guess from the last ones, which is often too low.
_OF_THE_REST = 0.8

Array = np.ndarray[Any, Any]
Condition = tuple[str, int]


@dataclass(frozen=True)
class Tried:
    """Answers to the same units, unchanged and under each condition.

    Attributes:
        clean: to the unchanged units.
        worse: the outputs under each condition, a corruption's name and a strength.
    """

    clean: Evaluation
    worse: Mapping[Condition, Values]

    @property
    def names(self) -> list[str]:
        """The corruptions."""
        return list(dict.fromkeys(name for name, _ in self.worse))

    @property
    def strengths(self) -> list[int]:
        """Those that were tried, ascending."""
        return sorted({strength for _, strength in self.worse})

    def measure(self, metric: Metric, condition: Condition) -> Estimate:
        """The metric under a condition."""
        return estimate(metric, self.worse[condition], self.clean.truths, self.clean.groups)

    def together(self, metric: Metric, strength: int) -> Estimate:
        """The metric over all corruptions at a strength; a unit's answers stay together, so the interval is honest."""
        parts = [outputs for (_, at), outputs in self.worse.items() if at == strength]
        truths = stacked([self.clean.truths] * len(parts))
        return estimate(metric, stacked(parts), truths, np.tile(self.clean.groups, len(parts)))


def fewest(context: Context) -> int:
    """How many test units show a loss at least."""
    return FEW_ROLLOUTS if context.task.in_loop(context.spec) else FEW


def try_network(context: Context, budget_s: float) -> Tried | None:
    """The network's answers to as many units, and at as many strengths, as fit in the time; None where too few do."""
    answer_s = context.test.seconds / len(context.test)
    conditions = len(context.task.corruptions(context.spec))
    seconds = budget_s * (_NETWORK_SHARE if context.baseline is not None else 1.0)
    rows = order(np.arange(len(context.test)), "robustness", context.plan.seed)[:_MOST]
    for strengths in _LADDERS:
        if conditions * len(strengths) * answer_s * fewest(context) < seconds / 2:
            return _grow(context, context.predictor, context.test, rows, strengths, seconds)
    return None


def try_classical(context: Context, like: Tried, seconds: float) -> Tried | None:
    """The classical model's answers to the same units, or to the first of them; None where there is no time for few."""
    if context.baseline is None:
        return None
    test = context.baseline.test
    answer_s = test.seconds / max(1, len(test)) * len(like.worse)
    if answer_s * min(fewest(context), len(like.clean)) > seconds:
        return None
    places = {int(unit): place for place, unit in enumerate(test.units)}
    rows = np.asarray([places[int(unit)] for unit in like.clean.units])
    model = Classical(context.task, context.spec, context.baseline.model)
    return _grow(context, model, test, rows, like.strengths, seconds)


def _grow(
    context: Context, model: Answering, test: Evaluation, rows: Array, strengths: Sequence[int], seconds: float
) -> Tried:
    """The answers to a few of the test units (positions, in this order), and to more of them until the time is up."""
    end = time.monotonic() + seconds
    parts: list[Tried] = []
    few = fewest(context)
    done, size = 0, few
    while size > 0 and done < len(rows):
        begun = time.monotonic()
        chosen = rows[done : done + size]
        parts.append(_attempt(context, model, test, chosen, strengths))
        done += len(chosen)
        unit_s = (time.monotonic() - begun) / len(chosen)
        size = int(_OF_THE_REST * (end - time.monotonic()) / unit_s)
        size = size if size >= few // 2 else 0
    worse = {condition: stacked([part.worse[condition] for part in parts]) for condition in parts[0].worse}
    return Tried(test.only(rows[:done]), worse)


def _attempt(context: Context, model: Answering, test: Evaluation, rows: Array, strengths: Sequence[int]) -> Tried:
    """A model's answers to test units (positions) under every corruption at every strength."""
    clean = test.only(rows)
    view = context.samples.view_of(clean.units)
    worse: dict[Condition, Values] = {}
    for name in context.task.corruptions(context.spec):
        for strength in strengths:
            worse[name, strength] = context.task.worsened(model, view, name, strength, context.plan.seed)
    return Tried(clean, worse)


def stacked(parts: Sequence[Values]) -> Values:
    """The items of several, one after the other."""
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    return np.concatenate(arrays) if len(arrays) == len(parts) else [value for part in parts for value in part]
