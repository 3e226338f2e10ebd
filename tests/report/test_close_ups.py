"""Parts of pictures, enlarged: labels in doubt, and where little of a picture weighed."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.flow import prepare
from assay.report.boxes import doubted
from assay.report.close_ups import close_up, framed, overlaid_close_up
from assay.samples.samples import Samples, build_samples
from assay.sources.source import DataOptions
from assay.task import Doubt
from assay.tasks.cell_detection import CellDetection
from assay.tasks.object_detection import ObjectDetection
from assay.tasks.segmentation import Segmentation
from box_scenes import write_voc
from cell_examples import write_masks, write_points
from mask_examples import write_pairs

Array = np.ndarray[Any, Any]


def opened(image: str | None) -> Array:
    """The pixels of a data URI."""
    assert image is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))).convert("RGB"), float)


def test_a_part_lies_around_its_box_and_in_the_picture() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[40:60, 90:110] = 255
    part, scale, (left, top) = close_up(picture, (90, 40, 110, 60), 120)
    assert part.shape == (120, 120, 3) and scale == 2.0 and (left, top) == (70, 20)
    assert part[60, 60].min() > 200 and part[10, 10].max() < 50
    corner, _, start = close_up(picture, (195, 0, 200, 4), 96)
    assert start == (152, 0) and corner.shape[:2] == (96, 96)
    whole, scale, start = close_up(picture, (0, 0, 200, 100), 100)
    assert start == (0, 0) and scale == 0.5 and whole.shape[:2] == (50, 100)


@pytest.mark.parametrize("box", [(10, 10, 20, 20), (-5, -5, 8, 8), (30, 30, 60, 60)])
def test_a_frame_is_seen_on_light_and_dark(box: tuple[int, int, int, int]) -> None:
    for shade in (0, 255):
        plain = np.full((40, 40, 3), shade, np.uint8)
        assert (framed(plain, box) != plain).any() and plain.min() == plain.max() == shade


def test_what_weighs_in_a_small_place_is_enlarged() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    weights = np.zeros((200, 200))
    weights[90:100, 30:40] = 1.0
    near, far = opened(overlaid_close_up(picture, weights, 96)), opened(overlaid_close_up(picture, weights + 1, 96))
    assert near.shape == far.shape == (96, 96, 3)
    orange = near[..., 0] - near[..., 2] > 40
    assert 0.03 < orange.mean() < 0.3
    assert opened(overlaid_close_up(picture, np.zeros((200, 200)), 96)).shape == (96, 96, 3)


def test_a_box_in_doubt_is_enlarged() -> None:
    """Of a large picture what lies around the box is shown, framed at its place; of grey ones, too."""
    picture = np.full((400, 600, 1), 128, np.uint8)
    objects = np.asarray([[300.0, 200, 320, 216, 0, 0], [10, 10, 30, 30, 1, 0]])
    find = np.asarray([302.0, 202, 322, 220, 0.9, 1])
    for label, found in ((objects[0], None), (None, find), (objects[0], find)):
        shown = opened(doubted(picture, objects, label, found, "a.png").image)
        rows, columns = np.nonzero(np.abs(shown - 128).max(axis=2) > 60)
        assert shown.shape == (320, 320, 3)
        assert 60 < rows.min() < rows.max() < 260 and 60 < columns.min() < columns.max() < 260  # not the far object
        assert np.ptp(columns) > 100


def samples_of(task: Any, source: Path, options: DataOptions, folder: Path) -> Samples:
    made = prepare(source, options, task=task)
    count = made.records.index().num_rows
    spec = task.fit_spec(made.records, np.ones(count, bool), options)
    return build_samples(task, made.records, spec, np.zeros(count, np.int8), folder=folder)


def test_labels_in_doubt_are_drawn(tmp_path: Path) -> None:
    find, point = np.asarray([12, 12, 30, 30, 0.9, 1]), np.asarray([20.0, 30.0])
    tiles = DataOptions(extra={"tile": "64"})
    cases: list[tuple[Any, Path, DataOptions, list[Any]]] = [
        (ObjectDetection(), write_voc(tmp_path / "voc", 6), DataOptions(), [(None, find), (True, None), (True, find)]),
        (CellDetection(), write_points(tmp_path / "points", 6), tiles, [(None, point), (point, None), (point, point)]),
        (CellDetection(), write_masks(tmp_path / "masks", 6), tiles, [(None, point), (point, None)]),
        (Segmentation(), write_pairs(tmp_path / "pairs", 6), DataOptions(), [(5.0, 6.0, 20.0, 22.0)]),
    ]
    for number, (task, source, options, places) in enumerate(cases):
        samples = samples_of(task, source, options, tmp_path / f"samples-{number}")
        plain = opened(task.draw(samples, 0, samples.spec).image)
        for asked in places:
            first = samples.view_of(np.asarray([0])).truths()[0]
            place = (first[0], asked[1]) if asked[0] is True else asked
            drawing = task.draw_doubted(samples, 0, Doubt("missing", "a", "b", 0.9, place, 0), samples.spec)
            shown = opened(drawing.image)
            assert drawing.large and drawing.lines[0] == samples.id(0) and "in dashes" in drawing.lines[1]
            assert shown.shape != plain.shape or (shown != plain).any()
        side = np.asarray(samples.field("image", np.asarray([0]))).shape[2:]
        explained = task.draw_explained(samples, 0, np.eye(*side), samples.spec, 0)
        assert explained.large and opened(explained.image).size > 0
