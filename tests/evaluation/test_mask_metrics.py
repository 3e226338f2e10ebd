"""Metrics of masks against scikit-learn's, their sums over pictures, and answers as COCO writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.errors import DataError
from assay.evaluation.intervals import estimate
from assay.evaluation.mask_answers import mask_answer, mask_png
from assay.evaluation.mask_metrics import ClassIoU, MeanDice, MeanIoU, PixelAccuracy
from assay.run import to_json
from assay.samples.mask_windows import Segmented
from assay.sources.coco_rle import decode_rle, encode_rle
from assay.sources.label_mask import LabelMask, confusion_counts

Array = np.ndarray[Any, Any]


def pairs(count: int, classes: int, seed: int = 0, void: float = 0.1) -> tuple[list[Segmented], list[LabelMask], Array]:
    """Outputs, truths, and all known pixels (2, N) of both."""
    random = np.random.default_rng(seed)
    outputs, truths, pixels = [], [], []
    for _ in range(count):
        shape = tuple(random.integers(1, 20, 2))
        truth = random.integers(0, classes, shape).astype(np.uint8)
        told = np.where(random.random(shape) < 0.6, truth, random.integers(0, classes, shape)).astype(np.uint8)
        truth[random.random(shape) < void] = 255
        outputs.append(Segmented(LabelMask.of(told), 0.5))
        truths.append(LabelMask.of(truth))
        pixels.append(np.stack([truth[truth != 255], told[truth != 255]]))
    return outputs, truths, np.concatenate(pixels, axis=1)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_against_scikit_learn(classes: int) -> None:
    from sklearn.metrics import accuracy_score, f1_score, jaccard_score

    outputs, truths, (true, told) = pairs(9, classes)
    assert MeanIoU(classes).value(outputs, truths) == pytest.approx(jaccard_score(true, told, average="macro"))
    things = tuple(range(1, classes))
    dice = f1_score(true, told, average="macro", labels=list(things))
    assert MeanDice(classes, things).value(outputs, truths) == pytest.approx(dice)
    assert PixelAccuracy(classes).value(outputs, truths) == pytest.approx(accuracy_score(true, told))
    for number, value in enumerate(jaccard_score(true, told, average=None)):
        metric = ClassIoU(classes, number, "cat")
        assert metric.name == "iou_cat"
        assert metric.value(outputs, truths) == pytest.approx(value)


def test_a_class_that_never_occurs_does_not_count() -> None:
    mask = LabelMask.of(np.asarray([[0, 0, 1]]))
    assert MeanIoU(5).value([Segmented(mask, 1.0)], [mask]) == 1.0
    assert np.isnan(ClassIoU(5, 4, "x").value([Segmented(mask, 1.0)], [mask]))


def test_pictures_add_up_under_weights() -> None:
    """Twice the weight is the picture twice, which is what the bootstrap relies on."""
    outputs, truths, _ = pairs(6, 3)
    metric = MeanIoU(3)
    twice = metric.value([*outputs, outputs[2]], [*truths, truths[2]])
    weights = np.asarray([1.0, 1, 2, 1, 1, 1])
    assert metric.aggregate(metric.statistics(outputs, truths), weights) == pytest.approx(twice)
    found = estimate(metric, outputs, truths, np.arange(6))
    assert found.low is not None and found.high is not None and found.low <= found.value <= found.high


def test_counts_along_runs_are_those_of_pixels() -> None:
    random = np.random.default_rng(3)
    true, told = (random.integers(0, 4, (13, 11)).astype(np.uint8) for _ in range(2))
    true[:2] = 255
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (true[2:], told[2:]), 1)
    np.testing.assert_array_equal(confusion_counts(LabelMask.of(true), LabelMask.of(told), 4), counts)
    with pytest.raises(DataError, match="11 x 13 pixels, its answer 3 x 2"):
        confusion_counts(LabelMask.of(true), LabelMask.of(told[:2, :3]), 4)


@pytest.mark.parametrize("seed", range(6))
def test_run_lengths_are_those_of_pycocotools(seed: int) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 200, 2)
    noise = random.random((height, width)) < random.random()
    blocks = np.kron(random.random((9, 9)) < 0.5, np.ones((40, 50))).astype(bool)[:height, :width]
    empty = np.zeros((height, width), bool)
    for mask in (noise, blocks, empty, ~empty):
        expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        assert encode_rle(mask) == expected
        np.testing.assert_array_equal(decode_rle(expected, int(height), int(width)), mask)


@pytest.mark.parametrize("counts", ["", "1", "99", "\n", "1~~~~"])
def test_damaged_run_lengths(counts: str) -> None:
    with pytest.raises(DataError, match="run length"):
        decode_rle(counts, 4, 4)


def test_a_png_holds_the_answer() -> None:
    import io

    from PIL import Image

    mask = np.random.default_rng(0).integers(0, 3, (12, 9)).astype(np.uint8)
    for background in (0, None):
        answer = mask_answer(Segmented(LabelMask.of(mask), 0.9), ("ground", "cat", "dog"), background)
        picture = Image.open(io.BytesIO(mask_png(to_json(answer))))
        np.testing.assert_array_equal(np.asarray(picture), mask)
        assert picture.info["classes"] == "0 ground, 1 cat, 2 dog"
    nothing = mask_answer(Segmented(LabelMask.of(mask * 0), 0.9), ("ground", "cat", "dog"), 0)
    assert not np.asarray(Image.open(io.BytesIO(mask_png(to_json(nothing))))).any()
