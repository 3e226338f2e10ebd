"""Rides and drives as the page shows them: score by track, where the road was left, the wheel over time, the brake.

Shapes: T steps of a ride or frames of a drive, A controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.braking import braking, moments
from assay.evaluation.drive_metrics import BendError, ControlError, brakes
from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import estimate
from assay.evidence.finding import Figure
from assay.evidence.words import three_digits
from assay.samples.drive_spec import BENDS, DriveSpec

if TYPE_CHECKING:
    from assay.simulators.rides import Ride

Array = np.ndarray[Any, Any]
_PICTURES = 12
#: What of a drive is drawn over time, in seconds.
_SHOWN_S = 12.0
#: Classes of speed: thirds of the frames.
_SPEEDS = ("slowest third", "middle third", "fastest third")


def drive_figures(evaluation: Evaluation, spec: DriveSpec) -> Sequence[Figure]:
    """The figures of rides, or of answers beside records."""
    if not len(evaluation):
        return ()
    if spec.loop is not None:
        return tuple(_of_rides(list(evaluation.outputs), evaluation, spec))
    return tuple(_of_records(evaluation, spec))


def _of_rides(rides: Sequence[Ride], evaluation: Evaluation, spec: DriveSpec) -> Iterator[Figure]:
    yield _by_track(rides, evaluation)
    if (left := _left(rides)) is not None:
        yield left
    worst = max(rides, key=lambda ride: float(ride.off_road.sum()) - ride.score / 1e6)
    if worst.advice is not None:
        start = max(0, (worst.left[0][0] if worst.left else len(worst) // 2) - round(_SHOWN_S / 2 * worst.rate_hz))
        part = slice(start, start + round(_SHOWN_S * worst.rate_hz))
        yield _over_time(worst.actions[part], worst.advice[part], start / worst.rate_hz, worst.rate_hz,
                         f"The wheel on track {worst.track}", "the expert's word", spec)  # fmt: skip
    if spec.brake is not None:
        yield _brake_table([(ride, {}) for ride in rides], spec)


def _of_records(evaluation: Evaluation, spec: DriveSpec) -> Iterator[Figure]:
    yield _by_bend(evaluation, spec)
    if (figure := _by_speed(evaluation, spec)) is not None:
        yield figure
    worst = int(np.nanargmax(evaluation.losses))
    count = round(_SHOWN_S * spec.rate_hz)
    answered = np.asarray(evaluation.outputs[worst])[:count]
    wanted = np.stack([evaluation.truths[worst][name] for name in spec.controls], axis=1)[:count]
    yield _over_time(answered, wanted, 0.0, spec.rate_hz, "The wheel where it is furthest off", "recorded", spec)
    if spec.brake is not None:
        yield _brake_table(list(zip(evaluation.outputs, evaluation.truths, strict=True)), spec)


def _by_track(rides: Sequence[Ride], evaluation: Evaluation) -> Figure:
    """The score on each track, the worst first, beside the expert's on the same one."""
    order = np.argsort([ride.score for ride in rides], kind="stable")
    places = list(range(1, len(rides) + 1))
    series = [{"label": "the policy", "x": places, "y": [rides[at].score for at in order], "series": 0, "loose": True}]
    known = [float(np.nansum(truth["reward"])) if "reward" in truth else None for truth in evaluation.truths]
    if any(value is not None for value in known):
        series.append({"label": "the expert", "x": places, "y": [known[at] for at in order], "series": 1,
                       "dashed": True, "loose": True})  # fmt: skip
    data = {"series": series, "x": "tracks, from the worst", "y": "score"}
    lowest = ", ".join(f"{rides[at].track} ({rides[at].score:.0f})" for at in order[:5])
    return Figure("lines", "Score by track", data, f"The lowest: {lowest}.")


def _left(rides: Sequence[Ride]) -> Figure | None:
    """Pictures of where rides left the road, of each ride the first place first."""
    from assay.report.images import thumbnail

    found = [(number, ride, *place) for ride in rides for number, place in enumerate(ride.left)]
    if not found:
        return None
    found.sort(key=lambda one: (one[0], one[1].score))
    items = [
        {"image": thumbnail(frame), "title": f"track {ride.track}",
         "lines": [f"after: {step / ride.rate_hz:.1f} s", f"speed: {_speed(ride, step)}", f"score: {ride.score:.0f}"]}
        for _, ride, step, frame in found[:_PICTURES]
    ]  # fmt: skip
    text = f"The frame half a second before all wheels were off the road; {len(found):,} places are known in all."
    return Figure("gallery", "Where it left the road", {"items": items}, text)


