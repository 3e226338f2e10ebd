from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.baselines.image_features import ImageFeatures, fit_projection, hog, reduce_area


@pytest.mark.parametrize(
    ("shape", "cell", "bins"), [((1, 28, 28), 4, 9), ((1, 28, 28), 7, 12), ((3, 40, 33), 8, 9), ((1, 64, 48), 8, 8)]
)
def test_hog_equals_scikit_image(shape: tuple[int, ...], cell: int, bins: int) -> None:
    from skimage.feature import hog as reference

    images = np.random.default_rng(0).integers(0, 256, (5, *shape)).astype(float)
    many = {"channel_axis": 0} if shape[0] > 1 else {}
    expected = [
        reference(image if many else image[0], bins, (cell, cell), (2, 2), block_norm="L2-Hys", **many)
        for image in images
    ]
    got = hog(torch.from_numpy(images), (cell, cell), bins)
    np.testing.assert_allclose(got.numpy(), np.stack(expected), atol=1e-5)


def test_a_ramp_has_one_orientation() -> None:
    image = torch.arange(16.0).expand(1, 1, 16, 16)
    histogram = hog(image, (4, 4), 9, signed=True, interpolate=True).reshape(9, 4, 9)
    assert histogram[4].argmax(dim=1).tolist() == [0] * 4
    assert (histogram[4, :, 1:] == 0).all()


def test_area_means() -> None:
    image = torch.rand(2, 3, 128, 96)
    small = reduce_area(image)
    assert small.shape == (2, 3, 64, 48)
    torch.testing.assert_close(small[0, 0, 0, 0], image[0, 0, :2, :2].mean())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 1, 1), (4, 5, 90), (3, 200, 130)])
def test_any_shape_gives_finite_features(shape: tuple[int, ...]) -> None:
    features = ImageFeatures(65535.0)
    images = np.random.default_rng(0).integers(0, 65536, (3, *shape)).astype(np.uint16)
    rows = features.rows(images)
    assert rows.shape == (3, sum(features.groups(shape)))
    assert np.isfinite(rows).all()


def test_projection_keeps_distances() -> None:
    rows = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32) @ np.eye(5, 40, dtype=np.float32)
    projected = fit_projection(rows, [40], 5, 0)(rows)
    before = np.linalg.norm(rows[:1] - rows, axis=1)
    after = np.linalg.norm(projected[:1] - projected, axis=1)
    np.testing.assert_allclose(after[1:] / before[1:], (after[1:] / before[1:])[0], rtol=1e-3)
