"""Did it learn or memorise?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate
from assay.evaluation.metrics import Metric, Values
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.remedy import Change, Trials, against_memorising, against_underfitting, try_changes
from assay.evidence.words import gained, number, spread, title, unit_of, unit_of_difference
from assay.samples.split import VALIDATION
from assay.samples.text_spans import Recital
from assay.serving.predictor import Classical

QUESTION = "Did it learn or memorise?"
#: Fewer independent unseen units than this show no gap.
_FEW = 30
#: Of the way from guessing to perfect, what a network must cover on its own training data.
_LEARNED = 0.25
#: The gap from which on it overfits, where it knows its training samples by heart or the validation loss has also
#: risen by `_TURNED`.
_GAP, _GAP_IF_TURNED, _TURNED = 0.05, 0.02, 0.1
#: With fewer mistakes on training samples than this share of those on unseen ones, it knows most of them by heart.
_BY_HEART = 1 / 3
#: Where nobody knows how small an error can get, as with the bits of a text, it knows them by heart where they cost it
#: less than this share of what unseen ones do.
_CHEAP = 2 / 3
#: It recites where it copies a span so many times as long as unseen text does; and how much of that is shown.
_RECITES, _RECITED_SHOWN = 2.0, 100
#: The share of the training's time that writing may take, and the least seconds.
_RECITAL_SHARE, _RECITAL_LEAST_S = 0.03, 2.0

#: What to do where no setting is to be changed, or besides.
_OTHERWISE = {
    "few": "Collect more data, or --split 60/20/20.",
    "undefined": "Look at the other metrics.",
    "trivial": "Collect samples whose answers differ.",
    "overfits": "collect more data.",
    "underfits": "take a larger network.",
    "fits with a gap": "More data would narrow the gap.",
}

Kind = Literal["few", "undefined", "trivial", "underfits", "overfits", "fits", "fits with a gap", "no gap"]


def find(context: Context) -> Finding:
    """The metric on training against unseen samples, and the losses over the steps."""
    metric = context.metric
    train, unseen = context.train, _joined(context.validation, context.test)
    own, new = train.measure(metric), unseen.measure(metric)
    gap, guessing = _gap(metric, own, new), _guessing(context)
    units = len(np.unique(unseen.groups))
    kind = _judge(metric, own, new, gap, guessing, units, _turned(context.history))
    status, verdict = _words(kind, metric, own, new)
    unit, apart = unit_of(metric), unit_of_difference(metric)
    numbers = {"training": number(own, unit), "unseen": number(new, unit), "gap": number(gap, apart)}
    trials, step = Trials(), _OTHERWISE.get(kind, "")
    if kind in ("overfits", "underfits"):
        changes = against_memorising(context) if kind == "overfits" else against_underfitting(context)
        trials = try_changes(context, changes)
        step = _advice(kind, metric, changes, trials)
        if trials.tried:
            numbers["gain of the change tried"] = number(trials.tried[0].gain, apart)
    sides = {"validation": context.validation, "test": context.test}
    names = " and ".join(name for name, side in sides.items() if len(side)) or "none set aside"
    certainty = f"{len(train):,} training against {len(unseen):,} unseen samples ({names})."
    figures = (*_curves(context.history), *_gains(metric, trials))
    certainty += _trials_told(trials)
    recital = _recital(context)
    if recital is not None:
        numbers["longest copied span"] = Number(len(recital.longest), unit="characters")
        numbers["longest span of unseen text"] = Number(len(recital.unseen), unit="characters")
        verdict, certainty = verdict + _recited(recital), certainty + _recital_told(recital)
    return Finding("overfitting", QUESTION, status, verdict, numbers, figures, step, certainty)


def _recital(context: Context) -> Recital | None:
    """What it recites of its training text, where it writes any."""
    budget_s = max(_RECITAL_LEAST_S, _RECITAL_SHARE * context.fit_seconds) if context.thorough else _RECITAL_LEAST_S
    return context.task.recital(context.predictor, context.samples, budget_s)


def _recited(recital: Recital) -> str:
    """A sentence about copying, where it copies more than text repeats itself."""
    if len(recital.longest) <= _RECITES * max(1, len(recital.unseen)):
        return ""
    shown = " ".join(recital.longest.split())
    cut = shown if len(shown) <= _RECITED_SHOWN else shown[:_RECITED_SHOWN] + "…"
    return f" It recites: “{cut}” stands in the training text."


def _recital_told(recital: Recital) -> str:
    return (
        f" Of {recital.written:,} characters that it wrote, the longest span that stands in the training text has "
        f"{len(recital.longest):,}; of as much unseen text {len(recital.unseen):,}."
    )


def _joined(first: Evaluation, second: Evaluation) -> Evaluation:
    """The answers of two sides, which share no group, together."""
    if not len(first) or not len(second):
        return first if len(first) else second
    return Evaluation(
        np.concatenate([first.units, second.units]),
        _concatenated(first.outputs, second.outputs),
        _concatenated(first.truths, second.truths),
        np.concatenate([first.groups, second.groups + first.groups.max() + 1]),
        np.concatenate([first.losses, second.losses]),
        first.seconds + second.seconds,
    )


def _concatenated(first: Values, second: Values) -> Values:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return [*first, *second]


def _gap(metric: Metric, own: Estimate, new: Estimate) -> Estimate:
    """By how much training samples are answered better than unseen ones; the two sides are independent."""
    value = (own.value - new.value) if metric.higher_is_better else (new.value - own.value)
    if own.low is None or own.high is None or new.low is None or new.high is None:
        return Estimate(value)
    half = math.hypot(own.high - own.low, new.high - new.low) / 2
    return Estimate(value, value - half, value + half)


def _guessing(context: Context) -> float | None:
    """What the floor reaches on the test side, or where that is empty on validation; None where nobody knows."""
    if context.floor is None:
        return None
    answers = context.floor.test
    if not len(answers) and len(context.validation):
        floor = Classical(context.task, context.spec, context.floor.model)
        answers = context.task.evaluate(floor, context.samples.view(VALIDATION))
    value = context.metric.value(answers.outputs, answers.truths) if len(answers) else math.nan
    return value if math.isfinite(value) else None


def _judge(
    metric: Metric, own: Estimate, new: Estimate, gap: Estimate, guessing: float | None, units: int, turned: float
) -> Kind:
    """What the numbers say.

    It underfits where it covers less than a quarter of the way from guessing to perfect on its own training data. It
    overfits where training samples are answered better than unseen ones by more than chance allows, and either by more
    than .02 while the last validation loss lies a tenth above its lowest, or by more than .05 while two of three
    mistakes on unseen samples are none on training samples: most of what it gets right there it knows by heart. A gap
    with many mistakes on both sides is that of few samples or a short training. Where nobody knows what guessing
    reaches, a small gap may as well be that of a network that has learned nothing. Where nobody knows what perfect
    outputs would reach, gaps are shares of the way from guessing to what unseen samples reach.

    Args:
        metric: perfect at its best where higher is better, else at 0.
        own: on training samples.
        new: on unseen samples.
        gap: by how much `own` is better.
        guessing: what the floor reaches on unseen samples, if that is known.
        units: independent unseen units.
        turned: by what share the last validation loss lies above its lowest.
    """
    if units < _FEW:
        return "few"
    if not math.isfinite(gap.value):
        return "undefined"
    if gap.low is None:
        return "few"
    best = metric.perfect
    if guessing == best:
        return "trivial"
    if guessing is not None and (own.value - guessing) / (best - guessing) < _LEARNED:
        return "underfits"
    share = gap.value / _scale(metric, new, guessing)
    by_heart = share > _GAP and abs(best - own.value) < _least_apart(metric) * abs(best - new.value)
    if gap.low > 0 and (by_heart or (share > _GAP_IF_TURNED and turned > _TURNED)):
        return "overfits"
    if guessing is None:
        return "no gap"
    return "fits with a gap" if gap.low > 0 and share > _GAP else "fits"


def _least_apart(metric: Metric) -> float:
    """How small what lacks to perfect is on training samples, of that on unseen ones, where they are known by heart."""
    if _bounded(metric):
        return _BY_HEART
    return math.inf if metric.best_known else _CHEAP


def _bounded(metric: Metric) -> bool:
    """Whether the ends of what it can be are known, or the best."""
    return metric.higher_is_better or metric.unit == "share"


def _scale(metric: Metric, new: Estimate, guessing: float | None) -> float:
    """What a gap is a share of: the best, but for an error in a unit of its own what guessing has, or else unseen ones.

    Where the least error is not known, it is the way from guessing to unseen samples.
    """
    if _bounded(metric):
        return metric.best if metric.higher_is_better else 1.0
    if not metric.best_known and guessing is not None and guessing > new.value:
        return guessing - new.value
    return (new.value if guessing is None else guessing) or 1.0


def _turned(history: Sequence[Mapping[str, Any]]) -> float:
    """By what share the last validation loss lies above the lowest one."""
    losses = [line["validation_loss"] for line in history if line.get("validation_loss") is not None]
    return losses[-1] / min(losses) - 1 if losses and min(losses) > 0 else 0.0


def _words(kind: Kind, metric: Metric, own: Estimate, new: Estimate) -> tuple[Status, str]:
    values = f"{title(metric)} {spread(metric, own)} on training samples, {spread(metric, new)} on unseen ones"
    if kind == "few":
        return "unknown", f"Too few independent samples to say ({values})."
    if kind == "undefined":
        return "unknown", f"Nobody knows: {values}."
    if kind == "trivial":
        verdict = f"Always the same answer is perfect on unseen samples, so they cannot show what it learned: {values}."
        return "unknown", verdict
    if kind == "overfits":
        return "watch", f"It overfits, memorising more than it learns: {values}."
    if kind == "underfits" and not metric.best_known:
        verdict = (
            f"It is not far from guessing even on training samples: {values}. How much of such data can be foretold at "
            "all nobody knows."
        )
        return "watch", verdict
    if kind == "underfits":
        return "act", f"It underfits: {values}."
    if kind == "no gap":
        verdict = f"It does not overfit, but what guessing reaches is not known, nor so what it has learned: {values}."
        return "watch", verdict
    if kind == "fits with a gap":
        return "good", f"It fits, though unseen samples are answered less well: {values}."
    return "good", f"It fits well: {values}."


def _advice(kind: Kind, metric: Metric, changes: Sequence[Change], trials: Trials) -> str:
    """The one thing to change first, with what it brought where it was tried."""
    otherwise = _OTHERWISE[kind]
    if not trials.tried:
        return f"Try {changes[0].option}; or {otherwise}" if changes else otherwise[:1].upper() + otherwise[1:]
    best = trials.tried[0]
    count = len(trials.tried)
    among = f"best of {count} changes tried" if count > 1 else "the one change tried"
    told = f"{among}, {gained(metric, best.gain)} on validation samples"
    if best.gain.low is not None and best.gain.low > 0:
        return f"Train again with {best.change.option} ({told}); or {otherwise}"
    if best.gain.value > 0:
        return f"Try {best.change.option} ({told}, which may be chance); or {otherwise}"
    if best.gain.high is None or best.gain.high >= 0:
        nothing = "In a few steps no change brought anything."
        return f"{nothing} Try a whole training with {best.change.option} ({told}); or {otherwise}"
    return f"Every change that was tried did harm: {best.change.option} the least ({told}). Rather {otherwise}"


def _trials_told(trials: Trials) -> str:
    if trials.tried:
        others = " The intervals of all changes hold together." if len(trials.tried) > 1 else ""
        return (
            f" Changes were tried by going on with the trained network for {trials.steps:,} steps, against going on as "
            f"before, and chosen by the loss on {trials.units:,} validation samples.{others}"
        )
    return f" No change was tried: {trials.why_none}." if trials.why_none else ""


def _gains(metric: Metric, trials: Trials) -> tuple[Figure, ...]:
    if not trials.tried:
        return ()
    rows = [{"label": one.change.option.removeprefix("--set "), **vars(one.gain)} for one in trials.tried]
    data = {"rows": rows, "x": f"{title(metric)} gained", "unit": unit_of(metric),
            "reference": {"label": "as before", "value": 0.0}}  # fmt: skip
    caption = "On the validation side, after going on for a few steps with one setting changed; the least loss first."
    return (Figure("intervals", "What one changed setting brings", data, caption),)


def _curves(history: Sequence[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """The losses over the steps; none where there was no validation side to look at."""
    checks = [line for line in history if line.get("validation_loss") is not None]
    if not checks:
        return ()
    steps = [line["step"] for line in checks]
    series = [
        {"label": "validation", "x": steps, "y": [line["validation_loss"] for line in checks]},
        {"label": "training", "x": steps, "y": [line.get("train_sample_loss") for line in checks], "dashed": True},
    ]
    data = {"series": series, "x": "step", "y": "loss"}
    caption = "Both without augmentation. A validation loss that turns up while training falls is memorising."
    return (Figure("lines", "Loss on training and validation samples", data, caption),)
