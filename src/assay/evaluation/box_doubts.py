"""Labelled boxes that a network contradicts which has not seen the picture, and objects that nobody labelled.

The idea is that of confident learning (Northcutt, Jiang and Chuang, JAIR 2021): a network is believed where it is at
least as sure as it usually is when it is right. So sure, it may say

* `missing`: here is an object, and no label of its class is near;
* `another class`: this label is of another class;
* `nothing there`: at this label it sees nothing at all, although it finds most others of its class.

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
from assay.evaluation.metrics import Values
from assay.task_parts import Doubt, Doubts

Array = np.ndarray[Any, Any]
MISSING, OTHER, NOTHING = "missing", "another class", "nothing there"
#: A find this far from all labels of its class is not one of them in the wrong place; one so near to a better find is
#: the same object; one so near to a label sees something there.
_APART, _SAME, _NEAR = 0.1, 0.3, 0.3
#: What a network scores lower than this at a label's place, it does not see; what it scores so for the label's own
#: class does not speak for the label.
_UNSEEN, _UNLIKELY = 0.05, 0.2
#: Right finds that a class needs to have a usual score of its own.
_FEW = 5
#: Where more labels than this are unseen, the network is blind to such objects rather than the labels wrong.
_MOST_UNSEEN = 0.25


def box_doubts(outputs: Values, truths: Values, classes: Sequence[str]) -> Doubts:
    """What looks wrong with the labels of pictures, the surest first.

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
    usual, recall = _usual(hits, len(classes)), _recall(hits, wanted, len(classes))
    found: list[Doubt] = []
    for row, (boxes, objects) in enumerate(zip(outputs, truths, strict=True)):
        boxes, objects = np.asarray(boxes, np.float64), np.asarray(objects, np.float64)
        sure = boxes[boxes[:, 4] >= usual[boxes[:, 5].astype(int)]]
        found += (replace(one, row=row) for one in _unlabelled(sure, objects, classes))
        found += (replace(one, row=row) for one in _contradicted(boxes, sure, objects, classes, recall))
    unseen = sum(one.kind == NOTHING for one in found)
    kept = [one for one in found if one.kind != NOTHING or unseen <= _MOST_UNSEEN * len(wanted)]
    return Doubts(len(wanted), len(hits) / len(wanted), tuple(sorted(kept, key=lambda one: -one.sure)))


def _usual(hits: Array, classes: int) -> Array:
    """(K,) the mean score of the right finds (n, 6) of each class; of all where a class has few."""
    of = [hits[hits[:, 5] == number, 4] for number in range(classes)]
    return np.asarray([scores.mean() if len(scores) >= _FEW else hits[:, 4].mean() for scores in of])


def _recall(hits: Array, wanted: Array, classes: int) -> Array:
    """(K,) the share of the labelled objects of each class that were found."""
    found, there = (np.bincount(labels.astype(int), minlength=classes) for labels in (hits[:, 5], wanted))
    return np.asarray(found / np.maximum(there, 1))


def _unlabelled(sure: Array, objects: Array, classes: Sequence[str]) -> Iterator[Doubt]:
    """Sure finds (n, 6) with no label near."""
    taken = np.zeros((0, 6))
    for box in sure[np.argsort(-sure[:, 4], kind="stable")]:
        near = overlaps(box[None], objects)[0]
        own = objects[:, 4] == box[5]
        if near[own].max(initial=0.0) > _APART or near.max(initial=0.0) >= _NEAR:
            continue
        if overlaps(box[None], taken)[0].max(initial=0.0) < _SAME:
            taken = np.concatenate([taken, box[None]])
            yield Doubt(MISSING, "no box", classes[int(box[5])], float(box[4]), place=box)


def _contradicted(boxes: Array, sure: Array, objects: Array, classes: Sequence[str], recall: Array) -> Iterator[Doubt]:
    """Labelled objects (m, 6) at which boxes say another class, or nothing."""
    near, certain = overlaps(objects, boxes), overlaps(objects, sure)
    for place in np.flatnonzero(objects[:, 5] == 0):
        label = int(objects[place, 4])
        seen = boxes[near[place] >= _NEAR]
        own = float(seen[seen[:, 5] == label, 4].max(initial=0.0))
        here = sure[(certain[place] >= FOUND) & (sure[:, 5] != label)]
        here = here[[not _labelled(box, objects) for box in here]] if len(here) else here
        if len(here) and own < _UNLIKELY:
            best = here[here[:, 4].argmax()]
            told = classes[int(best[5])]
            yield Doubt(OTHER, classes[label], told, float(best[4] * (1 - own)), place=objects[place])
        elif seen[:, 4].max(initial=0.0) < _UNSEEN:
            yield Doubt(NOTHING, classes[label], "nothing", float(recall[label]), place=objects[place])


def _labelled(box: Array, objects: Array) -> bool:
    """Whether a box finds an object of its own class."""
    own = objects[objects[:, 4] == box[5]]
    return bool(overlaps(box[None], own)[0].max(initial=0.0) >= FOUND)
