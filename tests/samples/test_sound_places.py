"""Places in a sound: they cover it, and hiding one takes away what is there and nothing else."""

from __future__ import annotations

import math

import numpy as np
import torch

from assay.samples.sound_places import BANDS, band_edges, grid, mask_sounds, sound_parts
from assay.samples.sound_spec import ClipSpec
from assay.targets.class_target import ClassTarget

SPEC = ClipSpec(8000, 0.8, ClassTarget(("a", "b")))


def test_the_thirds_cover_the_window_once() -> None:
    parts = sound_parts(SPEC)
    thirds = [part for name, part in parts.items() if "tenth" not in name]
    assert np.array_equal(np.sum(thirds, axis=0), np.ones(grid(SPEC)))
    assert parts["first tenth"][:, 0].all() and not parts["first tenth"][:, 4:].any()
    edges = band_edges(SPEC)
    assert len(edges) == BANDS + 1 and edges[0] == 0 and abs(edges[-1] - 4000) < 1


def test_hiding_a_band_takes_its_tone_alone() -> None:
    edges = band_edges(SPEC)
    low, high = (float(edges[band] + edges[band + 1]) / 2 for band in (2, 7))
    at = torch.arange(SPEC.length) / SPEC.rate
    sound = (torch.sin(2 * math.pi * low * at) + torch.sin(2 * math.pi * high * at))[None]
    kept = torch.ones(grid(SPEC), dtype=torch.bool)
    kept[6:9] = False
    size = torch.fft.rfft(mask_sounds(sound, kept, SPEC)[0]).abs() / torch.fft.rfft(sound[0]).abs().max()
    step = SPEC.rate / SPEC.length
    assert float(size[round(low / step)]) > 0.9 and float(size[round(high / step)]) < 0.05


def test_hiding_a_stretch_silences_it() -> None:
    sound = torch.randn(1, SPEC.length, generator=torch.Generator().manual_seed(0))
    kept = torch.ones(grid(SPEC), dtype=torch.bool)
    kept[:, :8] = False
    left = mask_sounds(sound, kept, SPEC)[0].abs()
    half = SPEC.length // 2
    assert float(left[: half - 400].max()) < 1e-4 and float((left - sound[0].abs())[half + 400 :].abs().max()) < 1e-4


def test_all_kept_is_the_same_and_nothing_kept_is_silence_or_the_other() -> None:
    sounds = torch.randn(2, SPEC.length, generator=torch.Generator().manual_seed(0))
    other = torch.randn(2, SPEC.length, generator=torch.Generator().manual_seed(1))
    everything = torch.ones(2, *grid(SPEC), dtype=torch.bool)
    assert torch.equal(mask_sounds(sounds, everything, SPEC), sounds)
    assert torch.equal(mask_sounds(sounds, ~everything, SPEC), torch.zeros_like(sounds))
    assert torch.allclose(mask_sounds(sounds, ~everything, SPEC, other), other, atol=1e-5)
    everything[1] = False
    assert torch.equal(mask_sounds(sounds, everything, SPEC)[0], sounds[0])
