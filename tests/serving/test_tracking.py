from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import SettingError
from assay.serving.tracked_video import annotated, colour_of, tracks_json, write_annotated
from assay.serving.tracking import UNKNOWN, Tracker, tracked

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


def test_what_is_tracked_as_json() -> None:
    boxes = walkers(10)
    told = json.loads(json.dumps(tracks_json(tracked(boxes), ("car", "bus"), "street.mp4", np.arange(10) / 5)))
    assert [len(frame["objects"]) for frame in told["frames"]] == [5] * 10
    assert told["frames"][3]["time"] == 0.6 and told["format"] == 1
    assert told["tracks"][1] == {"id": 2, "label": "bus", "first": 0, "frames": 10, "last": 9}
    np.testing.assert_allclose(told["frames"][9]["objects"][0]["box"], boxes[9][0, :4], atol=0.01)


def test_annotated_video(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    boxes = walkers(12)
    frames = [np.full((320, 400, 3), 40, np.uint8) for _ in boxes]
    for name in ("out.mp4", "out.avi"):
        assert write_annotated(frames, tracked(boxes), ("car", "bus"), tmp_path / name, 12.0) == 12
        capture = cv2.VideoCapture(str(tmp_path / name))
        assert capture.get(cv2.CAP_PROP_FPS) == 12.0
        read = []
        while (got := capture.read())[0]:
            read.append(got[1])
        assert len(read) == 12 and read[5].shape == (320, 400, 3)
        assert np.abs(read[5].astype(int) - 40).max() > 80
    drawn = annotated(frames[0], np.asarray([[100, 100, 140, 150, 0.9, 1, 7]]), ("car", "bus"))
    assert tuple(drawn[125, 100]) == tuple(drawn[149, 120]) == colour_of(7) != colour_of(8)
    assert (frames[0] == 40).all()
    with pytest.raises(SettingError, match=r"cannot be written as out\.gif"):
        write_annotated(frames, tracked(boxes), ("car", "bus"), tmp_path / "out.gif", 12.0)
    with pytest.raises(SettingError, match="cannot be written"):
        write_annotated(frames, tracked(boxes), ("car", "bus"), tmp_path / "none" / "out.mp4", 12.0)
