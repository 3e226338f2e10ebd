"""Where a word stands in its window: anywhere as a whole, or a piece of it at an edge."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.samples.draws import Draws
from assay.samples.sound_augment import augmented
from assay.samples.sound_position import cut_off, loud_part, placed

COUNT, LENGTH, BEGIN, LONG = 200, 4000, 1500, 1000
DRAWS = Draws(0, 0, np.arange(COUNT))


def words() -> torch.Tensor:
    """A rising ramp of a thousand values in the middle of silence, so that each value tells its place."""
    sounds = torch.zeros(COUNT, LENGTH)
    sounds[:, BEGIN : BEGIN + LONG] = torch.linspace(0.5, 1.0, LONG)
    return sounds


def test_a_word_comes_to_stand_anywhere_and_stays_whole() -> None:
    found = placed(words(), 1.0, DRAWS)
    assert torch.allclose(found.sum(dim=1), words().sum(dim=1))
    begins = (found > 0).int().argmax(dim=1)
    room = LENGTH - LONG
    assert int(begins.min()) < 0.1 * room + 100 and int(begins.max()) > 0.9 * room - 100
    assert float(begins.float().mean()) == pytest.approx(room / 2, abs=room / 10)


def test_half_of_the_way_is_half_of_the_way() -> None:
    whole, half = ((placed(words(), most, DRAWS) > 0).int().argmax(dim=1) - BEGIN for most in (1.0, 0.5))
    assert torch.allclose(half.float(), whole.float() / 2, atol=1)
    assert torch.equal(placed(words(), 0.0, DRAWS), words())


def test_a_word_longer_than_the_window_stays_inside() -> None:
    sounds = torch.randn(COUNT, LENGTH, generator=torch.Generator().manual_seed(0))
    found = placed(sounds, 1.0, DRAWS)
    assert float((found == 0).float().mean()) < 0.05


def test_of_a_word_cut_off_a_piece_is_heard_at_an_edge() -> None:
    found = cut_off(words(), DRAWS)
    share = (found > 0).sum(dim=1) / LONG
    assert float(share.min()) > 0 and float(share.max()) < 0.5
    early = found[:, -1] > 0
    late = found[:, 0] > 0
    assert bool((early ^ late).all()) and 0.3 < float(early.float().mean()) < 0.7
    firsts = found.masked_fill(found == 0, 2.0).amin(dim=1)[early]
    lasts = found.amax(dim=1)[late]
    assert torch.allclose(firsts, torch.full_like(firsts, 0.5)) and torch.allclose(lasts, torch.ones_like(lasts))


def test_those_cut_off_and_no_others() -> None:
    cut = torch.arange(COUNT) % 3 == 0
    found = augmented(words(), {}, 8000, DRAWS, cut)
    whole = (found == words()).all(dim=1)
    assert torch.equal(whole, ~cut)
    assert torch.equal(augmented(words(), {}, 8000, DRAWS), words())


def test_silence_is_moved_without_complaint() -> None:
    still = torch.zeros(COUNT, LENGTH)
    assert torch.equal(placed(still, 1.0, DRAWS), still) and torch.equal(cut_off(still, DRAWS), still)
    assert int(loud_part(still)[1].min()) <= LENGTH
