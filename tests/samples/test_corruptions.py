"""The six corruptions of images against the definition written out, and against an independent package."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.samples.corruptions import image_corruptions, strengths_for
from assay.samples.draws import Draws
from assay.tasks.image_classification import ImageBatch

Image = pytest.importorskip("PIL.Image")
ndimage = pytest.importorskip("scipy.ndimage")
Array = np.ndarray[Any, Any]

#: As make_cifar_c.py, make_tinyimagenet_c.py and make_imagenet_c.py of the paper's authors have them, by height.
PUBLISHED: dict[int, dict[str, Any]] = {
    32: {
        "noise": [0.04, 0.06, 0.08, 0.09, 0.10],
        "defocus blur": [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
        "JPEG compression": [80, 65, 58, 50, 40],
        "brightness": [0.05, 0.1, 0.15, 0.2, 0.3],
        "contrast": [0.75, 0.5, 0.4, 0.3, 0.15],
        "pixelation": [0.95, 0.9, 0.85, 0.75, 0.65],
    },
    64: {
        "noise": [0.04, 0.08, 0.12, 0.15, 0.18],
        "defocus blur": [(0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)],
        "JPEG compression": [65, 58, 50, 40, 25],
        "brightness": [0.1, 0.2, 0.3, 0.4, 0.5],
        "contrast": [0.4, 0.3, 0.2, 0.1, 0.05],
        "pixelation": [0.9, 0.8, 0.7, 0.6, 0.5],
    },
    224: {
        "noise": [0.08, 0.12, 0.18, 0.26, 0.38],
        "defocus blur": [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
        "JPEG compression": [25, 18, 15, 10, 7],
        "brightness": [0.1, 0.2, 0.3, 0.4, 0.5],
        "contrast": [0.4, 0.3, 0.2, 0.1, 0.05],
        "pixelation": [0.6, 0.5, 0.4, 0.3, 0.25],
    },
}
NAMES = list(PUBLISHED[32])
EXACT = [name for name in NAMES if name != "noise"]


def photos(height: int, channels: int = 3, count: int = 4) -> Array:
    """(N, H, W, C) uint8 with shades, edges, texture, black and white."""
    random = np.random.default_rng([height, channels])
    images = random.standard_normal((count, height, height, channels))
    smooth = ndimage.gaussian_filter(images, (0, height / 8, height / 8, 0))
    values = 128 + 80 * smooth / smooth.std() + 15 * images
    values[:, : height // 4, : height // 4] = 0
    values[:, -height // 4 :, : height // 4] = 255
    return values.clip(0, 255).astype(np.uint8)


def worse(images: Array, name: str, strength: int, index: Any = None) -> Array:
    """(N, H, W, C) after a corruption of batches (N, C, H, W)."""
    place = np.arange(len(images)) if index is None else np.asarray(index)
    batch = ImageBatch(index=torch.from_numpy(place), image=torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    found = image_corruptions(images.shape[1])[name].change(batch, strength, Draws(0, 0, place)).image
    assert found.dtype == torch.uint8 and found.shape == batch.image.shape
    return found.numpy().transpose(0, 2, 3, 1)


def defined(image: Array, name: str, value: Any) -> Array:
    """One image (H, W, C) as the definition has it, in double precision."""
    shares = image / 255.0
    if name == "defocus blur":
        return np.stack([_defocused(shares[..., c], *value) for c in range(image.shape[2])], axis=-1)
    if name == "brightness":
        color = pytest.importorskip("skimage.color")
        if image.shape[2] != 3:
            return np.clip(shares + value, 0, 1) * 255
        hsv = color.rgb2hsv(shares)
        hsv[..., 2] = np.clip(hsv[..., 2] + value, 0, 1)
        return np.asarray(color.hsv2rgb(hsv) * 255)
    if name == "contrast":
        mean = shares.mean(axis=(0, 1))
        return np.asarray(np.clip((shares - mean) * value + mean, 0, 1) * 255)
    picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    if name == "JPEG compression":
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=value)
        changed = Image.open(out)
    else:
        side = int(image.shape[0] * value)
        changed = picture.resize((side, side), Image.BOX).resize(picture.size, Image.BOX)
    return np.asarray(changed, float).reshape(image.shape)


def _defocused(plane: Array, radius: float, rim: float) -> Array:
    reach, size = (8, 3) if radius <= 8 else (int(radius), 5)
    grid = np.arange(-reach, reach + 1)
    disk = np.add.outer(grid**2, grid**2) <= radius**2
    bell = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * rim**2))
    kernel = ndimage.convolve(disk / disk.sum(), np.outer(bell, bell) / bell.sum() ** 2, mode="mirror")
    return np.asarray(np.clip(ndimage.correlate(plane, kernel, mode="mirror"), 0, 1) * 255)


@pytest.mark.parametrize("strength", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(("height", "channels"), [(32, 3), (32, 1), (64, 3), (224, 3)])
def test_equal_to_the_definition(height: int, channels: int, name: str, strength: int) -> None:
    images = photos(height, channels, 2)
    found = worse(images, name, strength)
    for image, changed in zip(images, found, strict=True):
        wanted = defined(image, name, PUBLISHED[height][name][strength - 1])
        assert (changed <= wanted + 0.01).all() and (changed > wanted - 1.01).all()


@pytest.mark.parametrize("strength", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("height", [32, 64, 224])
def test_noise_has_the_published_deviation(height: int, strength: int) -> None:
    """On mid-grey, where hardly anything is cut off: rounding down takes half a value from the mean."""
    grey = np.full((3, height, height, 3), 127, np.uint8)
    change = worse(grey, "noise", strength).astype(float) - 127
    deviation = 255 * PUBLISHED[height]["noise"][strength - 1]
    wanted = np.floor(np.clip(127 + deviation * np.random.default_rng(0).standard_normal(10**6), 0, 255)) - 127
    assert change.std() == pytest.approx(wanted.std(), rel=0.03)
    assert change.mean() == pytest.approx(wanted.mean(), abs=0.03 * deviation + 0.1)


@pytest.mark.parametrize("strength", [1, 3, 5])
@pytest.mark.parametrize("name", EXACT)
def test_equal_to_an_independent_package(name: str, strength: int) -> None:
    package = pytest.importorskip("imagecorruptions")
    theirs = {"defocus blur": "defocus_blur", "JPEG compression": "jpeg_compression", "pixelation": "pixelate"}
    images = photos(224, count=2)
    for image, changed in zip(images, worse(images, name, strength), strict=True):
        wanted = package.corrupt(image, severity=strength, corruption_name=theirs.get(name, name)).astype(int)
        assert np.abs(changed - wanted).max() <= 2
        assert np.abs(changed - wanted).mean() < 0.2


def test_each_window_has_its_own_noise_whatever_the_batch() -> None:
    grey = np.full((3, 32, 32, 3), 127, np.uint8)
    whole = worse(grey, "noise", 3, [7, 8, 9])
    assert np.array_equal(worse(grey[:1], "noise", 3, [8])[0], whole[1])
    assert not np.array_equal(whole[0], whole[1])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([20, 28, 32, 45, 48, 64, 96, 119, 120, 128, 160, 224, 300]), st.sampled_from(NAMES))
def test_each_strength_is_worse_than_the_one_before(height: int, name: str) -> None:
    images = photos(height, count=2)
    far = [np.abs(worse(images, name, at).astype(float) - images).mean() for at in range(1, 6)]
    # In few pixels some grids of boxes fit the picture better than coarser or finer ones.
    assert name == "pixelation" or all(after > 0.9 * before for before, after in pairwise(far))
    assert far[4] > far[0]


@pytest.mark.parametrize(("height", "wanted"), [(8, 32), (28, 32), (45, 32), (48, 64), (96, 64), (128, 224)])
def test_the_nearest_published_strengths_are_taken(height: int, wanted: int) -> None:
    assert strengths_for(height).height == wanted


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_channels(channels: int, name: str) -> None:
    images = photos(32, channels, 2)
    before = images.copy()
    assert not np.array_equal(worse(images, name, 5), images)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_stays_empty(name: str) -> None:
    assert worse(np.zeros((0, 32, 32, 3), np.uint8), name, 3).shape == (0, 32, 32, 3)
