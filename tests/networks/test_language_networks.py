"""Language models and translators: what a cache writes is what the whole network says, and both learn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from assay.networks.beam_search import Search
from assay.networks.generation import Sampling, draw, write_on
from assay.networks.language_model import LanguageModel, LanguageModelSettings
from assay.networks.seq2seq import Marks, Seq2Seq, Seq2SeqSettings, with_end
from assay.networks.token_embedding import TokenEmbedding, ngram_buckets
from assay.training.optimisers import build_optimizer, set_learning_rate
from assay.training.plan import Plan

SMALL = LanguageModelSettings(depth=2, width=32, heads=2, buckets=64)
PAIR = Seq2SeqSettings(depth=1, decoder_depth=1, width=32, heads=2)
MARKS = Marks(1, 2, 2)


def drawn(network: torch.nn.Module) -> torch.nn.Module:
    """With every parameter at random: at first branches and n-grams are zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=parameter.shape[1] ** -0.5)
    return network.eval()


def language_model(settings: LanguageModelSettings = SMALL) -> LanguageModel:
    network = drawn(LanguageModel(20, 16, settings))
    assert isinstance(network, LanguageModel)
    return network


def test_an_embedding_is_a_sum_over_ngrams_and_neighbours() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, ngrams=3, buckets=11, neighbours=1)
    for parameter in embedding.parameters():
        torch.nn.init.normal_(parameter)
    tokens = torch.tensor([[5, 3, 7, 3, 7]])
    pairs, triples = (ngram_buckets(tokens, length, 11)[0] for length in (2, 3))

    def plain(place: int) -> Tensor:
        own = embedding.table[tokens[0, place]]
        return own + embedding.ngrams[0][pairs[place]] + embedding.ngrams[1][triples[place]]

    assert torch.allclose(embedding(tokens)[0, 3], plain(3) + embedding.shares[0] * plain(2), atol=1e-6)
    assert torch.allclose(embedding(tokens)[0, 0], plain(0), atol=1e-6)
    assert pairs[2] == pairs[4] and embedding.looks_back == 3
    with pytest.raises(ValueError, match="ngrams"):
        TokenEmbedding(9, 4, ngrams=5)


def test_ngrams_are_left_out_in_training_alone_and_make_up_for_it() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, ngrams=2, buckets=11, ngram_dropout=0.5)
    (table,) = embedding.ngrams
    with torch.no_grad():
        table.normal_()
    tokens = torch.randint(0, 9, (40, 50))
    whole = embedding.eval()(tokens)
    assert torch.equal(whole, embedding(tokens))
    own = torch.nn.functional.embedding(tokens, embedding.table)
    left = embedding.train()(tokens) - own
    gone = (left == 0).all(dim=2)
    assert 0.45 < float(gone.float().mean()) < 0.55
    assert torch.allclose(left[~gone], 2 * (whole - own)[~gone], atol=1e-5)


def test_ngrams_spread_over_the_buckets() -> None:
    tokens = torch.cartesian_prod(torch.arange(60), torch.arange(60))
    counts = torch.bincount(ngram_buckets(tokens, 2, 900)[:, 1], minlength=900)
    assert counts.sum() == 3600 and counts.float().var() < 8 and (counts == 0).sum() < 60


@pytest.mark.parametrize("neighbours", [0, 2])
@pytest.mark.parametrize("ngrams", [1, 3])
def test_a_language_model_writes_with_a_cache_what_it_says_without(ngrams: int, neighbours: int) -> None:
    network = language_model(replace(SMALL, ngrams=ngrams, neighbours=neighbours))
    tokens = torch.randint(4, 20, (3, 12))
    whole = network(tokens)
    decoding = network.decoding(3)
    found = [decoding.step(tokens[:, :5])] + [decoding.step(tokens[:, t : t + 1]) for t in range(5, 12)]
    assert torch.allclose(torch.stack(found, 1), whole[:, 4:], atol=1e-4)
    assert decoding.room == 4
    order = torch.tensor([2, 0])
    decoding.keep(order)
    again = network(torch.cat([tokens[order], tokens[order, :1]], 1))[:, -1]
    assert torch.allclose(decoding.step(tokens[order, :1]), again, atol=1e-4)


def test_the_losses_are_those_of_the_logits() -> None:
    network, tokens, targets = language_model(), torch.randint(4, 20, (3, 8)), torch.randint(4, 20, (3, 8))
    wanted = cross_entropy(network(tokens).flatten(0, 1), targets.flatten(), reduction="none").view(3, 8)
    assert torch.allclose(network.losses(tokens, targets), wanted, atol=1e-5)
    mask = torch.arange(8) < torch.tensor([[8], [3], [5]])
    assert torch.allclose(network.losses(tokens, targets, mask), wanted[mask], atol=1e-5)


