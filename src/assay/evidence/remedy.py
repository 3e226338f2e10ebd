"""Tries single changes of the settings: a short training with each, and what it brought on the validation side.

A short training from the first weights says nothing of overfitting: it stops long before it could memorise, and there
all that holds back does harm. So every trial goes on from the trained weights for a small share of the steps, with one
setting changed, and is compared with one that goes on as before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, SettingError
from assay.evaluation.intervals import Estimate, difference
from assay.evaluation.unseen_loss import unseen_loss
from assay.evidence.context import Context
from assay.samples.split import TRAIN, VALIDATION

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.training.plan import Plan

#: The share of the training's time that all trials together may take.
SHARE = 0.15
#: The share of the training's steps that one trial takes.
_STEPS = 0.03
#: At most so many changes are tried.
_MOST = 4
_FEWEST_STEPS = 10
#: The learning rate of a trial as a share of the training's: larger steps first undo what was learned.
_GENTLE = 0.3
#: Fewer independent validation units than this choose nothing.
_FEW = 50
#: Answers that take less than this are asked for again, however short the training was.
_LEAST_S = 5.0


@dataclass(frozen=True)
class Change:
    """One setting changed.

    Attributes:
        option: as the command takes it, such as `--set dropout=0.3`.
        settings: of the network, that differ.
        plan: of the training, that differ.
    """

    option: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tried:
    """A change and what it brought.

    Attributes:
        change: the change.
        gain: of the metric on the validation side over going on as before; the intervals of all hold together.
        loss: the mean loss on the validation side at the temperature that suits it, which the best was chosen by.
    """

    change: Change
    gain: Estimate
    loss: float


@dataclass(frozen=True)
class Trials:
    """Changes that were tried, the best first.

    Attributes:
        tried: the changes; empty where none was.
        steps: that each trial took.
        units: validation units that they were judged by.
        why_none: why none was tried, as the end of a sentence.
    """

    tried: tuple[Tried, ...] = ()
    steps: int = 0
    units: int = 0
    why_none: str = ""


def against_memorising(context: Context) -> list[Change]:
    """What is not yet in use and could hold it back, what usually helps most first."""
    plan = context.plan
    known = context.task.regularisation(context.spec)
    changes = [change for name, (off, on) in known.items() if (change := _strengthened(context, name, off, on))]
    for name, moderate in (("dropout", 0.3), ("stochastic_depth", 0.1)):
        if getattr(context.settings, name, None) == 0.0:
            changes.append(Change(f"--set {name}={moderate}", settings={name: moderate}))
    decay = _decay(context)
    if plan.weight_decay < decay / 2:
        changes.append(Change(f"--set weight_decay={decay:g}", plan={"weight_decay": decay}))
    return changes


def against_underfitting(context: Context) -> list[Change]:
    """Going on for longer, larger steps, and less that holds it back."""
    plan, settings = context.plan, context.settings
    rate = _rounded(3 * plan.learning_rate)
    changes = [LONGER, Change(f"--set learning_rate={rate:g}", plan={"learning_rate": rate})]
    if getattr(settings, "dropout", 0.0):
        changes.append(Change("--set dropout=0", settings={"dropout": 0.0}))
    if plan.weight_decay >= _decay(context):
        changes.append(Change("--set weight_decay=0", plan={"weight_decay": 0.0}))
    for name, (off, on) in context.task.regularisation(context.spec).items():
        if _used(plan, name, off, on):
            changes.append(_with(context, name, off))
    return changes


#: Nothing changed but the length of the training.
LONGER = Change("a longer training (--budget)")


def try_changes(context: Context, changes: Sequence[Change]) -> Trials:
    """Go on with the trained network for a few steps with each change, as many as the time allows.

    Args:
        context: the finished training.
        changes: the most promising first.
    """
    begun, allowed = time.monotonic(), SHARE * context.fit_seconds
    reason = _why_none(context, changes, allowed)
    if reason or context.side is None:
        return Trials(why_none=reason)
    steps = max(_FEWEST_STEPS, round(_STEPS * _taken(context)))
    try:
        before = _go_on(context, Change("as before"), steps)
        each = (time.monotonic() - begun) * 1.1
        fitting = int((allowed - each) / max(each, 1e-9))
        chosen = list(changes)[: max(1, min(_MOST, fitting))]
        answers = {change.option: before if change is LONGER else _go_on(context, change, steps) for change in chosen}
    except AssayError as error:
        return Trials(why_none=f"a trial failed ({error})")
    tried = [_compared(context, change, answers[change.option], before, len(chosen)) for change in chosen]
    tried.sort(key=lambda one: one.loss)
    return Trials(tuple(tried), steps, len(np.unique(context.validation.groups)))


def _why_none(context: Context, changes: Sequence[Change], allowed_s: float) -> str:
    if not changes:
        return "no setting is left to turn"
    if not context.thorough:
        return "quick evidence was asked for"
    if context.side is None:
        return "this application has no side trainings"
    if context.task.in_loop(context.spec):
        return "what a change brings shows in whole trainings alone, as the samples come up while it trains"
    units = len(np.unique(context.validation.groups))
    if units < _FEW:
        return f"{units} independent validation samples are too few to choose by"
    step_s = context.fit_seconds / _taken(context)
    if 2 * _FEWEST_STEPS * step_s > allowed_s:
        return "the training was too short for trials beside it"
    if 2 * context.validation.seconds > max(allowed_s, _LEAST_S):
        return "answers about the validation samples take too long to ask for them again"
    return ""


def _go_on(context: Context, change: Change, steps: int) -> Values:
    """The validation answers of the trained network after some more steps with the change."""
    if context.side is None:
        raise SettingError("there are no side trainings", "Train with --evidence full.")
    plan = {"learning_rate": context.plan.learning_rate, **change.plan, "steps": steps}
    plan["learning_rate"] *= _GENTLE
    if "weight_decay" in plan:
        # It acts anew at each step: in fewer and smaller ones it needs as many times the strength to come as far.
        plan["weight_decay"] *= _taken(context) / steps / _GENTLE
    units = np.flatnonzero(context.samples.side == TRAIN)
    name = f"on-{change.option.removeprefix('--set ')}".replace("=", "-").replace(" ", "-")
    start = context.predictor.network.state_dict()
    run = context.side.train(name, units, settings=change.settings, plan=plan, start=start)
    return run.predictor.outputs(context.samples.view(VALIDATION))


def _compared(context: Context, change: Change, answers: Values, before: Values, among: int) -> Tried:
    side = context.validation
    other = side.outputs if change is LONGER else before
    gain = difference(context.metric, answers, other, side.truths, side.groups, among=among)
    loss = unseen_loss(context.task, context.spec, answers, side.truths, side.groups)
    return Tried(change, gain, loss)


def _strengthened(context: Context, name: str, off: float, on: float) -> Change | None:
    """The setting at its moderate strength; None where it is there, or not known to this network's plan."""
    plan = context.plan
    if name.startswith("augment.") and name.removeprefix("augment.") not in plan.augment:
        return None
    return None if _used(plan, name, off, on) else _with(context, name, on)


