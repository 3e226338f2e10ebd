"""The front end against PyTorch's own transform and a known answer; the network's size, shapes and indifference."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from assay.networks.keyword_net import Block, KeywordNet, KeywordNetSettings, RangeNorm, normalised
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


def test_an_evaluation_computes_what_the_modules_do_and_notices_new_weights() -> None:
    torch.manual_seed(0)
    network, energies = KeywordNet(8000, 5, KeywordNetSettings(width=8)), 3 * sounds(6, 40 * 78).view(6, 40, 78)
    for _ in range(3):  # its norms get other means and deviations than those of a new network
        network(sounds(4, 6400, 1))
        for one in network.parameters():
            one.data.add_(0.1 * torch.randn_like(one))
        network.eval()
        by_modules = network.judge(energies).detach()
        with torch.no_grad():
            assert torch.allclose(network.judge(energies), by_modules, atol=1e-5)
            assert torch.allclose(network.judge(energies[2:3]), by_modules[2:3], atol=1e-5)
        network.train()


def test_a_copy_of_a_network_that_has_answered_has_weights_of_its_own() -> None:
    network, energies = KeywordNet(8000, 5, KeywordNetSettings(width=8)).eval(), sounds(2, 40 * 78).view(2, 40, 78)
    with torch.inference_mode():
        first = network.judge(energies)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for one in network.parameters():
            one.mul_(0.5)
        assert torch.allclose(other.judge(energies), first, atol=1e-6)
        assert not torch.allclose(network.judge(energies), first, atol=1e-3)


def test_a_block_looks_along_frequency_within_its_bands_and_along_time_within_its_sound() -> None:
    torch.manual_seed(1)
    block = Block(6, 6, 10, 2, 4, 0.0).eval()
    x = torch.randn(6, 10, 2 * 30)
    kernel = block.along.weight[:, :, :, None]
    columns = torch.nn.functional.conv2d(x.view(1, 6, 10, 60), kernel, stride=(2, 1), padding=(1, 0), groups=6)
    assert torch.allclose(torch.tensordot(block.along.weight[:, 0], block.spread, 1) @ x, columns[0], atol=1e-5)
    other = x.clone()
    other[:, :, 30:] += 1.0
    assert torch.equal(block(x, 2)[:, :, :30], block(other, 2)[:, :, :30])
    assert not torch.allclose(block(x, 2)[:, :, 30:], block(other, 2)[:, :, 30:])


def test_sub_bands_are_normalised_each_by_itself() -> None:
    norm, x = RangeNorm(3, 5), torch.randn(3, 10, 40) * torch.arange(1, 11)[None, :, None] + 2
    found = norm(x).detach().view(3, 5, 2 * 40)
    assert torch.allclose(found.mean(dim=2), torch.zeros(3, 5), atol=1e-5)
    assert torch.allclose(found.std(dim=2, unbiased=False), torch.ones(3, 5), atol=1e-3)
