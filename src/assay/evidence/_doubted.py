"""The finding `labels` where a unit has several labels, such as boxes; and what it says likewise of all labels.

Shapes: U units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.intervals import wilson
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.report.explained import pictured
from assay.task_parts import Doubts

if TYPE_CHECKING:
    from assay.evidence.context import Context
    from assay.task_parts import Doubt

Array = np.ndarray[Any, Any]
QUESTION = "Which labels look wrong?"
NO_JUDGE = "The networks agree too seldom with the labels of samples that they have not seen to be their judges."
BETTER = "Ask again once it is better than guessing."
LONGER = "Train with a longer --budget, or with more pictures, until more of what is labelled is found; then ask again."
STEP = "Look at those shown, worst first, and correct what is wrong; then train again."
#: Samples shown and listed; shares of all labels from which on one should know of them, and do something.
SHOWN, LISTED, FEW, MANY = 24, 200, 0.01, 0.05
#: The least F1 of a judge.
AGREED = 0.5
#: Why labels of the training side are not judged.
UNABLE = (
    " Other labels of the training side were not judged: the networks that saw half of it agree too seldom with the "
    "labels of the other half, as they learn for a twentieth of the training's steps."
)
SHORT = " Labels of the training side were not judged: the training was too short for trainings of halves beside it."
UNDIVIDED = " Labels of the training side were not judged: it has too few samples, or groups, to be divided."


def doubted(context: Context, units: Array, doubts: Doubts, left: str = "") -> Finding:
    """What looks wrong with labels of which a unit has several.

    Args:
        context: the finished training.
        units: (U,) the units that were looked at.
        doubts: what the application doubts; rows are positions among `units`.
        left: a sentence about labels that were not judged.
    """
    if doubts.agreed < AGREED:
        return Finding("labels", QUESTION, "unknown", _too_weak(doubts), next=LONGER)
    count, kinds = len(doubts.found), Counter(one.kind for one in doubts.found)
    share = count / max(1, doubts.labels)
    low, high = wilson(min(1.0, share), doubts.labels)
    numbers = {
        "labels that look wrong": Number(count),
        **{f"of these {name}": Number(many) for name, many in kinds.most_common()},
        "share of all labels": Number(share, low, high, "%"),
        "labels looked at": Number(doubts.labels),
        "agreement of networks and labels (F1)": Number(doubts.agreed),
    }
    status, verdict, step = _judge(kinds, doubts.labels, share, " that could be judged" if left else "")
    figures = (_worst(context, units, doubts), _table(context, units, doubts)) if count else ()
    certainty = (
        f"The labels of {len(units):,} samples were judged by networks that had not seen them, and that are believed "
        f"where they are as sure as when they are right.{left} Hard samples look wrong too: a person has to decide."
    )
    return Finding("labels", QUESTION, status, verdict, numbers, figures, step, certainty)


def _too_weak(doubts: Doubts) -> str:
    return f"{NO_JUDGE} Their F1 is {doubts.agreed:.2f}, and {AGREED:.1f} would be needed."


def joined(parts: Sequence[Doubts], counts: Sequence[int]) -> Doubts:
    """What several judges doubt, the surest first.

    Args:
        parts: of each judge.
        counts: how many units each looked at; rows are counted on from one to the next.
    """
    labels = sum(one.labels for one in parts)
    agreed = sum(one.agreed * one.labels for one in parts) / max(1, labels)
    first = np.cumsum([0, *counts])
    found = [replace(one, row=one.row + int(start))
             for part, start in zip(parts, first, strict=False) for one in part.found]  # fmt: skip
    return Doubts(labels, agreed, tuple(sorted(found, key=lambda one: -one.sure)))


def _judge(kinds: Counter[str], labels: int, share: float, which: str) -> tuple[Status, str, str]:
    count = kinds.total()
    if not count:
        return "good", f"None of {labels:,} labels{which} looks wrong, and none seems to be missing.", ""
    told = ", ".join(f"{name}: {many:,}" for name, many in kinds.most_common())
    words = (
        f"{count:,} labels look wrong or seem to be missing, beside {labels:,}{which or ' that there are'} ({told})."
    )
    if share < FEW:
        return "good", f"Few labels look wrong: {words}", STEP
    return ("watch" if share < MANY else "act"), words, STEP


def _lines(one: Doubt) -> list[str]:
    return [f"what: {one.kind}", f"label: {one.label}", f"looks like: {one.better} ({100 * one.sure:.0f} %)"]


def _worst(context: Context, units: Array, doubts: Doubts) -> Figure:
    items = []
    for one in doubts.found[:SHOWN]:
        unit = int(units[one.row])
        drawing = context.task.draw_doubted(context.samples, unit, one, context.spec)
        name, *others = drawing.lines or (context.samples.id(unit),)
        items.append({"title": name, "lines": [*_lines(one), *others], **pictured(drawing)})
    return Figure("gallery", "Labels that look wrong or are missing, the surest first", {"items": items})


def _table(context: Context, units: Array, doubts: Doubts) -> Figure:
    """By sample, so that a person opens each once."""
    shown = sorted(doubts.found[:LISTED], key=lambda one: one.row)
    alike = Counter((one.row, one.kind, one.label, one.better) for one in shown)
    rows = [[context.samples.id(int(units[row])), kind, label, better, count]
            for (row, kind, label, better), count in alike.items()]  # fmt: skip
    columns = ["sample", "what", "label", "looks like", "labels"]
    left = len(doubts.found) - len(shown)
    title = f"The {len(shown)} surest by name" if left else "All of them by name"
    return Figure("table", title, {"columns": columns, "rows": rows, "first_is_header": True})
