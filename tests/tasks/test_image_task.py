"""Images: which of the training images are looked at before the rest is decoded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import SettingError
from assay.sources import decode
from assay.sources.source import DataOptions
from assay.tasks import image_classification as images


@pytest.mark.parametrize("rows", [10, 512, 1000, 5000])
def test_the_images_looked_at_are_spread_over_all(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Folders of classes are read one after another: the first images alone would be of the first classes."""
    monkeypatch.setattr(decode, "decode_image", lambda place: np.full((2, 2, 1), int(place)))
    index = pa.table({"location": [str(place) for place in range(rows)]})
    records: Any = SimpleNamespace(index=lambda: index, load=lambda location: location)
    _, found = images._look_at(records, np.ones(rows, bool))
    places = np.asarray([image[0, 0, 0] for image in found])
    assert len(places) == len(set(places.tolist())) == min(rows, 512)
    assert (places[0], places[-1]) == (0, rows - 1)
    assert np.diff(places).max() <= -(-rows // 511)


@pytest.mark.parametrize("asked", ["²", "7", "wide", "-32"])
def test_an_image_size_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(SettingError, match="not a number of pixels"):
        images._size([(28, 28, 1)], DataOptions(extra={"image_size": asked}))
