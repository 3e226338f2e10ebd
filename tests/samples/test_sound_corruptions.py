"""Noise, telephones and rooms: as strong as they say, the stronger the worse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assay.samples.draws import Draws
from assay.samples.sound_corruptions import NOISE_DB, noisy, reverberant, sound_corruptions, telephone
from assay.tasks.transcription import RecordingBatch
from assay.tasks.voice_commands import SoundBatch

RATE = 8000
NAMES = ["noise", "telephone", "reverberation"]


def sounds(count: int = 4) -> torch.Tensor:
    found = torch.zeros(count, RATE)
    found[:, 1000:4000] = 0.3 * torch.randn(count, 3000, generator=torch.Generator().manual_seed(0))
    return found


def draws(count: int = 4) -> Draws:
    return Draws(0, 1, np.arange(count))


@pytest.mark.parametrize("ratio_db", [0.0, 10.0, 20.0])
def test_noise_has_the_ratio_that_it_says(ratio_db: float) -> None:
    clean = sounds()
    added = noisy(clean, ratio_db, draws()) - clean
    signal = clean[:, 1000:4000].pow(2).mean(dim=1)
    assert torch.allclose(10 * torch.log10(signal / added.pow(2).mean(dim=1)), torch.full((4,), ratio_db), atol=1.5)


def test_a_telephone_lets_its_band_through_alone() -> None:
    at = torch.arange(RATE) / RATE
    kept, lost = (0.3 * torch.sin(2 * math.pi * hertz * at)[None] for hertz in (1000.0, 150.0))
    assert float((telephone(kept, 300, 3400, RATE) - kept).abs().max()) < 0.02
    assert float(telephone(lost, 300, 3400, RATE).abs().max()) < 0.01


def test_a_room_rings_on_behind_the_sound() -> None:
    clean = sounds()
    behind = [reverberant(clean, decay_s, 0.5, RATE, draws())[:, 4400:6000].pow(2).sum() for decay_s in (0.2, 0.9)]
    assert float(clean[:, 4400:].abs().max()) == 0 and 0 < float(behind[0]) < float(behind[1])


@pytest.mark.parametrize("name", NAMES)
def test_each_gets_worse_with_its_strength_and_is_no_chance(name: str) -> None:
    whole = (sounds() * 20000).to(torch.int16)
    batch = SoundBatch(index=torch.arange(4), sound=whole)
    change = sound_corruptions(RATE)[name].change
    changed = [change(batch, strength, draws()).sound for strength in (1, 3, 5)]
    far = [float((one - whole / 32767).pow(2).mean()) for one in changed]
    assert 0 < far[0] < far[1] < far[2]
    assert torch.equal(change(batch, 3, draws()).sound, changed[1])
    alone = change(SoundBatch(index=torch.arange(2, 3), sound=whole[2:3]), 3, Draws(0, 1, np.asarray([2]))).sound
    assert torch.allclose(alone[0], changed[1][2], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_padding_stays_silent_and_changes_nothing(name: str) -> None:
    change = sound_corruptions(RATE)[name].change
    long = 0.3 * torch.randn(3, 2 * RATE, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([3000, 0, 2 * RATE])
    mask = torch.arange(2 * RATE) < lengths[:, None]
    padded = RecordingBatch(index=torch.arange(3), mask=mask, sound=long * mask, start=torch.zeros(3))
    changed = change(padded, 3, draws(3)).sound
    assert not changed[~mask].any()
    alone = SoundBatch(index=torch.arange(1), sound=long[:1, :3000])
    assert torch.equal(changed[0, :3000], change(alone, 3, draws(1)).sound[0])
    assert not torch.allclose(changed[2], long[2], atol=0.01)


def test_each_strength_says_what_it_is() -> None:
    found = sound_corruptions(RATE)
    assert found["noise"].strengths == tuple(f"{ratio:.0f} dB signal to noise" for ratio in NOISE_DB)
    assert found["telephone"].strengths[1] == "300 to 3,400 Hz"
    assert found["reverberation"].strengths[0] == "0.2 s of reverberation, 30 % of the power"
    assert all(len(one.strengths) == 5 for one in found.values())
