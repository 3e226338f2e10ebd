"""Marked cells that a network contradicts which has not seen the picture, and cells that nobody marked.

As with boxes (`assay.evaluation.box_doubts`), a network is believed where it is as sure as when it is right
(`doubting`). So sure, it may say

* `missing`: here is a cell, and none is marked near;
* `another class`: this cell is of another class;
* `misplaced`: no cell is where this one is marked, but one that is not marked is near;
* `nothing there`: at this mark it sees no more than where nothing is: where the marks of other pictures would lie in
  this one, if they lie near none of its own. Marks at the rim of a picture, and of a kind of which it misses many, are
  not denied.

Shapes: F found and N marked cells of a picture, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cell_matching import judged, matched, matched_cells
from assay.evaluation.cells import Cells
from assay.evaluation.doubting import sure_by_class, sure_enough
from assay.evaluation.metrics import Values
from assay.task_parts import Doubt, Doubts

if TYPE_CHECKING:
    from assay.samples.cell_spec import CellSpec

Array = np.ndarray[Any, Any]
MISSING, OTHER, MOVED, NOTHING = "missing", "another class", "misplaced", "nothing there"
#: Of these probabilities the one with the best F1 parts cells from what is none.
_TRIED = np.linspace(0.1, 0.9, 33)
#: In radii: how far from every mark a find is not one of these in the wrong place, and a mark from every find not one
#: of these; how far a mark may be misplaced.
_APART, _NEAR = 1.5, 3.0
#: What counts as no more than where nothing is: so much of what is seen there is lower; at most this share of what
#: parts cells from what is none.
_QUANTILE, _UNSEEN = 0.75, 0.5
#: A class is doubted where the network gives it less than this.
_UNLIKELY = 0.05
#: Other pictures whose marks are laid on a picture.
_LAID = 4
#: Where more marks than this are unseen, the network is blind to such cells rather than the marks wrong; and so it is
#: to those of a class, or of a quarter by size, of which it finds fewer than so many.
_MOST_UNSEEN, _SEEN = 0.1, 0.7


@dataclass(frozen=True)
class _Judge:
    """How a network sees cells.

    Attributes:
        radius: within which two places are the same cell, in pixels.
        threshold: the probability from which it finds one.
        least: the probability from which it is believed that there is one.
        blank: what it sees, at most, where nothing is.
        recall: of each picture, for each marked cell (N,) the share of those of its kind that it finds.
        agreed: the F1 of finding them.
        shares: (C,) the share of each class from which it is believed; empty where there are no classes.
    """

    radius: float
    threshold: float
    least: float
    blank: float
    recall: tuple[Array, ...]
    agreed: float
    shares: Array


def cell_doubts(outputs: Values, truths: Values, spec: CellSpec) -> Doubts:
    """What looks wrong with the cells marked in pictures, the surest first.

    The place of a doubt is x and y (2,) of the mark and of the find, either of which may be None.

    Args:
        outputs: `Cells` of networks that were not trained on these pictures, those of low probability too.
        truths: as marked.
        spec: classes and sizes.
    """
    radius = max(spec.radius, spec.size) if spec.outlined else spec.radius
    labels = sum(map(len, truths))
    outputs = [told for told, _ in judged(outputs, truths)]
    judge = _judge(outputs, truths, radius, spec)
    if judge is None:
        return Doubts(labels, 0.0, ())
    found: list[Doubt] = []
    for row, (told, true) in enumerate(zip(outputs, truths, strict=True)):
        found += (replace(one, row=row) for one in _of_picture(told, true, judge, judge.recall[row], spec))
    unseen = sum(one.kind == NOTHING for one in found)
    kept = [one for one in found if one.kind != NOTHING or unseen <= _MOST_UNSEEN * labels]
    return Doubts(labels, judge.agreed, tuple(sorted(kept, key=lambda one: -one.sure)))


def _judge(outputs: Values, truths: Values, radius: float, spec: CellSpec) -> _Judge | None:
    """None where nothing is found."""
    pairs = [matched_cells(told, true, radius) for told, true in zip(outputs, truths, strict=True)]
    right = _joined(told.probability[pair[:, 0]] for told, pair in zip(outputs, pairs, strict=True))
    every = _joined(told.probability for told in outputs)
    marked = sum(map(len, truths))
    hits = (right[None] >= _TRIED[:, None]).sum(axis=1)
    scores = 2 * hits / np.maximum(1, (every[None] >= _TRIED[:, None]).sum(axis=1) + marked)
    if not hits.any():
        return None
    threshold = float(_TRIED[scores.argmax()])
    sure = right[right >= threshold]
    against = _joined(told.probability[np.delete(np.arange(len(told)), pair[:, 0])][
        _apart(told.only(np.delete(np.arange(len(told)), pair[:, 0])), true, radius)]
        for told, true, pair in zip(outputs, truths, pairs, strict=True))  # fmt: skip
    blank = min(_blank(outputs, truths, radius), _UNSEEN * threshold)
    shares = _shares(outputs, truths, pairs, spec.kinds)
    return _Judge(
        radius,
        threshold,
        sure_enough(sure, against),
        blank,
        _recall(outputs, truths, pairs, threshold),
        float(scores.max()),
        shares,
    )


def _recall(outputs: Values, truths: Values, pairs: Sequence[Array], threshold: float) -> tuple[Array, ...]:
    """See `_Judge.recall`: a kind is a class, or where outlines are known a quarter of all cells by size."""
    hits = [np.zeros(len(true), bool) for true in truths]
    for hit, told, pair in zip(hits, outputs, pairs, strict=True):
        hit[pair[told.probability[pair[:, 0]] >= threshold, 1]] = True
    kinds = [true.label for true in truths]
    if any(true.outlined for true in truths):
        areas = [np.asarray([(one[:, 2] - one[:, 1]).sum() for one in true.outlines], float) for true in truths]
        cuts = np.quantile(_joined(areas), [0.25, 0.5, 0.75])
        kinds = [np.searchsorted(cuts, area) for area in areas]
    every, found = np.concatenate([np.zeros(0, int), *kinds]), np.concatenate([np.zeros(0, bool), *hits])
    share = {kind: float(found[every == kind].mean()) for kind in np.unique(every)}
    return tuple(np.asarray([share[kind] for kind in one], float) for one in kinds)


def _blank(outputs: Values, truths: Values, radius: float) -> float:
    """What is seen, at most, where nothing is, at places where other pictures have marks."""
    seen = [0.0]
    for row, (told, true) in enumerate(zip(outputs, truths, strict=True)):
        for step in range(1, min(_LAID, len(truths) - 1) + 1):
            laid = truths[(row + step) % len(truths)].places
            laid = laid[(laid[:, 0] < told.width) & (laid[:, 1] < told.height)]
            free = laid[_distance(laid, true.places) > 2 * _APART * radius]
            seen += _seen(free, told, _APART * radius).tolist()
    return float(np.quantile(seen, _QUANTILE))


def _shares(outputs: Values, truths: Values, pairs: Sequence[Array], kinds: int) -> Array:
    """(C,) see `_Judge.shares`."""
    right: list[tuple[int, float]] = []
    against: list[tuple[int, float]] = []
    for told, true, pair in zip(outputs, truths, pairs, strict=True) if kinds else ():
        for place, label in zip(pair[:, 0], true.label[pair[:, 1]], strict=True):
            said = int(told.label[place])
            if label >= 0:
                (right if said == label else against).append((said, float(told.shares[place, said])))
    return sure_by_class(right, against, kinds)


def _of_picture(told: Cells, true: Cells, judge: _Judge, recall: Array, spec: CellSpec) -> Iterator[Doubt]:
    """What is doubtful in one picture."""
    counted = told.only(told.probability >= judge.threshold)
    pairs = matched_cells(counted, true, judge.radius)
    yield from _other_classes(counted, true, pairs, judge, spec)
    sure = np.setdiff1d(np.flatnonzero(counted.probability >= judge.least), pairs[:, 0])
    lone = np.setdiff1d(np.arange(len(true)), pairs[:, 1])
    lone = lone[_seen(true.places[lone], told, judge.radius) <= judge.blank]
    moved = matched(counted.places[sure], true.places[lone], _NEAR * judge.radius)
    if true.outlined:  # a find in its outline is this cell
        held = [_covers(true.outlines[lone[mark]], counted.places[sure[find]]) for find, mark in moved]
        moved = moved[~np.asarray(held, bool)]
    for find, mark in zip(sure[moved[:, 0]], lone[moved[:, 1]], strict=True):
        label = _name(int(true.label[mark]), spec)
        yield _doubt(MOVED, label, counted, int(find), spec, true.places[mark])
    rest = np.delete(sure, moved[:, 0])
    for find in rest[_apart(counted.only(rest), true, judge.radius)]:
        yield _doubt(MISSING, "no cell", counted, int(find), spec)
    lone = np.delete(lone, moved[:, 1])
    away = np.minimum(true.places, np.asarray([told.width, told.height]) - 1 - true.places).min(axis=1, initial=np.inf)
    lone = lone[(recall[lone] >= _SEEN) & (away[lone] > judge.radius)]
    seen = _seen(true.places[lone], told, _APART * judge.radius)
    for mark, most in zip(lone[seen <= judge.blank], seen[seen <= judge.blank], strict=True):
        label, sureness = _name(int(true.label[mark]), spec), float(recall[mark] * (1 - most))
        yield Doubt(NOTHING, label, "nothing", sureness, place=(true.places[mark], None))


def _other_classes(counted: Cells, true: Cells, pairs: Array, judge: _Judge, spec: CellSpec) -> Iterator[Doubt]:
    """Marked cells whose class is another, as surely as classes usually are told."""
    for find, mark in pairs if spec.kinds else ():
        label, told = int(true.label[mark]), int(counted.label[find])
        share = counted.shares[find]
        if 0 <= label != told and share[told] >= judge.shares[told] and share[label] < _UNLIKELY:
            sure = float(share[told] * (1 - share[label]))
            yield Doubt(OTHER, spec.classes[label], spec.classes[told], sure, place=(true.places[mark], None))


def _doubt(kind: str, label: str, counted: Cells, find: int, spec: CellSpec, mark: Array | None = None) -> Doubt:
    sure = float(counted.probability[find])
    return Doubt(kind, label, _name(int(counted.label[find]), spec), sure, place=(mark, counted.places[find]))


def _joined(parts: Iterable[Array]) -> Array:
    return np.concatenate([np.zeros(0), *parts])


def _name(label: int, spec: CellSpec) -> str:
    return spec.classes[label] if spec.kinds and label >= 0 else "a cell"


def _apart(finds: Cells, true: Cells, radius: float) -> Array:
    """(F,) bool: far from all marks, and in no marked outline."""
    apart = _distance(finds.places, true.places) > _APART * radius
    for place in np.flatnonzero(apart) if true.outlined else ():
        apart[place] = not any(_covers(outline, finds.places[place]) for outline in true.outlines)
    return np.asarray(apart)


def _covers(outline: Array, place: Array) -> bool:
    """Whether rows (K, 3) of an outline cover x and y (2,)."""
    x, y = np.rint(place).astype(int)
    return bool(((outline[:, 0] == y) & (outline[:, 1] <= x) & (x < outline[:, 2])).any())


def _seen(places: Array, told: Cells, radius: float) -> Array:
    """(N,) the largest probability of what is found within the radius of places (N, 2); 0 where nothing is."""
    from scipy.spatial import cKDTree

    if not len(places) or not len(told):
        return np.zeros(len(places))
    near = cKDTree(told.places).query_ball_point(places, radius)
    return np.asarray([told.probability[rows].max(initial=0.0) for rows in near], float)


def _distance(places: Array, others: Array) -> Array:
    """(N,) how far places (N, 2) are from the nearest of others (M, 2); infinite where there are none."""
    from scipy.spatial import cKDTree

    if not len(places) or not len(others):
        return np.full(len(places), np.inf)
    return np.asarray(cKDTree(others).query(places)[0])
