"""Sentence pairs as numbers, with the links between their words.

Words are aligned by their first characters, so that the forms of a word help one another (Fraser and Marcu 2005).

Shapes: N sentence pairs, S source tokens and T target tokens of all of them, L links.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from assay.baselines._alignments import Flat, align, join_directions
from assay.baselines._storage import read_integers, read_json, require, write_arrays, write_json
from assay.baselines._words import JOINER, Casing, tokens

Array = np.ndarray[Any, Any]
_STEM = 4  # characters by which words are told apart while they are aligned


@dataclass(frozen=True)
class Bitext:
    """Sentence pairs whose first words are written as inside of a sentence.

    Attributes:
        source_words: the source token of each number.
        target_words: the target token of each number.
        source: source sentences, (S,) of these numbers.
        target: their translations, (T,).
        links: (L,) source tokens and (L,) target tokens (of all of them) that stand for one another.
        capitals: most translations begin with a capital letter.
    """

    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    source: Flat
    target: Flat
    links: tuple[Array, Array]
    capitals: bool

    def __len__(self) -> int:
        return len(self.source.offsets) - 1

    @cached_property
    def casing(self) -> Casing:
        """How source words are written inside of sentences."""
        return Casing(words_of(self.source, self.source_words))

    @cached_property
    def source_numbers(self) -> Mapping[str, int]:
        """The number of each source token."""
        return {word: number for number, word in enumerate(self.source_words)}

    def numbers(self, sentence: Sequence[str]) -> Array:
        """(I,) the numbers of a source sentence's tokens; -1 for what was never seen, however it is written."""
        known = self.source_numbers
        found: list[int] = []
        for token in self.casing.inside(sentence):
            written = (token, token.lower(), token.strip(JOINER).capitalize(), token.strip(JOINER))
            found.append(next((known[form] for form in written if form in known), -1))
        return np.asarray(found, np.int64)

    def some(self, kept: Array) -> Bitext:
        """The sentence pairs at some places (ascending), with the same numbers."""
        source, rows = _some(self.source, kept)
        target, columns = _some(self.target, kept)
        left = rows[self.links[0]] >= 0
        links = rows[self.links[0][left]], columns[self.links[1][left]]
        return Bitext(self.source_words, self.target_words, source, target, links, self.capitals)


def words_of(text: Flat, words: Sequence[str]) -> list[list[str]]:
    """Sentences of numbers as sentences of tokens."""
    spelt = [words[number] for number in text.values.tolist()]
    return [spelt[low:high] for low, high in zip(text.offsets[:-1].tolist(), text.offsets[1:].tolist(), strict=True)]


def aligned(sources: Sequence[str], targets: Sequence[str]) -> Bitext:
    """Sentence pairs, none of which has an empty side, aligned in both directions."""
    source, source_words, _ = _numbered(sources)
    target, target_words, capitals = _numbered(targets)
    one, other = _folded(source, source_words), _folded(target, target_words)
    links = join_directions(align(one, other), align(other, one), source, target)
    return Bitext(source_words, target_words, source, target, links, capitals)


def write_bitext(folder: Path, bitext: Bitext) -> None:
    """Write into a folder."""
    words = {"source": bitext.source_words, "target": bitext.target_words, "capitals": bitext.capitals}
    write_json(folder / "words.json", words)
    arrays = {
        "source": bitext.source.values, "source_lengths": bitext.source.lengths, "target": bitext.target.values,
        "target_lengths": bitext.target.lengths, "rows": bitext.links[0], "columns": bitext.links[1],
    }  # fmt: skip
    write_arrays(folder / "pairs.npz", {name: value.astype(np.int32) for name, value in arrays.items()})


def read_bitext(folder: Path) -> Bitext:
    """The inverse of `write_bitext`; raises `RunError` where a file is damaged."""
    path = folder / "words.json"
    words = read_json(path, source=list, target=list, capitals=bool)
    for side in ("source", "target"):
        given = words[side]
        require(all(isinstance(word, str) for word in given) and len(set(given)) == len(given), path, "bad words")
    path = folder / "pairs.npz"
    stored = read_integers(path, source=1, source_lengths=1, target=1, target_lengths=1, rows=1, columns=1)
    got = {name: value.astype(np.int64) for name, value in stored.items()}
    source = _checked(got["source"], got["source_lengths"], len(words["source"]), path)
    target = _checked(got["target"], got["target_lengths"], len(words["target"]), path)
    require(len(source.offsets) == len(target.offsets), path, "another number of translations than sentences")
    rows, columns = got["rows"], got["columns"]
    fits = len(rows) == len(columns) and (rows >= 0).all() and (rows < len(source.values)).all()
    fits = fits and (columns >= 0).all() and (columns < len(target.values)).all()
    require(bool(fits) and bool((source.sentence[rows] == target.sentence[columns]).all()), path, "impossible links")
    return Bitext(tuple(words["source"]), tuple(words["target"]), source, target, (rows, columns), words["capitals"])


def _checked(values: Array, lengths: Array, size: int, path: Path) -> Flat:
    fits = len(lengths) > 0 and (lengths > 0).all() and lengths.sum() == len(values)
    require(bool(fits) and bool(((values >= 0) & (values < size)).all()), path, "impossible sentences")
    return Flat(values, np.concatenate([[0], np.cumsum(lengths)]))


def _numbered(texts: Sequence[str]) -> tuple[Flat, tuple[str, ...], bool]:
    """Sentences as numbers, the token of each number, and whether sentences begin with a capital letter."""
    sentences = [tokens(text) for text in texts]
    casing = Casing(sentences)
    numbers: dict[str, int] = {}
    flat = Flat.of([[numbers.setdefault(token, len(numbers)) for token in casing.inside(one)] for one in sentences])
    return flat, tuple(numbers), casing.capitals


def _folded(text: Flat, words: Sequence[str]) -> Flat:
    """The sentences with one number for all words that begin alike."""
    numbers: dict[str, int] = {}
    folded = [numbers.setdefault(word.strip(JOINER).lower()[:_STEM], len(numbers)) for word in words]
    return Flat(np.asarray(folded, np.int64)[text.values], text.offsets)


def _some(text: Flat, kept: Array) -> tuple[Flat, Array]:
    """Some sentences, and for each token of all its place among theirs, or -1."""
    there = np.zeros(len(text.offsets) - 1, bool)
    there[kept] = True
    real = there[text.sentence]
    lengths = text.lengths[there]
    return Flat(text.values[real], np.concatenate([[0], np.cumsum(lengths)])), np.where(real, np.cumsum(real) - 1, -1)
