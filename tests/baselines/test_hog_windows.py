from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.baselines._hog_cells import cell_grids, features_of_cell, grid_shape
from assay.baselines._linear_svm import fit_linear_svms, fit_ridge
from assay.baselines._windows import (
    Windows,
    fit_windows,
    moved,
    offsets,
    paired_overlap,
    suppressed,
    window_rows,
    window_scores,
)
from assay.baselines.hog_windows import HogWindows
from assay.errors import DataError, RunError
from assay.evaluation.box_metrics import MeanAveragePrecision50
from assay.samples.box_frames import into_frame, letterbox, out_of_frame
from assay.samples.box_spec import BoxSpec

SPEC = BoxSpec(3, 96, 128, (120.0,) * 3, (50.0,) * 3, ("ring", "cross"))
Array = np.ndarray[Any, Any]


def scene(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """A picture (h, w, 3) of rings and crosses on noise, and their boxes (n, 6)."""
    high, wide = 96, int(random.integers(100, 150))
    image = random.integers(90, 150, (high, wide, 3)).astype(np.float64)
    boxes: list[tuple[int, ...]] = []
    for _ in range(count):
        side = int(random.integers(20, 44))
        x, y = int(random.integers(0, wide - side)), int(random.integers(0, high - side))
        if any(x < box[2] and box[0] < x + side and y < box[3] and box[1] < y + side for box in boxes):
            continue
        down, right = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        kind = int(random.integers(0, 2))
        shown = np.abs(np.hypot(down, right) - 0.85) < 0.15 if kind == 0 else np.minimum(abs(down), abs(right)) < 0.15
        image[y : y + side, x : x + side][shown] = (230, 60, 60) if random.random() < 0.5 else (30, 30, 30)
        boxes.append((x, y, x + side, y + side, kind, 0))
    return image.astype(np.uint8), np.asarray(boxes, np.float32).reshape(-1, 6)


@dataclass
class Scenes:
    """What a view and its samples give, in memory."""

    image: Array
    frame: Array
    objects: list[Array]  # in the field
    units: Array
    asked: list[Array] = field(default_factory=list)

    @property
    def samples(self) -> Scenes:
        return self

    @property
    def windows(self) -> Array:
        return self.units

    def __len__(self) -> int:
        return len(self.units)

    def field(self, name: str, windows: Array) -> Any:
        if name == "image":
            self.asked.append(windows)
        return self.image[windows] if name == "image" else [self.objects[place] for place in windows]

    def sample(self, count: int, seed: int = 0) -> Scenes:
        return self.part(self.units[:count])

    def part(self, units: Array) -> Scenes:
        return Scenes(self.image, self.frame, self.objects, units)

    def batches(self, size: int) -> Iterator[SimpleNamespace]:
        for start in range(0, len(self), size):
            some = self.units[start : start + size]
            yield SimpleNamespace(image=self.image[some], frame=self.frame[some])

    def truths(self) -> list[Array]:
        return [out_of_frame(self.objects[unit], self.frame[unit], SPEC) for unit in self.units]


def scenes(count: int, seed: int = 0) -> Scenes:
    random = np.random.default_rng(seed)
    drawn = [scene(random, int(random.integers(0, 4))) for _ in range(count)]
    frames = np.asarray([image.shape[:2] for image, _ in drawn], np.int32)
    return Scenes(
        np.stack([letterbox(image, SPEC) for image, _ in drawn]),
        frames,
        [into_frame(boxes, frame, SPEC) for (_, boxes), frame in zip(drawn, frames, strict=True)],
        np.arange(count),
    )


@pytest.fixture(scope="module")
def everything() -> Scenes:
    return scenes(90)


@pytest.fixture(scope="module")
def fitted(everything: Scenes) -> tuple[HogWindows, str]:
    model = HogWindows(SPEC)
    return model, model.fit(everything.part(np.arange(50)), everything.part(np.arange(50, 70)), 60.0, 0)  # type: ignore[arg-type]


def test_it_finds_what_it_learned(everything: Scenes, fitted: tuple[HogWindows, str], tmp_path: Path) -> None:
    model, told = fitted
    test = everything.part(np.arange(70, 90))
    found = list(model.predict(test))  # type: ignore[arg-type]
    assert MeanAveragePrecision50().value(found, test.truths()) > 0.9
    assert "of 50 pictures" in told and "without an object" in told
    for boxes, frame in zip(found, test.frame[test.units], strict=True):
        assert boxes.dtype == np.float32 and boxes.shape[1] == 6
        assert (np.diff(boxes[:, 4]) <= 0).all() and (boxes[:, 4] >= 0).all() and (boxes[:, 4] <= 1).all()
        assert (
            (boxes[:, :4] >= 0).all() and (boxes[:, [0, 2]] <= frame[1]).all() and (boxes[:, [1, 3]] <= frame[0]).all()
        )
    sure = [int((boxes[:, 4] >= 0.5).sum()) for boxes in found]
    there = [len(boxes) for boxes in test.truths()]
    assert np.abs(np.subtract(sure, there)).mean() < 0.5
    model.save(tmp_path)
    again = HogWindows(SPEC)
    again.load(tmp_path)
    for one, other in zip(found, again.predict(test), strict=True):  # type: ignore[arg-type]
        np.testing.assert_array_equal(one, other)
    floats = SimpleNamespace(image=everything.image[:1].astype(np.float32), frame=everything.frame[:1])
    one = next(everything.batches(1))
    np.testing.assert_array_equal(model.respond(floats)[0], model.respond(one)[0])  # type: ignore[arg-type]


def test_little_time_means_few_pictures(everything: Scenes) -> None:
    model = HogWindows(SPEC)
    assert model.fit(everything, everything.part(np.arange(0)), 0.0, 0).startswith("8 of 90 pictures")  # type: ignore[arg-type]
    assert sum(map(len, everything.asked)) < 6 * 16


def test_the_same_seed_gives_the_same(everything: Scenes) -> None:
    outputs = []
    for _ in range(2):
        model = HogWindows(SPEC)
        model.fit(everything.part(np.arange(12)), everything.part(np.arange(12, 20)), 0.0, 3)  # type: ignore[arg-type]
        outputs.append(list(model.predict(everything.part(np.arange(80, 84)))))  # type: ignore[arg-type]
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_hard_objects_and_absent_classes(everything: Scenes) -> None:
    objects = [one.copy() for one in everything.objects]
    for one in objects:
        one[one[:, 4] == 1, 5] = 1  # every cross is hard
    data = Scenes(everything.image, everything.frame, objects, np.arange(20))
    model = HogWindows(SPEC)
    model.fit(data, data.part(np.arange(20, 30)), 1.0, 0)  # type: ignore[arg-type]
    assert all((boxes[:, 5] == 0).all() for boxes in model.predict(data))  # type: ignore[arg-type]
    for one in objects:
        one[:, 5] = 1
    with pytest.raises(DataError, match="no training sample"):
        HogWindows(SPEC).fit(data, data, 1.0, 0)  # type: ignore[arg-type]


def test_a_damaged_model_is_refused(fitted: tuple[HogWindows, str], tmp_path: Path) -> None:
    fitted[0].save(tmp_path)
    with pytest.raises(RunError, match="sizes do not fit"):
        HogWindows(BoxSpec(3, 96, 128, (0.0,) * 3, (1.0,) * 3, ("ring",))).load(tmp_path)
    told = json.loads((tmp_path / "windows.json").read_text())
    for change in ({"shapes": [[6]]}, {"shapes": [[6, -1]]}, {"sizes": [0.0]}, {"slope": "2"}, {"shapes": []}):
        (tmp_path / "windows.json").write_text(json.dumps({**told, **change}))
        with pytest.raises(RunError):
            HogWindows(SPEC).load(tmp_path)
    with pytest.raises(RunError, match="neither fitted"):
        HogWindows(SPEC).save(tmp_path)


# Parts ----------------------------------------------------------------------------------------------------------------


def test_cells_tell_the_direction_of_an_edge() -> None:
    image = np.zeros((1, 32, 32), np.uint8)
    image[:, :, 16:] = 200
    (grid,) = cell_grids(image, [4.0])
    assert grid.shape == (8, 8, features_of_cell(1)) == (*grid_shape(image.shape, 4.0), 32)
    assert grid[4, 3, :18].argmax() == 0  # light is to the right
    (turned,) = cell_grids(np.ascontiguousarray(image.transpose(0, 2, 1)), [4.0])
    assert turned[3, 4, :18].argmax() == 18 // 4 or turned[3, 4, :18].argmax() == 18 // 4 + 1
    np.testing.assert_allclose(grid[:, 0, :27], 0)
    for size in (1.5, 2.7, 5.3, 13.0, 31.0, 40.0):
        (grid,) = cell_grids(image, [size])
        assert np.isfinite(grid).all() and grid.shape[:2] == grid_shape(image.shape, size)


def test_scores_are_products_with_the_rows() -> None:
    random = np.random.default_rng(0)
    grid = random.standard_normal((9, 11, 5)).astype(np.float32)
    weights = random.standard_normal((4 * 5 * 5, 11)).astype(np.float32)
    scores = window_scores(grid, (2, 3), weights)
    assert scores is not None and scores.shape == (8, 9, 11)
    top, left = np.asarray([0, 7, 3]), np.asarray([0, 8, 4])
    rows = window_rows(grid, (2, 3), top, left)
    np.testing.assert_array_equal(rows[2], grid[2:6, 3:8].ravel())  # a cell more on each side
    np.testing.assert_allclose(scores[top, left], rows @ weights, rtol=1e-4, atol=1e-4)
    assert window_scores(grid, (10, 3), weights) is None


def test_windows_lie_around_objects() -> None:
    random = np.random.default_rng(1)
    corner = random.uniform(0, 200, (300, 2))
    side = random.uniform(20, 90, (300, 1)) * np.where(random.random((300, 1)) < 0.5, [[1.0, 1.0]], [[2.0, 1.0]])
    objects = np.concatenate([corner, corner + side, np.zeros((300, 2))], axis=1)
    windows = fit_windows(objects)
    assert set(windows.shapes) == {(6, 6), (4, 8)} and windows.sizes[0] > 3 and windows.sizes[-1] < 26
    found = windows.around(objects, (3, 300, 400), 2, 0.6)
    best = np.zeros(300)
    for shape, (places, overlap) in enumerate(found):
        boxes = windows.boxes(shape, np.asarray(windows.sizes)[places[:, 1]], places[:, 2], places[:, 3])
        np.testing.assert_allclose(paired_overlap(boxes, objects[places[:, 0], :4]), overlap)
        np.maximum.at(best, places[:, 0], overlap)
        np.testing.assert_allclose(
            moved(boxes, offsets(boxes, objects[places[:, 0]])), objects[places[:, 0], :4], atol=1e-6
        )
    assert np.quantile(best, 0.05) > 0.6
    assert Windows(((6, 6),), (50.0,)).around(objects, (3, 100, 100), 2, 0.6)[0][0].shape == (0, 4)


def test_a_rare_class_has_windows_of_its_own_shape() -> None:
    common = np.tile([[10.0, 10, 50, 50, 0, 0]], (500, 1))
    rare = np.tile([[10.0, 10, 30, 90, 1, 0]], (5, 1))
    assert fit_windows(np.concatenate([common, rare])).shapes == ((6, 6), (12, 3))


def test_suppression_is_that_of_torchvision() -> None:
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    random = np.random.default_rng(2)
    corner = random.uniform(0, 50, (200, 2))
    boxes, scores = np.concatenate([corner, corner + random.uniform(5, 30, (200, 2))], axis=1), random.random(200)
    wanted = torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4).numpy()
    np.testing.assert_array_equal(suppressed(boxes, scores, 0.4, 1000), wanted)
    np.testing.assert_array_equal(suppressed(boxes, scores, 0.4, 3), wanted[:3])


