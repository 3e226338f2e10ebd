"""Networks for texts: padding changes nothing, whatever stands there, and a saved encoder needs no folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("tokenizers")

from assay.networks.text_convnet import TextConvNet, TextConvNetSettings
from assay.networks.text_networks import pretrained_argument, text_networks
from assay.samples.text_spec import TextSpec
from assay.samples.tokens import train_bpe
from assay.targets.class_target import ClassTarget


@pytest.fixture(scope="module")
def spec() -> TextSpec:
    return TextSpec(train_bpe(["some words to learn from"], 300), 32, ClassTarget(("a", "b", "c")))


def same_with_padding(network: torch.nn.Module) -> None:
    tokens = torch.randint(5, 200, (3, 9), generator=torch.Generator().manual_seed(0)).int()
    mask = torch.ones(3, 9, dtype=torch.bool)
    with torch.no_grad():
        alone = network.eval()(tokens, mask)
        padded = network(torch.cat([tokens, torch.full((3, 4), 7).int()], 1), torch.cat([mask, mask[:, :4] & False], 1))
        bare = network(tokens)
    assert alone.shape == (3, 3)
    assert torch.allclose(alone, padded, atol=1e-5) and torch.allclose(alone, bare, atol=1e-6)


@pytest.mark.parametrize("depth", [0, 2])
def test_filters_do_not_see_what_is_not_there(spec: TextSpec, depth: int) -> None:
    settings = TextConvNetSettings(width=16, filters=8, depth=depth)
    same_with_padding(TextConvNet(spec.tokenizer.size, spec.tokenizer.pad, 3, settings))


def test_tokens_are_left_out_in_training_alone(spec: TextSpec) -> None:
    network = TextConvNet(spec.tokenizer.size, 0, 3, TextConvNetSettings(dropout=0.0, token_dropout=0.5))
    tokens = torch.arange(4, 24).int()[None]
    assert torch.equal(network.eval()(tokens), network(tokens))
    network.train()
    assert not torch.equal(network(tokens), network(tokens))


def test_a_pretrained_encoder_is_saved_with_its_architecture(spec: TextSpec, tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    config = transformers.BertConfig(vocab_size=spec.tokenizer.size, hidden_size=16, num_hidden_layers=2,
                                     num_attention_heads=2, intermediate_size=32)  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    kind = next(kind for kind in text_networks(spec) if kind.name == "hf/")
    settings = kind.settings(str(tmp_path / "bert"))
    network = kind.build(spec, settings)
    same_with_padding(network)
    rates = {name: getattr(parameter, "learning_rate_scale", 1.0) for name, parameter in network.named_parameters()}
    layers = [rates[f"encoder.body.encoder.layer.{place}.attention.self.query.weight"] for place in (0, 1)]
    assert rates["encoder.body.embeddings.word_embeddings.weight"] < layers[0] < layers[1] < rates["head.weight"]
    portable = kind.portable(settings)
    (tmp_path / "bert").rename(tmp_path / "gone")
    again = kind.build(spec, portable)
    again.load_state_dict(network.state_dict())
    tokens = torch.arange(4, 20).int()[None]
    with torch.no_grad():
        assert torch.equal(network.eval()(tokens), again.eval()(tokens))
    assert kind.features(settings) != kind.features(replace(settings, pretrained=False))


def test_only_a_pretrained_network_brings_its_own_tokens() -> None:
    assert pretrained_argument("hf/minilm") == "minilm"
    assert pretrained_argument("textconv") is None and pretrained_argument(None) is None


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_what_is_batched_beside_a_text_changes_nothing(activation: str) -> None:
    torch.manual_seed(0)
    network = TextConvNet(30, 0, 3, TextConvNetSettings(width=8, filters=6, activation=activation)).eval()
    for bias in (filters.bias for filters in network.filters):
        torch.nn.init.constant_(bias, -1.0)  # so that most places answer below zero
    tokens = torch.randint(1, 30, (1, 7))
    padded = torch.cat([tokens, torch.zeros(1, 9, dtype=torch.int64)], 1)
    mask = torch.arange(16)[None] < 7
    assert torch.allclose(network(tokens), network(padded, mask), atol=1e-6)