def _used(plan: Plan, name: str, off: float, on: float) -> bool:
    """Whether a setting stands nearer to its moderate strength than to doing nothing."""
    short = name.removeprefix("augment.")
    now = float(plan.augment.get(short, off) if short != name else getattr(plan, name, off))
    return abs(now - off) >= 0.5 * abs(on - off)


def _with(context: Context, name: str, value: float) -> Change:
    option, short = f"--set {name}={value:g}", name.removeprefix("augment.")
    if short == name:
        return Change(option, plan={name: value})
    return Change(option, plan={"augment": {**context.plan.augment, short: value}})


def _decay(context: Context) -> float:
    """The weight decay that takes about two thirds of a weight which nothing else moves, over the whole training.

    The mean of a schedule is about half of its largest learning rate, so that exp(-1) of the weight is left. That the
    time scale of the decay is what counts: X. Wang and L. Aitchison, "How to set AdamW's weight decay as you scale
    model and dataset size", 2024.
    """
    return _rounded(2 / max(1e-9, context.plan.learning_rate * _taken(context)))


def _taken(context: Context) -> int:
    """The steps that the training took."""
    return max(1, context.plan.steps if context.side is None else context.side.steps)


def _rounded(value: float) -> float:
    return float(f"{value:.1g}")


__all__ = [
    "LONGER", "SHARE", "Change", "Trials", "Tried", "against_memorising", "against_underfitting", "try_changes"
]  # fmt: skip
