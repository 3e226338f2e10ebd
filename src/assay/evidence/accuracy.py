"""How good is it on data it never saw?"""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any

import numpy as np

from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Status
from assay.evidence.groups import by_group
from assay.evidence.words import counted, number, spread, title, unit_of
from assay.report.explained import pictured

QUESTION = "How good is it on data it never saw?"
_SHOWN, _FINE = 12, 4
#: Confusions that are shown, and samples of each.
_CONFUSIONS, _EACH = 6, 2
_FEW = 30


def find(context: Context) -> Finding:
    """Test metrics with intervals, how answers and truths compare, each group by itself, and the worst mistakes.

    Full evidence also tells how the network does as it is used (`Task.in_use`).
    """
    test, task, spec = context.test, context.task, context.spec
    if not len(test):
        verdict = "No sample was set aside for testing, so nobody knows."
        return Finding("accuracy", QUESTION, "unknown", verdict, next="Train with a test side: --split 80/10/10.")
    metrics = task.metrics(spec)
    found = {metric.name: test.measure(metric) for metric in metrics}
    first = metrics[0]
    verdict = f"On {counted(len(test), 'test sample')} its {title(first)} is {spread(first, found[first.name])}."
    figures = (*task.figures(test, spec), *by_group(context), *_confused(context), _worst(context))
    groups = len(np.unique(test.groups))
    status: Status = "good"
    step = ""
    if groups < _FEW:
        status = "unknown"
        few = "one independent test sample" if groups == 1 else f"{groups} independent test samples"
        step = f"Only {few}: collect more before you rely on any number here."
    elif math.isnan(found[first.name].value):
        status, step = "unknown", f"{title(first)} is not defined on these samples: look at the other metrics."
    elif not context.learned:
        status, step = "act", "It does no better than guessing: check the labels and the target, or train for longer."
    certainty = f"95 % intervals over {groups:,} independent test units; none of them was used to choose anything."
    numbers = {metric.name: number(found[metric.name], unit_of(metric)) for metric in metrics}
    used = task.in_use(context.predictor, context.samples) if context.thorough else None
    if used is not None:
        numbers |= used.numbers
        figures = (*figures[:-1], *used.figures, figures[-1])
        verdict, certainty = f"{verdict} {used.words}", f"{certainty} {used.certainty}"
    return Finding("accuracy", QUESTION, status, verdict, numbers, figures, step, certainty)


def _worst(context: Context) -> Figure:
    """The samples that cost most, with their pictures."""
    test, task, spec = context.test, context.task, context.spec
    mistakes = task.mistakes(test.outputs, test.truths, spec)
    order = np.argsort(-np.nan_to_num(test.losses, nan=-np.inf), kind="stable")
    if mistakes is not None:
        order = order[mistakes[order]]
    wrong = order[~(test.losses[order] <= 0)] if mistakes is None else order  # what is not known may be wrong
    if not len(wrong) and len(test.losses):
        fine = np.argsort(-np.nan_to_num(test.losses, nan=-np.inf), kind="stable")[:_FINE]
        items = [_item(context, int(place)) for place in fine]
        text = "No answer is off the truth." if mistakes is None else "No answer is wrong."
        return Figure("gallery", "Some answers", {"items": items}, text)
    items = [{**_item(context, int(place)), "wrong": mistakes is not None} for place in wrong[:_SHOWN]]
    text = "The mistakes made with most confidence." if mistakes is not None else "The answers furthest from the truth."
    return Figure("gallery", "Worst mistakes" if mistakes is not None else "Worst answers", {"items": items}, text)


def _item(context: Context, place: int, box: tuple[float, float, float, float] | None = None) -> dict[str, Any]:
    """A test sample as a gallery shows it, with its truth and its answer; of a confused part its place alone."""
    test, task, spec = context.test, context.task, context.spec
    unit, output, truth = int(test.units[place]), test.outputs[place], test.truths[place]
    if box is None:
        drawing = task.draw_answered(context.samples, unit, output, truth, spec)
        lines = [f"true: {task.truth_words(truth, spec)}", f"answered: {task.words(output, spec)}"]
    else:
        drawing, lines = task.draw_confused(context.samples, unit, output, truth, box, spec), []
    name, *others = drawing.lines or (context.samples.id(unit),)
    return {"title": name, "lines": [*lines, *others], **pictured(drawing)}


def _confused(context: Context) -> tuple[Figure, ...]:
    """Samples in which one part was taken for another, the commonest confusions first; nothing where there are none."""
    test = context.test
    found = context.task.confusions(test.outputs, test.truths, context.spec)
    items = []
    for one in found[:_CONFUSIONS]:
        for row, box in zip_longest(one.rows[:_EACH], one.places[:_EACH]):
            item = _item(context, row, box)
            told = f"{one.truth} taken for {one.predicted} ({len(one.rows):,})"
            items.append({**item, "title": told, "lines": [item["title"], *item["lines"]], "wrong": True})
    if not items:
        return ()
    which = f"The commonest of {len(found):,} confusions, with" if len(found) > 1 else "With"
    text = f"{which} the number of samples that {'each' if len(found) > 1 else 'it'} is in, two of them shown."
    return (Figure("gallery", "What is taken for what", {"items": items}, text),)
