"""Texts made worse: how much, in which ways, the same each time, in any script, and in batches."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from assay.samples.draws import Draws
from assay.samples.samples import pad
from assay.samples.text_corruptions import _NEIGHBOURS, STRENGTHS, corrupted, text_corruptions
from assay.task import Batch

WORDS = "reviewers found many remarkable performances throughout another wonderful evening"


@pytest.mark.parametrize("kind", STRENGTHS)
@given(text=st.text(max_size=60), strength=st.integers(1, 5), key=st.integers(0, 2**42))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_made_worse_and_again_alike(kind: str, text: str, strength: int, key: int) -> None:
    worse = corrupted(text, kind, strength, key)
    assert worse == corrupted(text, kind, strength, key)
    assert bool(worse.strip()) == bool(text.strip())


@pytest.mark.parametrize("strength", [1, 2, 3, 4, 5])
def test_so_many_words_have_one_error(strength: int) -> None:
    """Of long words each is touched with the published chance, and lies one edit or one exchange from what it was."""
    words = WORDS.split() * 500
    worse = corrupted(" ".join(words), "typing errors", strength, 3).split()
    assert len(worse) == len(words)
    changed = [(one, other) for one, other in zip(words, worse, strict=True) if one != other]
    share, expected = len(changed) / len(words), STRENGTHS["typing errors"][strength - 1]
    assert abs(share - expected) < 4 * (expected * (1 - expected) / len(words)) ** 0.5
    for one, other in changed:
        assert one[0] == other[0], "the first letter of a long word stays"
        assert abs(len(one) - len(other)) <= 1
        if len(one) == len(other):
            places = [place for place in range(len(one)) if one[place] != other[place]]
            swapped = len(places) == 2 and one[places[0]] == other[places[1]] and one[places[1]] == other[places[0]]
            assert swapped or (len(places) == 1 and other[places[0]] in _NEIGHBOURS[one[places[0]]])


def test_all_four_errors_are_about_as_common() -> None:
    words = WORDS.split() * 500
    worse = corrupted(" ".join(words), "typing errors", 5, 1).split()
    pairs = [(one, other) for one, other in zip(words, worse, strict=True) if one != other]
    shorter, longer = (sum(len(one) - len(other) == by for one, other in pairs) for by in (1, -1))
    swapped = sum(sorted(one) == sorted(other) for one, other in pairs)
    beside = len(pairs) - shorter - longer - swapped
    assert all(0.2 < part / len(pairs) < 0.3 for part in (shorter, longer, swapped, beside))


def test_neighbours_on_the_keyboard() -> None:
    assert set(_NEIGHBOURS["g"]) == set("tyfhvb") and set(_NEIGHBOURS["q"]) == set("wa")
    assert all(key in _NEIGHBOURS[other] for key, near in _NEIGHBOURS.items() for other in near)


@pytest.mark.parametrize(
    "text",
    ["東京は日本の首都であり、世界最大の都市の一つです。", "हिन्दी भाषा भारत की राजभाषा है।",
     "Привет мир, как твои дела?", "مرحبا بالعالم كيف حالك اليوم", "สวัสดีชาวโลกวันนี้เป็นอย่างไร"],
)  # fmt: skip
def test_other_scripts_lose_and_swap_letters(text: str) -> None:
    changed = [worse for key in range(40) if (worse := corrupted(text, "typing errors", 5, key)) != text]
    assert len(changed) > 15
    for worse in changed:
        assert set(worse) <= set(text), "no letter of another script comes in"
        assert len(worse) <= len(text)
        before = [unicodedata.category(sign)[0] == "M" for sign in worse]
        assert not before[0], "a mark stays with its letter"


def test_case_is_changed_and_nothing_else() -> None:
    text = "The Queen's 2 speeches WERE long."
    for key in range(30):
        worse = corrupted(text, "changed case", 5, key)
        assert worse.lower() == text.lower() and worse != text
        assert all(one != other for one, other in zip(text.split(), worse.split(), strict=True) if one != "2")


def test_spacing_loses_and_doubles_white_space_and_punctuation() -> None:
    text = "(A dog), a cat; and - again - an owl!"
    seen = {corrupted(text, "careless spacing", 5, key) for key in range(200)}
    letters = "".join(sign for sign in text if sign.isalpha())
    assert all("".join(sign for sign in worse if sign.isalpha()) == letters for worse in seen)
    assert any("  " in worse for worse in seen) and any("Adog" in worse for worse in seen)
    assert any("owl" in worse and "!" not in worse for worse in seen)


# Batches -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Texts(Batch):
    tokens: Tensor
    text: Tensor | None = None
    text_mask: Tensor | None = None


def encode(text: str) -> np.ndarray[Any, Any]:
    return np.asarray([1, *(ord(sign) + 3 for sign in text), 2], np.int32)


def decode(ids: np.ndarray[Any, Any]) -> str:
    return "".join(chr(number - 3) for number in ids if number > 2)


def batch_of(texts: list[str], index: list[int]) -> Texts:
    tokens, mask = (torch.from_numpy(part) for part in pad([encode(text) for text in texts]))
    raw, filled = (torch.from_numpy(part) for part in
                   pad([np.frombuffer(text.encode(), np.uint8) for text in texts]))  # fmt: skip
    return Texts(index=torch.tensor(index), mask=mask, tokens=tokens, text=raw, text_mask=filled)


def read(batch: Texts) -> list[str]:
    assert batch.mask is not None
    return [decode(row[there]) for row, there in zip(batch.tokens.numpy(), batch.mask.numpy(), strict=True)]


SENTENCES = [WORDS, "", "two words", "Ein längerer Satz mit Umlauten, äöü.", WORDS[::-1]]


@pytest.mark.parametrize("kind", STRENGTHS)
def test_a_window_is_changed_alike_in_every_batch(kind: str) -> None:
    change = text_corruptions(decode, encode)[kind].change
    whole = change(batch_of(SENTENCES, [4, 7, 8, 9, 11]), 4, Draws(0, 4, np.asarray([4, 7, 8, 9, 11])))
    for place, window in enumerate((4, 7, 8, 9, 11)):
        alone = change(batch_of([SENTENCES[place]], [window]), 4, Draws(0, 4, np.asarray([window])))
        assert read(alone) == [read(whole)[place]]
    assert read(whole)[1] == "" and read(whole)[0] != WORDS
    assert whole.tokens.dtype == torch.int32 and whole.tokens.shape == whole.mask.shape


def test_tokens_and_raw_text_are_changed_alike() -> None:
    batch = text_corruptions(decode, encode)["typing errors"].change(
        batch_of(SENTENCES, list(range(5))), 5, Draws(1, 5, np.arange(5))
    )
    raw = [bytes(row[there].tolist()).decode() for row, there in zip(batch.text, batch.text_mask, strict=True)]
    assert raw == read(batch)


def test_a_text_of_which_no_token_would_be_left_stays() -> None:
    change = text_corruptions(decode, lambda text: np.zeros(0, np.int32))["changed case"].change
    assert read(change(batch_of(SENTENCES, list(range(5))), 5, Draws(0, 5, np.arange(5)))) == SENTENCES
