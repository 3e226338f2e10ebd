"""Pictures and boxes in a network's field."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.samples.box_frames import into_frame, letterbox, out_of_frame
from assay.samples.box_spec import BoxSpec

SPEC = BoxSpec(3, 64, 96, (10.0, 20.0, 30.0), (1.0,) * 3, ("car", "bus"), 2.5, 8.0)


def test_the_spec_is_read_back_as_it_was_written() -> None:
    assert BoxSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_boxes_come_back_from_the_field(height: int, width: int, data: st.DataObject) -> None:
    x = sorted(data.draw(st.lists(st.floats(0, width), min_size=2, max_size=2)))
    y = sorted(data.draw(st.lists(st.floats(0, height), min_size=2, max_size=2)))
    box = np.asarray([[x[0], y[0], x[1], y[1], 1.0, 0.0]])
    there = into_frame(box, (height, width), SPEC)
    assert (there[:, :4] >= -1e-3).all()
    assert (there[:, 2] <= 96 + 1e-3).all()
    assert (there[:, 3] <= 64 + 1e-3).all()
    assert there[0, 4:].tolist() == [1.0, 0.0]
    assert out_of_frame(there, (height, width), SPEC) == pytest.approx(box, abs=2e-3)


@pytest.mark.parametrize("shape", [(128, 192), (40, 100), (100, 40), (64, 96), (7, 300)])
def test_a_bright_rectangle_lies_where_its_box_says(shape: tuple[int, int]) -> None:
    height, width = shape
    image = np.zeros((height, width, 3), np.uint8)
    box = np.asarray([[width // 4, height // 4, width // 2, height // 2 + 1]])
    image[box[0, 1] : box[0, 3], box[0, 0] : box[0, 2]] = 255
    field = letterbox(image, SPEC)
    x0, y0, x1, y1 = into_frame(box, shape, SPEC)[0]
    rows, columns = np.nonzero(field[0] > 127)
    assert field.shape == (3, 64, 96)
    assert abs(columns.min() - x0) <= 1
    assert abs(columns.max() + 1 - x1) <= 1
    assert abs(rows.min() - y0) <= 1
    assert abs(rows.max() + 1 - y1) <= 1


def test_what_the_picture_does_not_cover_has_the_mean() -> None:
    field = letterbox(np.full((64, 32, 3), 200, np.uint8), SPEC)
    assert field[:, 0, 0].tolist() == [10, 20, 30]
    assert field[:, 0, 48].tolist() == [200, 200, 200]


def test_a_picture_decoded_smaller_lies_where_the_whole_one_does() -> None:
    whole = np.full((300, 301, 3), 200, np.uint8)
    half = np.ascontiguousarray(whole[::2, ::2])
    assert (letterbox(half, SPEC, (300, 301)) == letterbox(whole, SPEC)).all()
