"""Pictures cut into windows and joined again; how far they are shrunk; what their masks tell."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import SettingError
from assay.samples.mask_spec import MaskSpec, component_sizes, fit_mask_spec, starts
from assay.samples.mask_windows import WindowShares, cut, merge, picture_of, shrunk
from assay.samples.pixel_values import NOT_LEARNED, PixelRange, as_colour
from assay.sources.label_mask import LabelMask
from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]


def spec(side: int = 32, scale: float = 1.0) -> MaskSpec:
    return MaskSpec(("a", "b"), 0, side, scale, True, (0.0,) * 3, (1.0,) * 3, (0.5, 0.5))


@pytest.mark.parametrize(("length", "side"), [(10, 32), (32, 32), (33, 32), (100, 32), (1000, 256), (257, 256)])
def test_windows_cover_and_overlap(length: int, side: int) -> None:
    found = starts(length, side)
    assert found[0] == 0 and (found[-1] + side == length or length <= side)
    assert all(second - first <= 0.75 * side + 1 for first, second in pairwise(found))


@pytest.mark.parametrize(("height", "width"), [(20, 70), (32, 32), (90, 41)])
def test_a_picture_is_whole_again(height: int, width: int) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    mask = random.integers(0, 2, (height, width)).astype(np.uint8)
    images, masks, places = cut(image, LabelMask.of(mask), spec())
    np.testing.assert_array_equal(picture_of(np.stack(images), np.stack(places)), image)
    for part, place in zip(masks, places, strict=True):
        top, left = place[4:]
        inside = mask[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(part[: inside.shape[0], : inside.shape[1]], inside)
        assert (part[inside.shape[0] :] == 255).all() and (part[:, inside.shape[1] :] == 255).all()


@pytest.mark.parametrize(("height", "width"), [(20, 70), (32, 32), (90, 41)])
def test_joined_windows_have_no_seams(height: int, width: int) -> None:
    """Where all windows say the same of a pixel, the picture says just that."""
    random = np.random.default_rng(1)
    second = random.random((height + 40, width + 40))
    shares = np.stack([1 - second, second]).astype(np.float16)
    places = cut(np.zeros((height, width, 3), np.uint8), None, spec())[2]
    windows = [WindowShares(shares[:, p[4] : p[4] + 32, p[5] : p[5] + 32], p) for p in places]
    found = merge(windows)
    truth = shares[:, :height, :width].astype(np.float32)
    clear = np.abs(truth[0] - truth[1]) > 0.01
    np.testing.assert_array_equal(found.mask.array()[clear], truth.argmax(0)[clear])
    assert found.confidence == pytest.approx(float(truth.max(0).mean()), abs=1e-3)


def test_windows_that_disagree_are_blended() -> None:
    """Across the overlap the say of one fades into that of the other: the border of classes lies in its middle."""
    places = cut(np.zeros((32, 56, 3), np.uint8), None, spec())[2]
    assert [int(place[5]) for place in places] == [0, 24]
    says = [np.stack([np.full((32, 32), 1.0 - value), np.full((32, 32), value)]) for value in (0.0, 1.0)]
    windows = [WindowShares(say.astype(np.float16), place) for say, place in zip(says, places, strict=True)]
    row = merge(windows).mask.array()[16]
    assert row[:28].sum() == 0 and row[28:].all()


def test_shrunk_pictures_are_answered_in_their_own_size() -> None:
    half = spec(32, 0.5)
    mask = np.zeros((60, 48), np.uint8)
    mask[20:40, 12:30] = 1
    _, masks, places = cut(np.zeros((60, 48, 3), np.uint8), LabelMask.of(mask), half)
    windows = [WindowShares(np.stack([part == 0, part == 1]).astype(np.float16), place)
               for part, place in zip(masks, places, strict=True)]  # fmt: skip
    found = merge(windows).mask.array()
    assert found.shape == mask.shape
    assert (found == mask).mean() > 0.97
    np.testing.assert_array_equal(shrunk(mask, 60, 48), mask)


def test_pixels_of_other_kinds() -> None:
    grey = np.asarray([[0, 1000], [4095, 65535]], np.uint16)[:, :, None]
    np.testing.assert_array_equal(as_colour(grey, PixelRange(4095.0))[:, :, 2], [[0, 62], [255, 255]])
    assert as_colour(np.zeros((2, 2, 5), np.uint8), NOT_LEARNED).shape == (2, 2, 3)


def records(masks: list[Array]) -> Any:
    texts = [LabelMask.of(mask).to_text() for mask in masks]
    index = pa.table({"target": texts, "location": [str(place) for place in range(len(masks))]})
    pictures = [np.stack([mask * 100] * 3, axis=2).astype(np.uint8) for mask in masks]
    facts = {"classes": ["background", "thing"], "background": 0}
    return SimpleNamespace(index=lambda: index, loader=lambda location: pictures[int(location)], facts=facts)


def scattered(count: int, size: int, thing: int, seed: int = 0) -> list[Array]:
    random = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        mask = np.zeros((size, size), np.uint8)
        for _ in range(4):
            row, column = random.integers(0, size - thing, 2)
            mask[row : row + thing, column : column + thing] = 1
        masks.append(mask)
    return masks


@pytest.mark.parametrize(("thing", "scale"), [(10, 1.0), (100, 0.256), (30, 0.4)])
def test_small_things_stay_visible(thing: int, scale: float) -> None:
    """Pictures of 1000 px are shrunk to a window where things are large, and to 12 px a thing where they are small."""
    found = fit_mask_spec(records(scattered(6, 1000, thing)), np.ones(6, bool), DataOptions())
    assert found.scale == pytest.approx(scale, rel=0.15)
    assert 256 <= found.side <= 384


def test_windows_fit_the_pictures() -> None:
    assert fit_mask_spec(records(scattered(6, 60, 8)), np.ones(6, bool), DataOptions()).side == 64
    assert fit_mask_spec(records(scattered(6, 320, 8)), np.ones(6, bool), DataOptions()).side == 320


def test_pictures_with_a_top_are_not_turned() -> None:
    below = [np.repeat((np.arange(64) > 40).astype(np.uint8)[:, None], 64, axis=1)] * 30
    assert not fit_mask_spec(records(below), np.ones(30, bool), DataOptions()).turnable
    assert fit_mask_spec(records(scattered(40, 64, 9)), np.ones(40, bool), DataOptions()).turnable
    assert not fit_mask_spec(records(scattered(10, 64, 9)), np.ones(10, bool), DataOptions()).turnable


def test_what_is_asked_for() -> None:
    made = records(scattered(6, 100, 8))
    found = fit_mask_spec(made, np.ones(6, bool), DataOptions(extra={"window": "96", "scale": "0.5"}))
    assert (found.side, found.scale) == (96, 0.5)
    assert MaskSpec.from_json(found.to_json()) == found
    for extra in ({"window": "100"}, {"window": "wide"}, {"scale": "2"}, {"scale": "half"}, {"scale": "nan"}):
        with pytest.raises(SettingError, match="is not possible"):
            fit_mask_spec(made, np.ones(6, bool), DataOptions(extra=extra))


def test_sizes_of_things() -> None:
    mask = np.zeros((30, 30), np.uint8)
    mask[1:5, 1:5], mask[10:19, 10:19], mask[25, 25] = 1, 1, 1
    assert sorted(component_sizes(mask, 0).tolist()) == [4.0, 9.0]
