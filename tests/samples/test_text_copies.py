"""Copies of texts: planted ones are found, texts of one pattern are not accused, in any order and any script."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.progress import Progress
from assay.samples.lookalikes import groups_of
from assay.samples.text_copies import copied_text_rows, find_copied_texts, normalised, shared_bits, text_lookalikes

pytest.importorskip("rapidfuzz")
Array = np.ndarray[Any, Any]
SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]


def sentences(count: int, words: int = 12, seed: int = 0) -> list[str]:
    """Random sentences over 800 words."""
    random = np.random.default_rng(seed)
    known = ["".join(random.choice(SYLLABLES, random.integers(2, 5))) for _ in range(800)]
    return [" ".join(random.choice(known, words)) for _ in range(count)]


def linked(pairs: Array, count: int) -> Array:
    return groups_of(pairs, count)


CHANGES = {
    "case": str.upper,
    "punctuation": lambda text: text.replace(" ", ", ") + "!",
    "white space": lambda text: "  " + text.replace(" ", "   "),
    "a word": lambda text: " ".join([*text.split()[:-3], "otherwise", *text.split()[-2:]]),
    "two letters": lambda text: text[:9] + "x" + text[10:30] + "y" + text[31:],
    "a word more": lambda text: text + " indeed",
}


@pytest.mark.parametrize("kind", CHANGES)
def test_planted_copies_are_found_and_nothing_else(kind: str) -> None:
    texts = sentences(500)
    whole = [*texts, *(CHANGES[kind](text) for text in texts[:60])]
    pairs = find_copied_texts(whole)
    assert {tuple(pair) for pair in pairs.tolist()} == {(row, 500 + row) for row in range(60)}


def test_the_order_of_the_texts_changes_nothing() -> None:
    texts = [*sentences(200), *(CHANGES["a word"](text) for text in sentences(200)[:30])]
    places = np.random.default_rng(1).permutation(len(texts))
    found = linked(find_copied_texts(texts), len(texts))[places]
    again = linked(find_copied_texts([texts[place] for place in places]), len(texts))
    assert np.array_equal(found[:, None] == found, again[:, None] == again)


def test_a_pattern_with_a_rare_word_in_it_is_no_copy() -> None:
    names = sentences(1, 200)[0].split()
    assert not len(find_copied_texts([f"What is the capital of {name}?" for name in sorted(set(names))]))


def test_short_texts_are_copies_only_where_they_are_equal() -> None:
    texts = ["Great movie!", "great  movie", "great movies", "a great movie", "ok", "OK.", "okay", "!!!", "!!!", "???"]
    pairs = find_copied_texts([*texts, *sentences(50)])
    assert {tuple(pair) for pair in pairs.tolist()} == {(0, 1), (4, 5), (7, 8)}


def test_many_copies_of_one_text_are_linked() -> None:
    """More than share a rare shingle: they are found beside one another."""
    (text,) = sentences(1, 30, seed=5)
    words = sentences(1, 120, seed=6)[0].split()
    many = [" ".join([*text.split()[:20], word, *text.split()[21:]]) for word in words]
    found = linked(find_copied_texts([*many, *sentences(300)]), 420)
    assert len(set(found[:120].tolist())) == 1 and len(set(found.tolist())) == 301


def test_long_documents() -> None:
    documents = [" ".join(sentences(40, seed=seed)) for seed in range(30)]
    changed = [text.replace(" ka", " la").upper() for text in documents[:10]]
    pairs = find_copied_texts([*documents, *changed])
    assert {tuple(pair) for pair in pairs.tolist()} == {(row, 30 + row) for row in range(10)}


def test_a_script_without_spaces() -> None:
    texts = ["東京は日本の首都であり、世界最大の都市の一つです。", "東京は日本の首都であり世界最大の都市の一つでした",
             "京都は千年以上にわたり都であった古い町です。",
             "富士山は日本で一番高い山として知られている。"]  # fmt: skip
    assert find_copied_texts(texts + sentences(300)).tolist() == [[0, 1]]


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["", " ", "a b c d e"], ["x" * 3, "y" * 5]])
def test_hardly_anything(texts: list[str]) -> None:
    assert find_copied_texts(texts).shape == (0, 2)


def test_what_is_normalised() -> None:
    assert normalised("  The\tCAT, (ﬁne)!  ") == "the cat fine"
    assert normalised("¿?") == "¿?"
    assert normalised("हिन्दी!") == "हिन्दी"


def test_shared_bits_of_known_words() -> None:
    bits = {"a": 1.0, "b": 4.0, "c": 6.0, "d": 8.0, "other": 9.0, "dx": 9.0}
    assert math.isclose(shared_bits(["a", "b", "c", "d"], ["a", "b", "c", "d"], bits), 19)
    assert math.isclose(shared_bits(["a", "b", "c", "d"], ["a", "other", "c", "d"], bits), 15 - 5)
    assert math.isclose(shared_bits(["a", "b", "c", "d"], ["a", "b", "c"], bits), 11 - 5)
    assert math.isclose(shared_bits(["a", "a", "b"], ["a", "a", "b"], bits), 5)


def test_rows_before_the_split() -> None:
    texts = [*sentences(100), CHANGES["case"](sentences(100)[3])]
    pairs = copied_text_rows(texts, Progress())
    assert pairs is not None and pairs.tolist() == [[3, 100]]


def of(texts: list[str]) -> Any:
    """Samples of a text each."""
    count = len(texts)
    stored = [np.frombuffer(text.encode(), np.uint8) for text in texts]
    samples = SimpleNamespace(side=np.zeros(count), unit=np.arange(count), spec=None, task=None)
    samples.field = lambda name, windows: [stored[window] for window in windows]
    samples.view_of = lambda units: SimpleNamespace(samples=samples, units=units, windows=units, _change=None)
    return samples


def test_lookalikes_of_samples() -> None:
    texts = [*sentences(100), *(CHANGES["a word"](text) for text in sentences(100)[:10])]
    found = text_lookalikes(of(texts), np.arange(90, 110), 10.0)
    assert found.asked.tolist() == list(range(90, 110))
    assert {tuple(pair) for pair in found.pairs.tolist()} == {(row, 100 + row) for row in range(10)}


def test_no_more_than_there_is_time_for() -> None:
    found = text_lookalikes(of(sentences(400)), np.arange(300), 0.05)
    assert 2 <= len(found.asked) < 300