def test_machines_are_those_of_liblinear() -> None:
    from sklearn.svm import LinearSVC

    random = np.random.default_rng(3)
    rows = random.standard_normal((400, 12)).astype(np.float32)
    wanted = np.stack([np.sign(rows[:, 0] + 0.5 * random.standard_normal(400) + 0.8), np.sign(rows[:, 1])], axis=1)
    wanted = wanted.astype(np.int8)
    wanted[:50, 1] = 0
    weights, offset = fit_linear_svms(rows, wanted, 5.0, rounds=300)
    for number in range(2):
        known = wanted[:, number] != 0
        heavier = min(8.0, max(1.0, (wanted[:, number] < 0).sum() / (wanted[:, number] > 0).sum()))
        weight = np.where(wanted[known, number] > 0, heavier, 1.0)
        other = LinearSVC(C=10.0, intercept_scaling=100, tol=1e-8, max_iter=20000, dual=False)
        other.fit(rows[known], wanted[known, number], sample_weight=weight / weight.sum() / 2)
        np.testing.assert_allclose(weights[:, number], other.coef_[0], atol=5e-3)
        np.testing.assert_allclose(offset[number], other.intercept_[0], atol=5e-3)


def test_ridge_is_that_of_a_known_line() -> None:
    rows = np.random.default_rng(4).standard_normal((500, 6)).astype(np.float32)
    truth = np.arange(12.0).reshape(6, 2)
    weights, offset = fit_ridge(rows, rows @ truth + [1.0, -2.0], 1e-6)
    np.testing.assert_allclose(weights, truth, atol=1e-3)
    np.testing.assert_allclose(offset, [1, -2], atol=1e-3)
