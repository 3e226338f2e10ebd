"""Beam search against all texts that there are, against greedy, and batched against one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from assay.networks.beam_search import Found, Search, beam_search
from assay.networks.decoding import Decoding

BEGIN, END, SIZE = 0, 1, 5


class Toy(Decoding):
    """Logits that follow from the text's number and all of its tokens so far, drawn at random."""

    def __init__(self, texts: list[int], beams: int) -> None:
        self.rows: list[tuple[int, ...]] = [(text,) for text in texts for _ in range(beams)]
        self.texts = texts

    def step(self, tokens: Tensor) -> Tensor:
        self.rows = [(*row, *more) for row, more in zip(self.rows, tokens.tolist(), strict=True)]
        return torch.stack([logits(row) for row in self.rows])

    def keep(self, rows: Tensor, texts: Tensor | None = None) -> None:
        self.rows = [self.rows[row] for row in rows.tolist()]
        if texts is not None:
            self.texts = [self.texts[text] for text in texts.tolist()]
        assert [row[0] for row in self.rows[:: len(self.rows) // len(self.texts)]] == self.texts


def logits(row: tuple[int, ...]) -> Tensor:
    seed = 0
    for token in row:
        seed = (seed * 31 + token + 7) % 1_000_003
    return 2 * torch.randn(SIZE, generator=torch.Generator().manual_seed(seed))


def log_probability(text: int, ids: tuple[int, ...]) -> float:
    row, total = (text, BEGIN), 0.0
    for token in (*ids, END):
        total += float(logits(row).log_softmax(0)[token])
        row = (*row, token)
    return total


def start(texts: list[int]) -> Callable[[int], Decoding]:
    return lambda beams: Toy(texts, beams)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.5])
def test_with_enough_beams_it_finds_the_best_of_all_texts(penalty: float) -> None:
    longest, search = 3, Search(BEGIN, END, beams=400, length_penalty=penalty, never=(BEGIN,))
    every = [ids for length in range(longest + 1) for ids in itertools.product([2, 3, 4], repeat=length)]
    for text, found in enumerate(beam_search(start([0, 1, 2]), [longest] * 3, search)):
        wanted = sorted(((log_probability(text, ids) / (len(ids) + 1) ** penalty, ids) for ids in every), reverse=True)
        assert [item.ids for item in found] == [ids for _, ids in wanted]
        assert [item.score for item in found] == pytest.approx([score for score, _ in wanted], abs=1e-4)
        assert [item.log_probability for item in found] == pytest.approx(
            [log_probability(text, item.ids) for item in found], abs=1e-4
        )


def test_one_beam_is_greedy() -> None:
    found = beam_search(start(list(range(8))), [6] * 8, Search(BEGIN, END, beams=1, never=(BEGIN,)))
    for text, (only,) in enumerate(found):
        row: tuple[int, ...] = (text, BEGIN)
        while len(row) < 8:
            scores = logits(row)
            scores[BEGIN] = -math.inf
            token = int(scores.argmax())
            if token == END:
                break
            row = (*row, token)
        assert only.ids == row[2:]
        assert only.log_probability == pytest.approx(log_probability(text, only.ids), abs=1e-4)


@pytest.mark.parametrize("beams", [2, 3, 4])
def test_a_batch_is_searched_as_each_text_by_itself(beams: int) -> None:
    search, longest = Search(BEGIN, END, beams=beams), [5, 0, 9, 3, 7]
    batch = beam_search(start(list(range(5))), longest, search)
    for text, found in enumerate(batch):
        (alone,) = beam_search(start([text]), [longest[text]], search)
        assert [item.ids for item in found] == [item.ids for item in alone] and found
        assert all(len(item.ids) <= longest[text] for item in found)
        assert found == sorted(found, key=lambda item: -item.score) and len(found) <= beams
        assert len({item.ids for item in found}) == len(found)


def test_more_beams_find_no_worse_texts_on_the_whole() -> None:
    texts = list(range(40))

    def total(beams: int) -> float:
        found: list[list[Found]] = beam_search(start(texts), [6] * 40, Search(BEGIN, END, beams, 0.0))
        return sum(items[0].log_probability for items in found)

    assert total(1) < total(2) < total(8)


def test_nothing_to_search_gives_nothing() -> None:
    assert beam_search(start([]), [], Search(BEGIN, END)) == []
