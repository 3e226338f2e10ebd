"""Two learning curves, of the network and of the classical model: on one plot, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate
from assay.evaluation.learning_curve import Meeting, PowerLaw, meeting, value_of
from assay.evaluation.metrics import Metric
from assay.evidence.finding import Figure, Number
from assay.evidence.words import number, three_digits, title, unit_of
from assay.task_parts import Amount

#: How many times the data at hand the laws are followed.
FURTHEST = 8
#: Points of a drawn law for each doubling of the data.
_POINTS = 8


@dataclass(frozen=True)
class Curve:
    """A model's learning curve.

    Attributes:
        label: the model's name.
        points: what was measured, by the number of training samples; the last is the model at hand.
        law: the power law with the slope of the others, through the model at hand; None where there is none.
    """

    label: str
    points: Sequence[tuple[int, Estimate]]
    law: PowerLaw | None


def reach(network: Curve) -> tuple[int, int]:
    """The least and the largest number of training samples that anything is said about."""
    return network.points[0][0], FURTHEST * network.points[-1][0]


def compared(network: Curve, classical: Curve | None) -> Meeting | None:
    """Where the two meet; None where one of them has no law."""
    if classical is None or network.law is None or classical.law is None:
        return None
    return meeting(network.law, classical.law, *reach(network))


def told(met: Meeting | None, network: Curve, classical: Curve | None) -> str:
    """A sentence on which of the two is ahead, and from which amount of data on; empty without a comparison."""
    if met is None or classical is None:
        return ""
    name, here = classical.label, network.points[-1][0]
    within = "from {:,} to {:,} training samples".format(*map(rounded, reach(network)))
    if met.order == "first":
        return f"The network should be ahead of {name} all the way {within}: the two do not cross there."
    if met.order == "second":
        return f"The network should stay behind {name} all the way {within}: the two do not cross there."
    if met.order == "unknown" or met.at is None:
        seem = f" (the best guess is {rounded(met.at.value):,})" if met.at is not None else ""
        return f"Whether the network and {name} cross {within} cannot be told{seem}."
    where = f"about {rounded(met.at.value):,} training samples{_bounds(met.at)}"
    stands = f"this data set, with {here:,}, is {'past' if met.at.value < here else 'short of'} that"
    if met.order == "overtakes":
        return f"From {where} on the network is ahead of {name}; {stands}."
    return f"Up to {where} the network is ahead of {name}, beyond that behind it; {stands}."


def numbers(met: Meeting | None) -> Mapping[str, Number]:
    """Where the two cross, as a finding's number; none where they do not."""
    if met is None or met.at is None:
        return {}
    return {"the two cross at": number(met.at, "samples")}


def rounded(size: float) -> int:
    """A number of samples to two digits; 100 and fewer to the last."""
    digits = max(0, int(np.floor(np.log10(max(size, 1)))) - 1)
    return int(round(size / 10**digits) * 10**digits)


def figure(
    metric: Metric, network: Curve, classical: Curve | None, met: Meeting | None, whole: Amount | None = None
) -> Figure:
    """Both curves on one plot: measured points, laws with their intervals, where they cross, and where the data stands.

    Until the data at hand a law is drawn through, beyond it dashed.

    Args:
        metric: what is measured.
        network: its curve.
        classical: that of the classical model; None for none.
        met: where they cross.
        whole: how much the training samples at hand are, where they are counted in something else than samples: the
            plot then goes by that.
    """
    series: list[dict[str, Any]] = []
    for place, curve in enumerate(curve for curve in (network, classical) if curve is not None):
        series += _series(metric, curve, place)
    here = network.points[-1][0]
    marks: list[dict[str, Any]] = [{"x": float(here), "label": f"this data set: {here:,}"}]
    if met is not None and met.at is not None and met.order != "unknown":
        marks.append({"x": met.at.value, "label": f"they cross: {rounded(met.at.value):,}"})
    axis, counted = "training samples", ""
    if whole is not None and whole.value > 0:
        each = whole.value / here
        for one in series:
            one["x"] = [each * size for size in one["x"]]
        for mark in marks:
            mark["x"] *= each
        marks[0]["label"] = f"this data set: {three_digits(whole.value)}"
        for mark in marks[1:]:
            mark["label"] = f"they cross: {three_digits(mark['x'])}"
        axis = f"{whole.name} to learn from"
        counted = f" The {here:,} training samples are {three_digits(whole.value)} {whole.name}."
    data = {"series": series, "x": axis, "y": title(metric), "unit": unit_of(metric), "log_x": True, "marks": marks}
    caption = f"Marked points were measured, with their 95 % intervals.{counted}"
    if network.law is not None:
        caption += (
            " The lines are power laws with the points' slopes through the models at hand, dashed where they look "
            "ahead; shaded: their 95 % intervals."
        )
    of_whom = "the network and classical machine learning" if classical is not None else "the network"
    return Figure("lines", f"What more data brings to {of_whom}", data, caption)


def _series(metric: Metric, curve: Curve, place: int) -> list[dict[str, Any]]:
    drawn: list[dict[str, Any]] = []
    if curve.law is not None:
        back = max(1, round(_POINTS * np.log2(curve.law.anchor / curve.points[0][0])))
        ahead = round(_POINTS * np.log2(FURTHEST))
        for label, steps in (("", np.arange(-back, 1)), (curve.label, np.arange(ahead + 1))):
            sizes = [float(curve.law.anchor * 2.0 ** (step / _POINTS)) for step in steps]
            found = [estimated(metric, curve.law.at(size)) for size in sizes]
            drawn.append({"label": label, "series": place, "dashed": bool(label), **_columns(sizes, found)})
    sizes = [float(size) for size, _ in curve.points]
    label = "" if curve.law is not None else curve.label
    points = {"label": label, "series": place, "loose": True, **_columns(sizes, [one for _, one in curve.points])}
    return [*drawn, points]


def _columns(sizes: Sequence[float], found: Sequence[Estimate]) -> dict[str, Any]:
    return {"x": list(sizes), "y": [one.value for one in found], "low": [one.low for one in found],
            "high": [one.high for one in found]}  # fmt: skip


def estimated(metric: Metric, error: Estimate) -> Estimate:
    """An error's estimate as the metric's."""
    bounds = sorted(value_of(metric, bound) for bound in (error.low, error.high) if bound is not None)
    low, high = (bounds[0], bounds[-1]) if bounds else (None, None)
    return Estimate(value_of(metric, error.value), low, high)


def _bounds(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return ""
    return f" [{rounded(found.low):,} to {rounded(found.high):,}]"
