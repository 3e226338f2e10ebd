"""A value of 16 bits, or a floating-point one, is the same brightness in every picture, tile and slide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import DataError
from assay.samples.box_spec import BoxSpec
from assay.samples.cell_spec import CellSpec
from assay.samples.image_spec import ImageSpec
from assay.samples.mask_spec import MaskSpec
from assay.samples.pixel_values import DEEPER, NOT_LEARNED, PixelRange, as_colour, mean_and_deviation, some_pixels
from assay.samples.samples import build_samples
from assay.serving.cell_session import CellSession
from assay.serving.predictor import Predictor
from assay.sources.cells import read_cell_pictures
from assay.sources.decode import decode_values
from assay.sources.images import read_unlabelled_images
from assay.sources.records import ProblemLog, Records
from assay.sources.slides import Slide
from assay.sources.source import open_source
from assay.targets.class_target import ClassTarget
from assay.task import Spec, Task
from assay.tasks.cell_detection import CellDetection
from assay.tasks.image_classification import ImageClassification
from assay.tasks.object_detection import ObjectDetection
from assay.tasks.segmentation import Segmentation
from cell_examples import Darkness

tifffile = pytest.importorskip("tifffile")
Array = np.ndarray[Any, Any]
THREE, ONE = (0.0,) * 3, (1.0,) * 3
#: What a camera of 12 bits sees: the training pictures go to 4000.
RANGE = PixelRange(4000.0, (-1.0, 3.0))


def specs(pixels: PixelRange) -> list[tuple[Task, Spec]]:
    """The applications that look at pictures, with windows of 64 pixels."""
    cells = CellSpec(64, 16, THREE, ONE, ("dark",), False, 6.0, 5.0, 1e-3, 16, False, pixels)
    masks = MaskSpec(("a", "b"), 0, 64, 1.0, False, THREE, ONE, (0.5, 0.5), pixels)
    image = ImageSpec(3, 64, 64, THREE, ONE, "squash", ClassTarget(("a", "b")), pixels)
    return [
        (ObjectDetection(), BoxSpec(3, 64, 64, THREE, ONE, ("a",), pixels=pixels)),
        (CellDetection(), cells),
        (ImageClassification(), image),
        (Segmentation(), masks),
    ]


def seen(task: Task, spec: Spec, source: Path, cache: Path) -> tuple[Array, set[str]]:
    """(64, 64) the grey values that a network sees of a picture, and the problems told."""
    records: Records = read_unlabelled_images(open_source(source))
    log = ProblemLog()
    samples = build_samples(task, records, spec, None, log, cache)
    image = np.asarray(samples.field("image", np.asarray([0])))[0]
    assert (image == image[:1]).all()
    return image[0], {problem.kind for problem in log.problems()}


@pytest.mark.parametrize("darkest", [0, 500])
def test_sixteen_bits_are_as_bright_everywhere_as_in_training(darkest: int, tmp_path: Path) -> None:
    """Also in a picture that has no black or white of its own."""
    grey = np.linspace(darkest, 4400, 64 * 64).reshape(64, 64).astype(np.uint16)
    expected = np.rint(np.minimum(grey / 4000 * 255, 255)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", grey)
    for number, (task, spec) in enumerate(specs(RANGE)):
        found, problems = seen(task, spec, tmp_path / "a.tif", tmp_path / str(number))
        np.testing.assert_allclose(found.astype(int), expected, atol=1, err_msg=task.name)
        assert DEEPER not in problems


@pytest.mark.parametrize("form", [{}, {"tile": (32, 32), "compression": "zlib"}, {"byteorder": ">"}])
def test_a_slide_of_16_bits_is_as_bright_as_a_picture(form: dict[str, Any], tmp_path: Path) -> None:
    grey = np.linspace(0, 4400, 64 * 64).reshape(64, 64).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", grey, **form)
    slide = Slide(tmp_path / "a.tif")
    whole = as_colour(decode_values((tmp_path / "a.tif").read_bytes()), RANGE)
    np.testing.assert_array_equal(as_colour(slide.read(0, 0, 64, 64), RANGE), whole)
    assert slide.dtype == np.uint16 and whole.max() == 255 and np.ptp(whole) == 255


def test_floating_point_pictures_lie_between_black_and_white_of_training(tmp_path: Path) -> None:
    values = np.linspace(-2, 4, 64 * 64).reshape(64, 64).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", values)
    expected = np.rint(np.clip((values + 1) / 4 * 255, 0, 255)).astype(int)
    for number, (task, spec) in enumerate(specs(RANGE)):
        found, _ = seen(task, spec, tmp_path / "a.tif", tmp_path / str(number))
        np.testing.assert_allclose(found.astype(int), expected, atol=1, err_msg=task.name)
    parts = [Slide(tmp_path / "a.tif").read(top, 0, 32, 64) for top in (0, 32)]
    np.testing.assert_allclose(
        np.concatenate([as_colour(part, RANGE)[..., 0] for part in parts]).astype(int), expected, atol=1
    )


def test_more_bits_than_any_training_picture_had_are_told(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
    for number, (task, spec) in enumerate(specs(NOT_LEARNED)):
        found, problems = seen(task, spec, tmp_path / "a.tif", tmp_path / str(number))
        assert DEEPER in problems and np.ptp(found) == 255


def test_a_slide_of_floating_point_values_is_refused_where_none_was_learned(tmp_path: Path) -> None:
    task, spec = specs(NOT_LEARNED)[1]
    session = CellSession(Predictor(task, spec, Darkness()))
    with pytest.raises(DataError, match="what is white") as told:
        session.push(np.zeros((8, 64, 1), np.float32))
    assert told.value.hint


@pytest.mark.parametrize("white", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_white_is_white_in_a_slide_of_any_depth(bits: int, white: str, tmp_path: Path) -> None:
    light = np.zeros((64, 64), bool)
    light[:, 20:] = True
    top = {1: True, 8: 255, 16: 65535}[bits]
    values = np.where(light == (white == "minisblack"), top, 0).astype({1: bool, 8: np.uint8, 16: np.uint16}[bits])
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=white)
    slide = Slide(tmp_path / "a.tif")
    assert (as_colour(slide.read(0, 0, 64, 64), NOT_LEARNED) == np.where(light, 255, 0)[..., None]).all()


def test_what_was_not_written_in_a_slide_is_white(tmp_path: Path) -> None:
    for kind in (np.uint8, np.uint16, np.float32):
        file = tmp_path / f"{np.dtype(kind).name}.tif"
        tiles = iter([np.ones((32, 32), kind), None, None, np.ones((32, 32), kind)])
        tifffile.imwrite(file, tiles, shape=(64, 64), dtype=kind, tile=(32, 32), compression="zlib")
        read = Slide(file).read(0, 0, 64, 64)
        assert (as_colour(read, RANGE)[:32, 32:] == 255).all() and (read[:32, :32] == 1).all()


def test_a_slide_is_read_at_the_range_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`assay predict` on a slide, through the stream."""
    monkeypatch.setattr("assay.sources._cell_pictures.LEAST_PIXELS", 1000)
    tifffile.imwrite(tmp_path / "a.tif", np.full((64, 64), 4000, np.uint16))
    task, spec = specs(RANGE)[1]
    log, pushed = ProblemLog(), []
    streamed = task.streamed(read_cell_pictures(open_source(tmp_path)), spec, log)
    assert streamed is not None
    session = CellSession(Predictor(task, spec, Darkness()))
    for _, rows in streamed:
        for part in rows:
            session.push(part)
            pushed.append(session._rows[-1])
    assert len(pushed) == 1 and (pushed[0] == 255).all() and not log.problems()


