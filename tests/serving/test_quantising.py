"""Eight bits: what lies before a network's first learned layer stays in float, whatever the application."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from assay.networks.keyword_net import KeywordNet, KeywordNetSettings
from assay.networks.log_mel import LogMel
from assay.task_export import Step
from sound_examples import RATE, WORDS, spoken

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

_VALUES = round(0.4 * RATE)


def clips(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) sounds of one length, some loud and some low, and (B,) which word is said."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(WORDS)
    sounds = np.zeros((count, _VALUES), np.float32)
    for row, label in enumerate(labels):
        sound = spoken(list(WORDS)[label], random)[:_VALUES]
        sounds[row, : len(sound)] = random.uniform(0.1, 1.0) * sound
    sounds += random.normal(0, 1e-3, sounds.shape).astype(np.float32)
    return torch.from_numpy(sounds), torch.from_numpy(labels)


@pytest.fixture(scope="module")
def listener() -> KeywordNet:
    """A network that has learned the words of two tones."""
    torch.manual_seed(0)
    network = KeywordNet(RATE, len(WORDS), KeywordNetSettings(width=8, dropout=0.0))
    sounds, labels = clips(256, 0)
    with torch.no_grad():
        energies = network.front(sounds)
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    for step in range(80):
        rows = torch.arange(32) + 32 * (step % 8)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network.judge(energies[rows]), labels[rows]).backward()
        optimiser.step()
    return network.eval()


def test_a_listener_in_eight_bits_hears_what_it_heard(listener: KeywordNet) -> None:
    from assay.serving.onnx_graph import OnnxGraph
    from assay.serving.onnx_writing import write_step
    from assay.serving.quantising import front_nodes, outer_nodes, quantised

    step = Step("model", listener, {"sound": torch.zeros(2, _VALUES)}, {"sound": {0: "batch"}}, ("logits",))
    model = write_step(step, {})
    front = front_nodes(model, step.fixed)
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert [kinds[name] for name in front if kinds[name] in ("Conv", "MatMul", "Log")] == ["Conv", "MatMul", "Log"]
    assert not set(outer_nodes(model, front)) & set(front)
    learned, (asked, labels) = clips(64, 0)[0].numpy(), clips(200, 1)
    fed = [{"sound": learned[start : start + 16]} for start in range(0, len(learned), 16)]
    with torch.inference_mode():
        wanted = listener(asked).numpy()
    assert np.mean(wanted.argmax(1) == labels.numpy()) > 0.9
    equal: dict[bool, Any] = {}
    for spares in (False, True):
        small = quantised(model, fed, front if spares else ())
        (found,) = OnnxGraph(small.SerializeToString(), 1)(asked.numpy())
        equal[spares] = np.mean(found.argmax(1) == wanted.argmax(1))
    assert equal[True] >= 0.98 and equal[True] > equal[False], equal
    written = {node.op_type for node in small.graph.node}
    assert "QuantizeLinear" in written  # what was learned has eight bits


class Scaled(nn.Module):
    """Fixed bands, then what was learned."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.bands, self.first = LogMel(RATE, 8), first
        self.register_buffer("mean", torch.arange(8.0)[:, None])
        self.last = nn.Conv1d(8, 4, 3)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.last(self.first((self.bands(sound) - self.mean) * 0.5))
        return found


@pytest.mark.parametrize("first", [nn.Identity(), nn.Conv1d(8, 8, 1), nn.BatchNorm1d(8)])
def test_the_front_ends_where_something_was_learned(first: nn.Module) -> None:
    from assay.serving.onnx_writing import write_step
    from assay.serving.quantising import front_nodes

    step = Step("model", Scaled(first).eval(), {"x": torch.zeros(2, 900)}, {"x": {0: "batch"}}, ("output",))
    assert step.fixed >= {"bands.waves", "bands.bands", "mean"}
    model = write_step(step, {})
    front = set(front_nodes(model, step.fixed))
    products = [node.name for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    assert [name in front for name in products] == [True, True, *[False] * (len(products) - 2)]


def test_nothing_is_spared_where_the_first_layer_was_learned() -> None:
    from assay.serving.onnx_writing import write_step
    from assay.serving.quantising import front_nodes, is_convolutional

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval()
    step = Step("model", network, {"x": torch.zeros(2, 3, 8, 8)}, {"x": {0: "batch"}}, ("output",))
    model = write_step(step, {})
    assert front_nodes(model, step.fixed) == [] and is_convolutional(model)
    reading = nn.Sequential(LogMel(RATE, 8), nn.Flatten(), nn.Linear(8 * 10, 4)).eval()
    step = Step("model", reading, {"x": torch.zeros(2, 920)}, {"x": {0: "batch"}}, ("output",))
    model = write_step(step, {})
    assert is_convolutional(model) and not is_convolutional(model, front_nodes(model, step.fixed))
