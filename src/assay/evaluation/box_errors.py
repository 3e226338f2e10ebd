"""What goes wrong with boxes: by picture, and by kind of error.

Source of the kinds: D. Bolya, S. Foley, J. Hays and J. Hoffman, "TIDE: a general toolbox for identifying object
detection errors", ECCV 2020. Every box that finds no object is an error of one kind, the first that holds:

* localisation: it overlaps an object of its class, but by less than a half;
* classification: it overlaps an object of another class by half or more;
* duplicate: it overlaps an object that a better box of its class has found already;
* background: it overlaps no object by more than a tenth;
* both: neither class nor place are right.

An object is missed where no box finds it and none is a localisation or classification error about it.

Shapes: U pictures, n boxes and m objects of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.box_matching import NOBODY, match, overlaps
from assay.evaluation.box_metrics import MeanAveragePrecision50, found_boxes
from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
#: The kinds of error of a box, by number; that of an object.
KINDS = ("localisation", "classification", "duplicate", "background", "both")
MISSED = "missed"
RIGHT, UNCOUNTED = -1, -2
#: Overlaps from which on a box finds an object, and up to which it has nothing to do with it.
_FINDS, _APART = 0.5, 0.1


@dataclass(frozen=True)
class BoxErrors:
    """What is wrong with the boxes of one picture.

    Attributes:
        kind: (n,) int64, a place in `KINDS`; `RIGHT`; `UNCOUNTED` where a box found a difficult object, or was not
            looked at.
        about: (n,) int64, the object that a box is right or wrong about; `NOBODY` where there is none.
        found: (m,) bool, a box found the object.
        missed: (m,) bool, see the module; never a difficult object.
    """

    kind: Array
    about: Array
    found: Array
    missed: Array


def box_errors(found: Array, objects: Array) -> BoxErrors:
    """The errors of one picture.

    Args:
        found: (n, 6) boxes.
        objects: (m, 6).
    """
    found, objects = np.asarray(found, np.float64), np.asarray(objects, np.float64)
    matches, counting = match(found, objects, (_FINDS,)), objects[:, 5] == 0
    kind, about = np.full(len(found), UNCOUNTED), np.full(len(found), NOBODY)
    kind[matches.row[matches.right[0]]] = RIGHT
    about[matches.row] = matches.taken[0]
    wrong = matches.row[(matches.taken == NOBODY)[0]]
    kind[wrong], about[wrong] = _kinds(found[wrong], objects, counting)
    hit = np.zeros(len(objects), bool)
    hit[about[kind == RIGHT]] = True
    explained = np.zeros(len(objects), bool)
    explained[about[(kind == KINDS.index("localisation")) | (kind == KINDS.index("classification"))]] = True
    return BoxErrors(kind, about, hit, counting & ~hit & ~explained)


def _kinds(boxes: Array, objects: Array, counting: Array) -> tuple[Array, Array]:
    """(n,) the kind of error of each of the boxes (n, 6) that find nothing, and (n,) the object that it is about."""
    if not counting.any():
        return np.full(len(boxes), KINDS.index("background")), np.full(len(boxes), NOBODY)
    shared = np.where(counting, overlaps(boxes, objects), -1.0)  # (n, m)
    own = np.where(boxes[:, 5, None] == objects[None, :, 4], shared, -1.0)
    other = np.where(boxes[:, 5, None] != objects[None, :, 4], shared, -1.0)
    best, rival = own.max(axis=1), other.max(axis=1)
    holds = [(best >= _APART) & (best < _FINDS), rival >= _FINDS, best >= _FINDS, shared.max(axis=1) <= _APART]
    about = [own.argmax(axis=1), other.argmax(axis=1), own.argmax(axis=1), np.full(len(boxes), NOBODY)]
    return np.select(holds, range(4), KINDS.index("both")), np.select(holds, about, NOBODY)


def error_counts(outputs: Values, truths: Values) -> dict[str, int]:
    """How often each kind of error occurs among the boxes that count as found; how many objects are then missed."""
    counts = dict.fromkeys((*KINDS, MISSED), 0)
    for found, objects in zip(outputs, truths, strict=True):
        one = box_errors(found_boxes(found), objects)
        for number, name in enumerate(KINDS):
            counts[name] += int((one.kind == number).sum())
        counts[MISSED] += int(one.missed.sum())
    return counts


def error_gains(outputs: Values, truths: Values) -> Mapping[str, float]:
    """By kind of error: by how much the mAP50 would rise, were all errors of this kind alone mended.

    A box in the wrong place is put on its object, one of the wrong class is given the right one; where the object is
    found already, or a better such box is about it, it is dropped, as all other wrong boxes are. Objects that are
    missed are dropped, too.
    """
    metric = MeanAveragePrecision50()
    errors = [box_errors(found, objects) for found, objects in zip(outputs, truths, strict=True)]
    before = metric.value(outputs, truths)
    gains = {}
    for name in (*KINDS, MISSED):
        parts = [_mended(name, *one) for one in zip(outputs, truths, errors, strict=True)]
        gains[name] = metric.value([found for found, _ in parts], [objects for _, objects in parts]) - before
    return gains


def _mended(name: str, found: Array, objects: Array, errors: BoxErrors) -> tuple[Array, Array]:
    """The boxes and the objects of a picture without the errors of one kind."""
    if name == MISSED:
        return found, np.asarray(objects)[~errors.missed]
    rows = np.flatnonzero(errors.kind == KINDS.index(name))
    changed, kept, taken = np.array(found), np.ones(len(found), bool), errors.found.copy()
    for row in rows[np.argsort(-changed[rows, 4], kind="stable")]:
        about = errors.about[row]
        if name not in ("localisation", "classification") or taken[about]:
            kept[row] = False
            continue
        taken[about] = True
        if name == "localisation":
            changed[row, :4] = objects[about, :4]
        else:
            changed[row, 5] = objects[about, 4]
    return changed[kept], objects


def picture_losses(outputs: Values, truths: Values) -> Array:
    """(U,) how many objects of a picture are missed, plus the scores of the boxes found that are wrong."""
    losses = []
    for found, objects in zip(outputs, truths, strict=True):
        one = match(found_boxes(found), objects, (0.5,))
        missed = int((one.wanted != NOBODY).sum()) - int(one.right.sum())
        losses.append(missed + float(one.score[~one.right[0] & ~one.ignored[0]].sum()))
    return np.asarray(losses, float)


def promised_scores(outputs: Values) -> Array:
    """(U,) the F1 that the scores of a picture's boxes promise, were they probabilities."""
    promised = []
    for found in outputs:
        scores = np.asarray(found)[:, 4].astype(float)
        counted = scores[scores >= 0.5]
        sum_of = scores.sum()
        promised.append(2 * counted.sum() / (len(counted) + sum_of) if len(counted) else 1.0 / (1.0 + sum_of))
    return np.asarray(promised, float).clip(0, 1)


def picture_scores(outputs: Values, truths: Values) -> Array:
    """(U,) the F1 of each picture; one without objects in which none is found is as good as can be."""
    reached = []
    for found, objects in zip(outputs, truths, strict=True):
        one = match(found_boxes(found), objects, (0.5,))
        wanted, boxes = int((one.wanted != NOBODY).sum()), int((~one.ignored).sum())
        reached.append(2 * float(one.right.sum()) / (boxes + wanted) if boxes + wanted else 1.0)
    return np.asarray(reached, float).clip(0, 1)
