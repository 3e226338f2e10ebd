"""Objects in pictures: the acceptance test, and what users ask of its answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from assay.check import check_task
from assay.errors import SettingError
from assay.evaluation.evaluation import Evaluation
from assay.evaluation.found_objects import FoundObjects
from assay.report.figures import draw
from assay.samples.box_spec import BoxSpec
from assay.tasks.object_detection import BoxBatch, ObjectDetection
from box_scenes import CLASSES, write_voc

SPEC = BoxSpec(3, 64, 64, (0.0,) * 3, (1.0,) * 3, CLASSES)
SMALL = {"width": "16", "depth": "0", "neck": "32", "head": "1", "finest": "4"}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("boxes") / "shapes")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_voc(tmp_path_factory.mktemp("boxes") / "broken", count=12)
    (folder / "JPEGImages" / "003.png").write_bytes(b"\x89PNG no picture")
    return folder


def test_the_contract_is_fulfilled(shapes: Path, broken: Path) -> None:
    results = check_task(ObjectDetection(), shapes, corrupt=[broken], settings=SMALL)
    bad = [result for result in results if not result.ok]
    assert not bad, bad


class Told(nn.Module):
    """A detector that gives the same raw boxes (A, 4 + K) for each picture."""

    threshold = torch.tensor(0.0)

    def __init__(self, found: torch.Tensor) -> None:
        super().__init__()
        self.found = found

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.found.expand(len(image), -1, -1)


def asked(**options: object) -> FoundObjects:
    """The answer of a detector that is sure of a disc, half sure of one that overlaps it, and hardly of a plate."""
    boxes = torch.tensor([[10.0, 10, 30, 30], [14, 10, 34, 30], [40, 40, 60, 60]])
    scores = torch.tensor([[0.9, 0.01], [0.7, 0.01], [0.01, 0.2]])
    network = Told(torch.cat([boxes, torch.logit(scores)], 1)[None])
    batch = BoxBatch(index=torch.arange(1), image=torch.zeros(1, 3, 64, 64), frame=torch.tensor([[64, 64]]))
    task = ObjectDetection()
    (output,) = task.predict(network, batch, SPEC, options)
    return task.answer(output, SPEC)


def test_answers_tell_what_counts_as_found() -> None:
    told = asked()
    assert told.counts == {"disc": 1}
    first = told.objects[0]
    assert (first.label, first.score, first.x0, first.y0, first.x1, first.y1) == ("disc", 0.9, 10, 10, 30, 30)


@pytest.mark.parametrize(
    ("options", "counts"),
    [({"nms": "0.5"}, {"disc": 1}), ({"nms": "0.9"}, {"disc": 2}), ({"nms": "0.5", "min_score": "0.95"}, {}),
     ({"nms": 0.5, "min_score": 0.1}, {"disc": 1, "plate": 1}), ({"nms": "0.9", "min_score": "0.8"}, {"disc": 1})],
)  # fmt: skip
def test_users_say_which_boxes_are_told_and_which_are_one(options: dict[str, object], counts: dict[str, int]) -> None:
    assert asked(**options).counts == counts


@pytest.mark.parametrize("options", [{"nms": "0"}, {"nms": "much"}, {"min_score": "1.5"}, {"min_score": "nan"}])
def test_options_that_are_not_possible_are_told(options: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(options)).replace("_", "-")):
        asked(**options)


def test_pictures_in_words_and_what_is_wrong_with_them() -> None:
    task = ObjectDetection()
    truth = np.asarray([[0, 0, 10, 10, 0, 0], [20, 20, 30, 30, 1, 0], [40, 40, 50, 50, 1, 0]], float)
    output = np.asarray([[0, 0, 10, 10, 0.9, 0], [20, 20, 30, 30, 0.8, 0], [40, 40, 50, 50, 0.3, 1]])
    assert task.truth_words(truth, SPEC) == "1 disc, 2 plate" and task.words(output, SPEC) == "2 disc"
    assert task.words(output[2:], SPEC) == "nothing"
    (confusion,) = task.confusions([output[:1], output], [truth[:1], truth], SPEC)
    assert (confusion.truth, confusion.predicted, confusion.rows) == ("plate", "disc", (1,))
    assert task.losses([output], [truth], SPEC).tolist() == pytest.approx([2.8])


def test_figures_of_few_and_of_many_pictures_can_be_drawn() -> None:
    random = np.random.default_rng(0)
    truths, outputs = [], []
    for _ in range(40):
        corner, side = random.uniform(0, 100, (3, 2)), random.uniform(10, 150, (3, 2))
        objects = np.column_stack([corner, corner + side, random.integers(0, 2, 3), np.zeros(3)])
        truths.append(objects)
        found = np.column_stack([objects[:, :4] + random.normal(0, 4, (3, 4)), random.uniform(0.2, 1, 3),
                                 objects[:, 4]])  # fmt: skip
        found[0, 5] = 1 - found[0, 5]
        outputs.append(found)
    units = np.arange(40)
    whole = Evaluation(units, outputs, truths, units, np.zeros(40), 1.0)
    titles = {figure.title for figure in ObjectDetection().figures(whole, SPEC)}
    assert titles == {"What is taken for what", "What goes wrong", "What is found, by size",
                      "How well each class is found"}  # fmt: skip
    for some in (whole, whole.only(units[:2]), whole.only(units[:0])):
        for figure in ObjectDetection().figures(some, SPEC):
            assert len(draw(figure)) > 100
    errors = next(figure for figure in ObjectDetection().figures(whole, SPEC) if figure.title == "What goes wrong")
    assert errors.data["rows"][0][0] == "classification" and "Most is lost to classification errors" in errors.caption
