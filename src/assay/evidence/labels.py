"""Which labels look wrong?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.confident_learning import LabelIssues, find_label_issues
from assay.evaluation.intervals import wilson
from assay.evidence._doubted import (
    AGREED,
    BETTER,
    FEW,
    LISTED,
    MANY,
    NO_JUDGE,
    QUESTION,
    SHORT,
    SHOWN,
    STEP,
    UNABLE,
    UNDIVIDED,
    doubted,
    joined,
)
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.report.explained import pictured
from assay.samples.draws import order
from assay.serving.predictor import Classical

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.evidence.side import SideRun
    from assay.serving.predictor import Answering, Predictor
    from assay.task import Doubts

_SHOWN_RIGHT = 8
#: A label looks wrong where its own class is less likely than this. Without it a network that is often unsure accuses
#: as many right labels as wrong ones.
_UNLIKELY = 0.05
#: A label whose class the network gives less than this is shown to the classical model, too.
_DOUBTED = 0.5
#: The share of the training's time that answers about the training side may take, the least seconds, and how many units
#: of each half are asked about at least.
_SHARE, _LEAST_S, _FEWEST = 0.25, 5.0, 200

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Seen:
    """All units about which a network was asked that was not trained on them.

    Attributes:
        units: (U,) their numbers among the samples.
        probabilities: (U, C) the network's; where it doubts a label the mean with a classical model's.
        labels: (U,) as given.
    """

    units: Array
    probabilities: Array
    labels: Array


def find(context: Context) -> Finding:
    """Confident learning on out-of-sample probabilities, the worst labels first."""
    seen = out_of_sample(context)
    parts = _doubts(context) if seen is None else None
    if parts is not None:
        return doubted(context, *parts)
    if seen is None:
        return _unknown(context)
    if not _able(seen):
        verdict = NO_JUDGE
        return Finding("labels", QUESTION, "unknown", verdict, next=BETTER)
    issues = suspects(seen)
    count, wrong = len(seen.units), int(issues.wrong.sum())
    share = wrong / count
    low, high = wilson(share, count)
    numbers = {
        "labels that look wrong": Number(wrong),
        "share of all labels": Number(share, low, high, "%"),
        "labels looked at": Number(count),
    }
    figures = (_worst(context, seen, issues), *([_table(context, seen, issues)] if wrong else []))
    status, verdict, step = _judge(wrong, count, share)
    judges = "a network" if context.baseline is None else "a network and a classical model"
    certainty = (
        f"Each label was judged by {judges} that had not seen it; on the training side they saw half of the samples. "
        f"It looks wrong where its class is given less than {100 * _UNLIKELY:.0f} %. Hard samples look wrong too: a "
        "person has to decide."
    )
    return Finding("labels", QUESTION, status, verdict, numbers, figures, step, certainty)


def _unknown(context: Context) -> Finding:
    """Why labels are not judged."""
    if context.side is not None and not context.side.halves:
        verdict = "Labels are judged by networks that saw half of the training side: it is too small to be divided."
        return Finding("labels", QUESTION, "unknown", verdict, next="Collect more samples, of more groups.")
    verdict = "Labels can be judged where an answer is one class of several, or names things in its input."
    step = "Look at the worst answers: some of them may be labelled wrongly."
    return Finding("labels", QUESTION, "unknown", verdict, next=step)


def suspects(seen: _Seen) -> LabelIssues:
    """What confident learning says of the labels; fewer of them look wrong, those whose class is all but ruled out."""
    issues = find_label_issues(seen.probabilities, seen.labels)
    return replace(issues, wrong=issues.wrong & (issues.quality < _UNLIKELY))


def out_of_sample(context: Context) -> _Seen | None:
    """Probabilities of all units from models that did not see them; None where that cannot be had."""
    if context.side is None or not context.side.halves or not _with_probabilities(context):
        return None
    sides = [(side.units, side.outputs) for side in (context.validation, context.test) if len(side)]
    folds = [(units, _asked(context, run.predictor, units)) for run, units in _folds(context)]
    parts = [(units, context.task.probabilities(outputs, context.spec)) for units, outputs in [*folds, *sides]]
    if any(told is None for _, told in parts):
        return None
    units = np.concatenate([part for part, _ in parts])
    place = np.argsort(units, kind="stable")
    probabilities = np.concatenate([np.asarray(told) for _, told in parts])[place]
    labels = np.asarray(context.samples.view_of(units[place]).truths(), np.int64)
    return _Seen(units[place], _with_classical(context, units[place], probabilities, labels), labels)


def _with_probabilities(context: Context) -> bool:
    """Whether answers are probabilities of classes: looked at before anything is trained for it."""
    sides = [side for side in (context.validation, context.test) if len(side)]
    return all(context.task.probabilities(side.outputs, context.spec) is not None for side in sides)


def asks_halves(context: Context) -> bool:
    """Whether the networks of the two halves will be asked."""
    side, known = context.side, [one for one in (context.validation, context.test) if len(one)]
    if side is None or not side.halves or not known:
        return False
    if _with_probabilities(context):
        return True
    return side.worth(0.5) and context.task.doubts(known[0].outputs, known[0].truths, context.spec) is not None


def _doubts(context: Context) -> tuple[Array, Doubts, str] | None:
    """What the application doubts of labels of which a unit has several: the units (U,) looked at, and why not others.

    Each network judges by itself: one that learned for longer is surer. The main one knows the training side.
    """
    known = [side for side in (context.validation, context.test) if len(side)]
    task, spec = context.task, context.spec
    if context.side is None or not known or task.doubts(known[0].outputs, known[0].truths, spec) is None:
        return None  # before anything is trained for it
    worth = context.side.worth(0.5)
    folds = _folds(context) if worth else []
    answered = [(_doubting(context, run.predictor, units), units) for run, units in folds]
    units = np.concatenate([side.units for side in known])
    if task.traits.doubting:
        answered.append((_doubting(context, context.predictor, units), units))
    else:
        answered.append(([output for side in known for output in side.outputs], units))
    found = [
        (units, task.doubts(outputs, context.samples.view_of(units).truths(), spec)) for outputs, units in answered
    ]
    told = [(units, one) for units, one in found if one is not None]
    able = [(units, one) for units, one in told if one.agreed >= AGREED] or told
    left = UNDIVIDED if not context.side.halves else SHORT if not worth else "" if len(able) == len(told) else UNABLE
    units = np.concatenate([units for units, _ in able])
    return units, joined([one for _, one in able], [len(units) for units, _ in able]), left


def _doubting(context: Context, judge: Predictor, units: Array) -> Values:
    """What a network says of units, with all that it hardly sees."""
    options = context.task.traits.doubting
    return _asked(context, replace(judge, options={**judge.options, **options}) if options else judge, units)


def _folds(context: Context) -> list[tuple[SideRun, Array]]:
    """Each half's network and the units (U',) of the other half, where answers are slow some of them."""
    folds = context.side.out_of_fold() if context.side is not None else ()
    each = context.test.seconds / max(1, len(context.test))
    allowed = max(_LEAST_S, _SHARE * context.fit_seconds)
    many = int(min(1e9, allowed / max(each * max(1, len(folds)), 1e-9)))
    return [(run, np.sort(order(units, "labels")[: max(_FEWEST, many)])) for run, units in folds]


def _with_classical(context: Context, units: Array, probabilities: Array, labels: Array) -> Array:
    """The same (U, C), but where the network doubts a label the mean of its probabilities and a classical model's."""
    if context.side is None or context.baseline is None:
        return probabilities
    whole = Classical(context.task, context.spec, context.baseline.model)
    models = [*context.side.classical_out_of_fold(context.baseline.fit_seconds), (whole, context.validation.units),
              (whole, context.test.units)]  # fmt: skip
    doubted = probabilities[np.arange(len(units)), labels] < _DOUBTED
    probabilities = probabilities.copy()
    for model, fold in models:
        rows = np.flatnonzero(doubted & np.isin(units, fold))
        if len(rows):
            told = context.task.probabilities(_asked(context, model, units[rows]), context.spec)
            if told is None:
                return probabilities
            probabilities[rows] = (probabilities[rows] + np.asarray(told)) / 2
    return probabilities


