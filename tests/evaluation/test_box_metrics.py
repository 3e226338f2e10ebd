"""Metrics of boxes against COCO's own, and what a bootstrap relies on."""

from __future__ import annotations

import contextlib
import io
import time
from typing import Any

import numpy as np
import pytest

from assay.evaluation.box_matching import NOBODY, match, overlaps
from assay.evaluation.box_metrics import (
    BoxF1,
    BoxPrecision,
    BoxRecall,
    MeanAveragePrecision,
    MeanAveragePrecision50,
)
from assay.evaluation.box_threshold import centred, choose_threshold
from assay.evaluation.intervals import estimate

Array = np.ndarray[Any, Any]


def scenes(pictures: int, seed: int, classes: int = 3, hard: float = 0.15) -> tuple[list[Array], list[Array]]:
    """Boxes found and objects of some pictures: shaken copies, strays, doubles; no two scores alike."""
    random = np.random.default_rng(seed)
    outputs, truths = [], []
    for _ in range(pictures):
        count = int(random.integers(0, 9))
        corner, side = random.uniform(0, 200, (count, 2)), random.uniform(8, 60, (count, 2))
        label = random.integers(0, classes, count)
        objects = np.column_stack([corner, corner + side, label, random.uniform(size=count) < hard])
        again = np.repeat(objects, random.integers(0, 3, count), axis=0)
        strays = np.column_stack([random.uniform(0, 200, (4, 2)), np.zeros((4, 2)), random.integers(0, classes, 4),
                                  np.zeros(4)])  # fmt: skip
        strays[:, 2:4] = strays[:, :2] + random.uniform(5, 50, (4, 2))
        boxes = np.concatenate([again, strays])
        boxes[:, :4] += random.normal(0, 3, (len(boxes), 4))
        boxes[:, 2:4] = np.maximum(boxes[:, 2:4], boxes[:, :2] + 1)
        wrong = random.uniform(size=len(boxes)) < 0.1
        boxes[wrong, 4] = random.integers(0, classes, int(wrong.sum()))
        found = np.column_stack([boxes[:, :4], random.uniform(0.01, 1, len(boxes)), boxes[:, 4]])
        outputs.append(found[np.argsort(-found[:, 4])])
        truths.append(objects)
    return outputs, truths


