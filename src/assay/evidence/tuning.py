"""Did searching hyper-parameters pay?

The network that the search found and the one as proposed were trained for the same time, the former also for as many
steps as a trial. Which is kept was decided on the validation side; both were then asked about the test side once, which
no trial saw, and are compared unit by unit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.intervals import Estimate, difference
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.tuned import Tuned
from assay.evidence.words import (
    duration,
    gained,
    number,
    spread,
    three_digits,
    title,
    unit_of,
    unit_of_difference,
)

QUESTION = "Did searching hyper-parameters pay?"
#: A hyper-parameter with a smaller share of the importance was not worth the search.
_LITTLE = 0.05
#: With fewer finished trials a search has hardly begun.
_FEW_TRIALS = 15
_MOST_NAMED = 6


def find(context: Context) -> Finding:
    """The gain over the defaults on the test side, what mattered, and the path of the search."""
    tuned = context.tuned
    if tuned is None:
        raise SettingError("nothing was searched", "assay tune searches hyper-parameters.")
    figures = (*_chart(context, tuned), _path(tuned), *_importance(tuned), _values(tuned))
    numbers = _counts(tuned)
    if not len(tuned.test[0]):
        verdict = "No sample was set aside for testing, so the gain over the defaults was not measured."
        step = "Tune with a test side: --split 80/10/10."
        return Finding("tuning", QUESTION, "unknown", verdict, numbers, figures, step, _certainty(tuned, 0))
    gain = gain_of(context, tuned)
    status, verdict, step = _words(context, tuned, gain)
    units = len(np.unique(tuned.test[0].groups))
    unit = unit_of(context.metric)
    numbers = {
        "gain over the defaults": number(gain, unit_of_difference(context.metric)),
        "tuned": number(tuned.test[0].measure(context.metric), unit),
        "defaults": number(tuned.test[1].measure(context.metric), unit),
        **numbers,
    }
    return Finding("tuning", QUESTION, status, verdict, numbers, figures, step, _certainty(tuned, units))


def gain_of(context: Context, tuned: Tuned) -> Estimate:
    """By how much the network that was found is better than the defaults on the same test units."""
    found, defaults = tuned.test
    return difference(context.metric, found.outputs, defaults.outputs, found.truths, found.groups)


def _words(context: Context, tuned: Tuned, gain: Estimate) -> tuple[Status, str, str]:
    """The status, the verdict, and what to do."""
    what, trials = title(context.metric), len(tuned.trials)
    if tuned.same:
        verdict = f"Of {trials} trials none was better on the validation side than the defaults, which were kept."
        return "watch", verdict, _further(tuned)
    told = f"{what} {gained(context.metric, gain)} against the defaults on the same test samples"
    if tuned.kept == "defaults":
        verdict = (
            f"The defaults were kept: trained again, the best of {trials} trials was not better on the validation side "
            f"by more than chance ({told})."
        )
        return "watch", verdict, _further(tuned)
    if gain.low is None or gain.high is None:
        return "unknown", f"Too few test samples tell whether the search paid: {told}.", "Set more samples aside."
    if gain.low > 0:
        return "good", f"The search paid: {told}.", _further(tuned) if tuned.edges else ""
    if gain.high < 0:
        verdict = f"The network that was found is worse than the defaults: {told}."
        return "act", verdict, "Use the defaults, which are a run of their own in tuning/defaults of the run's folder."
    return "watch", f"No gain can be shown: {told}.", _further(tuned)


def _further(tuned: Tuned) -> str:
    """Where a longer search would look."""
    if tuned.edges:
        name = tuned.edges[0]
        return f"The best {name} lies at an end of its range: search beyond it with --search {name}=LOW..HIGH."
    if sum(one.state != "failed" for one in tuned.trials) < _FEW_TRIALS:
        return "Few trials fitted into the time: give the search more with --budget."
    return "More data or another network will bring more than a longer search."


def _certainty(tuned: Tuned, units: int) -> str:
    """What the comparison rests on."""
    judged = f"Trials of {tuned.steps[0]:,} steps were judged by {tuned.units:,} validation units alone"
    if not units:
        return f"{judged}."
    return f"{judged}; the two were trained once each{_lengths(tuned)} and compared on {units:,} test units, paired."


def _lengths(tuned: Tuned) -> str:
    """For how long the two were trained."""
    if tuned.brief:
        return ", the defaults in full, what was found as long as its trial, which suited it better,"
    return " for the same time"


def _counts(tuned: Tuned) -> dict[str, Number]:
    counts = {state: sum(one.state == state for one in tuned.trials) for state in ("complete", "stopped", "failed")}
    numbers = {
        "trials": Number(len(tuned.trials)),
        "stopped early": Number(counts["stopped"]),
        "failed": Number(counts["failed"]),
        "search": Number(round(tuned.search_s, 3), unit="s"),
        "loss on validation, tuned": Number(tuned.validation[0]),
        "loss on validation, defaults": Number(tuned.validation[1]),
    }
    for name, share in tuned.importance.items():
        numbers[f"importance of {name}"] = Number(round(share, 4), unit="%")
    return numbers


def _chart(context: Context, tuned: Tuned) -> tuple[Figure, ...]:
    """The two networks on the test side."""
    if not len(tuned.test[0]):
        return ()
    both = [("tuned", tuned.test[0], 0), ("defaults", tuned.test[1], 1)]
    rows: list[dict[str, Any]] = [
        {"label": label, **vars(side.measure(context.metric)), "series": series} for label, side, series in both
    ]
    kept = spread(context.metric, context.test.measure(context.metric)) if len(context.test) else ""
    caption = f"Trained{_lengths(tuned).rstrip(',')}. Kept, by the validation side: {tuned.kept}, {kept}."
    data = {"rows": rows, "x": title(context.metric), "unit": unit_of(context.metric)}
    return (Figure("intervals", "Tuned and defaults on the test samples", data, caption),)


def _path(tuned: Tuned) -> Figure:
    """What each trial came to, and the best so far."""
    complete = [one for one in tuned.trials if one.value is not None]
    numbers = [one.number + 1 for one in complete]
    values = [one.value for one in complete]
    best = np.minimum.accumulate(np.asarray(values, float)).tolist() if values else []
    series = [
        {"label": "best so far", "x": numbers, "y": best},
        {"label": "trials", "x": numbers, "y": values, "loose": True},
    ]
    stopped = sum(one.state == "stopped" for one in tuned.trials)
    caption = f"Less is better. Trial 1 is the defaults. {stopped} trials were stopped early and are not drawn."
    data = {"series": series, "x": "trial", "y": "loss on the validation side"}
    return Figure("lines", f"The path of the search, {duration(tuned.search_s)}", data, caption)


def _importance(tuned: Tuned) -> tuple[Figure, ...]:
    """What mattered."""
    if not tuned.importance:
        return ()
    rows = [{"label": name, "value": share} for name, share in tuned.importance.items()]
    little = [name for name, share in tuned.importance.items() if share < _LITTLE]
    told = ", ".join(little[:_MOST_NAMED]) + (" and others" if len(little) > _MOST_NAMED else "")
    caption = "How far the good trials differ from all in it (PED-ANOVA), as a share of the sum; rough for few trials."
    caption += f" Not worth tuning here: {told}." if little else ""
    data = {"rows": rows, "x": "share of the importance", "unit": "%"}
    return (Figure("bars", "What mattered", data, caption),)


def _values(tuned: Tuned) -> Figure:
    """The values found beside the defaults and the ranges."""
    shares = tuned.importance

    def share(name: str) -> str:
        found = next((shares[key] for key in (name, f"{tuned.best.network}.{name}") if key in shares), None)
        return "" if found is None else f"{100 * found:.0f} %"

    rows = [
        [name, _shown(value), _shown(tuned.defaults.get(name)), tuned.ranges.get(name, ""), share(name)]
        for name, value in tuned.best.values.items()
    ]
    columns = ["hyper-parameter", "best trial", "defaults", "searched", "importance"]
    title_ = f"The best trial, number {tuned.best.number + 1}, {tuned.best.network}"
    return Figure("table", title_, {"columns": columns, "rows": rows, "first_is_header": True})


def _shown(value: Any) -> str:
    return three_digits(value) if isinstance(value, float) else str(value)
