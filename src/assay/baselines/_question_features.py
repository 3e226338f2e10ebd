"""What a classical model knows of each stretch of a text that may answer a question.

Two kinds of features stand beside one another: numbers, such as how many of the question's words stand around the
stretch, and which frequent words stand before it, behind it, and at its ends. Which of the frequent words a question
has says what kind of answer it wants ("when", "how many", "どこ"); each has its own weights for all features.

Sources: P. Rajpurkar et al., "SQuAD", EMNLP 2016; sentences are compared by the rarity of the words that they share
with the question (Spärck Jones 1972).

Shapes: C candidates, N words of a text, D numbers, K frequent words, Q words that tell the kind of a question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from assay.baselines._question_candidates import CLAUSE, Cut, candidates, cut

Array = np.ndarray[Any, Any]
#: Frequent words of texts, frequent words and pairs of words of questions, and units with a rarity.
_FREQUENT, _KINDS, _UNITS = 80, 80, 200_000
#: By how much less a word of the question says with each word that stands between it and the candidate.
_DECAYS = (0.9, 0.6)
#: Lengths of candidates in words that are told apart: more than one, up to the next.
_LENGTHS = (0, 1, 2, 3, 4, 6, 8, CLAUSE)
#: Words around a candidate that are looked at, see `Features.beside`.
BESIDE = 4
_NOTHING = "\0"


class Features(NamedTuple):
    """The candidates of a question.

    Attributes:
        spans: (C, 2) int64, the first and last word of each.
        numbers: (C, D) float32.
        beside: (C, 4) int64, the frequent word before, at the beginning, at the end, and behind; K for any other.
        kind: (Q,) float32, which words that tell the kind of a question it has.
    """

    spans: Array
    numbers: Array
    beside: Array
    kind: Array


@dataclass(frozen=True)
class Vocabulary:
    """What is learned from the training texts and questions alone.

    Attributes:
        rarity: by unit, how much it says that two texts share it; others are as rare as the rarest.
        frequent: K frequent words of texts.
        kinds: Q words and pairs of words of questions.
    """

    rarity: dict[str, float]
    frequent: tuple[str, ...]
    kinds: tuple[str, ...]

    def features(self, question: str, text: str, may_lack: bool = False) -> Features:
        """The candidates of a question, (C, …); none where the text has no word.

        Args:
            question: what is asked.
            text: what may hold the answer.
            may_lack: the last candidate, from -1 to -1, is that it does not.
        """
        whole = cut(text)
        shape = _shapes(text, self.frequent)
        asked = cut(question)
        wanted = {unit: self.rare(unit) for units in asked.units for unit in units}
        for word, sign in zip(asked.words, asked.sign.tolist(), strict=True):
            if sign:
                wanted.pop(word, None)
        found = np.asarray([_share(units, wanted) for units in whole.units], float)
        rare = np.asarray([max(map(self.rare, units)) for units in whole.units], float) * ~whole.sign
        numbers, match = _numbers(whole, shape.spans, found, rare, wanted)
        numbers = np.hstack([shape.numbers, numbers, np.zeros((len(numbers), 2))]).astype(np.float32)
        made = Features(shape.spans, numbers, shape.beside, self._kind(asked))
        return _with_none(made, match, len(self.frequent)) if may_lack else made

    def rare(self, unit: str) -> float:
        """How much it says that two texts share a unit."""
        return self.rarity.get(unit, self._most)

    @property
    def _most(self) -> float:
        return self.rarity.get(_NOTHING, 1.0)

    def _kind(self, asked: Cut) -> Array:
        told = set(_told(asked))
        return np.asarray([float(kind in told) for kind in self.kinds], np.float32)


def fit_vocabulary(questions: Sequence[str], texts: Sequence[str]) -> Vocabulary:
    """A vocabulary, of training questions and of the texts that they are about, each once."""
    held: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for text in texts:
        whole = cut(text)
        held.update(list(dict.fromkeys(unit for units in whole.units for unit in units)))  # in a fixed order
        said.update(word.lower() for word in whole.words)
    count = max(1, len(texts))
    rarity = {unit: float(np.log((1 + count) / (1 + number)) + 0.1) for unit, number in held.most_common(_UNITS)}
    rarity[_NOTHING] = float(np.log(1 + count) + 0.1)
    kinds: Counter[str] = Counter()
    for question in questions:
        kinds.update(list(dict.fromkeys(_told(cut(question)))))
    first = tuple(word for word, _ in said.most_common(_FREQUENT))
    return Vocabulary(rarity, first, tuple(kind for kind, _ in kinds.most_common(_KINDS)))


def _with_none(features: Features, match: float, other: int) -> Features:
    """With a last candidate that there is no answer, which knows how much of the question is in the best sentence."""
    row = np.zeros((1, features.numbers.shape[1]), np.float32)
    row[0, -2:] = 1.0, match
    spans, beside = np.full((1, 2), -1, np.int64), np.full((1, BESIDE), other, np.int64)
    return Features(
        np.concatenate([features.spans, spans]),
        np.concatenate([features.numbers, row]),
        np.concatenate([features.beside, beside]),
        features.kind,
    )


class _Shape(NamedTuple):
    """What does not depend on the question."""

    spans: Array
    numbers: Array
    beside: Array


@lru_cache(maxsize=512)
def _shapes(content: str, frequent: tuple[str, ...]) -> _Shape:
    text = cut(content)
    spans = candidates(text)
    first, last = spans[:, 0], spans[:, 1]
    number = {word: place for place, word in enumerate(frequent)}
    known = np.asarray([number.get(word.lower(), len(frequent)) for word in text.words], np.int64)
    around = np.r_[len(frequent), known, len(frequent)]
    beside = np.stack([around[first], around[first + 1], around[last + 1], around[last + 2]], axis=1)
    flags = _flags(text, known < len(frequent))
    padded = {name: np.r_[False, flag, False] for name, flag in flags.items()}
    length = last - first + 1
    columns: list[Array] = [(length > low) & (length <= high) for low, high in pairwise(_LENGTHS)]
    for name, flag in flags.items():
        share = _between(flag.astype(float), first, last) / length
        columns += [share, share == 1, padded[name][first], padded[name][last + 2], flag[first], flag[last]]
    ends = np.r_[text.sentence[1:] != text.sentence[:-1], True] if len(text) else np.zeros(0, bool)
    starts = np.r_[True, ends[:-1]]
    columns += [starts[first], first / max(1, len(text)), (text.end[last] - text.start[first]) / 40]
    numbers = np.stack(columns, axis=1) if len(spans) else np.zeros((0, len(columns)))
    return _Shape(spans, numbers.astype(np.float32), beside)


def _flags(text: Cut, frequent: Array) -> dict[str, Array]:
    """What kind of word each is, (N,) bool by name."""
    words = text.words
    flags = {
        "digit": [any(sign.isdigit() for sign in word) for word in words],
        "year": [len(word) == 4 and word.isdigit() for word in words],
        "capital": [word[:1].isupper() for word in words],
        "capitals": [len(word) > 1 and word.isupper() for word in words],
        "lower": [word[:1].islower() for word in words],
        "sign": text.sign.tolist(),
        "bracket": [word in '()[]（）「」『』“”"«»' for word in words],
        "hiragana": ["\u3040" <= word[:1] <= "\u309f" for word in words],
        "katakana": ["\u30a0" <= word[:1] <= "\u30ff" for word in words],
        "han": ["\u4e00" <= word[:1] <= "\u9fff" for word in words],
        "frequent": frequent.tolist(),
    }
    return {name: np.asarray(values, bool) for name, values in flags.items()}


def _numbers(text: Cut, spans: Array, found: Array, rare: Array, wanted: dict[str, float]) -> tuple[Array, float]:
    """What depends on the question, (C, D'), and how much of it stands in the best sentence.

    Args:
        text: N words.
        spans: (C, 2).
        found: (N,) the share of each word that stands in the question.
        rare: (N,) how rare it is.
        wanted: the question's units with their rarity.
    """
    first, last = spans[:, 0], spans[:, 1]
    whole = max(1e-6, sum(wanted.values()))
    if not len(spans):
        return np.zeros((0, 16)), 0.0
    sentences = _sentence_scores(text, wanted, whole)
    best = max(1e-6, float(sentences.max()))
    rank = np.argsort(np.argsort(-sentences, kind="stable"))
    own = text.sentence[first]
    near = np.maximum(np.r_[0, sentences[:-1]], np.r_[sentences[1:], 0])
    weight = found * rare / whole
    inside = _between(found * (found >= 0.5), first, last)
    length = last - first + 1
    columns = [sentences[own], sentences[own] / best, rank[own] == 0, rank[own] == 1, rank[own] == 2, near[own],
               inside / length, inside > 0, _between(rare, first, last) / length / 5]  # fmt: skip
    for decay in _DECAYS:
        before, behind = _carried(weight, text.sentence, decay)
        columns += [before[first], behind[last], before[first] + behind[last]]
    hit = np.r_[False, found >= 0.5, False]
    columns.append(hit[first] | hit[last + 2])
    return np.stack(columns, axis=1), best


def _sentence_scores(text: Cut, wanted: dict[str, float], whole: float) -> Array:
    """(S,) the share of the question, by rarity, that stands in each sentence."""
    seen: list[dict[str, None]] = [{} for _ in range(int(text.sentence[-1]) + 1)]
    for units, sentence in zip(text.units, text.sentence.tolist(), strict=True):
        seen[sentence].update(dict.fromkeys(unit for unit in units if unit in wanted))
    return np.asarray([sum(wanted[unit] for unit in units) / whole for units in seen])


def _carried(weight: Array, sentence: Array, decay: float) -> tuple[Array, Array]:
    """(N,) each: the weights of the words before and behind each word in its sentence, less with every step."""

    def walk(values: list[float], numbers: list[int]) -> list[float]:
        carried, total = [], 0.0
        for place, value in enumerate(values):
            total = 0.0 if place and numbers[place] != numbers[place - 1] else total
            carried.append(total)
            total = decay * (total + value)
        return carried

    values, numbers = weight.tolist(), sentence.tolist()
    return np.asarray(walk(values, numbers)), np.asarray(walk(values[::-1], numbers[::-1])[::-1])


def _between(values: Array, first: Array, last: Array) -> Array:
    """(C,) the sum of values (N,) from one place to another."""
    sums = np.r_[0.0, np.cumsum(values)]
    return np.asarray(sums[last + 1] - sums[first])


def _share(units: Sequence[str], wanted: dict[str, float]) -> float:
    return sum(unit in wanted for unit in units) / len(units)


def _told(asked: Cut) -> list[str]:
    """The words of a question, the pairs of them, and the first and the last by themselves."""
    told = [word.lower() for word, sign in zip(asked.words, asked.sign.tolist(), strict=True) if not sign]
    pairs = [f"{one} {other}" for one, other in pairwise(told)]
    return [*told, *pairs, *(f"^{word}" for word in told[:1]), *(f"{word}$" for word in told[-1:])]
