"""Texts in windows of tokens: nothing is lost, nothing is too long, and every token can be named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.samples.text_windows import cut, names
from assay.samples.tokens import Tokenizer

WORDS = "the quick brown fox jumps over the lazy dog again"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    pytest.importorskip("tokenizers")
    from assay.samples.tokens import train_bpe

    return train_bpe([WORDS] * 3, 300)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=80), min_size=1, max_size=5), longest=st.integers(4, 40))
def test_windows_hold_every_token_once_at_least(tokenizer: Tokenizer, texts: list[str], longest: int) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    windows = cut(texts, tokenizer, longest)
    assert all(len(tokens) <= longest for tokens in windows.tokens)
    assert np.unique(windows.row).tolist() == list(range(len(texts))) and (np.diff(windows.row) >= 0).all()
    for row, text in enumerate(texts):
        mine = np.flatnonzero(windows.row == row)
        assert b"".join(windows.text[place].tobytes() for place in mine).decode() == text
        named = [names(text, place, tokenizer, longest) for place in range(len(mine))]
        assert [len(one) for one in named] == [len(windows.tokens[place]) for place in mine]
        assert all("".join(one) in text for one in named)
        assert text.startswith("".join(named[0])) and text.endswith("".join(named[-1]))


def test_the_tokens_of_a_text_in_one_window_are_its_text(tokenizer: Tokenizer) -> None:
    told = names(WORDS, 0, tokenizer, 200)
    assert told[0] == "" and "".join(told) == WORDS and " fox" in told


def test_long_texts_are_cut_into_windows_that_overlap(tokenizer: Tokenizer) -> None:
    windows = cut([WORDS * 4], tokenizer, 20)
    lengths = {len(tokens) for tokens in windows.tokens}
    assert lengths == {20} and len(windows.row) > 2
    whole = tokenizer.encode_batch([WORDS * 4])[0]
    assert sum(len(tokens) - tokenizer.marks() for tokens in windows.tokens) >= 1.1 * len(whole)
