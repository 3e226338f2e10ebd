"""Parts of masks that look wrong, and what is wrong with answers: both planted in made-up masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.evaluation.mask_doubts import MISSING, NOTHING, OTHER, mask_doubts
from assay.evaluation.mask_errors import FALSE, MISSED, OUTLINES, mask_errors
from assay.evaluation.mask_errors import OTHER as TAKEN
from assay.samples.mask_spec import MaskSpec
from assay.samples.mask_windows import WindowShares, merge
from assay.sources.label_mask import VOID, LabelMask

Array = np.ndarray[Any, Any]
SIDE = 96
SPEC = MaskSpec(("ground", "cat", "dog"), 0, 32, 1.0, 255.0, True, (0.0,) * 3, (1.0,) * 3, (0.8, 0.1, 0.1))
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def disk(mask: Array, row: int, column: int, radius: float, label: int) -> None:
    mask[np.hypot(ROWS - row, COLUMNS - column) < radius] = label


def true_mask(number: int) -> Array:
    """Four disks of two classes, one a quarter."""
    random = np.random.default_rng(number)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for row in (24, 72):
        for column in (24, 72):
            disk(mask, row + random.integers(-6, 7), column + random.integers(-6, 7), random.integers(7, 12),
                 random.integers(1, 3))  # fmt: skip
    return mask


def answered(mask: Array, seed: int, unsure: float = 0.2) -> Any:
    """What a network says that sees the mask with outlines a little off, and is `unsure` of a part of its pixels."""
    random = np.random.default_rng([seed, 7])
    moved = np.roll(mask, int(random.integers(-1, 2)), axis=int(random.integers(0, 2)))
    sure = np.where(random.random(mask.shape) < unsure, 0.8, 0.97)
    shares = np.where(np.arange(3)[:, None, None] == moved, sure, (1 - sure) / 2)
    return merge([WindowShares(shares.astype(np.float16), np.asarray([SIDE, SIDE, SIDE, SIDE, 0, 0]))])


def planted(masks: list[Array]) -> tuple[list[Array], dict[int, str]]:
    """Every twentieth mask lacks a disk, as many have one of another class, as many one where nothing is."""
    labels, kinds = [mask.copy() for mask in masks], {}
    for number in range(0, len(labels), 20):
        corner = labels[number][:48, :48]
        corner[corner > 0] = 0
        other = labels[number + 3][:48, :48]
        other[other > 0] = 3 - other[other > 0]
        disk(labels[number + 6], 48, 48, 6, 1)
        kinds |= {number: MISSING, number + 3: OTHER, number + 6: NOTHING}
    return labels, kinds


def test_planted_errors_are_named_with_their_places() -> None:
    true = [true_mask(number) for number in range(60)]
    labels, kinds = planted(true)
    outputs = [answered(mask, number) for number, mask in enumerate(true)]
    doubts = mask_doubts(outputs, [LabelMask.of(mask) for mask in labels], SPEC)
    assert doubts is not None and doubts.labels == 240 and doubts.agreed > 0.9
    assert {one.row: one.kind for one in doubts.found} == kinds and len(doubts.found) == len(kinds)
    for one in doubts.found:
        x0, _, x1, y1 = one.place
        assert (40 < x0 < x1 < 56) if one.kind == NOTHING else (x1 < 50 and y1 < 50)
        assert one.kind != MISSING or one.label == "ground"
        assert one.kind != OTHER or {one.label, one.better} == {"cat", "dog"}
    assert [one.sure for one in doubts.found] == sorted((one.sure for one in doubts.found), reverse=True)


def test_outlines_that_are_a_little_off_and_void_are_not_doubted() -> None:
    true = [true_mask(number) for number in range(20)]
    labels = [mask.copy() for mask in true]
    for mask in labels:
        mask[:48, :48] = VOID
    doubts = mask_doubts([answered(mask, 1) for mask in true], [LabelMask.of(mask) for mask in labels], SPEC)
    assert doubts is not None and doubts.found == () and doubts.labels == 60


def test_a_network_that_is_unsure_or_blind_is_not_believed() -> None:
    true = [true_mask(number) for number in range(20)]
    labels = [LabelMask.of(mask) for mask in true]
    half = [np.where(COLUMNS < 48, mask, 0).astype(np.uint8) for mask in true]  # it does not see the right half
    doubts = mask_doubts([answered(mask, 1) for mask in half], labels, SPEC)
    assert doubts is not None and doubts.found == () and 0.6 < doubts.agreed < 0.75
    nothing = mask_doubts([answered(np.zeros_like(mask), 1) for mask in true], labels, SPEC)
    assert nothing is not None and nothing.agreed == 0.0 and nothing.found == ()
    assert mask_doubts([], [], SPEC) is not None


def told(true: Array, answer: Array) -> dict[str, tuple[int | None, int]]:
    output = answered(answer, 0, unsure=0.0)
    output = type(output)(LabelMask.of(answer), 0.9, output.sure)
    found = mask_errors([output], [LabelMask.of(true)], SPEC)
    return {name: (one.areas, one.pixels) for name, one in found.items()}


def test_wrong_pixels_by_kind() -> None:
    true, answer = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    true[10:20, 10:20] = answer[10:20, 10:22] = 1  # outlined too wide: 20 pixels
    true[40:50, 40:50] = 1  # missed: 100
    answer[70:80, 70:75] = 2  # nothing there: 50
    true[10:20, 60:70], answer[10:20, 60:70] = 1, 2  # taken for another: 100
    true[90:, 90:] = VOID
    assert told(true, answer) == {TAKEN: (1, 100), MISSED: (2, 100), FALSE: (2, 50), OUTLINES: (None, 20)}


@pytest.mark.parametrize("background", [None, 0])
def test_without_a_background_nothing_is_missed(background: int | None) -> None:
    spec = MaskSpec(**{**vars(SPEC), "background": background})
    assert bool(mask_errors([], [], spec)) == (background == 0)
