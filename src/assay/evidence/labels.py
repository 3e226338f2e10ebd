"""Which labels look wrong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.confident_learning import LabelIssues, find_label_issues
from assay.evaluation.intervals import wilson
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status

QUESTION = "Which labels look wrong?"
_SHOWN = 24
_LISTED = 200
_FEW, _MANY = 0.01, 0.05

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Seen:
    """All units that a network which was not trained on them was asked about.

    Attributes:
        units: (U,) their numbers among the samples.
        probabilities: (U, C) the network's.
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
    issues = find_label_issues(seen.probabilities, seen.labels)
    count, wrong = len(seen.units), int(issues.wrong.sum())
    share = wrong / count
    low, high = wilson(share, count)
    numbers = {
        "labels that look wrong": Number(wrong),
        "share of all labels": Number(share, low, high, "%"),
        "labels looked at": Number(count),
    }
    figures = (_worst(context, seen, issues), _table(context, seen, issues))
    status, verdict, step = _judge(wrong, count, share)
    certainty = (
        "Each label was judged by a network that had not seen it; on the training side such a network saw half of the "
        "samples. Hard samples look wrong too: a person has to decide."
    )
    return Finding("labels", QUESTION, status, verdict, numbers, figures, step, certainty)


def out_of_sample(context: Context) -> _Seen | None:
    """Probabilities of all units from networks that did not see them; None where that cannot be had."""
    if context.side is None or not context.side.halves:
        return None
    parts: list[tuple[Array, Any]] = []
    for run, others in context.side.out_of_fold():
        parts.append((others, run.predictor.outputs(context.samples.view_of(others))))
    parts += [(side.units, side.outputs) for side in (context.validation, context.test) if len(side)]
    found: list[tuple[Array, Array, Array]] = []
    for units, outputs in parts:
        probabilities = context.task.probabilities(outputs, context.spec)
        if probabilities is None:
            return None
        labels = np.asarray(context.samples.view_of(units).truths(), np.int64)
        found.append((np.asarray(units), np.asarray(probabilities), labels))
    units, probabilities, labels = (np.concatenate(column) for column in zip(*found, strict=True))
    place = np.argsort(units, kind="stable")
    return _Seen(units[place], probabilities[place], labels[place])


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
    items = []
    for place in _ranked(issues)[:_SHOWN]:
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
    return Figure("gallery", "Labels that look wrong, the worst first", {"items": items})


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
