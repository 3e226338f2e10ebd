"""How good tracks are, drawn.

Ways from above, drift over distance, error over time, by speed and turning, and how far deviations can be believed.

Shapes: U drives, L segments, N places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import estimate
from assay.evaluation.metrics import Additive, Values
from assay.evaluation.track_metrics import drift_of, place_errors
from assay.evaluation.tracks import Track, together
from assay.evaluation.trajectories import aligned, planar_poses
from assay.evidence.finding import Figure
from assay.networks.motion_tuning import normalised_errors

if TYPE_CHECKING:
    from assay.samples.route_spec import RouteSpec

Array = np.ndarray[Any, Any]
#: Points of a line; seconds, segments and places that a point needs at least.
_POINTS, _FEWEST = 24, 5
#: Bounds of speed (m/s) and of turning (degrees for each 100 m) that are told apart.
SPEEDS, TURNS = (0.0, 5.0, 10.0, 15.0, 25.0, np.inf), (0.0, 5.0, 30.0, 90.0, np.inf)
#: Shares of places that ellipses of deviations promise to hold.
PROMISED = (0.5, 0.68, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class _Shares(Additive):
    """The mean of given values: outputs are (L,) of each drive."""

    name = "share"
    higher_is_better = False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        return np.asarray([[np.sum(one), len(one)] for one in outputs], float).reshape(-1, 2)

    def from_sums(self, sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


def track_figures(evaluation: Evaluation, spec: RouteSpec) -> Sequence[Figure]:
    """See the module; none where there is nothing to draw."""
    if not len(evaluation):
        return ()
    drawn = [
        ways_of([("the network", evaluation)]),
        over_distance([("the network", evaluation)], spec),
        over_time([("the network", evaluation)]),
        *by_manner(evaluation, spec),
        coverage(evaluation),
    ]
    return [figure for figure in drawn if figure is not None]


def figures_beside(own: Evaluation, other: Evaluation, name: str, spec: RouteSpec) -> Sequence[Figure]:
    """The same of the network and a classical model together."""
    if not len(own):
        return ()
    both = [("the network", own), (name, other)]
    drawn = [ways_of(both), over_distance(both, spec), over_time(both)]
    return [figure for figure in drawn if figure is not None]


def ways_of(sides: Sequence[tuple[str, Evaluation]]) -> Figure | None:
    """The longest test drive from above, with the true way; tracks that are not anchored are laid on its start."""
    truths = sides[0][1].truths
    lengths = [truth.length_m for truth in truths]
    if not lengths or max(lengths) <= 0:
        return None
    place = int(np.argmax(lengths))
    truth = truths[place]
    middle = truth.place.mean(axis=0)
    paths = [_way("where it was", truth.place - middle, 5)]
    for number, (label, side) in enumerate(sides):
        laid = laid_on(side.outputs[place], truth)
        paths.append({**_way(label, laid - middle, number), "dashed": number > 0})
    caption = "The longest test drive from above. Tracks without GNSS are laid on its first pose."
    return Figure("paths", "A drive from above", {"paths": paths, "x": "metres", "y": "metres"}, caption)


def laid_on(track: Track, truth: Track) -> Array:
    """(N, 2) the places of a track at the truth's times, laid on the truth's first pose where it is not anchored."""
    at, true = together(track, truth)
    if not len(true):
        return np.zeros((0, 2))
    poses = planar_poses(at.place, at.heading), planar_poses(true.place, true.heading)
    return np.asarray(aligned(*poses, "none" if track.anchored else "start")[:, :2, 2])


def _way(label: str, place: Array, hue: int) -> dict[str, Any]:
    every = max(1, len(place) // 1200)
    east, north = np.round(place[::every], 1).T.tolist()
    return {"label": label, "x": east, "y": north, "series": hue}


def over_distance(sides: Sequence[tuple[str, Evaluation]], spec: RouteSpec) -> Figure | None:
    """Drift by the length of the way."""
    series = []
    for number, (label, side) in enumerate(sides):
        found = [drift_of(*pair, spec.lengths_m) for pair in zip(side.outputs, side.truths, strict=True)]
        points = []
        for length in spec.lengths_m:
            values = [one.translation[one.length == length] for one in found]
            if sum(map(len, values)) >= _FEWEST:
                points.append((length, estimate(_Shares(), values, side.truths, side.groups)))
        series.append(_line(label, number, points))
    if not any(one["x"] for one in series):
        return None
    data = {"series": series, "x": "metres of the way", "y": "error, share of the way", "unit": "%"}
    caption = "How far off the end of a way is, as a share of its length, as KITTI measures it. Bands: 95 % intervals."
    return Figure("lines", "Drift over distance", data, caption)


def _line(label: str, hue: int, points: Sequence[tuple[float, Any]]) -> dict[str, Any]:
    return {"label": label, "series": hue, "dashed": hue > 0, "x": [float(at) for at, _ in points],
            "y": [one.value for _, one in points], "low": [one.low for _, one in points],
            "high": [one.high for _, one in points]}  # fmt: skip


def over_time(sides: Sequence[tuple[str, Evaluation]]) -> Figure | None:
    """How far off places are by the time since the drive began."""
    longest = max((float(truth.time[-1] - truth.time[0]) for truth in sides[0][1].truths if len(truth)), default=0.0)
    if longest < 2:
        return None
    edges = np.linspace(0, longest, _POINTS + 1)
    series = []
    for number, (label, side) in enumerate(sides):
        times, errors = [], []
        for output, truth in zip(side.outputs, side.truths, strict=True):
            _, true = together(output, truth)
            times.append(true.time - (true.time[0] if len(true) else 0.0))
            errors.append(place_errors(output, truth))
        points = []
        for low, high in pairwise(edges):
            values = [error[(time >= low) & (time < high)] for time, error in zip(times, errors, strict=True)]
            if sum(map(len, values)) >= _FEWEST:
                points.append(((low + high) / 2, estimate(_Shares(), values, side.truths, side.groups)))
        series.append(_line(label, number, points))
    anchored = all(output.anchored for output in sides[0][1].outputs)
    what = "where GNSS has them" if anchored else "from where the drive begins"
    data = {"series": series, "x": "seconds since the drive began", "y": "metres off, in the mean", "unit": "m"}
    caption = f"How far places are off, {what}. Later points rest on fewer drives. Bands: 95 % intervals."
    return Figure("lines", "Error over time", data, caption)


def by_manner(evaluation: Evaluation, spec: RouteSpec) -> list[Figure]:
    """Drift over the shortest of the ways, by speed and by how much the car turns."""
    drifts: list[Array] = []
    speeds: list[Array] = []
    turns: list[Array] = []
    for output, truth in zip(evaluation.outputs, evaluation.truths, strict=True):
        found = drift_of(output, truth, spec.lengths_m[:1])
        _, true = together(output, truth)
        seconds = np.maximum(true.time[found.last] - true.time[found.first], 1e-6) if len(found.first) else np.zeros(0)
        turned = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(true.heading)))])
        drifts.append(found.translation)
        speeds.append(found.length / seconds)
        turns.append(np.degrees(turned[found.last] - turned[found.first]) / found.length * 100)
    figures = []
    for values, bounds, name, unit in ((speeds, SPEEDS, "speed", "m/s"), (turns, TURNS, "turning", "°/100 m")):
        rows = []
        for low, high in pairwise(bounds):
            chosen = [one[(value >= low) & (value < high)] for one, value in zip(drifts, values, strict=True)]
            count = sum(map(len, chosen))
            if count >= _FEWEST:
                mean = estimate(_Shares(), chosen, evaluation.truths, evaluation.groups)
                label = f"{low:g} to {high:g} {unit}" if np.isfinite(high) else f"{low:g} {unit} and more"
                rows.append({"label": f"{label} ({count:,})", **vars(mean)})
        if len(rows) > 1:
            length = f"{spec.lengths_m[0]:g} m"
            data = {"rows": rows, "x": f"error over {length}, share of the way", "unit": "%"}
            caption = f"Ways of {length} of the test drives, with how many there are."
            figures.append(Figure("intervals", f"Drift by {name}", data, caption))
    return figures


def coverage(evaluation: Evaluation) -> Figure | None:
    """How many places lie within the ellipses that promise to hold a share of them."""
    found = [normalised_errors(*pair) for pair in zip(evaluation.outputs, evaluation.truths, strict=True)]
    if sum(map(len, found)) < 10 * _FEWEST:
        return None
    points = []
    for share in PROMISED:
        inside = [(one <= -2 * np.log(1 - share)).astype(float) for one in found]
        points.append((100 * share, estimate(_Shares(), inside, evaluation.truths, evaluation.groups)))
    ideal = {"label": "perfect", "series": 2, "x": [50.0, 100.0], "y": [0.5, 1.0], "dashed": True}
    data = {"series": [{**_line("the network", 0, points), "dashed": False}, ideal],
            "x": "places that an ellipse promises to hold, %", "y": "places that it holds", "unit": "%"}  # fmt: skip
    caption = "Below the dashed line it is too sure of itself, above it less than it could be. Bands: 95 % intervals."
    return Figure("lines", "Are errors as large as it says?", data, caption)


def covered(evaluation: Evaluation, share: float) -> Any:
    """The share of places, a few seconds apart, within the ellipse that promises to hold so many, with its interval."""
    found = [normalised_errors(*pair) for pair in zip(evaluation.outputs, evaluation.truths, strict=True)]
    inside = [(one <= -2 * np.log(1 - share)).astype(float) for one in found]
    return estimate(_Shares(), inside, evaluation.truths, evaluation.groups)
