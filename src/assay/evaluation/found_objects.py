"""What a user reads of the boxes found in a picture.

A box is a row x0, y0, x1, y1, score, class; a seventh column says that it was asked for by its score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.box_metrics import found_boxes

if TYPE_CHECKING:
    from assay.samples.box_spec import BoxSpec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FoundObject:
    """One box of an answer: a class, its score, and the corners in pixels, right and bottom exclusive."""

    label: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class FoundObjects:
    """The answer to a picture: how many objects of each class there are, and where."""

    counts: Mapping[str, int]
    objects: tuple[FoundObject, ...]


def found_objects(output: Any, spec: BoxSpec) -> FoundObjects:
    """The boxes of an output (n, 6 or 7) that count as found."""
    told = told_boxes(output)
    objects = tuple(
        FoundObject(spec.classes[int(box[5])], round(float(box[4]), 4), *(round(float(side), 1) for side in box[:4]))
        for box in told
    )
    return FoundObjects(class_counts(told[:, 5], spec), objects)


def told_boxes(output: Any) -> Array:
    """The boxes of an output that count as found, or those that were asked for."""
    boxes = np.asarray(output)
    return boxes if boxes.shape[1] > 6 else found_boxes(boxes)


def class_counts(labels: Array, spec: BoxSpec) -> dict[str, int]:
    """How often each class occurs, in the order of the spec; those that do not are left out."""
    counted = Counter(labels.astype(int).tolist())
    return {name: counted[number] for number, name in enumerate(spec.classes) if counted[number]}


def in_words(labels: Array, spec: BoxSpec) -> str:
    """How many objects of each class (n,) there are."""
    return ", ".join(f"{count} {name}" for name, count in class_counts(labels, spec).items()) or "nothing"
