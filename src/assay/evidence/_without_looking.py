"""What tells of labelled things without a look at them: the rim of pictures, and their size.

Shapes: H and W of an input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.metrics import R2
from assay.evidence._covering import AT_ONCE, MOST, Thing, share
from assay.evidence.context import Context
from assay.samples.draws import order
from assay.samples.image_places import rim_of
from assay.samples.split import TRAIN
from assay.serving.predictor import Classical
from assay.task_parts import Things

Array = np.ndarray[Any, Any]
#: The steps of the network that sees the rim alone, as a share of a side training's; windows that it is asked about;
#: things, or pictures, that are needed to say something.
_STEPS, _WINDOWS, _FEW = 0.6, 64, 40


@dataclass(frozen=True)
class RimAlone:
    """The shares of the things that do not touch the rim which are found.

    Attributes:
        network: by a network that sees the rim alone.
        guessing: by the floor, which looks at nothing; None where there is none.
    """

    network: Estimate
    guessing: Estimate | None


def from_the_rim(context: Context, things: Things) -> RimAlone | None:
    """What the rim tells of the things inside; None where that would take too long, or too few things lie inside."""
    if context.side is None or not context.side.worth(1.0, _STEPS):
        return None
    windows = order(context.samples.view_of(context.test.units).windows, "rim")[:_WINDOWS]
    rim = rim_of(*things.places(context.samples.batch(windows[:1])).shape[1:])
    units = np.flatnonzero(context.samples.side == TRAIN)
    models: list[Any] = [context.side.train("rim", units, share=_STEPS, kept=rim).predictor]
    if context.floor is not None:
        models.append(Classical(context.task, context.spec, context.floor.model))
    told = []
    for model in models:
        inner = [one for start in range(0, len(windows), AT_ONCE)
                 for one in _inner(context, things, model, windows[start : start + AT_ONCE], rim)]  # fmt: skip
        told.append(share(inner, "alone") if len(inner) >= _FEW else None)
    return None if told[0] is None else RimAlone(told[0], told[1] if len(told) > 1 else None)


def _inner(context: Context, things: Things, model: Any, windows: Array, rim: Array) -> Iterator[Thing]:
    """Things that do not touch the rim, and whether a model finds them."""
    batch: Any = context.samples.batch(windows)
    places, names = things.places(batch), things.names(batch)
    found = things.found(batch, model.respond(batch))
    for row, each in enumerate(names):
        whole = np.isin(np.arange(1, len(each) + 1), places[row])
        whole &= ~np.isin(np.arange(1, len(each) + 1), np.unique(places[row][rim]))
        for place in np.flatnonzero(whole).tolist():
            yield Thing(int(context.samples.unit[windows[row]]), each[place], None, bool(found[row][place]))


def from_the_size(context: Context, things: Things) -> Estimate | None:
    """R² of how many things a picture has, told by its size alone; None where all are alike, or too few."""
    train = context.samples.view(TRAIN).sample(MOST)
    test = context.samples.view_of(context.test.units).sample(MOST)
    (sizes, counts), (asked, true) = (_sizes(context, things, view.windows) for view in (train, test))
    if len(np.unique(sizes)) < 2 or len(true) < _FEW or not counts.size or not true.std():
        return None
    known = {size: counts[sizes == size].mean() for size in np.unique(sizes)}
    told = np.asarray([known.get(size, counts.mean()) for size in asked])
    return estimate(R2(), told, true, np.arange(len(true)))


def _sizes(context: Context, things: Things, windows: Array) -> tuple[Array, Array]:
    """(W,) the size of each window's picture as a word, and (W,) how many things it has."""
    sizes: list[str] = []
    counts: list[float] = []
    for start in range(0, len(windows), 4 * AT_ONCE):
        batch: Any = context.samples.batch(windows[start : start + 4 * AT_ONCE])
        counts += [float(len(each)) for each in things.names(batch)]
        sizes += things.sizes(batch)
    return np.asarray(sizes), np.asarray(counts)