def test_writing_on_is_what_the_network_says_next() -> None:
    network, prompt = language_model(), [5, 6, 7]
    written = list(write_on(lambda room: network.decoding(1, room), prompt, 6, 16, Sampling(temperature=0)))
    text = list(prompt)
    for token, log_probability in written:
        logs = network(torch.tensor([text]))[0, -1].detach().log_softmax(0)
        assert token == int(logs.argmax()) and log_probability == pytest.approx(float(logs[token]), abs=1e-4)
        text.append(token)
    long = list(write_on(lambda room: network.decoding(1, room), prompt * 20, 40, 16, Sampling(seed=3)))
    assert len(long) == 40
    assert long == list(write_on(lambda room: network.decoding(1, room), prompt * 20, 40, 16, Sampling(seed=3)))
    with pytest.raises(ValueError, match="at least one token"):
        next(write_on(lambda room: network.decoding(1, room), [], 1, 16, Sampling()))


def test_draws_follow_the_shares_that_top_p_leaves() -> None:
    logits, generator = torch.tensor([0.5, 0.3, 0.15, 0.05]).log(), np.random.default_rng(0)

    def shares(how: Sampling) -> list[float]:
        drawn = [draw(logits, how, generator)[0] for _ in range(1500)]
        return (torch.bincount(torch.tensor(drawn), minlength=4) / 1500).tolist()

    assert shares(Sampling(1.0, 1.0)) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.05)
    assert shares(Sampling(1.0, 0.7)) == pytest.approx([0.625, 0.375, 0, 0], abs=0.05)
    assert shares(Sampling(0.5, 1.0)) == pytest.approx([0.685, 0.247, 0.062, 0.007], abs=0.05)
    assert shares(Sampling(1.0, 0.0)) == [1, 0, 0, 0]
    assert shares(Sampling(1.0, 1.0, never=(0,)))[0] == 0
    assert draw(logits, Sampling(0.0), generator) == (0, pytest.approx(math.log(0.5)))


def test_an_end_stands_after_the_last_real_token() -> None:
    tokens, mask = torch.tensor([[5, 6, 7], [5, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]]).bool()
    ended, real = with_end(tokens, mask, 2)
    assert ended[0].tolist() == [5, 6, 7, 2] and ended[1, :2].tolist() == [5, 2]
    assert real is not None and real.tolist() == [[True] * 4, [True, True, False, False]]
    assert with_end(tokens, None, 2)[0][:, 3].tolist() == [2, 2]


@pytest.mark.parametrize("target_size", [None, 15])
def test_padding_and_batches_change_no_translation(target_size: int | None) -> None:
    network = drawn(Seq2Seq(20, target_size, 24, MARKS, PAIR))
    assert isinstance(network, Seq2Seq)
    source, target = torch.randint(4, 15, (3, 7)), torch.randint(4, 15, (3, 6))
    source_mask = torch.arange(7) < torch.tensor([[7], [3], [5]])
    target_mask = torch.arange(6) < torch.tensor([[2], [6], [4]])
    together = network.losses(source, target, source_mask, target_mask)
    lengths = target_mask.sum(1) + 1
    for row in range(3):
        s, t = source[row : row + 1, : source_mask[row].sum()], target[row : row + 1, : target_mask[row].sum()]
        logs = network(s, t)[0].detach().log_softmax(-1)
        wanted = -sum(float(logs[place, token]) for place, token in enumerate([*t[0].tolist(), MARKS.end]))
        assert float(network.losses(s, t)) == pytest.approx(wanted / int(lengths[row]), abs=1e-4)
        assert float(together[row]) == pytest.approx(3 * wanted / int(lengths.sum()), abs=1e-4)
    how = Search(MARKS.begin, MARKS.end, beams=3)
    found = network.search(source, source_mask, [10, 8, 6], how)
    for row, most in enumerate([10, 8, 6]):
        (alone,) = network.search(source[row : row + 1, : source_mask[row].sum()], None, [most], how)
        assert [item.ids for item in found[row]] == [item.ids for item in alone]
        best = torch.tensor([found[row][0].ids])
        logs = network(source[row : row + 1, : source_mask[row].sum()], best)[0].log_softmax(-1)
        total = sum(float(logs[place, token]) for place, token in enumerate([*found[row][0].ids, MARKS.end]))
        assert found[row][0].log_probability == pytest.approx(total, abs=1e-3)


def test_it_learns_to_turn_a_text_round() -> None:
    torch.manual_seed(0)
    network = Seq2Seq(16, None, 16, MARKS, replace(PAIR, width=48))
    optimizer = build_optimizer(network, Plan(optimizer="muon", learning_rate=0.02))
    steps = 300
    for step in range(steps):
        set_learning_rate(optimizer, 0.02 * (1 - step / steps))
        source = torch.randint(4, 16, (32, 6))
        loss = network.losses(source, source.flip(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = torch.randint(4, 16, (20, 6))
    found = network.eval().search(source, None, [9] * 20, Search(MARKS.begin, MARKS.end))
    right = sum(items[0].ids == tuple(row) for items, row in zip(found, source.flip(1).tolist(), strict=True))
    assert right >= 18
