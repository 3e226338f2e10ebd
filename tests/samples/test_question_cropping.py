"""Cropped texts: the answer, the question and the marks stay, everything else is a stretch of what was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.question_cropping import crop_texts

END = 99


@dataclass(frozen=True)
class Windows:
    tokens: Tensor
    segments: Tensor
    mask: Tensor | None
    places: Tensor
    looks: Tensor
    span: Tensor


def windows(lengths: list[int], spans: list[tuple[int, int]]) -> Windows:
    """[98] 50 51 [END] text [END]; the text's tokens are 1, 2, 3, … and a span counts from its first."""
    rows, width = [[98, 50, 51, END, *range(1, length + 1), END] for length in lengths], max(lengths) + 5
    mask = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in rows])
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    segments = ((torch.arange(width)[None] >= 4) & mask).long()
    places = torch.stack([tokens * 10, tokens * 10 + 7], dim=2)
    span = torch.tensor([[first + 4, last + 4] if first >= 0 else [-1, -1] for first, last in spans])
    return Windows(tokens, segments, mask, places, tokens % 6, span)


@pytest.mark.parametrize("least", [0.1, 0.5])
def test_a_stretch_is_left_that_holds_the_answer(least: float) -> None:
    lengths, spans = [40, 7, 25, 1, 40], [(30, 33), (0, 6), (-1, -1), (0, 0), (0, 1)]
    batch: Any = windows(lengths, spans)
    seen = set()
    for epoch in range(30):
        found = crop_texts(batch, least, Draws(3, epoch, np.arange(5)))
        for row, (length, (first, last)) in enumerate(zip(lengths, spans, strict=True)):
            real = found.mask[row]
            assert bool(real[: int(real.sum())].all()), "padding stands at the end"
            tokens = found.tokens[row][real].tolist()
            assert tokens[:4] == [98, 50, 51, END] and tokens[-1] == END
            text = tokens[4:-1]
            assert text == list(range(text[0], text[0] + len(text))), "one stretch"
            assert len(text) >= max(1, int(least * length))
            assert found.segments[row][real].tolist() == [0] * 4 + [1] * (len(text) + 1)
            assert torch.equal(found.places[row, :, 0][real], found.tokens[row][real] * 10)
            assert torch.equal(found.looks[row][real], found.tokens[row][real] % 6)
            start, end = found.span[row].tolist()
            if first < 0:
                assert (start, end) == (-1, -1)
            else:
                assert found.tokens[row, start : end + 1].tolist() == list(range(first + 1, last + 2))
            seen.add((row, text[0], len(text)))
    assert len([one for one in seen if one[0] == 0]) > 10, "another stretch each time"
    assert {one[1:] for one in seen if one[0] == 1} == {(1, 7)}, "an answer is never cut"
    again = crop_texts(batch, least, Draws(3, 29, np.arange(5)))
    assert torch.equal(again.tokens, found.tokens)


def test_a_least_share_of_one_changes_nothing() -> None:
    batch: Any = windows([9, 4], [(2, 3), (-1, -1)])
    found = crop_texts(batch, 1.0, Draws(0, 0, np.arange(2)))
    for name in ("tokens", "segments", "places", "looks", "span", "mask"):
        assert torch.equal(getattr(found, name), getattr(batch, name)), name
