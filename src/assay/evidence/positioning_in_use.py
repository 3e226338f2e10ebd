"""How a network that follows a car does in use: without GNSS, with worse sensors, and whether its deviations hold.

The other findings judge by independent drives, of which there are often few; these figures are there for few, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import estimate
from assay.evidence.finding import Figure, Number
from assay.evidence.track_figures import covered
from assay.samples.draws import Draws
from assay.samples.route_corruptions import route_corruptions
from assay.samples.split import TEST
from assay.task_parts import Amount, InUse

if TYPE_CHECKING:
    from assay.samples.route_spec import RouteSpec
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
#: Test drives that are asked about again, at most, and the strengths.
_MOST, _STRENGTHS = 24, (1, 3, 5)
#: Less driving than this (minutes) is plainly little.
LITTLE_MIN = 30.0
_PROMISED = 0.95


def positioning_in_use(predictor: Predictor, samples: Samples) -> InUse | None:
    """What the page tells beside the metrics of the test drives; None where there is none."""
    from assay.evaluation.track_metrics import TranslationalDrift

    spec: RouteSpec = predictor.spec
    view = samples.view(TEST).sample(_MOST)
    if not len(view):
        return None
    clean = predictor.task.evaluate(predictor, view)
    numbers: dict[str, Number] = {}
    words = []
    if spec.gnss:
        alone = replace(predictor, options={**predictor.options, "gnss": 0})
        found = predictor.task.evaluate(alone, view).measure(TranslationalDrift(spec.lengths_m))
        if np.isfinite(found.value):
            numbers["drift without GNSS"] = Number(found.value, found.low, found.high, "%")
            words.append(f"Without GNSS it drifts by {100 * found.value:.2g} % of the way.")
    inside = covered(clean, _PROMISED)
    if np.isfinite(inside.value):
        numbers["places within the 95 % ellipse"] = Number(inside.value, inside.low, inside.high, "%")
        words.append(_judged(inside.value))
    worse, figures = _worsened(predictor, view, clean)
    if spec.simulated:
        words.append("All sensors are SIMULATED.")
    certainty = f"What is worse and what it says of its own deviations: on {len(view)} test drives."
    return InUse(" ".join(words), {**numbers, **worse}, certainty, figures)


def _judged(share: float) -> str:
    if share < 0.85:
        return f"It is too sure of itself: {100 * share:.0f} % of the places lie within its 95 % ellipses."
    return f"{100 * share:.0f} % of the places lie within its 95 % ellipses."


def _worsened(predictor: Predictor, view: View, clean: Evaluation) -> tuple[dict[str, Number], tuple[Figure, ...]]:
    """The primary metric under each way in which sensors get worse."""
    spec, task = predictor.spec, predictor.task
    metric = task.metrics(spec)[0]
    unit = "%" if metric.in_per_cent else metric.unit
    first = clean.measure(metric)
    if not np.isfinite(first.value):
        return {}, ()
    numbers: dict[str, Number] = {}
    series = []
    for place, (name, corruption) in enumerate(route_corruptions(spec).items()):
        points = [(0, first)]
        for strength in _STRENGTHS:

            def change(batch: Any, strength: int = strength, corruption: Any = corruption) -> Any:
                return corruption.change(batch, strength, Draws(0, strength, batch.index.numpy()))

            outputs = predictor.outputs(view.changed(change))
            points.append((strength, estimate(metric, outputs, clean.truths, clean.groups)))
        told = corruption.strengths[2]
        last = points[2][1]
        numbers[f"{name} ({told})"] = Number(last.value, last.low, last.high, unit)
        series.append({"label": name, "series": place, "x": [at for at, _ in points],
                       "y": [one.value for _, one in points]})  # fmt: skip
    data = {"series": series, "x": "strength (0: as it is)", "y": metric.name.replace("_", " "), "unit": unit}
    lines = Figure("lines", "When sensors get worse", data, "Strengths 1 to 5; what they are stands below.")
    return numbers, (lines, _strengths(spec))


def _strengths(spec: RouteSpec) -> Figure:
    """What the strengths stand for."""
    rows = [[name, *(one.strengths[strength - 1] for strength in _STRENGTHS)]
            for name, one in route_corruptions(spec).items()]  # fmt: skip
    columns = ["what gets worse", *(f"strength {strength}" for strength in _STRENGTHS)]
    return Figure("table", "What the strengths are", {"columns": columns, "rows": rows})


def amount_of_driving(samples: Samples, units: Array, spec: RouteSpec) -> Amount:
    """Minutes of driving, each SIMULATED draw of a route counted once."""
    view = samples.view_of(units)
    lengths = samples.lengths(view.windows)
    if lengths is None or not len(lengths):
        return Amount(0.0, "minutes of driving")
    owner = samples.unit[view.windows]
    seconds = np.bincount(np.searchsorted(np.sort(units), owner), lengths * spec.step_s, len(units))
    if spec.simulated:
        groups = samples.view_of(np.sort(units)).groups()
        seconds = np.asarray([seconds[groups == one].max() for one in np.unique(groups)])
    minutes = float(seconds.sum() / 60)
    little = "" if minutes >= LITTLE_MIN else f"{_told(minutes)} of driving to learn from is little."
    return Amount(minutes, "minutes of driving", little)


def _told(minutes: float) -> str:
    if minutes < 1.5:
        return f"{60 * minutes:.0f} seconds"
    return f"{minutes:.0f} minutes"
