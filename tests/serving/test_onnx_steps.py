"""Steps as graphs of ONNX: they give what their modules give, whatever the sizes; what has no form is named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import RunError, SettingError
from assay.serving.steps import called_step, free_axes
from assay.task_export import Step
from export_examples import grown, shaken
from translator_examples import translator_folder

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def agrees(step: Step, tolerance: float = 1e-3, int8: bool = False, more: int = 2) -> Any:
    """The graph of a step, which gives what its module gives, for more rows and other lengths than its examples'."""
    from assay.serving.onnx_graph import OnnxGraph
    from assay.serving.onnx_writing import write_step
    from assay.serving.parity import apart, module_outputs
    from assay.serving.quantising import quantised

    model = write_step(step, {"assay.task": "test"})
    graph = OnnxGraph((quantised(model, []) if int8 else model).SerializeToString(), 1)
    assert graph.outputs == step.outputs and graph.metadata["assay.task"] == "test"
    fed = grown(step, lambda name: 2 if name == "batch" else more)
    for ours, theirs in zip(module_outputs(step, fed), graph(**fed), strict=True):
        assert apart(ours, theirs) < tolerance
    return model


class Simple(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x)


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if float(x.sum()) > 0 else x - 1


class Fixed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.shape[0] == 2 else x


@pytest.mark.parametrize(
    ("module", "words"), [(Simple(), "bessel_j0"), (Branching(), "control flow"), (Fixed(), "be written|batch of 2")]
)
def test_what_has_no_form_is_told(module: nn.Module, words: str) -> None:
    from assay.serving.onnx_writing import write_step

    step = Step("model", module, {"x": torch.ones(2, 3)}, {"x": {0: "batch"}}, ("output",))
    with pytest.raises(RunError, match=words) as told:
        write_step(step, {})
    assert told.value.hint


def test_free_sizes_are_those_that_differ() -> None:
    first = {"tokens": torch.zeros(2, 9), "mask": torch.zeros(2, 9), "image": torch.zeros(2, 3, 8, 8)}
    second = {"tokens": torch.zeros(3, 7), "mask": torch.zeros(3, 7), "image": torch.zeros(3, 3, 8, 8)}
    text = {0: "batch", 1: "length"}
    assert free_axes(first, second) == {"tokens": text, "mask": text, "image": {0: "batch"}}


def test_a_step_is_how_the_network_is_called() -> None:
    class Net(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor | None = None, scale: float = 1.0) -> torch.Tensor:
            return scale * a

    class Task:
        name = "fake"

        def predict(self, network: nn.Module, batch: Any, spec: Any, options: Any) -> Any:
            return network(batch, scale=2.0)

    step = called_step(Task(), Net(), [torch.zeros(2, 5), torch.zeros(3, 4)], None)
    assert list(step.inputs) == ["a"] and step.axes == {"a": {0: "batch", 1: "length"}}
    assert step.module(torch.ones(1, 1)).tolist() == [[2.0]] and step.outputs == ("output",)

    class Other(Task):
        def predict(self, network: nn.Module, batch: Any, spec: Any, options: Any) -> Any:
            return batch

    with pytest.raises(SettingError, match="not called as a whole"):
        called_step(Other(), Net(), [torch.zeros(2), torch.zeros(3)], None)


def test_a_writer_of_text_as_graphs() -> None:
    from assay.networks.language_model import LanguageModel, LanguageModelSettings
    from assay.serving import language_export

    settings = LanguageModelSettings(depth=1, width=16, heads=1, buckets=8, counted=2)
    network = shaken(LanguageModel(8, 16, settings, begin=1))
    assert isinstance(network, LanguageModel)
    random = np.random.default_rng(0)
    network.counts.count([random.integers(2, 8, 60)], [random.integers(2, 8, 20)])
    network.trust, network.trust_by_length = torch.randn(16), torch.randn(3)
    for step in language_export.steps(network, []):
        agrees(step)
        agrees(step, tolerance=0.5, int8=True)


