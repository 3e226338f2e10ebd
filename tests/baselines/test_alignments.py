"""Words and joiners, alignments of pairs whose alignment is known, the phrases of a textbook's example."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.baselines._alignments import Flat, align, join_directions
from assay.baselines._phrases import Phrases, extract
from assay.baselines._words import JOINER, Casing, together, tokens, words

Links = set[tuple[int, int]]


def flat(sentences: list[str]) -> tuple[Flat, list[str]]:
    spelt = sorted({word for sentence in sentences for word in sentence.split()})
    return Flat.of([[spelt.index(word) for word in sentence.split()] for sentence in sentences]), spelt


def linked(links: Links, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Links of one pair of sentences."""
    rows, columns = zip(*sorted(links), strict=True)
    assert max(rows) < height and max(columns) < width
    return np.asarray(rows), np.asarray(columns)


def pairs_of(phrases: Phrases, source: str, target: str) -> list[tuple[str, str]]:
    """All pairs of phrases that a single pair of sentences gave."""
    froms, tos = source.split(), target.split()
    spelt = sorted(set(froms))
    found = []
    for start, end, low, high in phrases.spans(np.asarray([spelt.index(word) for word in froms])):
        for place in range(low, high):
            first = phrases.start[place]
            found.append((" ".join(froms[start:end]), " ".join(tos[first : first + phrases.length[place]])))
    return found


def consistent(links: Links, height: int, width: int, longest: int) -> Counter[tuple[int, int, int, int]]:
    """The definition, word for word: at least one link inside, none from inside to outside."""
    found: Counter[tuple[int, int, int, int]] = Counter()
    for low, left in itertools.product(range(height), range(width)):
        for high, right in itertools.product(range(low + 1, height + 1), range(left + 1, width + 1)):
            inside = [(low <= row < high, left <= column < right) for row, column in links]
            whole = (True, True) in inside and all(one == other for one, other in inside)
            if whole and high - low <= longest and right - left <= longest:
                found[low, high, left, right] += 1
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A man's dog, isn't it?", "A man _' _s dog _, isn _' _t it _?"),
        ("(so) he said", "(_ so _) he said"),
        ("日本語 x", "日 _本 _語 x"),
        ("", ""),
        ("e-mail 3.5", "e _- _mail 3 _. _5"),
    ],
)
def test_tokens(text: str, found: str) -> None:
    got = " ".join(tokens(text)).replace(JOINER, "_")
    assert got.replace("_", "") == found.replace("_", "")
    assert together(tokens(text)) == text


@settings(deadline=None)
@given(st.text("aBé ,.'-(日1", max_size=20))
def test_tokens_and_together_are_inverse(text: str) -> None:
    assert together(tokens(text)) == " ".join(text.split())
    assert [one.strip(JOINER) for one in tokens(text)] == [one.text for one in words(text)]
    assert all(text[one.start : one.end] == one.text for one in words(text))


def test_casing() -> None:
    casing = Casing([["The", "dog", "sees", "Anna"], ["Anna", "sees", "the", "dog"], ["Dogs", "run"]])
    assert casing.inside(["The", "end"]) == ["the", "end"]
    assert casing.inside(["Anna", "runs"]) == ["Anna", "runs"]
    assert casing.inside(["Nobody", "The"]) == ["Nobody", "The"]
    assert casing.inside([]) == []
    assert casing.at_the_start('"the end') == '"The end'
    assert not Casing([["a"], ["b"]]).capitals
    assert Casing([["a"], ["b"]]).at_the_start("the end") == "the end"


