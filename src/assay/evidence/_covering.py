"""Labelled things covered with the training mean: which of them are still found.

Shapes: B inputs, H and W of one, n things of one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.faithfulness import mean
from assay.evaluation.intervals import Estimate, wilson
from assay.evidence.context import Context
from assay.samples.draws import order
from assay.task_parts import Things

Array = np.ndarray[Any, Any]
#: Windows that are looked at together, and at most.
AT_ONCE, MOST = 8, 200
#: How many times as long as it should it may take, to get to enough things.
_OVER = 4.0


@dataclass(frozen=True)
class Thing:
    """What became of one thing, or of one empty place.

    Attributes:
        unit: its unit.
        name: its class.
        covered: it was still found though it was covered; None where it was not covered.
        alone: it was still found as all else was covered.
    """

    unit: int
    name: str
    covered: bool | None = None
    alone: bool | None = None


@dataclass(frozen=True)
class Looked:
    """What was looked at.

    Attributes:
        things: that were found before anything was covered.
        empty: places where nothing is, of things' shapes; `covered` says whether something was found there.
        windows: the windows, and for each what was covered (H, W) and how many things were found though covered.
    """

    things: list[Thing]
    empty: list[Thing]
    windows: list[tuple[int, Array, int, int]]


def look(context: Context, things: Things, budget_s: float, enough: int) -> Looked:
    """As many windows of the test side as the time allows, in random order.

    Args:
        context: the finished training.
        things: how the labelled things of an input are found.
        budget_s: seconds that it may take, about; a few times as long for `enough` things.
        enough: so many found things are wanted.
    """
    windows = order(context.samples.view_of(context.test.units).windows, "surroundings")[:MOST]
    begun, looked = time.monotonic(), Looked([], [], [])
    for start in range(0, len(windows), AT_ONCE):
        _cover(context, things, windows[start : start + AT_ONCE], looked)
        spent = time.monotonic() - begun
        if spent > budget_s * (1.0 if len(looked.things) >= enough else _OVER):
            break
    return looked


def _cover(context: Context, things: Things, windows: Array, looked: Looked) -> None:
    """Asks about some windows as they are and with their things covered; adds what came of it."""
    batch: Any = context.samples.batch(windows)
    places, names = things.places(batch), things.names(batch)
    there = [np.isin(np.arange(1, len(each) + 1), own) for each, own in zip(names, places, strict=True)]
    found = [hit & some for hit, some in zip(_found(context, things, batch), there, strict=True)]
    hidden = [hit & _half(int(window), len(hit)) for hit, window in zip(found, windows, strict=True)]
    cover = np.stack([_grown(_of(own, some)) for own, some in zip(places, hidden, strict=True)])
    still = _found(context, things, _masked(context, batch, ~cover))
    kept = np.stack([_grown(own > 0) for own in places])
    alone = _found(context, things, _masked(context, batch, kept))
    units = context.samples.unit[windows]
    for row, each in enumerate(names):
        for place in np.flatnonzero(found[row]).tolist():
            was = bool(still[row][place]) if hidden[row][place] else None
            looked.things.append(Thing(int(units[row]), each[place], was, bool(alone[row][place])))
        count = int((still[row] & hidden[row]).sum())
        looked.windows.append((int(windows[row]), cover[row], count, int(hidden[row].sum())))
    looked.empty.extend(_on_empty(context, things, batch, places, names))


def _on_empty(
    context: Context, things: Things, batch: Any, places: Array, names: Sequence[Sequence[str]]
) -> Iterator[Thing]:
    """The same things laid on another picture, where nothing lies on it, and covered there."""
    if len(places) < 2:
        return
    windows = np.roll(np.asarray(batch.index), 1)
    other: Any = context.samples.batch(windows)
    taken = np.roll(np.stack([_grown(own > 0, 2) for own in places]), 1, axis=0)
    free = [~np.isin(np.arange(1, len(each) + 1), np.unique(own[full])) & np.isin(np.arange(1, len(each) + 1), own)
            for each, own, full in zip(names, places, taken, strict=True)]  # fmt: skip
    if not any(some.any() for some in free):
        return
    nothing = np.zeros(places.shape, bool)
    laid = _masked(context, batch, nothing, other)
    cover = np.stack([_grown(_of(own, some)) for own, some in zip(places, free, strict=True)])
    found = _found(context, things, _masked(context, laid, ~cover))
    for row, each in enumerate(names):
        for place in np.flatnonzero(free[row]).tolist():
            yield Thing(int(context.samples.unit[windows[row]]), each[place], bool(found[row][place]))


def _found(context: Context, things: Things, batch: Any) -> Sequence[Array]:
    return things.found(batch, context.predictor.respond(batch))


def _masked(context: Context, batch: Any, kept: Array, instead: Any = None) -> Any:
    import torch

    return context.task.masked(batch, torch.from_numpy(kept), context.spec, instead)


def _half(window: int, count: int) -> Array:
    """(count,) bool, True for a random half; the first of them is always among it."""
    ranked = order(np.arange(count), "covered", window)
    return np.isin(np.arange(count), ranked[: -(-count // 2)])


def _of(places: Array, chosen: Array) -> Array:
    """(H, W) bool, where the chosen (n,) of the things lie."""
    return np.asarray(np.r_[False, chosen][places])


def _grown(places: Array, times: int = 1) -> Array:
    """(H, W) bool, wider by a hundredth of the input's side, so that no edge of a thing is left."""
    from scipy.ndimage import binary_dilation

    wider = max(1, round(min(places.shape) / 100)) * times
    return np.asarray(binary_dilation(places, iterations=wider)) if places.any() else places


def share(things: Sequence[Thing], name: str) -> Estimate | None:
    """The share of things of which that is true, with its interval over units; None where there are none."""
    if not things:
        return None
    values = np.asarray([float(getattr(one, name)) for one in things])
    found = mean(values, np.asarray([one.unit for one in things]))
    # Where all are alike, no resampling tells how sure that is.
    return found if values.std() else Estimate(found.value, *wilson(found.value, len(values)))
