"""Does a network beat classical machine learning here?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from assay.evaluation.intervals import Estimate, difference
from assay.evaluation.metrics import Metric, Values
from assay.evidence.context import Context, FittedBaseline
from assay.evidence.finding import Figure, Finding, Status
from assay.evidence.words import duration, number, size, spread, title, unit_of, unit_of_difference

QUESTION = "Does a network beat classical machine learning here?"
Array = np.ndarray[Any, Any]
Verdict = Literal["network", "baseline", "tie"]
_SERIES = ("network", "baseline", "guessing")


def compare(context: Context) -> tuple[Verdict, Estimate]:
    """Which is better on the same test units, and by how much (positive speaks for the network)."""
    if context.baseline is None:
        raise ValueError("there is no baseline to compare with")
    test, other = context.test, context.baseline.test
    return judge(context.metric, test.outputs, other.outputs, test.truths, test.groups)


def judge(metric: Metric, network: Values, baseline: Values, truths: Values, groups: Array) -> tuple[Verdict, Estimate]:
    """Which of two models' answers are better: one is only where the interval of the paired difference leaves out 0.

    Args:
        metric: what is compared.
        network: (U,) the network's answers.
        baseline: (U,) the classical model's answers to the same units.
        truths: (U,) the truths.
        groups: (U,) int64, the group of each unit.

    Returns:
        The better one, and by how much the network is better (negative where it is worse).
    """
    gain = difference(metric, network, baseline, truths, groups)
    if gain.low is not None and gain.high is not None and (gain.low > 0 or gain.high < 0):
        return ("network" if gain.low > 0 else "baseline"), gain
    return "tie", gain


def find(context: Context) -> Finding:
    """A paired comparison on the same split, and what each costs."""
    fitted, measured = context.baseline, _measured(context)
    if fitted is not None and not measured:
        verdict = "No sample was set aside for testing, so the two cannot be compared."
        return Finding("baseline", QUESTION, "unknown", verdict, next="Train with a test side: --split 80/10/10.")
    unit = unit_of(context.metric)
    numbers = {name: number(found, unit) for name, found in measured.items()}
    if fitted is None:
        reason = f": {context.no_baseline}" if context.no_baseline else ""
        verdict = f"The network was not compared with classical machine learning{reason}."
        figures: tuple[Figure, ...] = (_chart(context, measured),) if measured else ()
        step = "Compare it with a model of your own: samples.parquet tells which samples are test samples."
        return Finding("baseline", QUESTION, "unknown", verdict, numbers, figures, step)
    who, gain = compare(context)
    units = len(np.unique(context.test.groups))
    status, verdict, step = _words(context, who, measured, fitted.model.name)
    if gain.low is None:
        few = "Test samples of a single group do" if units == 1 else f"{units:,} independent test samples do"
        status, verdict = (
            "unknown",
            f"{few} not tell which of the two is better for others{verdict[verdict.index(':') :]}",
        )
        step = "Set more samples aside for testing, of more groups where there are any."
    certainty = (
        f"Compared on the same {units:,} independent test units, pair by pair. "
        f"{_capital(fitted.model.name)}: {fitted.note}."
    )
    numbers["difference"] = number(gain, unit_of_difference(context.metric))
    beside = context.task.figures_beside(context.test, fitted.test, fitted.model.name, context.spec)
    figures = (_chart(context, measured), _table(context, fitted), *beside)
    return Finding("baseline", QUESTION, status, verdict, numbers, figures, step, certainty)


def _measured(context: Context) -> dict[str, Estimate]:
    """The metric on the test side of network, baseline and guessing, as far as there are; empty without test side."""
    if not len(context.test):
        return {}
    sides = {"network": context.test}
    if context.baseline is not None:
        sides["baseline"] = context.baseline.test
    if context.floor is not None:
        sides["guessing"] = context.floor.test
    return {name: side.measure(context.metric) for name, side in sides.items()}


def _words(context: Context, who: Verdict, measured: dict[str, Estimate], name: str) -> tuple[Status, str, str]:
    what = title(context.metric)
    mine, theirs = (spread(context.metric, measured[side]) for side in ("network", "baseline"))
    if who == "network":
        return "good", f"The network is better than {name}: {what} {mine} against {theirs}.", ""
    if who == "baseline":
        verdict = f"{_capital(name)} is better than the network: {what} {theirs} against {mine}."
        return "act", verdict, "Use it: `assay predict RUN INPUT --baseline`."
    return (
        "watch",
        f"No difference can be shown: {what} {mine} for the network, {theirs} for {name}.",
        "Prefer what is cheaper to run and easier to read; the classical model answers with `--baseline`.",
    )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _chart(context: Context, measured: dict[str, Estimate]) -> Figure:
    labels = {"network": "the network", "baseline": context.baseline.model.name if context.baseline else ""}
    rows: list[dict[str, Any]] = [
        {"label": labels.get(side, side), **vars(found), "series": _SERIES.index(side)}
        for side, found in measured.items()
    ]
    data = {"rows": rows, "x": title(context.metric), "unit": unit_of(context.metric)}
    return Figure("intervals", "On the same test samples", data, "Values with their 95 % intervals.")


def _table(context: Context, fitted: FittedBaseline) -> Figure:
    """What each costs and needs."""
    own, other = (answers.seconds / max(len(answers), 1) for answers in (context.test, fitted.test))
    rows = [
        ["training", duration(context.fit_seconds), duration(fitted.fit_seconds)],
        ["one answer, many at once", duration(own), duration(other)],
        ["memory that training took", _memory(context.fit_memory_bytes), _memory(fitted.memory_bytes)],
        ["size on disk", size(context.model_bytes), size(fitted.bytes)],
        ["hardware", _hardware(context), fitted.model.hardware],
        ["features", context.features, fitted.model.features],
        ["how it can be read", _reading(context), fitted.model.reading],
    ]
    columns = ["", "the network", fitted.model.name]
    caption = "Times on this machine. Memory: what the process held at most beyond what it held before."
    return Figure("table", "What each takes and needs", {"columns": columns, "rows": rows, "first_is_header": True},
                  caption)  # fmt: skip


def _memory(count: int | None) -> str:
    return "not measured here" if count is None else size(count)


def _hardware(context: Context) -> str:
    """What the network was trained on, as its weights tell."""
    parameters = getattr(context.predictor.network, "parameters", None)
    first = next(iter(parameters()), None) if parameters is not None else None
    if first is None or first.device.type == "cpu":
        return "a processor was enough; a GPU makes large ones quicker"
    return "a GPU was used; a processor answers, too"


def _reading(context: Context) -> str:
    """How a person can find out what the network goes by: the application may be able to explain its answers."""
    from assay.task import Task

    explains = getattr(type(context.task), "explain", Task.explain) is not Task.explain
    return "by what weighed in single answers" if explains else "by its answers alone"
