from __future__ import annotations

from typing import Any

import numpy as np

from assay.serving.tracking import UNKNOWN, Tracker, apart, tracked

Array = np.ndarray[Any, Any]


def walkers(frames: int = 60, seed: int = 0) -> list[Array]:
    """Five objects on straight ways, two of which cross; boxes (5, 6) of each frame with some noise."""
    random = np.random.default_rng(seed)
    start = np.asarray([[20, 50], [300, 50], [50, 200], [250, 250], [150, 120]], float)
    speed = np.asarray([[4, 0], [-4, 0.5], [1, -2], [0, -1], [3, 2]], float)
    boxes = []
    for frame in range(frames):
        centre = start + speed * frame + random.normal(0, 0.8, (5, 2))
        half = np.asarray([[12, 20], [12, 20], [15, 15], [10, 30], [20, 12]]) * random.normal(1, 0.02, (5, 1))
        score = random.uniform(0.6, 0.95, (5, 1))
        label = np.asarray([[0], [1], [0], [0], [1]], float)
        boxes.append(np.concatenate([centre - half, centre + half, score, label], axis=1))
    return boxes


def test_identities_stay() -> None:
    boxes = walkers()
    tracker = Tracker()
    identities = [tracker.update(found) for found in boxes]
    assert identities[0].tolist() == [1, 2, 3, 4, 5]
    assert all(found.tolist() == [1, 2, 3, 4, 5] for found in identities)


def test_boxes_in_any_order_missed_doubtful_and_false() -> None:
    boxes = walkers()
    random = np.random.default_rng(1)
    tracker, seen = Tracker(), []
    for frame, found in enumerate(boxes):
        found = found.copy()
        found[2, 4] = 0.2 if 20 <= frame < 30 else 0.9  # doubtful for a while
        rows = [row for row in random.permutation(5) if not (row == 3 and 25 <= frame < 40)]  # hidden for a while
        x, y = random.uniform(0, 300, 2)
        false = np.asarray([[x, y, x + 20, y + 20, 0.8, 0]])
        identities = tracker.update(np.concatenate([found[rows], false]) if frame % 7 == 3 else found[rows])
        seen += [(int(row), int(name)) for row, name in zip(rows, identities, strict=False)]
        assert frame % 7 != 3 or identities[-1] == UNKNOWN  # a false find is gone before it has a name
    assert len(set(seen)) == 5 and UNKNOWN not in dict(seen).values()


def test_an_object_that_is_gone_for_long_is_another() -> None:
    box = np.asarray([[10, 10, 30, 40, 0.9, 0]])
    tracker = Tracker(patience=5)
    assert tracker.update(box).tolist() == [1]
    for _ in range(8):
        assert len(tracker.update(np.zeros((0, 6)))) == 0
    assert [tracker.update(box).tolist() for _ in range(4)] == [[UNKNOWN], [UNKNOWN], [2], [2]]
    other = Tracker()
    other.update(box)
    moved = box.copy()
    moved[:, 5] = 1  # another class at the same place
    assert other.update(moved).tolist() == [UNKNOWN]


def test_a_loose_box_around_another_object_is_none_of_its_own() -> None:
    """Such boxes come with low scores; they carried on the track of an object that had left."""
    tracker, seen = Tracker(patience=6), []
    for frame in range(40):
        car, gone = [4.0 * frame, 50, 4.0 * frame + 30, 80], [4.0 * frame - 28, 50, 4.0 * frame + 2, 80]
        loose = [4.0 * frame - 12, 44, 4.0 * frame + 33, 86]
        boxes = [[*car, 0.9, 0], [*gone, 0.9, 0]] if frame < 10 else [[*car, 0.9, 0], [*loose, 0.3, 0]]
        seen.append(set(tracker.update(np.asarray(boxes)).tolist()))
    assert seen[9] == {1, 2} and all(names - {UNKNOWN} == {1} for names in seen[17:])


def test_a_place_holds_one_object() -> None:
    boxes = np.asarray([[0, 0, 20, 20, 0.6, 1], [1, 0, 21, 20, 0.8, 0], [12, 0, 32, 20, 0.7, 0]], float)
    assert apart(boxes, 0.5).tolist() == [boxes[1].tolist(), boxes[2].tolist()]
    assert len(apart(boxes, 0.95)) == 3 and len(apart(boxes[:0], 0.5)) == 0


def test_a_stream_of_boxes() -> None:
    found = list(tracked(walkers(10)))
    assert [len(one) for one in found] == [5] * 10 and found[9].shape == (5, 7)
