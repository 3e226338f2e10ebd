"""A BERT's layers as plain functions say what transformers says."""

from __future__ import annotations

import pytest
import torch

from assay.networks.bert_layers import bert_features, is_plain_bert
from assay.networks.hf_networks import HfBody

transformers = pytest.importorskip("transformers")


def body(**changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, **changes
    )
    made = transformers.BertModel(config)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


@pytest.mark.parametrize("activation", ["gelu", "relu", "gelu_new"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("two_texts", [False, True])
def test_they_say_what_the_library_says(activation: str, masked: bool, two_texts: bool) -> None:
    network = body(hidden_act=activation)
    assert is_plain_bert(network)
    tokens = torch.randint(50, (2, 11))
    mask = torch.ones(2, 11, dtype=torch.bool)
    mask[1, 7:] = False
    segments = torch.zeros(2, 11, dtype=torch.int64)
    segments[:, 5:] = 1
    vectors = network.get_input_embeddings()(tokens)
    options = {"attention_mask": mask.long()} if masked else {}
    if two_texts:
        options["token_type_ids"] = segments
    said = network(inputs_embeds=vectors, **options).last_hidden_state
    found = bert_features(network, vectors, mask if masked else None, segments if two_texts else None)
    real = mask if masked else torch.ones_like(mask)
    assert torch.allclose(found[real], said[real], atol=1e-5)


def test_training_keeps_to_the_library_and_its_dropout() -> None:
    encoder = HfBody(body(hidden_dropout_prob=0.5), frozen=False)
    vectors = encoder.vectors(torch.randint(50, (1, 9)))
    encoder.train()
    assert not torch.equal(encoder(vectors), encoder(vectors))
    encoder.eval()
    assert torch.equal(encoder(vectors), encoder(vectors))
    assert torch.autograd.grad(encoder(vectors).sum(), vectors)[0].abs().sum() > 0  # attributions follow it


def test_other_networks_are_left_to_the_library() -> None:
    assert not is_plain_bert(body(is_decoder=True))
    config = transformers.DistilBertConfig(vocab_size=50, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
    assert not is_plain_bert(transformers.DistilBertModel(config))
