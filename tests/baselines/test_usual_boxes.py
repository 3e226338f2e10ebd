"""The floor of object detection: the same boxes for every picture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.baselines.usual_boxes import UsualBoxes
from assay.errors import AssayError
from assay.evaluation.box_matching import overlaps
from assay.samples.box_spec import BoxSpec

SPEC = BoxSpec(3, 64, 96, (0.0,) * 3, (1.0,) * 3, ("car", "bus"))


def view(objects: list[Any], frame: tuple[int, int] = (64, 96)) -> Any:
    """Pictures of one size with objects in pixels of the field."""
    fields = {"objects": [np.asarray(one, np.float32).reshape(-1, 6) for one in objects],
              "frame": np.tile(frame, (len(objects), 1))}  # fmt: skip
    samples = SimpleNamespace(field=lambda name, windows: [fields[name][window] for window in windows])

    class View:
        windows = np.arange(len(objects))

        def __len__(self) -> int:
            return len(objects)

        def truths(self) -> list[Any]:
            scale = frame[0] / 64
            return [one * [scale, scale, scale, scale, 1, 1] for one in fields["objects"]]

    made: Any = View()
    made.samples = samples
    return made


def scene(count: int = 40, seed: int = 0) -> list[Any]:
    """A car near one place in each picture, a bus near another in every second one, others anywhere."""
    random = np.random.default_rng(seed)
    scenes = []
    for number in range(count):
        rows = [[10, 10, 30, 30, 0, 0]] + [[50, 20, 90, 60, 1, 0]] * (number % 2)
        objects = np.asarray(rows, float)
        objects[:, :4] += random.normal(0, 1, (len(objects), 4))
        scenes.append(objects)
    return scenes


def fitted() -> UsualBoxes:
    model = UsualBoxes(SPEC)
    assert "boxes out of 60 training objects" in model.fit(view(scene()), view(scene(20, 1)), 10.0, 0)
    return model


def test_the_commonest_boxes_come_first_with_scores_that_rise_with_how_common_they_are() -> None:
    (found,) = fitted().predict(view(scene(1)))
    assert overlaps(found[:1], np.asarray([[10, 10, 30, 30]]))[0, 0] > 0.8 and found[0, 5] == 0
    bus = found[found[:, 5] == 1][0]
    assert overlaps(bus[None], np.asarray([[50, 20, 90, 60]]))[0, 0] > 0.8
    assert (np.diff(found[:, 4]) <= 0).all() and found[0, 4] >= 0.5 and bus[4] < found[0, 4]


def test_boxes_are_in_pixels_of_each_picture() -> None:
    model = fitted()
    (small,), (large,) = model.predict(view(scene(1))), model.predict(view(scene(1), (640, 960)))
    np.testing.assert_allclose(large[:, :4], 10 * small[:, :4], atol=1e-3)


def test_what_is_saved_is_what_is_loaded_and_rubbish_is_told(tmp_path: Path) -> None:
    model, other = fitted(), UsualBoxes(SPEC)
    model.save(tmp_path)
    other.load(tmp_path)
    for first, second in zip(model.predict(view(scene(2))), other.predict(view(scene(2))), strict=True):
        np.testing.assert_array_equal(first, second)
    np.savez(tmp_path / "usual-boxes.npz", boxes=np.asarray([[0, 0, 1, 1, 0.5, 7.0]]))
    with pytest.raises(AssayError, match="classes"):
        UsualBoxes(SPEC).load(tmp_path)


def test_without_objects_there_is_nothing_to_learn() -> None:
    with pytest.raises(AssayError):
        UsualBoxes(SPEC).fit(view([np.zeros((0, 6))] * 3), view([]), 10.0, 0)
    with pytest.raises(AssayError):
        UsualBoxes(SPEC).predict(view(scene(1)))
