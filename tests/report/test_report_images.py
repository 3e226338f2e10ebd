"""Pictures become small data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from assay.report._words import image_source
from assay.report.images import heatmap, thumbnail


def opened(uri: str) -> Image.Image:
    assert image_source(uri) == uri, "the figures would not show it"
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("shape", [(300, 200), (300, 200, 1), (300, 200, 3)])
def test_a_large_picture_is_made_small(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert opened(thumbnail(picture)).size == (75, 112)


def test_a_tiny_picture_keeps_its_pixels_as_squares() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (28, 20), dtype=np.uint8)
    enlarged = np.asarray(opened(thumbnail(picture)).convert("L"))
    assert enlarged.shape == (112, 80)
    np.testing.assert_array_equal(enlarged[::4, ::4], picture)


@pytest.mark.parametrize("shape", [(5,), (5, 5, 2), (0, 4), (2, 5, 5, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        thumbnail(np.zeros(shape, dtype=np.uint8))


def test_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        thumbnail(np.zeros((5, 5), dtype=np.float32))


def test_a_heat_map_goes_from_dark_to_bright() -> None:
    pixels = np.asarray(opened(heatmap(np.array([[0.0, 0.5, 1.0]]))).convert("RGB"))
    brightness = pixels[0].sum(axis=1)[[0, 30, 60]]
    assert brightness[0] < brightness[1] < brightness[2]
    assert tuple(pixels[0, 0]) == (0x44, 0x01, 0x54)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0, 1e308, -1e308])
def test_a_heat_map_bears_odd_numbers(fill: float) -> None:
    opened(heatmap(np.full((4, 4), fill)))
    opened(heatmap(np.array([[fill, 1.0], [-1e308, 0.0]])))


def test_a_heat_map_needs_two_dimensions() -> None:
    with pytest.raises(ValueError, match="shape"):
        heatmap(np.zeros((2, 3, 4)))