def _speed(ride: Ride, step: int) -> str:
    speed = ride.speeds[min(step, len(ride) - 1)]
    return "not known" if np.isnan(speed) else f"{three_digits(float(speed))} m/s"


def _over_time(
    answered: Array, wanted: Array, start_s: float, rate_hz: float, title: str, name: str, spec: DriveSpec
) -> Figure:
    seconds = (start_s + np.arange(len(answered)) / rate_hz).round(3).tolist()
    series = [
        {"label": "the policy", "x": seconds, "y": answered[:, 0].round(4).tolist()},
        {"label": name, "x": seconds, "y": wanted[:, 0].round(4).tolist(), "dashed": True},
    ]
    return Figure("lines", title, {"series": series, "x": "seconds", "y": spec.controls[0]})


def _by_bend(evaluation: Evaluation, spec: DriveSpec) -> Figure:
    """The steering error by how sharp a bend is, with the frames of each kind."""
    rows = []
    for number, name in enumerate(BENDS):
        metric = BendError(spec, number)
        frames = int(metric.statistics(evaluation.outputs, evaluation.truths)[:, 1].sum())
        if frames:
            rows.append({"label": f"{name} ({frames:,})", **vars(evaluation.measure(metric))})
    whole = evaluation.measure(ControlError(spec, 0)).value
    data = {"rows": rows, "x": "mean steering error", "unit": "", "reference": {"label": "all", "value": whole}}
    low, high = (three_digits(bound) for bound in spec.bends)
    caption = f"A bend takes a steering of {low} at least, a sharp one of {high}; behind the name the number of frames."
    return Figure("intervals", "Steering error by bend", data, caption)


def _by_speed(evaluation: Evaluation, spec: DriveSpec) -> Figure | None:
    """The steering error by speed; None where speeds are not known."""
    if any("speed" not in truth for truth in evaluation.truths):
        return None
    speeds = np.concatenate([truth["speed"] for truth in evaluation.truths])
    if not np.isfinite(speeds).any():
        return None
    edges = np.nanquantile(speeds, [1 / 3, 2 / 3])
    if edges[0] == edges[1]:  # always as fast
        return None
    rows = []
    for number, name in enumerate(_SPEEDS):
        kept = [(np.searchsorted(edges, truth["speed"]) == number) & np.isfinite(truth["speed"])
                for truth in evaluation.truths]  # fmt: skip
        places = [place for place, rows_ in enumerate(kept) if rows_.any()]
        if not places:
            continue
        outputs = [np.asarray(evaluation.outputs[place])[kept[place]] for place in places]
        truths = [{key: value[kept[place]] for key, value in evaluation.truths[place].items()} for place in places]
        found = estimate(ControlError(spec, 0), outputs, truths, evaluation.groups[places])
        rows.append({"label": name, **vars(found)})
    data = {"rows": rows, "x": "mean steering error", "unit": ""}
    caption = f"The thirds end at {three_digits(float(edges[0]))} and {three_digits(float(edges[1]))}."
    return Figure("intervals", "Steering error by speed", data, caption)


def _brake_table(pairs: Sequence[tuple[Any, Any]], spec: DriveSpec) -> Figure:
    found = [one for output, truth in pairs for one in moments(*brakes(output, truth, spec))]
    told = braking(found)
    none = "never" if told.moments else "not known"
    late = none if np.isnan(told.late_s) else f"{told.late_s:+.2f} s"
    rows = [
        ["moments at which one has to brake", told.moments],
        ["missed: the brake was not touched", told.missed],
        ["how late, the median (negative: early)", late],
        ["nine of ten begin by", none if np.isnan(told.latest_s) else f"{told.latest_s:+.2f} s"],
        ["how hard, beside what is right", none if np.isnan(told.hardness) else f"{100 * told.hardness:.0f} %"],
    ]  # fmt: skip
    caption = "At each step of its own ride the expert says what is right." if spec.loop is not None else ""
    return Figure("table", "Braking", {"columns": ["", "the policy"], "rows": rows}, caption)
