"""Changes of sounds: what they do to a tone, that they depend on nothing but the window, and that none is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assay.samples import sound_augment as change
from assay.samples.draws import Draws
from assay.samples.sound_others import made_others, scrambled
from assay.samples.sound_position import loud_part
from assay.samples.sound_windows import as_waves, window_of

RATE = 8000


def tones(hertz: float, count: int = 4, seconds: float = 1.0) -> torch.Tensor:
    at = torch.arange(round(RATE * seconds)) / RATE
    return (0.5 * torch.sin(2 * math.pi * hertz * at)).repeat(count, 1)


def pitch(sound: torch.Tensor) -> float:
    """The frequency of the largest value of the spectrum, in hertz."""
    size = torch.fft.rfft(sound * torch.hann_window(len(sound))).abs()
    return float(size.argmax()) * RATE / len(sound)


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_a_sound_played_faster_is_higher_and_shorter(rate: float) -> None:
    sound = tones(440.0, 1)
    played = change.resampled(sound, torch.tensor([rate]))[0]
    middle = played[3000:5000]
    assert pitch(middle) == pytest.approx(440 * rate, abs=RATE / 2000)
    assert float(middle.abs().max()) == pytest.approx(0.5, rel=0.02)
    heard = int((played.abs() > 0).sum())
    assert heard == pytest.approx(min(RATE, RATE / rate), rel=0.01)


def test_played_as_fast_as_before_it_is_the_same() -> None:
    sound = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(change.resampled(sound, torch.ones(3)), sound, atol=1e-6)


def test_a_stretched_spectrum_moves_a_tone_and_keeps_its_length() -> None:
    sounds = tones(1000.0)
    draws = Draws(0, 0, np.arange(4))
    factor = torch.exp((draws.uniform("throat") * 2 - 1) * math.log1p(0.3))
    moved = change.throat(sounds, 0.3, RATE, draws)
    for one, by in zip(moved, factor, strict=True):
        assert pitch(one) == pytest.approx(1000 * float(by), abs=RATE / 256)  # a frequency of the pieces
        assert float(one[: RATE // 8].abs().max()) > 0.1 and float(one[-RATE // 8 :].abs().max()) > 0.1


@pytest.mark.parametrize("ratio_db", [0.0, 20.0])
def test_noise_is_as_loud_as_asked_for(ratio_db: float) -> None:
    sounds = tones(440.0)
    noisy = change.noise(sounds, 1.0, Draws(0, 0, np.arange(4)), ratio_db, ratio_db)
    added = (noisy - sounds).pow(2).mean(dim=1)
    signal = sounds.pow(2).mean(dim=1)
    found = 10 * torch.log10(signal / added)
    assert torch.allclose(found, torch.full((4,), ratio_db), atol=1.0)  # values next to zero do not count as signal


def test_half_of_the_noise_ends_with_the_clip() -> None:
    sounds = torch.zeros(200, 800)
    sounds[:, 300:500] = 0.1 * torch.randn(200, 200, generator=torch.Generator().manual_seed(0))
    clip = change.recorded(sounds)
    assert clip[:, 300:500].all() and not clip[:, :300].any() and not clip[:, 500:].any()
    draws = Draws(0, 0, np.arange(200))
    noisy = change.noise(sounds, 1.0, draws, 10.0, 10.0, clip)
    changed = noisy != sounds
    assert changed[:, 300:500].float().mean() > 0.99
    everywhere = changed[:, :300].any(dim=1)
    assert torch.equal(everywhere, changed[:, 500:].any(dim=1))
    assert 0.35 < float(everywhere.float().mean()) < 0.65
    assert torch.equal(change.noise(sounds, 1.0, draws, 10.0, 10.0) != sounds, torch.ones_like(changed))


def test_brown_noise_is_deeper_than_white() -> None:
    draws = Draws(0, 0, np.arange(3))
    white, brown = change.coloured(RATE, torch.zeros(3), draws), change.coloured(RATE, torch.full((3,), 2.0), draws)
    for sound in (white, brown):
        assert torch.allclose(sound.pow(2).mean(dim=1), torch.ones(3), atol=1e-4)
    high = [torch.fft.rfft(sound)[:, 1000:].abs().pow(2).sum() / torch.fft.rfft(sound).abs().pow(2).sum()
            for sound in (white, brown)]  # fmt: skip
    assert float(high[0]) > 0.7 and float(high[1]) < 0.05


def test_a_shift_moves_and_leaves_silence() -> None:
    sounds = torch.ones(64, 100)
    moved = change.shift(sounds, 0.2, Draws(0, 0, np.arange(64)))
    gone = (moved == 0).sum(dim=1)
    assert int(gone.max()) in range(15, 21) and int(gone.min()) < 3
    assert set(moved.unique().tolist()) == {0.0, 1.0}


def test_masks_silence_what_they_say() -> None:
    draws = Draws(0, 0, np.arange(32))
    silent = (change.mask_time(torch.ones(32, 200), 0.3, draws) == 0).float().mean(dim=1)
    assert 0.2 < float(silent.max()) <= 0.31
    noise = torch.randn(32, RATE, generator=torch.Generator().manual_seed(0))
    left = torch.fft.rfft(change.filtered(noise, 0.3, 0.0, RATE, draws)).abs()
    missing = (left < 1e-2).float().mean(dim=1)
    assert float(missing.max()) > 0.1 and bool((missing < 0.6).all())


@pytest.mark.parametrize("name", ["speed", "throat", "shift", "mask_time", "mask_band", "tilt", "gain", "noise"])
def test_each_change_does_nothing_without_strength_and_something_with_it(name: str) -> None:
    sounds = 0.2 * torch.randn(4, RATE, generator=torch.Generator().manual_seed(0))
    draws = Draws(3, 1, np.arange(4))
    assert torch.equal(change.augmented(sounds, {name: 0.0}, RATE, draws), sounds)
    strength = 6.0 if name in ("gain", "tilt") else 0.9 if name == "noise" else 0.2
    changed = change.augmented(sounds, {name: strength}, RATE, draws)
    assert changed.shape == sounds.shape and torch.isfinite(changed).all()
    assert not torch.allclose(changed, sounds, atol=1e-3)
    alone = change.augmented(sounds[2:3], {name: strength}, RATE, Draws(3, 1, np.asarray([2])))
    assert torch.allclose(alone[0], changed[2], atol=1e-5)


def test_pieces_in_another_order_keep_the_energy_and_say_something_else() -> None:
    sounds = torch.zeros(16, 2000)
    sounds[:, 500:1500] = torch.sin(torch.linspace(0, 300, 1000) ** 1.3)
    draws = Draws(0, 0, np.arange(16))
    other = scrambled(sounds, draws)
    assert torch.allclose(other.pow(2).sum(dim=1), sounds.pow(2).sum(dim=1), rtol=0.35)
    likeness = (other * sounds).sum(dim=1) / sounds.pow(2).sum(dim=1)
    assert bool((likeness < 0.7).all())
    begin, end = loud_part(other)
    assert int(begin.min()) >= 490 and int(end.max()) <= 1510


def test_what_is_made_of_clips_is_of_every_kind_and_finite() -> None:
    sounds = tones(500.0, 200, 0.5)
    made = made_others(sounds, Draws(0, 0, np.arange(200)))
    loud = made.pow(2).mean(dim=1).sqrt()
    assert torch.isfinite(made).all() and float(made.abs().max()) <= 1
    assert float((loud < 0.02).float().mean()) > 0.1 and float((loud > 0.1).float().mean()) > 0.3
    assert torch.isfinite(made_others(torch.zeros(20, 400), Draws(0, 0, np.arange(20)))).all()


@pytest.mark.parametrize("length", [50, 100, 400])
def test_a_window_holds_the_whole_of_a_short_sound_and_the_loudest_part_of_a_long_one(length: int) -> None:
    sound = np.zeros(200, np.float32)
    sound[120:150] = 0.5
    window = window_of(sound, length)
    assert window.shape == (length,) and window.dtype == np.int16
    assert int((window != 0).sum()) == 30
    assert float(as_waves(torch.from_numpy(window)).max()) == pytest.approx(0.5, abs=1e-4)


def test_a_background_is_another_sound_of_the_batch_and_softer() -> None:
    sounds = torch.cat([tones(440.0, 3), tones(1500.0, 1)])
    others = torch.tensor([False, False, False, True])
    draws = Draws(0, 0, np.arange(4))
    mixed = change.background(sounds, others, 1.0, draws)
    for one, before in zip(mixed[:3], sounds[:3], strict=True):
        added = one - before
        assert pitch(added) == pytest.approx(1500.0, abs=2)
        ratio = 20 * math.log10(float(before.pow(2).mean().sqrt() / added.pow(2).mean().sqrt()))
        assert 4 < ratio < 36
    assert torch.equal(change.background(sounds, others, 0.0, draws), sounds)
    assert torch.equal(change.background(sounds, torch.zeros(4, dtype=torch.bool), 1.0, draws), sounds)
    silent = torch.cat([tones(440.0, 3), torch.zeros(1, RATE)])
    assert torch.equal(change.background(silent, others, 1.0, draws), silent)
