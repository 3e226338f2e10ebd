"""Texts as weighted counts of their n-grams of words and of characters.

Shapes: N texts, D n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.baselines._storage import read_arrays, read_json, require, write_arrays, write_json

Array = np.ndarray[Any, Any]
#: What is counted by kind: words (signs are words, too) and pairs of them; characters of one word with its borders.
_KINDS: dict[str, dict[str, Any]] = {
    "words": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
_MOST = 300_000  # n-grams of one kind
_LONGEST = 100_000  # characters of a text that are read
_COMMON_FROM = 1000  # texts from which on a characters' n-gram of a single text is left out
_NOTHING = "\0"  # stands for the n-grams where texts hold none


@dataclass(frozen=True)
class Grams:
    """The n-grams of one kind that training texts hold, and how rare each is.

    Attributes:
        kind: "words" or "characters".
        names: (D,) the n-grams, ascending.
        rarity: (D,) float32, log((1 + texts) / (1 + texts that hold it)) + 1.
    """

    kind: str
    names: tuple[str, ...]
    rarity: Array

    def inputs(self, texts: Sequence[str]) -> Any:
        """(N, D) sparse float64: 1 + log(count), times the rarity, each row of length one (or zero)."""
        return self._weighted(_counter(self.kind, self.names).transform(_cut(texts)))

    def _weighted(self, counts: Any) -> Any:
        counts = counts.tocsr().astype(float)
        counts.data = (1 + np.log(counts.data)) * self.rarity[counts.indices]
        lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
        counts.data /= np.repeat(np.where(lengths > 0, lengths, 1.0), np.diff(counts.indptr))
        return counts


def fit_grams(kind: str, texts: Sequence[str]) -> tuple[Grams, Any]:
    """The n-grams of training texts, and the texts as `Grams.inputs` gives them."""
    cut = _cut(texts)
    if not any(text.strip() for text in cut):
        nothing = Grams(kind, (_NOTHING,), np.ones(1, np.float32))
        return nothing, nothing.inputs(texts)
    counter = _counter(kind, None, 2 if kind == "characters" and len(texts) >= _COMMON_FROM else 1)
    counts = counter.fit_transform(cut)
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = (np.log((1 + len(texts)) / (1 + held)) + 1).astype(np.float32)
    grams = Grams(kind, tuple(map(str, counter.get_feature_names_out())), rarity)
    return grams, grams._weighted(counts)


def write_grams(folder: Path, kinds: Sequence[Grams]) -> None:
    """Write them into a folder."""
    write_json(folder / "grams.json", {"grams": [[one.kind, list(one.names)] for one in kinds]})
    write_arrays(folder / "rarity.npz", {one.kind: one.rarity for one in kinds})


def read_grams(folder: Path) -> tuple[Grams, ...]:
    """The inverse of `write_grams`; raises `RunError` where a file is damaged."""
    path = folder / "grams.json"
    found: list[Grams] = []
    for item in read_json(path, grams=list)["grams"]:
        require(isinstance(item, list) and len(item) == 2 and item[0] in _KINDS, path, "an unknown kind of n-grams")
        kind, names = item
        require(isinstance(names, list) and all(isinstance(name, str) for name in names), path, "bad n-grams")
        require(len(set(names)) == len(names) > 0, path, "n-grams that repeat, or none")
        found.append(Grams(kind, tuple(names), np.ones(len(names), np.float32)))
    require(0 < len(found) == len({one.kind for one in found}), path, "the kinds of n-grams repeat, or there are none")
    rarity = read_arrays(folder / "rarity.npz", **{one.kind: 1 for one in found})
    for one in found:
        require(len(rarity[one.kind]) == len(one.names), folder / "rarity.npz", "another number of n-grams")
    return tuple(replace(one, rarity=rarity[one.kind]) for one in found)


def _counter(kind: str, names: Sequence[str] | None, least: int = 1) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    most = _MOST if names is None else None
    vocabulary = None if names is None else {name: place for place, name in enumerate(names)}
    return CountVectorizer(**_KINDS[kind], vocabulary=vocabulary, min_df=least, max_features=most)


def _cut(texts: Sequence[str]) -> list[str]:
    return [text[:_LONGEST] for text in texts]