def test_aligns_what_is_known() -> None:
    """Two words change places in each sentence, so that the diagonal alone would be wrong."""
    random = np.random.default_rng(0)
    sources, targets, known = [], [], []
    for _ in range(200):
        sentence = random.choice(12, 5, replace=False)
        order = [0, 2, 1, 4, 3]
        sources.append(sentence.tolist())
        targets.append((sentence[order] + 20).tolist())
        known += order
    source, target = Flat.of(sources), Flat.of(targets)
    np.testing.assert_array_equal(align(source, target), known)
    rows, columns = join_directions(align(source, target), align(target, source), source, target)
    links = dict(zip(columns.tolist(), rows.tolist(), strict=True))
    assert len(rows) == 1000
    assert [links[place] - 5 * (place // 5) for place in range(1000)] == known


def test_aligns_to_none_and_by_the_diagonal() -> None:
    source, _ = flat(["house the", "book the", "house a", "book a", "the the"])
    target, spelt = flat(["haus das", "buch das", "haus ein", "buch ein", "das das"])
    got = align(source, target)
    assert got.tolist() == [0, 1] * 5  # two equal words: each comes from the one at its place
    assert align(Flat.of([[], [0]]), Flat.of([[0, 1], [0]])).tolist() == [-1, -1, 0]
    assert align(Flat.of([]), Flat.of([])).tolist() == []
    assert align(Flat.of([[], []]), Flat.of([[1], [0]])).tolist() == [-1, -1]
    assert spelt == ["buch", "das", "ein", "haus"]


def test_grow_diag_final_and() -> None:
    """Both say (0, 0); one says its neighbour (1, 1), the other (3, 2), which is far from both; (0, 3) is left out."""
    source, target = Flat.of([[0, 1, 2, 3]]), Flat.of([[0, 1, 2, 3]])
    forward, backward = np.array([0, 1, -1, 0]), np.array([0, -1, -1, 2])
    rows, columns = join_directions(forward, backward, source, target)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(0, 0), (1, 1), (3, 2)}


def test_phrases_of_the_textbook() -> None:
    """The example of Koehn, Statistical Machine Translation (2009), section 5.2.3, to the letter."""
    source = "michael geht davon aus , dass er im haus bleibt"
    target = "michael assumes that he will stay in the house"
    links = {(0, 0), (1, 1), (2, 1), (3, 1), (5, 2), (6, 3), (9, 4), (9, 5), (7, 6), (7, 7), (8, 8)}
    froms, tos = flat([source])[0], flat([target])[0]
    phrases = extract(froms, tos, linked(links, 9, 10), 10, 100)
    expected = {
        ("michael", "michael"), ("michael geht davon aus", "michael assumes"),
        ("michael geht davon aus ,", "michael assumes"),
        ("michael geht davon aus , dass", "michael assumes that"),
        ("michael geht davon aus , dass er", "michael assumes that he"),
        (source, target), ("geht davon aus", "assumes"), ("geht davon aus ,", "assumes"),
        ("geht davon aus , dass", "assumes that"), ("geht davon aus , dass er", "assumes that he"),
        ("geht davon aus , dass er im haus bleibt", "assumes that he will stay in the house"),
        ("dass", "that"), (", dass", "that"), ("dass er", "that he"), (", dass er", "that he"),
        ("dass er im haus bleibt", "that he will stay in the house"),
        (", dass er im haus bleibt", "that he will stay in the house"),
        ("er", "he"), ("er im haus bleibt", "he will stay in the house"),
        ("im haus bleibt", "will stay in the house"), ("im", "in the"), ("im haus", "in the house"),
        ("haus", "house"), ("bleibt", "will stay"),
    }  # fmt: skip
    found = pairs_of(phrases, source, target)
    assert len(found) == len(set(found))
    assert set(found) == expected


@settings(deadline=None, max_examples=80)
@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1), st.integers(1, 6))
def test_phrases_are_those_of_the_definition(links: Links, longest: int) -> None:
    source, target = Flat.of([[0, 1, 2, 3, 4]]), Flat.of([[0, 1, 2, 3, 4, 5]])
    phrases = extract(source, target, linked(links, 6, 5), longest, 100)
    found = Counter(
        (start, end, int(phrases.start[place]), int(phrases.start[place] + phrases.length[place]))
        for start, end, low, high in phrases.spans(np.arange(5))
        for place in range(low, high)
    )
    assert found == consistent(links, 5, 6, longest)


def test_probabilities_of_phrases() -> None:
    """Of four times "a" it was three times "x" and once "y"; each of these has but one source word."""
    source, target = Flat.of([[0]] * 4), Flat.of([[0], [0], [0], [1]])
    links = np.arange(4), np.arange(4)
    phrases = extract(source, target, links, 2, 10)
    assert [span for span in phrases.spans(np.array([0, -1, 0, 7]))] == [(0, 1, 0, 2), (2, 3, 0, 2)]
    forward, backward, words_forward, words_backward, once = phrases.scores.T
    np.testing.assert_allclose(np.exp(forward), [(3 - 1.5) / 4, (1 - 0.5) / 4], rtol=1e-6)
    np.testing.assert_allclose(np.exp(backward), [(3 - 1.5) / 3, (1 - 0.5) / 1], rtol=1e-6)
    np.testing.assert_allclose(np.exp(words_forward), [0.75, 0.25], rtol=1e-6)
    np.testing.assert_allclose(np.exp(words_backward), [1, 1], rtol=1e-6)
    assert once.tolist() == [0, 1]
    assert len(extract(source, target, links, 2, 1).start) == 1


def test_without_phrases() -> None:
    source, target, none = Flat.of([[0, 1]]), Flat.of([[0, 1]]), np.zeros(0, np.int64)
    assert not len(extract(source, target, (none, none), 3, 10).start)
    crossed = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert not len(extract(source, target, crossed, 1, 10).start)


def test_phrases_keep_to_their_sentences() -> None:
    source, target = Flat.of([[0, 1], [1, 2]]), Flat.of([[0, 1], [1, 2]])
    links = np.arange(4), np.arange(4)
    phrases = extract(source, target, links, 3, 10)
    assert {(start, end) for start, end, _, _ in phrases.spans(np.array([0, 1, 1, 2]))} == {
        (0, 1), (1, 2), (2, 3), (3, 4), (0, 2), (2, 4),
    }  # fmt: skip