def _asked(context: Context, model: Answering, units: Array) -> Values:
    return model.outputs(context.samples.view_of(units))


def _able(seen: _Seen) -> bool:
    """Whether the network stands a quarter of the way from naming the largest class to being right always."""
    agreed = float((seen.probabilities.argmax(axis=1) == seen.labels).mean())
    largest = float(np.bincount(seen.labels).max() / len(seen.labels))
    return agreed - largest > 0.25 * (1 - largest)


def _judge(wrong: int, count: int, share: float) -> tuple[Status, str, str]:
    if not wrong:
        return "good", f"None of {count:,} labels looks wrong.", ""
    words = f"{wrong:,} of {count:,} labels look wrong ({100 * share:.1f} %)."
    if share < FEW:
        return "good", f"Few labels look wrong: {words}", STEP
    return ("watch" if share < MANY else "act"), words, STEP


def _ranked(issues: LabelIssues) -> Array:
    """The units that look wrong, the worst first."""
    order = np.argsort(issues.quality, kind="stable")
    return np.asarray(order[issues.wrong[order]])


def _worst(context: Context, seen: _Seen, issues: LabelIssues) -> Figure:
    items, ranked, title = [], _ranked(issues)[:SHOWN], "Labels that look wrong, the worst first"
    if not len(ranked):
        ranked = np.argsort(issues.quality, kind="stable")[:_SHOWN_RIGHT]
        title = "The labels that fit least, which are likely right"
    for place in ranked:
        unit = int(seen.units[place])
        drawing = context.task.draw(context.samples, unit, context.spec)
        given, better = int(seen.labels[place]), int(issues.suggested[place])
        lines = [
            f"label: {context.task.truth_words(given, context.spec)}",
            f"looks like: {context.task.truth_words(better, context.spec)} "
            f"({100 * seen.probabilities[place, better]:.0f} %)",
        ]
        name, *others = drawing.lines or (context.samples.id(unit),)
        items.append({"title": name, "lines": [*lines, *others], **pictured(drawing)})
    return Figure("gallery", title, {"items": items})


def _table(context: Context, seen: _Seen, issues: LabelIssues) -> Figure:
    rows = [
        [
            context.samples.id(int(seen.units[place])),
            context.task.truth_words(int(seen.labels[place]), context.spec),
            context.task.truth_words(int(issues.suggested[place]), context.spec),
        ]
        for place in _ranked(issues)[:LISTED]
    ]
    data = {"columns": ["sample", "label", "looks like"], "rows": rows, "first_is_header": True}
    title = f"The first {len(rows)} by name" if len(rows) == LISTED else "All of them by name"
    return Figure("table", title, data)
