"""Small grey pictures out of many images at once are those that Pillow makes out of each."""

from __future__ import annotations

import numpy as np
import pytest

from assay.samples.thumbnails import SIDE, SMALL_SIDE, thumbnail, thumbnails_of


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 100, 140), (3, 32, 50), (1, 64, 64), (4, 200, 90)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_many_at_once_are_as_one_by_one(shape: tuple[int, int, int], kind: str) -> None:
    random = np.random.default_rng(0)
    values = random.random((5, *shape)) * {"uint8": 255, "uint16": 40_000, "float32": 1.5}[kind]
    images = values.astype(kind)
    side = SMALL_SIDE if min(shape[1:]) < 48 else SIDE
    wanted = np.stack([thumbnail(image.transpose(1, 2, 0), side) for image in images])
    found = thumbnails_of(images)
    assert found.shape == (5, side, side)
    assert np.abs(found.astype(int) - wanted).max() <= 1
