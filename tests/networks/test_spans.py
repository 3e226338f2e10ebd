"""Spans of answers: their scores against all spans counted one by one, and what padding must not change."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from assay.networks.question_words import QuestionWords
from assay.networks.span_reader import SpanReader, SpanReaderSettings
from assay.networks.span_search import likely
from assay.networks.spans import SpanHead, SpanScores

SMALL = SpanReaderSettings(depth=1, width=32, heads=2, buckets=64)
END = 2
#: [begin] question [end] text [end], twice, the second shorter.
TOKENS = torch.tensor([[1, 5, 6, 2, 7, 5, 8, 9, 2], [1, 6, 2, 8, 6, 2, 0, 0, 0]])
SEGMENTS = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 0, 0, 0]])
LOOKS = torch.tensor([[0, 0, 0, 0, 1, 2, 4, 1, 0], [0, 0, 0, 3, 5, 0, 0, 0, 0]])
MASK = torch.tensor([[1] * 9, [1] * 6 + [0] * 3]).bool()


def every(scores: SpanScores, row: int, longest: int) -> dict[tuple[int, int], float]:
    """Log-probabilities of all spans and of (-1, -1) for none, by hand."""
    spans, none = scores.spans[row].tolist(), float(scores.none[row])
    raw = {(a, b): spans[a][0] + spans[b][1] for a in range(len(spans)) for b in range(a, min(len(spans), a + longest))}
    raw[-1, -1] = 2 * none
    total = math.log(sum(math.exp(value) for value in raw.values()))
    return {place: value - total for place, value in raw.items()}


def test_the_best_spans_are_the_best_of_all() -> None:
    torch.manual_seed(0)
    scores = SpanScores(torch.randn(3, 7, 2), torch.randn(3))
    first, last, logs = scores.best(longest=3, count=4)
    for row in range(3):
        wanted = every(scores, row, 3)
        none = wanted.pop((-1, -1))
        assert float(scores.log_odds(3)[row]) == pytest.approx(math.log(math.expm1(-none)), abs=1e-4)
        ranked = sorted(wanted, key=lambda place: -wanted[place])[:4]
        assert list(zip(first[row].tolist(), last[row].tolist(), strict=True)) == ranked
        assert logs[row].tolist() == pytest.approx([wanted[place] for place in ranked], abs=1e-5)


def test_the_likely_span_shares_most_with_all_that_may_be_the_answer() -> None:
    logs = torch.full((1, 9, 2), -9.0)
    logs[0, [1, 4, 5], 0] = torch.log(torch.tensor([0.36, 0.33, 0.31]))
    logs[0, [1, 6], 1] = torch.log(torch.tensor([0.36, 0.64]))
    scores = SpanScores(logs, torch.full((1,), -20.0))
    first, last, _ = scores.best(longest=4, count=3)
    assert [first[0].tolist(), last[0].tolist()] == [[4, 5, 1], [6, 6, 1]]
    logs[0, 1] += 0.5  # the lone one is the most probable now, and shares nothing with the others
    assert scores.best(longest=4)[0].item() == 1
    first, last, logs_of_spans = scores.best(longest=4, count=30)
    chosen = int(likely(first, last, logs_of_spans)[0])
    assert (int(first[0, chosen]), int(last[0, chosen])) in [(4, 6), (5, 6)]
    assert likely(first[:, :1], last[:, :1], logs_of_spans[:, :1]).tolist() == [0]


def test_the_loss_is_the_cross_entropy_of_both_ends() -> None:
    scores = SpanScores(torch.randn(2, 5, 2), torch.randn(2))
    found = scores.losses(torch.tensor([1, -1]), torch.tensor([3, -1]))
    for row, ends in enumerate([(1, 3), (-1, -1)]):
        whole = 0.0
        for side, place in enumerate(ends):
            values = [float(scores.none[row]), *scores.spans[row, :, side].tolist()]
            whole += math.log(sum(map(math.exp, values))) - values[place + 1]
        assert float(found[row]) == pytest.approx(whole / 2, abs=1e-5)


def test_only_places_in_the_text_can_be_answers() -> None:
    context = torch.tensor([[False, False, True, True, False]])
    scores = SpanHead(8, 3)(torch.randn(1, 5, 8), torch.randn(1, 5, 3), context)
    _, _, logs = scores.best(longest=5, count=15)
    assert int((logs > -1000).sum()) == 3  # two tokens and both together


def test_shared_tokens_are_those_of_the_question() -> None:
    question, context = (SEGMENTS == 0) & MASK, (SEGMENTS == 1) & MASK & (TOKENS != END)
    assert QuestionWords()(TOKENS, question, context, LOOKS)[:, :, 0].nonzero().tolist() == [[0, 5], [1, 4]]


def test_nearness_counts_rare_words_of_the_question_on_either_side() -> None:
    tokens = torch.tensor([[1, 5, 6, 2, 5, 9, 9, 9, 6, 9, 6, 2]])
    question, context = torch.zeros(1, 12).bool(), torch.zeros(1, 12).bool()
    question[:, 1:3], context[:, 4:11] = True, True
    found = QuestionWords()(tokens, question, context, torch.ones_like(tokens))[0]
    assert found[:, 1].tolist() == pytest.approx([0] * 4 + [1, 0, 0, 0, 0.5, 0, 0.5, 0]), "5 once, 6 twice in the text"
    before, after = found[:, 2], found[:, 3]  # at most two tokens away, as shares of the largest
    assert before.tolist() == pytest.approx([0] * 4 + [0, 1, 1, 0, 0, 0.5, 0.5, 0])
    assert after.tolist() == pytest.approx([0] * 4 + [0, 0, 1, 1, 1, 1, 0, 0])
    assert not found[:4].any() and not found[11:].any()


def padding_changes_nothing(network: Any) -> None:
    network.eval()
    with torch.no_grad():
        together = network(TOKENS, SEGMENTS, LOOKS, MASK)
        alone = network(TOKENS[1:, :6], SEGMENTS[1:, :6], LOOKS[1:, :6])
    assert torch.allclose(together.spans[1, :6], alone.spans[0], atol=1e-4)
    assert float(together.none[1]) == pytest.approx(float(alone.none[0]), abs=1e-4)
    assert (together.spans[1, 6:] < -1000).all() and (together.spans[:, :3] < -1000).all()
    assert (together.spans[0, 8] < -1000).all() and (together.spans[0, 4:8] > -1000).all()


def test_a_reader_does_not_see_padding() -> None:
    torch.manual_seed(0)
    padding_changes_nothing(SpanReader(20, 16, END, SMALL))
    with pytest.raises(ValueError, match="ngrams"):
        SpanReader(20, 16, END, replace(SMALL, ngrams=9))


def test_it_learns_to_find_what_the_question_names() -> None:
    torch.manual_seed(0)
    network = SpanReader(40, 24, END, replace(SMALL, width=64, word_dropout=0.0))
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)

    def batch() -> tuple[Tensor, Tensor, Tensor]:
        text = torch.stack([torch.randperm(36)[:10] + 4 for _ in range(32)])
        place = torch.randint(0, 9, (32,))
        asked = text.gather(1, place[:, None])
        one, two = torch.ones_like(asked), torch.full_like(asked, END)
        segments = torch.tensor([0] * 3 + [1] * 11).expand(32, -1)
        return torch.cat([one, asked, two, text, two], 1), segments, place + 3

    for _ in range(60):
        tokens, segments, answer = batch()
        loss = network(tokens, segments, torch.zeros_like(tokens)).losses(answer, answer).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tokens, segments, answer = batch()
    first, last, _ = network.eval()(tokens, segments, torch.zeros_like(tokens)).best(longest=4)
    assert ((first[:, 0] == answer.numpy()) & (last[:, 0] == answer.numpy())).mean() > 0.9


def test_a_pretrained_reader_does_not_see_padding_and_is_saved_whole(tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    from assay.networks.hf_loading import load_body, portable
    from assay.networks.hf_spans import HfSpanReader, HfSpanSettings

    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    settings = HfSpanSettings(str(tmp_path / "bert"))
    network = HfSpanReader(load_body(settings), END, settings)
    padding_changes_nothing(network)
    plain = portable(settings)
    (tmp_path / "bert").rename(tmp_path / "gone")
    again = HfSpanReader(load_body(plain), END, plain)
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(
            again.eval()(TOKENS, SEGMENTS, LOOKS, MASK).spans, network(TOKENS, SEGMENTS, LOOKS, MASK).spans
        )
