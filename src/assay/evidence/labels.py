"""Which labels look wrong?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.confident_learning import LabelIssues, find_label_issues
from assay.evaluation.intervals import wilson
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.serving.predictor import Classical

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.serving.predictor import Answering

QUESTION = "Which labels look wrong?"
_SHOWN, _SHOWN_RIGHT = 24, 8
_LISTED = 200
_FEW, _MANY = 0.01, 0.05
#: A label looks wrong where its own class is less likely than this. Without it a network that is often unsure accuses
#: as many right labels as wrong ones.
_UNLIKELY = 0.05

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Seen:
    """All units about which a network was asked that was not trained on them.

    Attributes:
        units: (U,) their numbers among the samples.
        probabilities: (U, C) the network's; where there is a classical model, the mean of both.
        labels: (U,) as given.
    """

    units: Array
    probabilities: Array
    labels: Array


def find(context: Context) -> Finding:
    """Confident learning on out-of-sample probabilities, the worst labels first."""
    seen = out_of_sample(context)
    if seen is None:
        verdict = "Labels can be judged where an answer is one class of several and there are enough samples to divide."
        return Finding("labels", QUESTION, "unknown", verdict)
    if not _able(seen):
        verdict = "The network agrees too seldom with the labels of samples that it has not seen to be their judge."
        return Finding("labels", QUESTION, "unknown", verdict, next="Ask again once it is better than guessing.")
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


def suspects(seen: _Seen) -> LabelIssues:
    """What confident learning says of the labels; fewer of them look wrong, those whose class is all but ruled out."""
    issues = find_label_issues(seen.probabilities, seen.labels)
    return replace(issues, wrong=issues.wrong & (issues.quality < _UNLIKELY))


def out_of_sample(context: Context) -> _Seen | None:
    """Probabilities of all units from models that did not see them; None where that cannot be had."""
    if context.side is None or not context.side.halves:
        return None
    sides = [side for side in (context.validation, context.test) if len(side)]
    own = [(units, _asked(context, run.predictor, units)) for run, units in context.side.out_of_fold()]
    parts = _probabilities(context, [*own, *((side.units, side.outputs) for side in sides)])
    if parts is None:
        return None
    units = np.concatenate([side for side, _ in parts])
    probabilities = np.concatenate([told for _, told in parts])
    others = _classical(context)
    if others is not None:
        probabilities = (probabilities + others) / 2
    place = np.argsort(units, kind="stable")
    labels = np.asarray(context.samples.view_of(units[place]).truths(), np.int64)
    return _Seen(units[place], probabilities[place], labels)


def _classical(context: Context) -> Array | None:
    """As `out_of_sample` before it is sorted, of the classical model; None where there is none that gives them."""
    if context.side is None or context.baseline is None:
        return None
    halves = context.side.classical_out_of_fold(context.baseline.fit_seconds)
    found = [(units, _asked(context, model, units)) for model, units in halves]
    whole = Classical(context.task, context.spec, context.baseline.model)
    if len(context.validation):
        found.append((context.validation.units, _asked(context, whole, context.validation.units)))
    if len(context.test):
        found.append((context.test.units, context.baseline.test.outputs))
    parts = _probabilities(context, found)
    return None if parts is None else np.concatenate([told for _, told in parts])


def _asked(context: Context, model: Answering, units: Array) -> Values:
    return model.outputs(context.samples.view_of(units))


def _probabilities(context: Context, outputs: Iterable[tuple[Array, Values]]) -> list[tuple[Array, Array]] | None:
    """Units (U',) and their probabilities (U', C), of units and outputs; None where the task has none."""
    found: list[tuple[Array, Array]] = []
    for units, given in outputs:
        probabilities = context.task.probabilities(given, context.spec)
        if probabilities is None:
            return None
        found.append((np.asarray(units), np.asarray(probabilities)))
    return found


def _able(seen: _Seen) -> bool:
    """Whether the network stands a quarter of the way from naming the largest class to being right always."""
    agreed = float((seen.probabilities.argmax(axis=1) == seen.labels).mean())
    largest = float(np.bincount(seen.labels).max() / len(seen.labels))
    return agreed - largest > 0.25 * (1 - largest)


def _judge(wrong: int, count: int, share: float) -> tuple[Status, str, str]:
    if not wrong:
        return "good", f"None of {count:,} labels looks wrong.", ""
    words = f"{wrong:,} of {count:,} labels look wrong ({100 * share:.1f} %)."
    step = "Look at those shown, worst first, and correct what is wrong; then train again."
    if share < _FEW:
        return "good", f"Few labels look wrong: {words}", step
    return ("watch" if share < _MANY else "act"), words, step


def _ranked(issues: LabelIssues) -> Array:
    """The units that look wrong, the worst first."""
    order = np.argsort(issues.quality, kind="stable")
    return np.asarray(order[issues.wrong[order]])


def _worst(context: Context, seen: _Seen, issues: LabelIssues) -> Figure:
    items, ranked, title = [], _ranked(issues)[:_SHOWN], "Labels that look wrong, the worst first"
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
        items.append({"image": drawing.image, "title": name, "lines": [*lines, *others]})
    return Figure("gallery", title, {"items": items})


def _table(context: Context, seen: _Seen, issues: LabelIssues) -> Figure:
    rows = [
        [
            context.samples.id(int(seen.units[place])),
            context.task.truth_words(int(seen.labels[place]), context.spec),
            context.task.truth_words(int(issues.suggested[place]), context.spec),
        ]
        for place in _ranked(issues)[:_LISTED]
    ]
    data = {"columns": ["sample", "label", "looks like"], "rows": rows, "first_is_header": True}
    title = f"The first {len(rows)} by name" if len(rows) == _LISTED else "All of them by name"
    return Figure("table", title, data)
