"""Labelled boxes that a network contradicts which has not seen the picture, and objects that nobody labelled.

The idea is that of confident learning (Northcutt, Jiang and Chuang, JAIR 2021): a network is believed where it is as
sure as when it is right (`doubting`). So sure, it may say

* `missing`: here is an object, and no label of its class is near;
* `another class`: this label is of another class;
* `misplaced`: this label overlaps a find of its class, but hardly;
* `nothing there`: at this label it sees no more than where nothing is: where labels of other pictures would lie in this
  one, if they lie on none of its own.

Shapes: n boxes and m objects of a picture, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.evaluation.box_errors import RIGHT, box_errors
from assay.evaluation.box_matching import overlaps
from assay.evaluation.box_metrics import FOUND
from assay.evaluation.doubting import FEW, sure_by_class
from assay.evaluation.metrics import Values
from assay.task_parts import Doubt, Doubts

Array = np.ndarray[Any, Any]
MISSING, OTHER, MOVED, NOTHING = "missing", "another class", "misplaced", "nothing there"
#: A find this far from all labels of its class is not one of them in the wrong place; one so near to a better find is
#: the same object; one so near to a label sees something there.
_APART, _SAME, _NEAR = 0.1, 0.3, 0.3
#: What counts as no more than where nothing is: so much of what is seen there is lower; at most a score of so much.
_QUANTILE, _UNSEEN = 0.75, 0.25
#: Other pictures whose labels are laid on a picture.
_LAID = 4
#: A network denies labels of a class alone of which it finds so many.
_SEEN = 0.5
#: A label is misplaced where the best find of its class overlaps it by less than this.
_HARDLY = 0.4
#: Where more labels than this are unseen, the network is blind to such objects rather than the labels wrong.
_MOST_UNSEEN = 0.25


def box_doubts(outputs: Values, truths: Values, classes: Sequence[str]) -> Doubts:
    """What looks wrong with the labels of pictures, the surest first.

    The place of a doubt is the label (6,) and the find (6,), either of which may be None.

    Args:
        outputs: the boxes (n, 6) of each picture from a network that was not trained on it.
        truths: the labelled objects (m, 6) of each; hard ones are not doubted.
        classes: their names.
    """
    errors = [box_errors(found, objects) for found, objects in zip(outputs, truths, strict=True)]
    right = [np.asarray(found)[(one.kind == RIGHT) & (np.asarray(found)[:, 4] >= FOUND)]
             for found, one in zip(outputs, errors, strict=True)]  # fmt: skip
    wanted = np.concatenate([np.zeros(0), *(np.asarray(objects)[np.asarray(objects)[:, 5] == 0, 4]
                                            for objects in truths)])  # fmt: skip
    hits = np.concatenate([np.zeros((0, 6)), *right])
    if not len(hits) or not len(wanted):
        return Doubts(len(wanted), 0.0, ())
    recall = _recall(hits, wanted, len(classes))
    least, blank = _least(outputs, truths, hits, len(classes)), _blank(outputs, truths, len(classes))
    found: list[Doubt] = []
    for row, (boxes, objects) in enumerate(zip(outputs, truths, strict=True)):
        boxes, objects = np.asarray(boxes, np.float64), np.asarray(objects, np.float64)
        sure = boxes[boxes[:, 4] >= least[boxes[:, 5].astype(int)]]
        found += (replace(one, row=row) for one in _unlabelled(sure, objects, classes))
        found += (replace(one, row=row) for one in _contradicted(boxes, sure, objects, classes, (blank, recall)))
    unseen = sum(one.kind == NOTHING for one in found)
    kept = [one for one in found if one.kind != NOTHING or unseen <= _MOST_UNSEEN * len(wanted)]
    told = sum(int((np.asarray(boxes)[:, 4] >= FOUND).sum()) for boxes in outputs)
    return Doubts(len(wanted), 2 * len(hits) / (told + len(wanted)), tuple(sorted(kept, key=lambda one: -one.sure)))


def _least(outputs: Values, truths: Values, hits: Array, classes: int) -> Array:
    """(K,) the score from which a find of each class is believed; `hits` are the right finds (n, 6)."""
    against: list[tuple[int, float]] = []
    for boxes, objects in zip(outputs, truths, strict=True):
        counted = np.asarray(boxes, np.float64)[np.asarray(boxes)[:, 4] >= FOUND]
        against += ((int(box[5]), float(box[4])) for box in _free(counted, np.asarray(objects, np.float64)))
    return sure_by_class([(int(label), float(score)) for label, score in hits[:, [5, 4]]], against, classes)


def _recall(hits: Array, wanted: Array, classes: int) -> Array:
    """(K,) the share of the labelled objects of each class that were found."""
    found, there = (np.bincount(labels.astype(int), minlength=classes) for labels in (hits[:, 5], wanted))
    return np.asarray(found / np.maximum(there, 1))


def _blank(outputs: Values, truths: Values, classes: int) -> Array:
    """(K,) what is seen, at most, where nothing is, at places of the size and the whereabouts of labels of a class."""
    seen: list[list[float]] = [[] for _ in range(classes)]
    for row, (boxes, objects) in enumerate(zip(outputs, truths, strict=True)):
        for step in range(1, min(_LAID, len(truths) - 1) + 1):
            laid = np.asarray(truths[(row + step) % len(truths)], np.float64)
            free = laid[overlaps(laid, objects).max(axis=1, initial=0.0) == 0]
            scores = np.where(overlaps(free, boxes) >= _NEAR, np.asarray(boxes)[None, :, 4], 0.0)
            for label, most in zip(free[:, 4].astype(int), scores.max(axis=1, initial=0.0), strict=True):
                seen[label].append(float(most))
    every = [most for scores in seen for most in scores] or [0.0]
    of = [scores if len(scores) >= FEW else every for scores in seen]
    return np.minimum([np.quantile(scores, _QUANTILE) for scores in of], _UNSEEN)


def _unlabelled(sure: Array, objects: Array, classes: Sequence[str]) -> Iterator[Doubt]:
    """Sure finds (n, 6) with no label near."""
    for box in _free(sure, objects):
        yield Doubt(MISSING, "no box", classes[int(box[5])], float(box[4]), place=(None, box))


def _free(boxes: Array, objects: Array) -> Iterator[Array]:
    """Those of the finds (n, 6) that have no label near, one of those that are the same find, the best first."""
    taken = np.zeros((0, 6))
    for box in boxes[np.argsort(-boxes[:, 4], kind="stable")]:
        near = overlaps(box[None], objects)[0]
        own = objects[:, 4] == box[5]
        if near[own].max(initial=0.0) > _APART or near.max(initial=0.0) >= _NEAR:
            continue
        if overlaps(box[None], taken)[0].max(initial=0.0) < _SAME:
            taken = np.concatenate([taken, box[None]])
            yield box


def _contradicted(
    boxes: Array, sure: Array, objects: Array, classes: Sequence[str], of: tuple[Array, Array]
) -> Iterator[Doubt]:
    """Labelled objects (m, 6) at which boxes say another class, or nothing; `of` are `_blank` and `_recall`."""
    blank, recall = of
    near, certain = overlaps(objects, boxes), overlaps(objects, sure)
    for place in np.flatnonzero(objects[:, 5] == 0):
        label = int(objects[place, 4])
        seen = boxes[near[place] >= _NEAR]
        own = float(seen[seen[:, 5] == label, 4].max(initial=0.0))
        here = sure[(certain[place] >= FOUND) & (sure[:, 5] != label)]
        here = here[[not _labelled(box, objects) for box in here]] if len(here) else here
        if len(here) and own < FOUND:
            best = here[here[:, 4].argmax()]
            told = classes[int(best[5])]
            yield Doubt(OTHER, classes[label], told, float(best[4] * (1 - own)), place=(objects[place], None))
        elif (moved := _moved(boxes, sure, objects, int(place))) is not None:
            yield Doubt(MOVED, classes[label], classes[label], float(moved[4]), place=(objects[place], moved))
        elif (most := float(seen[:, 4].max(initial=0.0))) <= blank[label] and recall[label] >= _SEEN:
            sureness = float(recall[label]) * (1 - most)
            yield Doubt(NOTHING, classes[label], "nothing", sureness, place=(objects[place], None))


def _moved(boxes: Array, sure: Array, objects: Array, place: int) -> Array | None:
    """The sure find (6,) of the class of a label that overlaps it, but hardly; None where another overlaps it well."""
    here = boxes[(boxes[:, 5] == objects[place, 4]) & (boxes[:, 4] >= FOUND)]
    if overlaps(objects[[place]], here)[0].max(initial=0.0) >= _HARDLY:
        return None
    own = sure[sure[:, 5] == objects[place, 4]]
    near = overlaps(objects[[place]], own)[0]
    fits = [row for row in np.flatnonzero(near > _APART) if overlaps(own[[row]], objects)[0].max() == near[row]]
    return own[max(fits, key=lambda row: near[row])] if fits else None


def _labelled(box: Array, objects: Array) -> bool:
    """Whether a box finds an object of its own class."""
    own = objects[objects[:, 4] == box[5]]
    return bool(overlaps(box[None], own)[0].max(initial=0.0) >= FOUND)
