"""Pictures with boxes: which lines are where."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest

from assay.report.boxes import COLOURS, FOUND, LABELLED, MISSED, WRONG, boxes_drawn, compared

Array = np.ndarray[Any, Any]
GREY = np.full((160, 320, 3), 90, np.uint8)
BOX = np.asarray([[100.0, 40.0, 200.0, 120.0]])


def pixels(uri: str) -> Array:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")).astype(int)


def coloured(image: Array, colour: tuple[int, int, int]) -> Array:
    """(H, W) bool: pixels near a colour; the picture was compressed."""
    return np.asarray(np.abs(image - np.asarray(colour)).sum(axis=2) < 130)


@pytest.mark.parametrize("kind", [1, 3])
def test_a_labelled_box_is_a_line_in_its_class_colour(kind: int) -> None:
    image = pixels(boxes_drawn(GREY[:, :, :kind], BOX, np.asarray([1])))
    assert image.shape == (160, 320, 3)
    drawn = coloured(image, COLOURS[1])
    assert drawn[40, 100:200].mean() > 0.9 and drawn[40:120, 100].mean() > 0.9
    assert not drawn[44:116, 104:196].any() and not drawn[:36].any()


def test_missed_boxes_are_thick_found_ones_dashed_and_wrong_ones_crossed() -> None:
    lines = {mark: coloured(pixels(boxes_drawn(GREY, BOX, np.asarray([0]), [mark])), COLOURS[0])
             for mark in (LABELLED, MISSED, FOUND, WRONG)}  # fmt: skip
    assert lines[MISSED].sum() > 1.5 * lines[LABELLED].sum()
    assert 0.3 < lines[FOUND][40, 100:200].mean() < 0.8
    inside = {mark: drawn[50:110, 110:190].any() for mark, drawn in lines.items()}
    assert inside == {LABELLED: False, MISSED: False, FOUND: False, WRONG: True}


def test_small_pictures_are_drawn_large_with_boxes_in_place() -> None:
    image = pixels(boxes_drawn(GREY[:16, :32], BOX / 10, np.asarray([2])))
    assert image.shape == (160, 320, 3) and coloured(image, COLOURS[2])[60, 98:103].any()


def test_a_comparison_tells_misses_and_wrong_finds_apart_and_names_the_colours() -> None:
    objects = np.asarray([[0, 0, 50, 50, 0, 0], [100, 40, 200, 120, 1, 0], [250, 0, 300, 50, 0, 1]], float)
    found = np.asarray([[0, 0, 50, 48, 0.9, 0], [220, 100, 300, 150, 0.8, 1], [250, 0, 300, 50, 0.7, 0]], float)
    drawing = compared(GREY, objects, found, ("cat", "dog"), "one.png")
    assert drawing.lines == ("one.png", "missed (thick): 1", "found wrongly (crossed): 1",
                             "lines: solid labelled, dashed found", "orange: cat", "light blue: dog")  # fmt: skip
    assert drawing.image is not None
    dogs = coloured(pixels(drawing.image), COLOURS[1])
    assert dogs[70, 99:106].sum() >= 3 and dogs[110:140, 235:285].any()
    nothing = compared(GREY, np.zeros((0, 6)), np.zeros((0, 6)), ("cat",), "two.png")
    assert nothing.lines[:2] == ("two.png", "missed (thick): 0")
