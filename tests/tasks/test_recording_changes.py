"""How recordings are changed while transcription is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("soundfile")
pytest.importorskip("soxr")
pytest.importorskip("jiwer")


from assay.samples.draws import Draws
from assay.samples.speech_augment import played, speech_augmented

CHANGES = {"speed": 0.1, "gain": 6.0, "noise": 1.0, "mask_time": 0.1, "mask_band": 0.2, "tilt": 3.0}


def test_changes_depend_on_the_window_alone() -> None:
    torch.manual_seed(0)
    mask = torch.arange(9000) < torch.tensor([4000, 9000, 6000])[:, None]
    sound = torch.randn(3, 9000) * 0.1 * mask
    together, kept = speech_augmented(sound, mask, CHANGES, 16_000, Draws(0, 1, np.array([5, 6, 7])))
    alone, one = speech_augmented(sound[:1, :4000], mask[:1, :4000], CHANGES, 16_000, Draws(0, 1, np.array([5])))
    assert int(kept[0].sum()) == int(one.sum()) and not together[~kept].any()
    torch.testing.assert_close(together[0, : one.shape[1]], alone[0], atol=1e-5, rtol=1e-4)
    assert not torch.equal(together[1, :4000], sound[1, :4000])


def test_played_faster_it_is_shorter() -> None:
    tone = torch.sin(torch.arange(8000) * 0.1)[None]
    sound, mask = played(tone, torch.ones_like(tone, dtype=torch.bool), torch.tensor([1.25]))
    assert int(mask.sum()) == 6400
    torch.testing.assert_close(sound[0, 1000:5000], torch.sin(torch.arange(8000) * 0.125)[1000:5000], atol=2e-3, rtol=0)


def test_played_slower_nothing_goes_beyond_what_a_network_hears() -> None:
    rate = 200
    sound = torch.ones(64, 29 * rate)
    mask = torch.arange(29 * rate) < torch.tensor([29 * rate, 5 * rate] * 32)[:, None]
    changed, kept = speech_augmented(sound * mask, mask, {"speed": 0.3}, rate, Draws(0, 1, np.arange(64)))
    lengths = kept.sum(dim=1) / rate
    assert float(lengths.max()) <= 30 and changed.shape[1] <= 30 * rate
    assert float(lengths[::2].max()) > 29.9 and float(lengths[1::2].max()) > 5.8 and float(lengths.min()) < 4.5
