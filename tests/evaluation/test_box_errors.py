"""What goes wrong with boxes: kinds of errors, what mending them brings, sizes, and what pictures promise."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from test_box_metrics import scenes

from assay.evaluation.box_errors import (
    KINDS,
    MISSED,
    RIGHT,
    UNCOUNTED,
    box_errors,
    error_counts,
    error_gains,
    picture_losses,
    picture_scores,
    promised_scores,
)
from assay.evaluation.box_matching import NOBODY
from assay.evaluation.box_metrics import BoxRecall, MeanAveragePrecision50
from assay.evaluation.box_sizes import Size, SizeAveragePrecision50, SizeRecall, size_groups

Array = np.ndarray[Any, Any]
#: Five objects, one of them hard, and a box for each kind of error.
OBJECTS = np.asarray(
    [[0, 0, 20, 20, 0, 0], [40, 0, 60, 20, 1, 0], [0, 40, 20, 60, 0, 0], [40, 40, 60, 60, 1, 0], [80, 0, 99, 20, 0, 1]],
    float,
)
FOUND = np.asarray(
    [
        [0, 0, 20, 20, 0.9, 0],
        [1, 0, 20, 20, 0.8, 0],  # the first again
        [40, 1, 60, 20, 0.85, 0],  # the second, of the wrong class
        [0, 50, 20, 70, 0.7, 0],  # the third, a third of it
        [45, 52, 65, 72, 0.65, 0],  # little of the fourth, of the wrong class
        [80, 80, 95, 95, 0.6, 1],  # nothing there
        [80, 0, 99, 20, 0.95, 0],  # the hard one
    ]
)


def test_each_kind_of_error_is_told() -> None:
    one = box_errors(FOUND, OBJECTS)
    names = {RIGHT: "right", UNCOUNTED: "uncounted", **dict(enumerate(KINDS))}
    assert [names[kind] for kind in one.kind.tolist()] == [
        "right", "duplicate", "classification", "localisation", "both", "background", "uncounted",
    ]  # fmt: skip
    assert one.about.tolist()[:6] == [0, 0, 1, 2, NOBODY, NOBODY]
    assert one.found.tolist() == [True, False, False, False, False]
    assert one.missed.tolist() == [False, False, False, True, False]
    assert error_counts([FOUND], [OBJECTS]) == {**dict.fromkeys((*KINDS, MISSED), 1)}


def test_boxes_that_do_not_count_are_no_errors_of_the_counts() -> None:
    low = FOUND.copy()
    low[1:6, 4] = 0.4
    assert error_counts([low], [OBJECTS]) == {**dict.fromkeys(KINDS, 0), MISSED: 3}


def test_mending_brings_what_the_metric_says_of_mended_boxes() -> None:
    gains = error_gains([FOUND], [OBJECTS])
    before = MeanAveragePrecision50().value([FOUND], [OBJECTS])

    def change(row: int, *columns: tuple[int, float]) -> float:
        found = FOUND.copy()
        for column, value in columns:
            found[row, column] = value
        return MeanAveragePrecision50().value([found], [OBJECTS]) - before

    def drop(row: int) -> float:
        return MeanAveragePrecision50().value([np.delete(FOUND, row, 0)], [OBJECTS]) - before

    assert gains["classification"] == pytest.approx(change(2, (5, 1.0))) and gains["classification"] > 0
    assert gains["localisation"] == pytest.approx(change(3, (1, 40.0), (3, 60.0)))
    assert gains["duplicate"] == pytest.approx(drop(1))
    assert gains["both"] == pytest.approx(drop(4))
    assert gains["background"] == pytest.approx(drop(5))
    assert gains[MISSED] == pytest.approx(MeanAveragePrecision50().value([FOUND], [np.delete(OBJECTS, 3, 0)]) - before)


def test_of_two_misplaced_boxes_the_better_one_is_mended_and_the_other_dropped() -> None:
    objects = np.asarray([[0, 0, 20, 20, 0, 0]], float)
    found = np.asarray([[0, 12, 20, 32, 0.9, 0], [12, 0, 32, 20, 0.8, 0]])
    assert box_errors(found, objects).kind.tolist() == [0, 0]
    assert error_gains([found], [objects])["localisation"] == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_mending_never_makes_it_worse_and_the_counts_add_up(seed: int) -> None:
    outputs, truths = scenes(25, seed)
    for found, objects in zip(outputs, truths, strict=True):
        one = box_errors(found, objects)
        assert (one.kind[one.about == NOBODY] != RIGHT).all() and not (one.missed & one.found).any()
        assert (one.kind == RIGHT).sum() == one.found.sum()
    assert all(gain >= -1e-9 for gain in error_gains(outputs, truths).values())


def test_perfect_boxes_have_no_errors_and_pictures_without_objects_are_no_trouble() -> None:
    perfect = np.column_stack([OBJECTS[:, :4], np.linspace(0.9, 0.6, 5), OBJECTS[:, 4]])
    nothing = np.zeros((0, 6))
    outputs, truths = [perfect, nothing, FOUND[:1]], [OBJECTS, nothing, nothing]
    assert error_counts(outputs, truths) == {**dict.fromkeys((*KINDS, MISSED), 0), "background": 1}
    assert error_gains([perfect], [OBJECTS]) == pytest.approx(dict.fromkeys((*KINDS, MISSED), 0.0))


def coco_by_size(outputs: list[Array], truths: list[Array], classes: int) -> list[float]:
    """AP50 of small, medium and large objects by pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, (found, objects) in enumerate(zip(outputs, truths, strict=True), 1):
        for x0, y0, x1, y1, label, _ in objects.tolist():
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": int(label) + 1,
                                "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0,
                                "area": (x1 - x0) * (y1 - y0)})  # fmt: skip
        for x0, y0, x1, y1, score, label in found.tolist():
            results.append({"image_id": number, "category_id": int(label) + 1, "score": score,
                            "bbox": [x0, y0, x1 - x0, y1 - y0]})  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        told = COCO()
        categories = [{"id": number + 1, "name": str(number)} for number in range(classes)]
        images = [{"id": number + 1} for number in range(len(truths))]
        told.dataset = {"images": images, "annotations": annotations, "categories": categories}
        told.createIndex()
        judge = COCOeval(told, told.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
    kept = judge.eval["precision"][0, :, :, 1:, -1]  # recall, class, size
    return [float(kept[:, :, size][kept[:, :, size] > -1].mean()) for size in range(3)]


@pytest.mark.parametrize("seed", range(3))
def test_precision_by_size_is_that_of_coco(seed: int) -> None:
    pytest.importorskip("pycocotools")
    outputs, truths = scenes(60, seed, hard=0.0)
    for boxes in (*outputs, *truths):
        boxes[:, 2:4] = boxes[:, :2] + 2.5 * (boxes[:, 2:4] - boxes[:, :2])
    sizes = size_groups(truths)
    assert [size.name for size in sizes] == ["under 32 px", "32 to 96 px", "96 px and more"]
    mine = [SizeAveragePrecision50(size).value(outputs, truths) for size in sizes]
    assert mine == pytest.approx(coco_by_size(outputs, truths, 3), abs=1e-6)


def test_recall_by_size_adds_up_to_recall() -> None:
    outputs, truths = scenes(40, 7)
    sizes = size_groups(truths)
    found = sum(SizeRecall(size).value(outputs, truths) * size.objects for size in sizes)
    assert found == pytest.approx(BoxRecall().value(outputs, truths) * sum(size.objects for size in sizes))


def test_objects_of_one_usual_size_are_grouped_in_thirds_and_few_not_at_all() -> None:
    random = np.random.default_rng(0)
    side = random.uniform(12, 24, 90)
    objects = np.column_stack([np.zeros((90, 2)), side, side, np.zeros((90, 2))])
    sizes = size_groups([objects])
    assert [size.objects for size in sizes] == [30, 30, 30] and sizes[0].name.startswith("under ")
    assert size_groups([objects[:20]]) == () and size_groups([]) == ()
    same = objects.copy()
    same[:, 2:4] = 20
    assert size_groups([same]) == ()
    assert Size("", 0, 13, 0).holds(objects).sum() == (side < 13).sum()


def test_a_picture_costs_its_misses_and_the_scores_of_its_wrong_boxes() -> None:
    losses = picture_losses([FOUND, FOUND[:0]], [OBJECTS, OBJECTS])
    assert losses.tolist() == pytest.approx([3 + 0.8 + 0.85 + 0.7 + 0.65 + 0.6, 4])


def test_confidences_rise_with_the_scores_and_are_the_f1_that_they_promise() -> None:
    objects = np.asarray([[0, 0, 10, 10, 0, 0], [50, 50, 60, 60, 0, 0]], float)
    nothing = np.zeros((0, 6))
    sure = np.asarray([[0, 0, 10, 10, 1.0, 0], [50, 50, 60, 60, 1.0, 0]])
    half = np.asarray([[0, 0, 10, 10, 0.6, 0], [50, 50, 60, 60, 0.4, 0]])
    told = promised_scores([sure, half, nothing, nothing])
    reached = picture_scores([sure, half, nothing, nothing], [objects, objects, nothing, objects])
    assert told.tolist() == pytest.approx([1.0, 2 * 0.6 / (1 + 1.0), 1.0, 1.0])
    assert reached.tolist() == pytest.approx([1.0, 2 / 3, 1.0, 0.0])