def test_eight_bits_are_static_for_convolutions_and_dynamic_for_products() -> None:
    from assay.serving.onnx_graph import OnnxGraph
    from assay.serving.onnx_writing import write_step
    from assay.serving.parity import apart, module_outputs
    from assay.serving.quantising import is_convolutional, outer_nodes, quantised

    def step(module: nn.Module, *shape: int) -> Step:
        return Step("model", shaken(module), {"x": torch.zeros(2, *shape)}, {"x": {0: "batch"}}, ("output",))

    torch.manual_seed(0)
    seeing = step(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(128, 3)),
                  3, 8, 8)  # fmt: skip
    reading = step(nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 4)), 5, 16)
    for one, static in ((seeing, True), (reading, False)):
        model = write_step(one, {})
        assert is_convolutional(model) == static
        fed = [{"x": np.random.default_rng(seed).standard_normal((4, *one.inputs["x"].shape[1:])).astype(np.float32)}
               for seed in range(3)]  # fmt: skip
        small = quantised(model, fed[:2])
        kinds = {node.op_type for node in small.graph.node}
        assert ("QuantizeLinear" in kinds) == static and ("DynamicQuantizeLinear" in kinds) == (not static), kinds
        assert small.ByteSize() < model.ByteSize() or static  # so small a graph holds more nodes than weights
        ours, theirs = module_outputs(one, fed[2])[0], OnnxGraph(small.SerializeToString(), 1)(**fed[2])[0]
        assert 0 < apart(ours, theirs) < 0.5
        if static:  # ranges come from what was fed: of samples a hundred times smaller they do not reach far enough
            narrow = quantised(model, [{"x": fed[0]["x"] / 100}])
            assert apart(ours, OnnxGraph(narrow.SerializeToString(), 1)(**fed[2])[0]) > 2 * apart(ours, theirs)
            spared = quantised(model, fed[:2], outer_nodes(model))
            assert len(spared.graph.node) < len(small.graph.node)


@pytest.mark.slow
def test_a_translator_as_graphs() -> None:
    from types import SimpleNamespace

    from assay.networks.seq2seq import Marks, Seq2Seq, Seq2SeqSettings
    from assay.serving import translation_export

    settings = Seq2SeqSettings(depth=1, decoder_depth=1, width=16, heads=1, ngrams=2, buckets=8)
    network = shaken(Seq2Seq(9, None, 24, Marks(1, 2, 2), settings))
    batches = [SimpleNamespace(tokens=torch.ones(rows, length, dtype=torch.int32), mask=torch.ones(rows, length) > 0)
               for rows, length in ((2, 7), (3, 5))]  # fmt: skip
    for step in translation_export.steps(network, batches):
        agrees(step)


@pytest.mark.slow
def test_a_drive_and_speech_as_graphs() -> None:
    from types import SimpleNamespace

    from assay.networks.motion_net import MotionNet, MotionSettings
    from assay.networks.speech_ctc import SpeechCtc, SpeechCtcSettings
    from assay.samples.route_spec import RouteSpec
    from assay.serving import motion_export, speech_export

    motion = shaken(MotionNet(RouteSpec(("wheel_rl", "wheel_rr", "gyro_z"), (1.0, 1.0, 0.1)), MotionSettings(width=8)))
    for step in motion_export.steps(motion, []):
        agrees(step)
    speech = shaken(SpeechCtc(9, SpeechCtcSettings(depth=1, width=32), 8000))
    batches = [SimpleNamespace(sound=torch.randn(rows, length), mask=torch.ones(rows, length) > 0)
               for rows, length in ((2, 4000), (3, 3000))]  # fmt: skip
    for step in speech_export.steps(speech, batches):
        agrees(step)


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_steps_of_a_pretrained_translator_become_graphs(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from assay.networks.hf_loading import load_body
    from assay.networks.hf_seq2seq import HfSeq2Seq, HfSeq2SeqSettings
    from assay.serving import translation_export

    model = load_body(HfSeq2SeqSettings(str(translator_folder(tmp_path, kind))), "AutoModelForSeq2SeqLM")
    source = torch.randint(5, 22, (3, 7))
    batches = [SimpleNamespace(tokens=source[:rows, :size], mask=None) for rows, size in ((2, 7), (3, 5))]
    for step in translation_export.steps(HfSeq2Seq(model, [4], [2]).eval(), batches):
        agrees(step)


def test_steps_of_a_network_of_whispers_kind_become_graphs() -> None:
    pytest.importorskip("transformers")
    from assay.networks.hf_speech import HfSpeech
    from assay.networks.speech_marks import SpeechMarks
    from assay.serving import whisper_export
    from assay.serving.quantising import front_nodes
    from whisper_examples import random_whisper

    network = HfSpeech(random_whisper(init_std=0.5), SpeechMarks(50, 51, 52), "", 0.0).eval()
    for step in whisper_export.steps(network):
        model = agrees(step, 2e-3, more=16_000 if step.name == "model" else 2)
        front = front_nodes(model, step.fixed)
        kinds = [node.op_type for node in model.graph.node if node.name in front]
        assert (kinds.count("Conv"), kinds.count("Log")) == ((1, 1) if step.name == "model" else (0, 0))


def test_more_than_one_file_holds_is_told_beforehand() -> None:
    from assay.serving.onnx_writing import write_step

    module = nn.Module()
    module.register_buffer("table", torch.empty(2**31, dtype=torch.int8, device="meta"))
    with pytest.raises(RunError, match=r"2\.1 GB of weights"):
        write_step(Step("model", module, {"x": torch.ones(2)}, {}, ("output",)), {})
