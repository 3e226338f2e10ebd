"""The finding `shortcuts` where labels are of things in an input: does it find these, or what lies around them?

The test is causal. Things that were found are covered with the training mean: then they should no longer be found.
Where they still are, the surroundings decide. Where nothing is, the same shapes are covered too, since a network may
take a flat patch itself for a thing. And all but the things is covered: what is then still found needs no surroundings.
Beside that stands what a network finds that sees the rim alone, and how far the size of a picture tells how many things
it holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate
from assay.evidence._covering import Looked, look, share
from assay.evidence._without_looking import RimAlone, from_the_rim, from_the_size
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import number
from assay.report.explained import pictured
from assay.task_parts import Things

Array = np.ndarray[Any, Any]
#: Found things that are needed to say something.
_FEW = 40
#: What share of the training's time it may take, and at least so many seconds.
_SHARE, _LEAST_S = 0.04, 2.0
#: From which share of the covered things on, by the lower end of the interval, surroundings decide; how much more than
#: where nothing is; the share of covered empty places from which on the test says nothing.
_DECIDE, _MORE, _FLAT = 0.25, 0.15, 0.25
#: Up to which share of the covered things, by the upper end of the interval, it is said to look at them.
_UNSURE = 0.5
#: Of things alone, by the upper end of the interval, fewer are found than so many: surroundings count.
_ALONE = 0.5
#: Of things that do not touch the rim, a network that sees the rim alone finds so many more than guessing does.
_RIM = 0.25
_BY_CLASS, _SHOWN = 8, 6


def surroundings(context: Context, things: Things, question: str) -> Finding:
    """See the module."""
    if not context.learned:
        verdict = "It does hardly better than guessing, so there is nothing that it could look at."
        return Finding("shortcuts", question, "unknown", verdict, next="Train for longer, then ask again.")
    looked = look(context, things, max(_LEAST_S, _SHARE * context.fit_seconds), 2 * _FEW)
    if len(looked.things) < _FEW:
        verdict = (
            f"Only {len(looked.things)} labelled things were found in the {len(looked.windows)} test windows that the "
            "time allowed to look at: too few to tell what the network looks at."
        )
        return Finding("shortcuts", question, "unknown", verdict, next="Train for longer, or with more pictures.")
    covered = share([one for one in looked.things if one.covered is not None], "covered")
    alone, empty = share(looked.things, "alone"), share(looked.empty, "covered")
    rim, size = from_the_rim(context, things), from_the_size(context, things)
    status, verdict, step = _judge(covered, alone, empty, rim)
    numbers = {
        "found though covered": _percent(covered),
        "found with all else covered": _percent(alone),
        "found where nothing is, covered alike": _percent(empty),
    }
    if rim is not None:
        numbers["found inside, from the rim alone"] = number(rim.network, "%")
    if size is not None:
        numbers["number of things, told by the picture's size alone (R²)"] = number(size)
    certainty = (
        f"{len(looked.things):,} labelled things that were found in {len(looked.windows):,} windows of test pictures, "
        f"half of them covered with the training mean, and {len(looked.empty):,} places of the same shapes where "
        f"nothing is.{_inside(rim)}"
    )
    figures = (_bars(looked, covered, alone, empty), _gallery(context, looked))
    return Finding("shortcuts", question, status, verdict, numbers, figures, step, certainty)


def _percent(found: Estimate | None) -> Number:
    return Number(None) if found is None else number(found, "%")


def _judge(
    covered: Estimate | None, alone: Estimate | None, empty: Estimate | None, rim: RimAlone | None
) -> tuple[Status, str, str]:  # fmt: skip
    """Status, verdict and next step."""
    if covered is None or alone is None:
        return "unknown", "Nothing that was found could be covered.", "Train for longer, or with more pictures."
    low = covered.value if covered.low is None else covered.low
    flat = 0.0 if empty is None else empty.value
    if low > _DECIDE and covered.value - flat > _MORE and flat < _FLAT:
        words = f"{100 * covered.value:.0f} % of the things that it finds it still finds as they are covered"
        beside = "" if empty is None else f" (places where nothing is, covered alike: {100 * flat:.0f} %)"
        step = (
            "Look at the pictures below: what goes with these things, such as a mark, a ground or a place in the "
            "picture? Add pictures in which it goes without them, or cover it in all pictures, then train again."
        )
        return "act", f"{words}{beside}: what lies around them decides.", step
    if low > _DECIDE:
        words = (
            f"It takes flat patches for things ({100 * flat:.0f} % of those laid where nothing is, "
            f"{100 * covered.value:.0f} % of those laid on things), so covering cannot tell what it looks at."
        )
        return "unknown", words, "Look at the explanation of single answers instead: what do they mark?"
    guessed = 0.0 if rim is None or rim.guessing is None else rim.guessing.high or rim.guessing.value
    if rim is not None and (rim.network.low or 0.0) > guessed + _RIM:
        words = f"The rim of pictures alone tells a network {100 * rim.network.value:.0f} % of the things inside."
        return "watch", words, "Look at the rims: do they carry marks that go with what lies inside? Cut them off."
    high = covered.value if covered.high is None else covered.high
    if high > _UNSURE:
        words = (
            f"{100 * covered.value:.0f} % of the things that it finds it still finds as they are covered, "
            f"{100 * low:.0f} to {100 * high:.0f} % beyond doubt: too few to tell what it looks at."
        )
        return "unknown", words, "Test it on more pictures, or train for longer, until it finds more of them."
    goes = f"of the things that it finds, {100 * (1 - covered.value):.0f} % are no longer found once they are covered"
    high = alone.value if alone.high is None else alone.high
    if high < _ALONE:
        words = (
            f"It looks at the things, {goes}; but it needs what lies around them, too: with all else covered it still "
            f"finds {100 * alone.value:.0f} %."
        )
        return "watch", words, "Expect less of it in other surroundings: test it on pictures from elsewhere."
    words = f"It looks at the things: {goes}, and {100 * alone.value:.0f} % are still found with all else covered."
    return "good", words, ""


def _inside(rim: RimAlone | None) -> str:
    """What a network finds that sees the rim alone, in a sentence."""
    if rim is None:
        return ""
    beside = "" if rim.guessing is None else f", guessing {100 * rim.guessing.value:.0f} %"
    return (
        f" A network that sees the outer eighth of a picture alone finds {100 * rim.network.value:.0f} % of the "
        f"things that do not touch it{beside}."
    )


def _bars(looked: Looked, covered: Estimate | None, alone: Estimate | None, empty: Estimate | None) -> Figure:
    rows: list[dict[str, Any]] = []
    for label, found in (("though covered", covered), ("with all else covered", alone),
                         ("where nothing is, covered alike", empty)):  # fmt: skip
        if found is not None:
            rows.append({"label": label, "value": found.value, "low": found.low, "high": found.high})
    names = sorted({one.name for one in looked.things})
    for name in names if 1 < len(names) <= _BY_CLASS else ():
        own = [one for one in looked.things if one.name == name and one.covered is not None]
        one = share(own, "covered")
        if one is not None:
            label = f"{name} ({len(own):,})"
            rows.append(
                {"label": label, "value": one.value, "low": one.low, "high": one.high, "group": "though covered"}
            )
    caption = (
        "Of the labelled things that the network finds in whole pictures. The first line should be short, the second "
        "long; the third says how often a flat patch by itself is taken for a thing."
    )
    return Figure("intervals", "What is still found as parts are covered", {"rows": rows, "x": "found", "unit": "%"},
                  caption)  # fmt: skip


def _gallery(context: Context, looked: Looked) -> Figure:
    """The windows in which most was found though it was covered."""
    items = []
    ranked = sorted((one for one in looked.windows if one[3]), key=lambda one: (-one[2] / one[3], -one[3]))
    for window, cover, still, hidden in ranked[:_SHOWN]:
        unit = int(context.samples.unit[window])
        drawing = context.task.draw_explained(context.samples, unit, cover.astype(float), context.spec, window)
        lines = [f"covered: {hidden}", f"of these still found: {still}"]
        items.append({"title": context.samples.id(unit), "lines": lines, **pictured(drawing)})
    caption = "In orange what was covered; first where most of it was found all the same."
    return Figure("gallery", "What was covered", {"items": items}, caption)
