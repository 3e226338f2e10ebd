"""What the finding `explanation` draws: samples with what weighed, columns by weight, and what is left as parts go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError
from assay.evaluation.faithfulness import mean
from assay.evidence.context import Context
from assay.evidence.finding import Figure
from assay.report.explained import SPANS_CAPTION, heard, shaded
from assay.serving.predictor import Classical, deciding_windows

if TYPE_CHECKING:
    from assay.evidence.explanation import Looked

Array = np.ndarray[Any, Any]
_SHOWN, _MISTAKES, _ROWS = 12, 5, 6
_COLUMNS = 30


def figures(context: Context, looked: Looked) -> Iterator[Figure]:
    """For pictures the samples first; for rows the columns first, and beside them what the classical model looks at."""
    in_a_row = looked.weights.ndim == 2
    if in_a_row and context.task.parts(context.spec):
        yield from _columns(context, looked)
    yield _gallery(context, looked, _ROWS if in_a_row else _SHOWN)
    yield _curves(context, looked)


def _gallery(context: Context, looked: Looked, most: int) -> Figure:
    """Explained samples, mistakes and right answers mixed."""
    test, task, spec = context.test, context.task, context.spec
    wrong = task.mistakes(test.outputs, test.truths, spec)
    items = []
    for place, weights, window in _mixed(context, looked, wrong, most):
        unit = int(test.units[place])
        plain, explained = (
            task.draw_window(context.samples, unit, window, spec),
            task.draw_explained(context.samples, unit, weights, spec, window),
        )
        name, *lines = explained.lines or (context.samples.id(unit),)
        told = [
            f"answered: {task.words(test.outputs[place], spec)}",
            f"true: {task.truth_words(test.truths[place], spec)}",
        ]
        beside = explained.image if plain.image else None
        large = {"large": True} if explained.large else {}
        shown = {"image": plain.image, "beside": beside, **large, **shaded(explained), **heard(plain)}
        mistaken = wrong is not None and bool(wrong[place])
        items.append({**shown, "title": name, "lines": [*told, *lines], "wrong": mistaken})
    if any(item["image"] for item in items):
        caption = "Orange spoke for the answer that was given, blue against it; the brighter, the more."
    elif any("spans" in item for item in items):
        caption = SPANS_CAPTION
    else:
        caption = "Behind each value what it added to the answer; the columns that weighed most come first."
    return Figure("gallery", "What single answers came from", {"items": items}, caption)


def _mixed(context: Context, looked: Looked, wrong: Array | None, most: int) -> Iterator[tuple[int, Array, int]]:
    """Positions on the test side with weights and the window they are of, mistakes spread among right answers."""
    windows = looked.windows.tolist()
    known = dict(zip(looked.places.tolist(), zip(looked.weights, windows, strict=True), strict=True))
    right, mistakes = list(known), []
    if wrong is not None:
        right = [place for place in known if not wrong[place]]
        mistakes = [place for place in known if wrong[place]]
        others = [place for place in np.flatnonzero(wrong).tolist() if place not in known]
        mistakes = (mistakes + others)[:_MISTAKES]
    chosen = mistakes + right[: most - len(mistakes)]
    for place in sorted(chosen, key=lambda place: (chosen.index(place) * 5) % max(1, len(chosen))):
        yield place, *(known[place] if place in known else _explained(context, place))


def _explained(context: Context, place: int) -> tuple[Array, int]:
    """The weights of one sample more, and its window that they are of."""
    view = context.samples.view_of(np.asarray(context.test.units, np.int64)[[place]])
    windows = deciding_windows(context.predictor, view)
    weights = context.task.explain(context.predictor, context.samples.batch(windows))
    return np.asarray(np.asarray(weights, float)[0]), int(windows[0])


def _columns(context: Context, looked: Looked) -> Iterator[Figure]:
    """How much each column weighs on average; where the classical model can be asked, beside it."""
    names = [name for name, part in context.task.parts(context.spec).items() if part.sum() == 1]
    own = np.abs(looked.weights).mean(axis=0)
    if len(names) != len(own):
        return
    strongest = np.argsort(-own, kind="stable")[:_COLUMNS]
    unit = "%" if looked.unit == "%" else ""
    rows = [{"label": names[place], "value": float(own[place])} for place in strongest]
    data = {"rows": rows, "x": "mean weight in an answer", "unit": unit}
    caption = "How much a column moves an answer, up or down, on average; nothing is said about what causes what."
    yield Figure("bars", "What its answers depend on", data, caption)
    other = _classical(context, looked)
    if other is None or context.baseline is None:
        return
    factor = 100 if unit == "%" else 1
    table = [[names[place], factor * float(own[place]), factor * float(other[place])] for place in strongest]
    title = "Mean weight in per cent" if unit == "%" else "Mean weight"
    columns = ["", "the network", context.baseline.model.name]
    yield Figure("table", f"{title}, beside the classical model's", {"columns": columns, "rows": table})


def _classical(context: Context, looked: Looked) -> Array | None:
    """(P,) the mean weight of each column in the classical model's answers to a few of the samples."""
    if context.baseline is None:
        return None
    model = Classical(context.task, context.spec, context.baseline.model)
    try:
        weights = context.task.explain(model, context.samples.batch(looked.windows[:16]))
    except AssayError:
        return None
    return np.asarray(np.abs(np.asarray(weights, float)).mean(axis=0))


def _curves(context: Context, looked: Looked) -> Figure:
    """What is left of the answers on average, as parts go."""
    groups = np.asarray(context.test.groups)[looked.places]
    kinds = {
        "what weighed most goes first": (looked.curves.deletion, False),
        "what weighed least goes first": (looked.curves.insertion, False),
        "at random": (looked.curves.random.mean(axis=0), True),
    }
    series: list[dict[str, Any]] = []
    for label, (values, dashed) in kinds.items():
        found = [mean(column, groups) for column in values.T]
        series.append({"label": label, "dashed": dashed, "x": (100 * looked.curves.shares).tolist(),
                       "y": [one.value for one in found], "low": [one.low for one in found],
                       "high": [one.high for one in found]})  # fmt: skip
    if looked.unit == "%":
        unit, what = "%", "confidence in the first answer"
    else:
        unit, what = "", f"minus the distance from the first answer ({looked.unit})"
    data = {"series": series, "x": "per cent of the input taken away", "y": what, "unit": unit}
    caption = "The further the first two lines lie apart, the more the explanations know."
    return Figure("lines", "What is left of an answer as its parts go", data, caption)
