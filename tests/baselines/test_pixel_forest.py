"""The forest on pixel features and the floor: what they learn, what they store, and what they refuse to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.baselines.commonest_class import CommonestClass
from assay.baselines.pixel_features import COUNT, pixel_features
from assay.baselines.pixel_forest import PixelForest
from assay.errors import RunError
from assay.evaluation.mask_metrics import MeanIoU
from assay.samples.samples import Samples, build_samples
from assay.samples.split import TEST, TRAIN
from assay.sources.source import DataOptions, open_source
from assay.tasks.segmentation import Segmentation
from mask_examples import write_pairs


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    task = Segmentation()
    options = DataOptions(extra={"window": "32"})
    records = task.read(open_source(write_pairs(tmp_path_factory.mktemp("pictures"), 12, 32, 40)), options)
    side = np.where(np.arange(12) < 8, TRAIN, TEST).astype(np.int8)
    spec = task.fit_spec(records, side == TRAIN, options)
    return build_samples(task, records, spec, side, folder=tmp_path_factory.mktemp("samples") / "kept")


def test_the_forest_tells_pixels_and_is_stored_as_text(samples: Samples, tmp_path: Path) -> None:
    train, test = samples.view(TRAIN), samples.view(TEST)
    forest, floor = PixelForest(samples.spec), CommonestClass(samples.spec)
    assert "8 training pictures" in forest.fit(train, test, 20.0, 0)
    assert floor.fit(train, test, 1.0, 0)
    metric = MeanIoU(3)
    assert metric.value(forest.predict(test), test.truths()) > 0.7
    assert metric.value(floor.predict(test), test.truths()) < 0.4
    assert {int(value) for output in floor.predict(test) for value in output.mask.values} == {0}
    for model, other in ((forest, PixelForest(samples.spec)), (floor, CommonestClass(samples.spec))):
        model.save(tmp_path)
        other.load(tmp_path)
        for one, again in zip(model.predict(test), other.predict(test), strict=True):
            np.testing.assert_array_equal(one.mask.array(), again.mask.array())
    text = (tmp_path / "forest-1.txt").read_text()
    (tmp_path / "forest-1.txt").write_text(text.replace("split_feature=", "split_feature=99 ", 1))
    with pytest.raises(RunError, match=r"forest-1\.txt is damaged"):
        PixelForest(samples.spec).load(tmp_path)


def test_features_of_a_pixel() -> None:
    image = np.zeros((3, 40, 40), np.uint8)
    image[:, 18:22, 18:22] = 255
    found = pixel_features(image)
    assert found.shape == (40, 40, COUNT) and found.dtype == np.float32
    np.testing.assert_array_equal(found[..., :3], image.transpose(1, 2, 0) / np.float32(255))
    np.testing.assert_allclose(found, found[::-1, ::-1], atol=1e-5)
    assert found[20, 20, 3:].any() and not found[0, 0, :20].any()
