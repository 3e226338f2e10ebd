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


class Convolved(nn.Module):
    """A listener that is convolutions of a spectrum."""

    def __init__(self) -> None:
        super().__init__()
        self.front = LogMel(RATE, 40)
        self.body = nn.Sequential(nn.Conv1d(40, 32, 5, 2), nn.ReLU(), nn.Conv1d(32, 32, 5, 2), nn.ReLU())
        self.head = nn.Linear(64, len(WORDS))

    def judge(self, energies: torch.Tensor) -> torch.Tensor:
        x = self.body((energies - energies.mean(dim=2, keepdim=True)) / 3)
        half = x.shape[2] // 2
        found: torch.Tensor = self.head(torch.cat([x[:, :, :half].mean(dim=2), x[:, :, half:].mean(dim=2)], dim=1))
        return found

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        return self.judge(self.front(sound))


def taught(network: Any) -> Any:
    """The network, which has learned the words of two tones."""
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


@pytest.mark.parametrize("static", [False, True], ids=["products", "convolutions"])
def test_a_listener_in_eight_bits_hears_what_it_heard(static: bool) -> None:
    from assay.serving.onnx_graph import OnnxGraph
    from assay.serving.onnx_writing import write_step
    from assay.serving.quantising import front_nodes, is_convolutional, outer_nodes, quantised

    torch.manual_seed(0)
    settings = KeywordNetSettings(width=8, dropout=0.0)
    network = taught(Convolved() if static else KeywordNet(RATE, len(WORDS), settings))
    step = Step("model", network, {"sound": torch.zeros(2, _VALUES)}, {"sound": {0: "batch"}}, ("logits",))
    model = write_step(step, {})
    front = front_nodes(model, step.fixed)
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert [kinds[name] for name in front if kinds[name] in ("Conv", "MatMul", "Log")] == ["Conv", "MatMul", "Log"]
    assert not set(outer_nodes(model, front)) & set(front) and is_convolutional(model, front) == static
    learned, (asked, labels) = clips(64, 0)[0].numpy(), clips(200, 1)
    fed = [{"sound": learned[start : start + 16]} for start in range(0, len(learned), 16)]
    with torch.inference_mode():
        wanted = network(asked).numpy().argmax(1)
    assert np.mean(wanted == labels.numpy()) > 0.9

    def equal(spared: list[str]) -> float:
        small = quantised(model, fed, spared)
        assert small.ByteSize() < model.ByteSize()
        (found,) = OnnxGraph(small.SerializeToString(), 1)(asked.numpy())
        return float(np.mean(found.argmax(1) == wanted))

    assert equal(front) >= 0.98
    assert not static or equal([]) < 0.9


def test_weights_on_the_left_are_rounded_by_rows() -> None:
    from onnx import TensorProto, helper, numpy_helper

    from assay.serving.narrow_weights import left_weights, narrow
    from assay.serving.onnx_graph import OnnxGraph

    random = np.random.default_rng(0)
    weights = (random.standard_normal((32, 40)) * 10.0 ** random.uniform(-3, 3, (32, 1))).astype(np.float32)
    weights[5] = 0
    nodes = [helper.make_node("Reshape", ["w", "shape"], ["turned"]),
             helper.make_node("MatMul", ["turned", "x"], ["y"], name="product")]  # fmt: skip
    taken, given = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                    for name, shape in (("x", [40, 3]), ("y", [32, 3])))  # fmt: skip
    held = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.asarray([32, 40]), "shape")]
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph(nodes, "g", [taken], [given], held), opset_imports=opset, ir_version=10)
    assert left_weights(model) == {"product": "w"}
    before = model.ByteSize()
    narrow(model, ["w", "gone"])
    assert model.ByteSize() < 0.4 * before
    x = random.standard_normal((40, 3)).astype(np.float32)
    wanted, (found,) = weights @ x, OnnxGraph(model.SerializeToString(), 1)(x)
    bound = np.abs(weights).max(axis=1) / 254 * np.abs(x).sum(axis=0).max() + 1e-6
    assert (np.abs(found - wanted) <= bound[:, None]).all() and not found[5].any()


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