def test_what_is_learned_of_training_pictures() -> None:
    small = np.full((10, 10, 1), 7, np.uint8)
    deep = np.arange(4000, dtype=np.uint16).reshape(40, 100, 1)
    floats = np.linspace(-2, 8, 5000, dtype=np.float32).reshape(50, 100, 1)
    assert PixelRange.of([small]) == PixelRange.of([]) == NOT_LEARNED
    learned = PixelRange.of([small, deep, deep // 2, floats])
    assert learned.white == pytest.approx(3995, abs=1)
    assert learned.floats == pytest.approx((-1.99, 7.99), abs=0.01)
    assert PixelRange.of([floats[25:]]).floats == pytest.approx((0.0, 7.99), abs=0.01)
    assert PixelRange.from_json(learned.to_json()) == learned
    assert PixelRange.of([np.zeros((4, 4, 1), np.uint16)]) == PixelRange(1.0)
    offset = PixelRange.of([deep + 30000, deep + 31000])
    assert (offset.black, offset.white) == pytest.approx((30004, 34995), abs=1)
    assert PixelRange.from_json(offset.to_json()) == offset and learned.black == 0  # as in the picture of 8 bits
    assert np.ptp(offset.bytes_of(deep + 30000)) > 200
    assert PixelRange.of([np.full((4, 4, 1), np.nan, np.float32)]) == NOT_LEARNED


def test_specs_of_earlier_runs_are_read() -> None:
    for _, spec in specs(RANGE):
        written = spec.to_json()
        assert type(spec).from_json(written) == spec
        del written["pixels"]
        assert type(spec).from_json(written).pixels == NOT_LEARNED
    written = {**written, "white": 3000.0}
    assert MaskSpec.from_json(written).pixels == PixelRange(3000.0)
    assert MaskSpec.from_json({**written, "white": 255.0}).pixels == NOT_LEARNED


def test_every_picture_counts_alike_in_mean_and_deviation() -> None:
    random = np.random.default_rng(0)
    dark, light = random.normal(50, 5, (64, 64, 3)), random.normal(150, 5, (640, 320, 3))
    light[..., 2] = 150
    pixels = some_pixels([picture.round().astype(np.uint8) for picture in (dark, light)])
    mean, deviation = mean_and_deviation(pixels)
    assert len(pixels) == 2 * 64 * 64
    assert mean == pytest.approx((100, 100, 100), abs=0.5) and deviation == pytest.approx((50.2,) * 3, abs=0.3)
    assert mean_and_deviation(pixels[64 * 64 :])[1][2] == 255.0
