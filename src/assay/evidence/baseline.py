"""Does a network beat classical machine learning here?"""

from __future__ import annotations

from typing import Any, Literal

from assay.evaluation.intervals import Estimate, difference
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Status
from assay.evidence.words import duration, number, size, spread, title, unit_of

QUESTION = "Does a network beat classical machine learning here?"
Verdict = Literal["network", "baseline", "tie"]


def compare(context: Context) -> tuple[Verdict, Estimate]:
    """Which is better on the same test units, and by how much (positive speaks for the network)."""
    if context.baseline is None:
        raise ValueError("there is no baseline to compare with")
    test, other = context.test, context.baseline.test
    gain = difference(context.metric, test.outputs, other.outputs, test.truths, test.groups)
    if gain.low is not None and gain.high is not None and (gain.low > 0 or gain.high < 0):
        return ("network" if gain.low > 0 else "baseline"), gain
    return "tie", gain


def find(context: Context) -> Finding:
    """A paired comparison on the same split, and what each costs."""
    if context.baseline is None:
        return Finding("baseline", QUESTION, "unknown", f"There is no classical baseline: {context.no_baseline}.")
    if not len(context.test):
        verdict = "No sample was set aside for testing, so the two cannot be compared."
        return Finding("baseline", QUESTION, "unknown", verdict, next="Train with a test side: --split 80/10/10.")
    metric, fitted = context.metric, context.baseline
    own, other = context.test.measure(metric), fitted.test.measure(metric)
    who, gain = compare(context)
    name, what = fitted.model.name, title(metric)
    mine, theirs = spread(metric, own), spread(metric, other)
    words: dict[str, tuple[Status, str, str]] = {
        "network": ("good", f"The network is better than {name}: {what} {mine} against {theirs}.", ""),
        "tie": (
            "watch",
            f"No difference can be shown: {what} {mine} for the network, {theirs} for {name}.",
            "Prefer what is cheaper to run and easier to read; the classical model answers with `--baseline`.",
        ),
        "baseline": (
            "act",
            f"{name} is better than the network: {what} {theirs} against {mine}.",
            "Use it: `assay predict RUN INPUT --baseline`.",
        ),
    }
    status, verdict, step = words[who]
    unit = unit_of(metric)
    numbers = {"network": number(own, unit), "baseline": number(other, unit), "difference": number(gain, unit)}
    if context.floor is not None:
        numbers["guessing"] = number(context.floor.test.measure(metric), unit)
    certainty = f"Paired bootstrap over {len(set(context.test.groups.tolist())):,} test units. {fitted.note}"
    return Finding(
        "baseline", QUESTION, status, verdict, numbers, (_chart(context, own, other), _table(context)), step, certainty
    )


def _chart(context: Context, own: Estimate, other: Estimate) -> Figure:
    rows: list[dict[str, Any]] = [{**_row("the network", own), "series": 0}]
    if context.baseline is not None:
        rows.append({**_row(context.baseline.model.name, other), "series": 1})
    if context.floor is not None:
        rows.append({**_row("guessing", context.floor.test.measure(context.metric)), "series": 2})
    data = {"rows": rows, "x": title(context.metric), "unit": unit_of(context.metric)}
    return Figure("intervals", "On the same test samples", data, "Values with their 95 % intervals.")


def _row(label: str, found: Estimate) -> dict[str, Any]:
    return {"label": label, "value": found.value, "low": found.low, "high": found.high}


def _table(context: Context) -> Figure:
    """What each costs and needs."""
    fitted = context.baseline
    rows: list[list[str]] = []
    if fitted is not None:
        each, other = max(len(context.test), 1), max(len(fitted.test), 1)
        model = fitted.model
        rows = [
            ["training", duration(context.fit_seconds), duration(fitted.fit_seconds)],
            ["one answer", duration(context.test.seconds / each), duration(fitted.test.seconds / other)],
            ["on disk", size(context.model_bytes), size(fitted.bytes)],
            ["features", "learned from the data", model.features],
            ["how it can be read", "attributions of single answers", model.reading],
        ]
    columns = ["", "the network", context.baseline.model.name if context.baseline else ""]
    return Figure(
        "table",
        "What each takes",
        {"columns": columns, "rows": rows, "first_is_header": True},
        "Seconds on this machine.",
    )
