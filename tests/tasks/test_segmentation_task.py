"""Segmentation as a whole: the acceptance test, answers as files, and what is augmented."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import assay
from assay.check import check_task
from assay.samples.draws import Draws
from assay.samples.mask_spec import MaskSpec
from assay.samples.mask_windows import Segmented
from assay.sources.coco_rle import decode_rle
from assay.sources.label_mask import LabelMask
from assay.sources.source import DataOptions
from assay.tasks.segmentation import MaskBatch, Segmentation
from assay.training.plan import Plan
from mask_examples import example, write_mask, write_pairs
from programs import Result

Assay = Callable[..., Result]
OPTIONS = DataOptions(extra={"window": "32"})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pictures"), 40, 32, 32, wider=16)


def broken(tmp_path: Path) -> list[Path]:
    """Masks of another size; masks of one class; a damaged picture among good ones."""
    other = write_pairs(tmp_path / "other", 6, 32, 32)
    for file in (other / "masks").iterdir():
        write_mask(file, np.asarray(Image.open(file))[::2, ::2])
    one = write_pairs(tmp_path / "one", 6, 32, 32)
    for file in (one / "masks").iterdir():
        write_mask(file, np.zeros((32, 32), np.uint8))
    damaged = write_pairs(tmp_path / "damaged", 30, 32, 32)
    whole = (damaged / "images" / "004.png").read_bytes()
    (damaged / "images" / "004.png").write_bytes(whole[: len(whole) // 2])
    return [other, one, damaged]


def test_the_acceptance_test(pictures: Path, tmp_path: Path) -> None:
    small = {"width": "8", "levels": "3"}
    results = check_task(Segmentation(), pictures, OPTIONS, corrupt=broken(tmp_path), settings=small)
    bad = [result for result in results if not result.ok]
    assert not bad, bad


def spec() -> MaskSpec:
    return MaskSpec(("background", "disc", "square"), 0, 64, 1.0, True, (100.0,) * 3, (40.0,) * 3, (0.8, 0.1, 0.1))


def batch(count: int = 6) -> MaskBatch:
    pairs = [example(number, 64, 64) for number in range(count)]
    return MaskBatch(
        index=torch.arange(count),
        image=torch.from_numpy(np.stack([picture.transpose(2, 0, 1) for picture, _ in pairs])),
        place=torch.tensor([[64, 64, 64, 64, 0, 0]] * count, dtype=torch.int32),
        target=torch.from_numpy(np.stack([mask for _, mask in pairs])),
    )


def test_each_augmentation_does_nothing_at_one_value_and_something_at_the_other() -> None:
    task, given = Segmentation(), batch()

    def changed(**augment: float) -> Any:
        return task.augment(given, Draws(0, 1, np.arange(6)), Plan(augment=augment), spec())

    for name, (off, on) in task.regularisation(spec()).items():
        if name.startswith("augment."):
            short = name.removeprefix("augment.")
            assert torch.equal(changed(**{short: off}).image, given.image.float()), name
            assert not torch.equal(changed(**{short: on}).image, given.image.float()), name


@pytest.mark.parametrize("augment", [{"flip": 1.0}, {"quarters": 1.0}, {"zoom": 1.4, "turn": 30.0}])
def test_masks_move_with_their_pictures(augment: dict[str, float]) -> None:
    """A picture whose pixels are the mask's own values, in tens, stays in step with it."""
    given = batch()
    assert given.target is not None
    image = (given.target * 100)[:, None].expand(-1, 3, -1, -1)
    moved = Segmentation().augment(
        dataclasses.replace(given, image=image), Draws(0, 0, np.arange(6)), Plan(augment=augment), spec()
    )
    near = (moved.image[:, 0] - moved.target.float() * 100).abs() < 51
    assert near.float().mean() > 0.99
    assert not torch.equal(moved.target, given.target)


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of seconds, which tells discs from squares."""
    out = tmp_path_factory.mktemp("runs") / "run"
    small = {"width": "8", "levels": "3", "batch_size": "4", "averaging": "0.9"}
    model = assay.train(
        str(pictures), task="segmentation", epochs=12, evidence="quick", out=out, settings=small, data={"window": "32"}
    )
    assert model.summary["metric"]["value"] > 0.5
    return out


def test_what_to_label_next_is_what_it_is_least_sure_of_and_no_two_alike(run: Path, pictures: Path) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (32, 32, 3)).astype(np.uint8)
    plain = np.full((32, 32, 3), 90, np.uint8)
    found = assay.load(run).label_next([plain, noise, plain], 2)
    assert found.looked == 3 and "1" in {one.id.rpartition(":")[2] for one in found.chosen}  # not the same twice
    assert 1 >= found.chosen[0].uncertainty >= found.chosen[1].uncertainty >= 0


def test_a_deep_picture_is_answered_with_a_word_of_doubt(run: Path, tmp_path: Path, command: Any) -> None:
    Image.fromarray(np.full((32, 32), 3000, np.uint16)).save(tmp_path / "deep.png")
    done = command("predict", run, tmp_path / "deep.png")
    assert done.code == 0 and "kept 1 (more-bits-than-in-training): deep.png" in done.err


def test_the_area_of_each_class(run: Path) -> None:
    picture, mask = example(999)
    (answer,) = assay.load(run).predict([picture])
    assert (answer.height, answer.width) == mask.shape
    assert sum(answer.pixels.values()) == mask.size
    assert sum(answer.percent.values()) == pytest.approx(100, abs=0.01)
    truth = np.bincount(mask.ravel(), minlength=3)
    assert answer.pixels["1"] == pytest.approx(truth[1], rel=0.5)


def test_answers_are_written_as_masks(run: Path, pictures: Path, tmp_path: Path, command: Assay) -> None:
    one = tmp_path / "one.png"
    file = pictures / "images" / "003.png"
    assert command("predict", run, file, "--out", one).code == 0
    told = json.loads(command("predict", run, file, "--json").out)
    written = np.asarray(Image.open(one))
    for area in told["areas"]:
        inside = decode_rle(area["counts"], *area["size"])
        np.testing.assert_array_equal(inside, written == area["value"])
    folder = tmp_path / "all"
    folder.mkdir()
    assert command("predict", run, pictures, "--out", folder).code == 0
    assert len(list(folder.glob("*.png"))) == 40
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "003.png")), written)
    table = tmp_path / "areas.csv"
    assert command("predict", run, pictures, "--out", table).code == 0
    assert "percent.background" in table.read_text().splitlines()[0]
    assert "counts" not in table.read_text()


def test_an_answer_is_explained(run: Path, pictures: Path, tmp_path: Path, command: Assay) -> None:
    out = tmp_path / "explained.png"
    assert command("explain", run, pictures / "images" / "003.png", "--out", out).code == 0
    assert Image.open(out).size[0] > 0


def test_the_page_shows_what_was_missed(run: Path) -> None:
    page = (run / "report.html").read_text()
    for words in ("orange missed", "The IoU of each class", "Which class is taken for which", "data:image/"):
        assert words in page


@pytest.mark.parametrize(("changed", "confidence", "same"), [(0, 0.9, True), (1, 0.9, True), (2, 0.9, False),
                                                             (0, 0.91, False)])  # fmt: skip
def test_masks_agree_but_for_a_share_of_their_pixels(changed: int, confidence: float, same: bool) -> None:
    mask = np.zeros((32, 48), np.uint8)
    other = mask.copy()
    other.ravel()[:changed] = 1  # one of 1,536 pixels is less than a thousandth, two are more
    one, two = Segmented(LabelMask.of(mask), 0.9), Segmented(LabelMask.of(other), confidence)
    spec: Any = None
    assert Segmentation().agree(one, two, spec, 1e-3) is same
    narrow = Segmented(LabelMask.of(mask[:, :24]), 0.9)
    assert not Segmentation().agree(one, narrow, spec, 1e-3)
