"""Does it look at the right thing?

A shortcut is a small place that decides an answer by itself: a ruler beside the tumour, a hospital's mark in a corner.
The test is causal: the place is cut out of an input of one class and put into inputs of other classes. Where most
answers then follow the small place and leave the rest of the input behind, the network looks at the wrong thing,
whatever else it could have looked at. Textures whose every part honestly tells the class are not accused: there any
place has the effect that one has. Nor is the middle, where the thing itself stands. Where labels are of things in an
input, these are covered instead (`_surroundings`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import estimate, wilson
from assay.evidence._surroundings import surroundings
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import number, spread, title, unit_of
from assay.report.explained import pictured
from assay.samples.draws import order
from assay.samples.split import TRAIN
from assay.serving.predictor import deciding_windows

QUESTION = "Does it look at the right thing?"
#: Fewer rightly answered test samples than this show nothing.
_FEW = 60
_FEWEST_DONORS = 3
#: How many inputs a place is put into to see whether it is worth a closer look, and then for each class. The first look
#: holds few inputs of each class, so some places get the second one whatever it says.
_FIRST, _CLOSER = 128, 48
_SUSPICIOUS, _MOST_CLOSER, _LEAST_CLOSER = 0.03, 6, 4
#: From which share of the answers on, by the lower end of the interval, a place decides by itself: the strongest place
#: of clean pictures moved at most .15 so, a planted mark at least .33 (`benchmarks/truth/shortcuts.py`, other draws).
_DECIDES = 0.25
#: The same of a column of a table, which may well tell much.
_COLUMN_DECIDES = 0.5
#: A place is only accused where it has so many times the effect that the median place has.
_STANDS_OUT = 2.0
_ELSEWHERE = 24
#: Places that take more of the input than this are no small ones.
_LARGEST = 0.13
#: The steps of the network that sees the rim alone, as a share of a side training's.
_RIM_SHARE = 0.6

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Followed:
    """How often answers follow a place that was put into other inputs.

    Attributes:
        part: the place's name.
        label: the class whose inputs it was cut out of.
        share: of the inputs whose answer became that class.
        low: of its 95 % interval.
        high: of its 95 % interval.
        count: how many inputs it was put into.
        example: the unit that one of them was cut out of.
    """

    part: str
    label: int
    share: float
    low: float
    high: float
    count: int
    example: int


def find(context: Context) -> Finding:
    """Small places put into other inputs, or things that are covered, and a network that sees the rim alone."""
    things = context.task.things(context.spec)
    if things is not None:
        return surroundings(context, things, QUESTION)
    parts = {name: part for name, part in context.task.parts(context.spec).items() if 0 < part.mean() <= _LARGEST}
    looked = _Looked.at(context)
    if not parts or looked is None:
        return _unknown(context, bool(parts))
    budget = max(2.0, 0.04 * context.fit_seconds)
    found = sorted(_search(context, looked, parts, budget), key=lambda one: -one.share)
    accused = [one for one in found if one.low > _least(parts[one.part]) and _stands_out(context, looked, parts, one)]
    numbers, rim = _rim(context)
    if found:
        numbers["answers that follow the strongest place"] = Number(found[0].share, found[0].low, found[0].high, "%")
    status, verdict, step = _judge(context, accused, found)
    figures = (_bars(context, found, parts), *_gallery(context, accused))
    certainty = (
        f"{len(parts)} places of at most {100 * max(part.mean() for part in parts.values()):.0f} % of the input each, "
        f"exchanged among {len(looked.units):,} rightly answered test samples.{rim}"
    )
    return Finding("shortcuts", QUESTION, status, verdict, numbers, figures, step, certainty)


def _unknown(context: Context, parts: bool) -> Finding:
    """Why nothing can be said."""
    if not parts:
        verdict = "Inputs of this kind have no places that could be exchanged between them."
        step = "Look at the explanation of single answers: what do they mark?"
    else:
        verdict = (
            f"Fewer than {_FEW} test samples were answered rightly, or answers are no classes: too few to exchange."
        )
        step = "Collect more test samples, or train for longer, then ask again."
    return Finding("shortcuts", QUESTION, "unknown", verdict, next=step)


@dataclass(frozen=True)
class _Looked:
    """Rightly answered test samples, a window each, and their classes."""

    units: Array
    windows: Array
    labels: Array

    @staticmethod
    def at(context: Context) -> _Looked | None:
        test, task = context.test, context.task
        if task.traits.closed_loop or not len(test):
            return None
        probabilities = task.probabilities(test.outputs, context.spec)
        if probabilities is None:
            return None
        right = np.flatnonzero(np.asarray(probabilities).argmax(axis=1) == np.asarray(test.truths))
        if len(right) < _FEW:
            return None
        units = np.asarray(test.units)[right]
        looked = _Looked(units, context.samples.view_of(units).windows, np.asarray(test.truths, np.int64)[right])
        return looked.deciding(context) if task.traits.several_windows else looked

    def deciding(self, context: Context) -> _Looked | None:
        """The windows that answers rest on, where these by themselves are answered rightly."""
        windows = deciding_windows(context.predictor, context.samples.view_of(self.units))
        answered = _answered(context, (context.samples.batch(windows[start : start + 64])
                                       for start in range(0, len(windows), 64)))  # fmt: skip
        right = answered == self.labels
        return _Looked(self.units[right], windows[right], self.labels[right]) if right.sum() >= _FEW else None


def _search(context: Context, looked: _Looked, parts: dict[str, Array], budget_s: float) -> Iterator[Followed]:
    """Every place once among random pairs; then, class by class, the places whose exchange moved any answers."""
    end = time.monotonic() + budget_s
    hosts, donors = _pairs(looked, _FIRST, "first")
    first: dict[str, float] = {}
    for name, part in parts.items():
        first[name] = float(_moved(context, looked, hosts, donors, part).mean())
        if time.monotonic() > end and len(first) >= len(parts) // 2:
            break
    strongest = sorted(first, key=lambda name: -first[name])
    suspicious = sum(first[name] > _SUSPICIOUS for name in strongest)
    closer = strongest[: min(_MOST_CLOSER, max(_LEAST_CLOSER, suspicious))]
    for name in closer:
        for label in np.unique(looked.labels):
            if time.monotonic() > end + budget_s:
                return
            one = _by_class(context, looked, name, parts[name], int(label))
            if one is not None:
                yield one


def _pairs(looked: _Looked, count: int, key: str) -> tuple[Array, Array]:
    """Positions of hosts and, for each, of a donor of another class."""
    places = np.arange(len(looked.units))
    hosts, donors = [], []
    shuffled = order(places, "donors", key)
    for turn, host in enumerate(order(places, "hosts", key)[:count]):
        other = np.roll(shuffled, -turn)
        fits = other[looked.labels[other] != looked.labels[host]]
        if len(fits):
            hosts.append(host)
            donors.append(fits[0])
    return np.asarray(hosts, np.int64), np.asarray(donors, np.int64)


def _by_class(context: Context, looked: _Looked, name: str, part: Array, label: int) -> Followed | None:
    own, others = np.flatnonzero(looked.labels == label), np.flatnonzero(looked.labels != label)
    if len(own) < _FEWEST_DONORS or not len(others):
        return None
    hosts = order(others, "hosts", name)[:_CLOSER]
    donors = np.resize(order(own, "donors", name), len(hosts))
    moved = _moved(context, looked, hosts, donors, part)
    share = float(moved.mean())
    return Followed(name, label, share, *wilson(share, len(hosts)), len(hosts), int(looked.units[donors[0]]))


def _stands_out(context: Context, looked: _Looked, parts: dict[str, Array], one: Followed) -> bool:
    """Whether a place beside the middle has far more effect than other places that share nothing with it."""
    part = parts[one.part]
    if part.ndim > 1 and part[tuple(side // 2 for side in part.shape)]:
        return False
    hosts = order(np.flatnonzero(looked.labels != one.label), "elsewhere")[:_ELSEWHERE]
    donors = np.resize(order(np.flatnonzero(looked.labels == one.label), "elsewhere"), len(hosts))
    others = [other for other in parts.values() if not (other & part).any()]
    shares = [float(_moved(context, looked, hosts, donors, other).mean()) for other in others]
    return not shares or one.share > _STANDS_OUT * float(np.median(shares))


def _moved(context: Context, looked: _Looked, hosts: Array, donors: Array, part: Array) -> Array:
    """(B,) True where the answer becomes the donor's class once the donor's part stands in the host."""
    import torch

    kept = torch.from_numpy(~np.asarray(part, bool))

    def exchanged() -> Iterator[Any]:
        for start in range(0, len(hosts), 64):
            host = context.samples.batch(looked.windows[hosts[start : start + 64]])
            donor = context.samples.batch(looked.windows[donors[start : start + 64]])
            yield context.task.masked(host, kept, context.spec, donor)

    return np.asarray(_answered(context, exchanged()) == looked.labels[donors])


def _answered(context: Context, batches: Iterator[Any]) -> Array:
    """(B,) the class answered to each window."""
    parts = [np.zeros(0, np.int64)]
    for batch in batches:
        probabilities = context.task.probabilities(context.predictor.respond(batch), context.spec)
        parts.append(np.asarray(probabilities).argmax(axis=1))
    return np.concatenate(parts)


def _rim(context: Context) -> tuple[dict[str, Number], str]:
    """What a network reaches that sees the rim alone."""
    parts = context.task.parts(context.spec)
    if "rim" not in parts or context.side is None:
        return {}, ""
    units = np.flatnonzero(context.samples.side == TRAIN)
    run = context.side.train("rim", units, share=_RIM_SHARE, kept=parts["rim"])
    view = context.samples.view_of(context.test.units)
    found = estimate(context.metric, run.predictor.outputs(view), context.test.truths, context.test.groups)
    told = f" A network that sees the rim alone reaches {title(context.metric)} {spread(context.metric, found)}."
    return {"from the rim alone": number(found, unit_of(context.metric))}, told


def _judge(context: Context, accused: list[Followed], found: list[Followed]) -> tuple[Status, str, str]:
    if not accused:
        if found and found[0].low > _least(context.task.parts(context.spec)[found[0].part]):
            words = "Small places decide answers, but none more than the others do: every part tells the class."
            return "good", words, ""
        strongest = f" (at most {100 * found[0].share:.0f} % of the answers follow one)" if found else ""
        return "good", f"No small place decides an answer by itself{strongest}.", ""
    first = accused[0]
    name = context.task.truth_words(first.label, context.spec)
    if context.task.parts(context.spec)[first.part].ndim == 1:
        words = (
            f"The column \u201c{first.part}\u201d decides answers nearly by itself: put into other rows, it turns "
            f"{100 * first.share:.0f} % of the answers into \u201c{name}\u201d."
        )
        return "watch", words, "Make sure that this column is known at the time when an answer is needed."
    words = (
        f"The place \u201c{first.part}\u201d decides answers by itself: put into other inputs, it turns "
        f"{100 * first.share:.0f} % of the answers into \u201c{name}\u201d."
    )
    step = "Look at that place in the samples of this class; cut or cover it in all samples, then train again."
    return "act", words, step


def _least(part: Array) -> float:
    """From which share of the answers on a place decides by itself."""
    return _DECIDES if part.ndim > 1 else _COLUMN_DECIDES


def _bars(context: Context, found: list[Followed], parts: dict[str, Array]) -> Figure:
    strongest: dict[str, Followed] = {}
    for one in found:
        strongest.setdefault(one.part, one)
    rows = [
        {
            "label": f"{one.part} ({context.task.truth_words(one.label, context.spec)})",
            "value": one.share,
            "low": one.low,
            "high": one.high,
        }
        for one in strongest.values()
    ]
    caption = "For each place the class whose inputs it was cut out of with the strongest effect."
    data = {"rows": rows, "x": "answers that follow the place", "unit": "%"}
    return Figure("intervals", "How many answers follow one small place", data, caption)


def _gallery(context: Context, accused: list[Followed]) -> Iterator[Figure]:
    if not accused:
        return
    items = []
    for one in accused[:6]:
        weights = np.asarray(context.task.parts(context.spec)[one.part], float)
        drawing = context.task.draw_explained(context.samples, one.example, weights, context.spec)
        label = context.task.truth_words(one.label, context.spec)
        lines = [f"class: {label}", f"place: {one.part}", f"answers that follow: {100 * one.share:.0f} %"]
        name = context.samples.id(one.example)
        items.append({"title": name, "lines": lines, **pictured(drawing)})
    yield Figure("gallery", "Where the network looks instead", {"items": items})
