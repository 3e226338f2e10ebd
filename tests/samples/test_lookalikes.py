"""Copies are found whatever was done to them and in whatever order they come; what is merely alike is not accused."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.samples.equal_rows import equal_rows
from assay.samples.lookalikes import find_copies, groups_of
from assay.samples.thumbnails import SIDE, SMALL_SIDE, thumbnail

Image = pytest.importorskip("PIL.Image")
ndimage = pytest.importorskip("scipy.ndimage")
Array = np.ndarray[Any, Any]


def photo(seed: int, height: int = 150, width: int = 200) -> Array:
    """A picture with shades, edges and fine texture, (H, W, 3) uint8, unlike that of any other seed."""
    random = np.random.default_rng([seed, 3])
    rows, columns = np.mgrid[:height, :width]
    values = 40 * ndimage.gaussian_filter(random.standard_normal((height, width)), 25) * 25
    for _ in range(8):
        middle, turn = random.uniform(0, 1, 2) * (height, width), random.uniform(0, np.pi)
        along = (rows - middle[0]) * np.cos(turn) + (columns - middle[1]) * np.sin(turn)
        across = (columns - middle[1]) * np.cos(turn) - (rows - middle[0]) * np.sin(turn)
        inside = (np.abs(along) < random.uniform(8, 50)) & (np.abs(across) < random.uniform(8, 50))
        values = values + inside * random.uniform(-60, 60)
    values += 6 * ndimage.gaussian_filter(random.standard_normal((height, width)), 2) * 4
    colour = random.uniform(0.8, 1.2, 3)
    return np.clip((values - values.mean() + 110)[:, :, None] * colour, 0, 255).astype(np.uint8)


def coded(image: Array, quality: int = 85) -> Array:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out))


CHANGES: dict[str, Callable[[Array], Array]] = {
    "exact": lambda image: image.copy(),
    "encoded again": lambda image: coded(image, 50),
    "resized": lambda image: coded(np.asarray(Image.fromarray(image).resize((120, 90)))),
    "mirrored": lambda image: coded(image[:, ::-1].copy()),
    "brighter": lambda image: coded(np.clip(image * 1.3, 0, 255).astype(np.uint8)),
    "cropped at a corner": lambda image: coded(image[:142, 10:].copy()),
    "cropped at every edge": lambda image: coded(image[7:143, 10:190].copy()),
    "grey": lambda image: image.mean(axis=2, keepdims=True).astype(np.uint8),
    "of 16 bits": lambda image: image.astype(np.uint16) * 200,
}


def pictures(images: list[Array]) -> Array:
    return np.stack([thumbnail(image, SIDE) for image in images])


@pytest.fixture(scope="module")
def unrelated() -> list[Array]:
    return [photo(seed) for seed in range(60)]


def found_pairs(images: Array) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in find_copies(images).pairs}


def test_nothing_is_found_among_unrelated_images(unrelated: list[Array]) -> None:
    assert found_pairs(pictures(unrelated)) == set()


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found(change: str, unrelated: list[Array]) -> None:
    copies = [CHANGES[change](image) for image in unrelated[:12]]
    count = len(unrelated)
    assert found_pairs(pictures(unrelated + copies)) == {(row, count + row) for row in range(12)}


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(unrelated: list[Array], random: Any) -> None:
    images = pictures(unrelated[:20] + [CHANGES["mirrored"](image) for image in unrelated[:6]])
    order = list(range(len(images)))
    random.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    expected = {tuple(sorted((place[a], place[b]))) for a, b in found_pairs(images)}
    assert len(expected) == 6
    assert found_pairs(images[order]) == expected


def test_all_copies_of_one_image_are_one_group(unrelated: list[Array]) -> None:
    images = pictures(unrelated[:30] + [change(unrelated[4]) for change in CHANGES.values()])
    groups = groups_of(find_copies(images).pairs, len(images))
    members = np.flatnonzero(groups == groups[4])
    assert members.tolist() == [4, *range(30, len(images))]


def test_images_that_show_nothing_or_a_stripe_are_no_copies() -> None:
    random = np.random.default_rng(0)
    blank = [np.full((64, 64), value, np.uint8) + random.integers(0, 2, (64, 64), np.uint8) for value in (0, 90, 250)]
    stripes = [np.where(np.arange(64) < edge, 40, 200).astype(np.uint8)[None].repeat(64, 0) for edge in (20, 30, 31)]
    shades = [np.linspace(low, high, 64).astype(np.uint8)[:, None].repeat(64, 1) for low, high in ((0, 90), (9, 250))]
    assert found_pairs(np.stack(blank + stripes + shades)) == set()


def test_things_that_look_alike_by_nature_are_hardly_ever_accused() -> None:
    digits = pytest.importorskip("sklearn.datasets").load_digits().images
    images = np.stack([thumbnail((image * 15).astype(np.uint8)[:, :, None], SMALL_SIDE) for image in digits])
    assert len(find_copies(images).pairs) <= 0.005 * len(images)


def test_only_those_asked_about_are_looked_at_and_no_more_than_time_allows(unrelated: list[Array]) -> None:
    images = pictures(unrelated + [CHANGES["cropped at a corner"](image) for image in unrelated])
    count = len(unrelated)
    some = find_copies(images, np.asarray([3, 7, count + 9]))
    assert some.asked.tolist() == [3, 7, count + 9]
    assert some.pairs.tolist() == [[3, count + 3], [7, count + 7], [9, count + 9]]
    short = find_copies(np.concatenate([images] * 2), np.arange(200), budget_s=1e-6)
    assert 0 < len(short.asked) < 200


def test_too_few_images_have_no_copies(unrelated: list[Array]) -> None:
    for count in (0, 1):
        assert find_copies(pictures(unrelated[:1])[:count]).pairs.shape == (0, 2)
    assert found_pairs(pictures([unrelated[0], CHANGES["encoded again"](unrelated[0])])) == {(0, 1)}


def test_rows_equal_in_every_column_are_copies() -> None:
    random = np.random.default_rng(0)
    numbers = random.standard_normal((50, 4)).astype(np.float32)
    numbers[7, 2] = numbers[20, 2] = np.nan
    categories = random.integers(0, 3, (50, 2))
    for row, other in ((20, 7), (31, 7), (40, 2)):
        numbers[row], categories[row] = numbers[other] * np.float32(1 + 1e-7), categories[other]
    numbers[44], categories[44] = numbers[3], (categories[3] + 1) % 3
    pairs, ordinary = equal_rows(numbers, categories)
    assert sorted(map(tuple, pairs.tolist())) == [(2, 40), (7, 20), (7, 31)] and not ordinary.any()


def test_rows_of_few_coarse_columns_are_equal_by_nature() -> None:
    codes = np.random.default_rng(0).integers(0, 4, (500, 3))
    pairs, ordinary = equal_rows(np.zeros((500, 0)), codes)
    assert len(pairs) == 0 and ordinary.all()
    assert len(equal_rows(np.zeros((0, 2)), np.zeros((0, 1), int))[0]) == 0
