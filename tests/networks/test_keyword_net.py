"""The front end against PyTorch's own transform and a known answer; the network's size, shapes and indifference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assay.networks.keyword_net import KeywordNet, KeywordNetSettings, normalised
from assay.networks.log_mel import FLOOR, LogMel, mel_bands, mel_edges
from assay.networks.sound_networks import sound_networks
from assay.samples.sound_spec import ClipSpec
from assay.targets.class_target import ClassTarget
from assay.task import Situation


def sounds(count: int, length: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(count, length, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_transform_is_that_of_stft(rate: int) -> None:
    front, sound = LogMel(rate, 40), sounds(2, rate)
    size = front.waves.shape[0] - 2  # so many values as K frequencies need
    window = torch.zeros(size)
    at = (torch.arange(front.window) + 0.5) / front.window
    window[: front.window] = 0.5 - 0.5 * torch.cos(2 * math.pi * at)
    frames = sound.unfold(1, front.window, front.hop)
    padded = torch.nn.functional.pad(frames, (0, size - front.window)) * window
    energy = torch.fft.rfft(padded).abs().pow(2) / window.pow(2).sum()
    expected = torch.log(energy @ front.bands.T + FLOOR).transpose(1, 2)
    found = front(sound)
    assert found.shape == (2, 40, front.frames(rate)) == expected.shape
    assert torch.allclose(found, expected, atol=1e-3)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    front, edges = LogMel(16000, 40), mel_edges(16000, 40)
    for band in (5, 20, 35):
        tone = torch.sin(2 * math.pi * float(edges[band + 1]) * torch.arange(16000) / 16000)
        assert front(tone[None])[0].mean(dim=1).argmax() == band


@pytest.mark.parametrize("rate", [8000, 16000])
def test_every_band_hears_something(rate: int) -> None:
    bands = mel_bands(rate, LogMel(rate, 40).waves.shape[0] // 2, 40)
    assert torch.allclose(bands.sum(dim=1), torch.ones(40), atol=1e-5)
    middles = mel_edges(rate, 40)
    assert bool((middles.diff() > 0).all()) and float(middles[-1]) == pytest.approx(rate / 2)


def test_a_front_end_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be computed"):
        LogMel(16000, 0)


@pytest.mark.parametrize("width", [8, 16, 32])
def test_no_size_on_offer_has_more_than_a_hundred_thousand_parameters(width: int) -> None:
    network = KeywordNet(16000, 36, KeywordNetSettings(width=width)).eval()
    assert sum(one.numel() for one in network.parameters()) <= 100_000
    assert network(sounds(3, 16000)).shape == (3, 36)


def test_loudness_and_a_microphone_change_little() -> None:
    energies = LogMel(16000, 40)(sounds(2, 16000))
    louder = energies + 2.0 + torch.linspace(-1, 1, 40)[None, :, None]
    assert torch.allclose(normalised(energies), normalised(louder), atol=1e-4)


def test_silence_stays_silence() -> None:
    front = LogMel(16000, 40)
    still = normalised(front(torch.zeros(1, 16000)))
    assert float(still.abs().max()) < 1e-5
    faint = normalised(front(1e-5 * torch.randn(1, 16000)))
    assert float(faint.abs().max()) < 0.2


def test_what_the_layer_hears_alone_gives_the_same_answer() -> None:
    network = KeywordNet(8000, 5, KeywordNetSettings(width=8)).eval()
    sound = sounds(4, 8000)
    with torch.no_grad():
        assert torch.equal(network(sound), network.judge(network.front(sound)))
        assert torch.allclose(network(sound[:1]), network(sound)[:1], atol=1e-5)


def test_the_fixed_numbers_stand_in_no_file_of_weights() -> None:
    assert not [name for name in KeywordNet(8000, 5, KeywordNetSettings(width=8)).state_dict() if "front" in name]


@pytest.mark.parametrize("samples", [40, 2500, 100_000])
def test_the_recipe_suits_few_and_many_clips(samples: int) -> None:
    spec = ClipSpec(16000, 1.0, ClassTarget(("no", "yes", "other")))
    (kind,) = sound_networks(spec)
    settings, plan = kind.recipe(Situation(spec, samples, 60.0, None, lambda settings, plan: 1e-3))
    assert plan.steps * plan.batch_size >= 20 * samples and 0 < plan.augment["other"] < 0.5
    assert kind.build(spec, settings)(sounds(2, spec.length)).shape == (2, 3)


def test_an_exported_network_takes_the_waveform(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    network, sound = KeywordNet(8000, 4, KeywordNetSettings(width=8)).eval(), sounds(2, 8000)
    file = tmp_path / "keyword.onnx"
    torch.onnx.export(network, (sound,), file, input_names=["sound"], dynamic_axes={"sound": {0: "B"}}, dynamo=False)
    session = onnxruntime.InferenceSession(str(file))
    (found,) = session.run(None, {"sound": np.concatenate([sound.numpy()] * 2)})
    with torch.no_grad():
        assert np.allclose(found[:2], network(sound).numpy(), atol=1e-3)
