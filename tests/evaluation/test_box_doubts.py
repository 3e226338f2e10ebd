"""Labels that look wrong: planted in invented answers, and told by networks that were trained on planted labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.evaluation.box_doubts import MISSING, NOTHING, OTHER, box_doubts
from assay.evaluation.box_matching import overlaps

Array = np.ndarray[Any, Any]
CLASSES = ("cat", "dog")


def labelled(pictures: int, seed: int = 0) -> list[Array]:
    """Objects of some pictures, four each, one a quarter of it; no two of them near."""
    random = np.random.default_rng(seed)
    truths = []
    for _ in range(pictures):
        corner = np.asarray([[0, 0], [100, 0], [0, 100], [100, 100]]) + random.uniform(0, 50, (4, 2))
        side = random.uniform(20, 40, (4, 2))
        truths.append(np.column_stack([corner, corner + side, random.integers(0, 2, 4), np.zeros(4)]))
    return truths


def answered(truths: list[Array], seed: int = 1, missed: float = 0.05, strays: float = 0.3) -> list[Array]:
    """Boxes of a network that is good, not perfect: some objects missed, some finds of nothing, most of low scores."""
    random = np.random.default_rng(seed)
    outputs = []
    for objects in truths:
        seen = objects[random.uniform(size=len(objects)) >= missed]
        boxes = np.column_stack([seen[:, :4] + random.normal(0, 1.5, (len(seen), 4)),
                                 random.beta(8, 2, len(seen)), seen[:, 4]])  # fmt: skip
        other = boxes.copy()
        other[:, 4], other[:, 5] = random.uniform(0.01, 0.4, len(seen)), 1 - other[:, 5]
        count = int(random.uniform() < strays)
        corner = random.uniform(0, 150, (count, 2))
        stray = np.column_stack([corner, corner + 25, random.beta(2, 5, count), random.integers(0, 2, count)])
        found = np.concatenate([boxes, other, stray])
        outputs.append(found[np.argsort(-found[:, 4])])
    return outputs


def planted(true: list[Array], each: int, seed: int = 2) -> tuple[list[Array], set[tuple[str, int]]]:
    """Labels with `each` errors of every kind, a picture each, and which these are."""
    random = np.random.default_rng(seed)
    truths, kinds = [objects.copy() for objects in true], {}
    rows = random.permutation(len(true))[: 3 * each].tolist()
    for place, row in enumerate(rows):
        kind = (MISSING, OTHER, NOTHING)[place % 3]
        kinds[row] = kind
        if kind == MISSING:
            truths[row] = truths[row][1:]
        elif kind == OTHER:
            truths[row][0, 4] = 1 - truths[row][0, 4]
        else:
            truths[row] = np.concatenate([truths[row], [[210, 210, 240, 240, 0, 0]]])
    return truths, {(kind, row) for row, kind in kinds.items()}


def test_planted_errors_are_named_and_little_else() -> None:
    true = labelled(300)
    truths, wrong = planted(true, 20)
    doubts = box_doubts(answered(true), truths, CLASSES)
    named = [(one.kind, one.row) for one in doubts.found]
    assert doubts.labels == sum(map(len, truths)) and 0.8 < doubts.agreed < 1
    # A find as sure as right ones are on average is about half of those of a missing label, and hardly ever a stray.
    for kind, least in ((MISSING, 0.8), (OTHER, 0.9)):
        right = {one for one in wrong if one[0] == kind}
        told = [one for one in named if one[0] == kind]
        assert len(right & set(told)) >= 0.3 * len(right)
        assert len(right & set(told)) > least * len(told)
    # Objects that it misses altogether look like labels where nothing is.
    assert {one for one in wrong if one[0] == NOTHING} <= set(named)
    assert [one.sure for one in doubts.found] == sorted((one.sure for one in doubts.found), reverse=True)


def test_a_doubt_says_what_is_labelled_what_is_seen_and_where() -> None:
    true = labelled(60)
    truths, wrong = planted(true, 4)
    for one in box_doubts(answered(true, missed=0.0, strays=0.0), truths, CLASSES).found:
        assert (one.kind, one.row) in wrong
        if one.kind == MISSING:
            assert one.label == "no box" and overlaps(one.place[1][None], true[one.row])[0].max() > 0.5
        elif one.kind == OTHER:
            assert {one.label, one.better} == set(CLASSES) and one.place[0].tolist() == truths[one.row][0].tolist()
        else:
            assert one.better == "nothing" and one.place[0][0] == 210


def test_right_labels_of_a_sure_network_are_not_doubted() -> None:
    true = labelled(100)
    assert box_doubts(answered(true, missed=0.0, strays=0.0), true, CLASSES).found == ()


def test_hard_objects_are_neither_doubted_nor_missing() -> None:
    true = labelled(60)
    outputs = answered(true, missed=0.0, strays=0.0)
    truths = [objects.copy() for objects in true]
    for objects in truths[:20]:
        objects[0, 5], objects[1, 4], objects[1, 5] = 1, 1 - objects[1, 4], 1
    assert box_doubts(outputs, truths, CLASSES).found == ()


def test_a_network_that_is_blind_to_many_objects_does_not_deny_them() -> None:
    true = labelled(100)
    kinds = {one.kind for one in box_doubts(answered(true, missed=0.4, strays=0.0), true, CLASSES).found}
    assert kinds == set()


@pytest.mark.parametrize("truths", [[], [np.zeros((0, 6))], labelled(1)])
def test_nothing_to_judge_by_is_no_error(truths: list[Array]) -> None:
    doubts = box_doubts([np.zeros((0, 6)) for _ in truths], truths, CLASSES)
    assert doubts.found == () and doubts.agreed == 0.0