def by_coco(outputs: list[Array], truths: list[Array], classes: int) -> tuple[float, float]:
    """mAP and mAP50 by pycocotools; hard objects are those whose area lies outside of every range."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images = [{"id": number + 1} for number in range(len(truths))]
    annotations, results = [], []
    for number, (found, objects) in enumerate(zip(outputs, truths, strict=True)):
        for x0, y0, x1, y1, label, hard in objects.tolist():
            annotations.append({"id": len(annotations) + 1, "image_id": number + 1, "category_id": int(label) + 1,
                                "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0,
                                "area": 1e12 if hard else (x1 - x0) * (y1 - y0)})  # fmt: skip
        for x0, y0, x1, y1, score, label in found.tolist():
            results.append({"image_id": number + 1, "category_id": int(label) + 1, "score": score,
                            "bbox": [x0, y0, x1 - x0, y1 - y0]})  # fmt: skip
    categories = [{"id": number + 1, "name": str(number)} for number in range(classes)]
    with contextlib.redirect_stdout(io.StringIO()):
        told = COCO()
        told.dataset = {"images": images, "annotations": annotations, "categories": categories}
        told.createIndex()
        judge = COCOeval(told, told.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])


@pytest.mark.parametrize("seed", range(6))
def test_precision_is_that_of_coco(seed: int) -> None:
    pytest.importorskip("pycocotools")
    outputs, truths = scenes(40, seed)
    mine = MeanAveragePrecision().value(outputs, truths), MeanAveragePrecision50().value(outputs, truths)
    assert mine == pytest.approx(by_coco(outputs, truths, 3), abs=1e-6)


def test_only_a_hundred_boxes_of_a_class_are_looked_at_as_in_coco() -> None:
    pytest.importorskip("pycocotools")
    random = np.random.default_rng(5)
    objects = np.asarray([[0, 0, 20, 20, 0, 0], [100, 100, 130, 130, 0, 0]], float)
    found = np.repeat(objects[:1, :4], 150, axis=0) + random.normal(0, 2, (150, 4))
    found = np.column_stack([found, np.linspace(0.9, 0.2, 150), np.zeros(150)])
    found = np.concatenate([found, [[100, 100, 130, 130, 0.1, 0]]])
    mine = MeanAveragePrecision().value([found], [objects])
    assert mine == pytest.approx(by_coco([found], [objects], 1)[0], abs=1e-6)


def test_a_picture_that_counts_twice_is_the_picture_twice() -> None:
    outputs, truths = scenes(12, 3)
    for found in outputs:
        found[:, 4] = found[:, 4].round(1)  # many equal scores
    metric = MeanAveragePrecision()
    weights = np.random.default_rng(1).integers(0, 4, 12).astype(float)
    rows = np.repeat(np.arange(12), weights.astype(int))[::-1]
    repeated = metric.value([outputs[row] for row in rows], [truths[row] for row in rows])
    assert metric.aggregate(metric.statistics(outputs, truths), weights) == pytest.approx(repeated, abs=1e-9)


def test_some_of_the_statistics_are_those_of_some_of_the_pictures() -> None:
    outputs, truths = scenes(10, 4)
    metric = MeanAveragePrecision50()
    kept = metric.statistics(outputs, truths)
    few = metric.aggregate([kept[place] for place in (1, 4, 7)], np.ones(3))
    assert few == metric.value([outputs[place] for place in (1, 4, 7)], [truths[place] for place in (1, 4, 7)])


def test_nothing_to_find_has_no_precision_and_nothing_found_has_none() -> None:
    nothing, one = np.zeros((0, 6)), np.asarray([[0, 0, 9, 9, 1, 0]], float)
    metric = MeanAveragePrecision()
    assert np.isnan(metric.value([nothing], [nothing]))
    assert metric.value([nothing], [one]) == 0.0
    assert metric.value([np.asarray([[0, 0, 9, 9, 0.7, 1]])], [one]) == 1.0


def test_a_hard_object_counts_for_nothing() -> None:
    objects = np.asarray([[0, 0, 10, 10, 0, 1], [50, 50, 60, 60, 0, 0]], float)
    found = np.asarray([[0, 0, 10, 10, 0.9, 0], [50, 50, 60, 60, 0.8, 0]])
    told = match(found, objects, (0.5,))
    assert told.taken.tolist() == [[0, 1]]
    assert told.ignored.tolist() == [[True, False]]
    assert told.wanted.tolist() == [NOBODY, 0]
    for metric in (BoxF1(), BoxPrecision(), BoxRecall(), MeanAveragePrecision()):
        assert metric.value([found], [objects]) == 1.0


def test_boxes_below_one_half_are_not_found() -> None:
    objects = np.asarray([[0, 0, 10, 10, 0, 0], [50, 50, 60, 60, 0, 0]], float)
    found = np.asarray([[0, 0, 10, 10, 0.9, 0], [20, 20, 30, 30, 0.6, 0], [50, 50, 60, 60, 0.4, 0]])
    values = [metric.value([found], [objects]) for metric in (BoxPrecision(), BoxRecall(), BoxF1())]
    assert values == [0.5, 0.5, 0.5]


def test_the_threshold_chosen_gives_the_greatest_f1_and_becomes_one_half() -> None:
    outputs, truths = scenes(60, 8)
    threshold = choose_threshold(outputs, truths, 0.5)

    def f1(least: float) -> float:
        moved = [np.column_stack([one[:, :4], centred(one[:, 4], least), one[:, 5]]) for one in outputs]
        return BoxF1().value(moved, truths)

    best = f1(threshold)
    assert all(f1(least) <= best + 1e-9 for least in np.linspace(0.02, 0.98, 60))
    assert choose_threshold([np.zeros((0, 6))], truths[:1], 0.3) == 0.3


def test_overlaps_are_those_of_torchvision() -> None:
    import torch
    from torchvision.ops import box_iou

    outputs, truths = scenes(6, 2)
    for found, objects in zip(outputs, truths, strict=True):
        theirs = box_iou(torch.from_numpy(found[:, :4]), torch.from_numpy(objects[:, :4])).numpy()
        np.testing.assert_allclose(overlaps(found, objects), theirs, atol=1e-9)


def test_an_interval_over_many_pictures_takes_seconds() -> None:
    outputs, truths = scenes(300, 9)
    begun = time.process_time()
    found = estimate(MeanAveragePrecision(), outputs, truths, np.arange(300))
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high
    assert time.process_time() - begun < 15
