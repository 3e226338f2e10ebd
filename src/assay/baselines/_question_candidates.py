"""The words of a text, and the stretches of it that may answer a question.

A word is a run of letters and digits, a number with its signs, or, in scripts that are written without spaces, a run of
characters of one class (Han, hiragana, katakana, …). An answer begins and ends with a word, keeps to one sentence and
is short, or it is all that stands between two signs of punctuation.

Source: candidates and their features follow the logistic regression of P. Rajpurkar et al., "SQuAD: 100,000+ questions
for machine comprehension of text", EMNLP 2016, without its parser, which there is not for most languages.

Shapes: N words of a text, C candidates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from assay.baselines._words import Word, words
from assay.evaluation.answers import WITHOUT_SPACES

Array = np.ndarray[Any, Any]
#: Words of a candidate; of one between two signs; words of a text that are looked at.
SHORT, CLAUSE, MOST_WORDS = 8, 24, 2000
_UNSPACED = re.compile(f"[{WITHOUT_SPACES}]")
_CLASSES = ("[\u3040-\u309f]", "[\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f]", "[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff]")
_STOPS = frozenset(".!?。！？…")
_BREAKS = frozenset(',;:，、；：()[]（）「」『』“”"«»—–')
#: Letters of a word by which it is known whatever its ending.
_STEM = 5


@dataclass(frozen=True)
class Cut:
    """A text as words.

    Attributes:
        words: the words and signs.
        start: (N,) the first character of each.
        end: (N,) the character behind its last.
        sign: (N,) bool, punctuation.
        sentence: (N,) int64, the sentence that each stands in, from 0.
        units: of each word, what it is compared by: its stem, or, of a script without spaces, pairs of characters.
    """

    words: tuple[str, ...]
    start: Array
    end: Array
    sign: Array
    sentence: Array
    units: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.words)


@lru_cache(maxsize=8192)
def cut(text: str) -> Cut:
    """A text as words; what follows many words is left out."""
    found = list(_joined(words(text)))[:MOST_WORDS]
    sign = np.asarray([word.sign for word in found], bool)
    start, end = (np.asarray([getattr(word, name) for word in found], np.int64) for name in ("start", "end"))
    names = tuple(word.text for word in found)
    return Cut(names, start, end, sign, _sentences(found), tuple(map(_units, found)))


def candidates(text: Cut) -> Array:
    """(C, 2) int64: the first and last word of each stretch that may be an answer."""
    if not len(text):
        return np.zeros((0, 2), np.int64)
    ends = np.r_[np.flatnonzero(np.diff(text.sentence)), len(text) - 1]
    last = ends[text.sentence]
    firsts = np.flatnonzero(~text.sign)
    pairs = firsts[:, None] + np.arange(SHORT)[None]
    fits = pairs <= last[firsts][:, None]
    first, final = np.broadcast_to(firsts[:, None], pairs.shape)[fits], pairs[fits]
    whole = ~text.sign[final]
    breaks = np.cumsum([word in _BREAKS for word in text.words])
    # Brackets and commas may stand inside of a short answer, several of them hardly.
    whole &= breaks[final] - breaks[first] <= 1
    clauses = [(a, b) for a, b in _clauses(text) if SHORT <= b - a < CLAUSE]
    return np.concatenate(
        [np.stack([first[whole], final[whole]], axis=1), np.asarray(clauses, np.int64).reshape(-1, 2)]
    )


def _clauses(text: Cut) -> Iterator[tuple[int, int]]:
    """All that stands between two signs of one sentence."""
    first = 0
    for place in range(1, len(text) + 1):
        edge = place == len(text) or text.sign[place] or text.sentence[place] != text.sentence[place - 1]
        if not edge:
            continue
        if first < place and not text.sign[first]:
            yield first, place - 1
        first = place + 1 if place < len(text) and text.sign[place] else place


def _joined(found: Sequence[Word]) -> Iterator[Word]:
    """Words with characters of one class joined, and numbers with the signs in them."""
    place = 0
    while place < len(found):
        last = place
        while last + 1 < len(found) and found[last + 1].start == found[last].end:
            step = _step(found, place, last)
            if not step:
                break
            last += step
        text = "".join(word.text for word in found[place : last + 1])
        yield Word(text, found[place].start, found[last].end, found[place].sign)
        place = last + 1


def _step(found: Sequence[Word], first: int, last: int) -> int:
    """How many of the words that follow belong to the one from `first` to `last`."""
    one, other = found[last], found[last + 1]
    if _UNSPACED.match(one.text):
        return int(_class(one.text) == _class(other.text))
    third = found[last + 2] if last + 2 < len(found) else None
    inside = other.text in ".,'’:/" and third is not None and third.start == other.end
    if not inside or third is None or one.sign or third.sign or _UNSPACED.match(third.text):
        return 0
    numbers = one.text[-1].isdigit() and third.text[0].isdigit()
    return 2 * int(numbers or (other.text in "'’" and third.text != "s"))


def _class(text: str) -> int:
    return next((number for number, pattern in enumerate(_CLASSES) if re.match(pattern, text)), -1)


def _units(word: Word) -> tuple[str, ...]:
    lower = word.text.lower()
    if _UNSPACED.match(word.text):
        pairs = tuple(lower[place : place + 2] for place in range(len(lower) - 1))
        return pairs or (lower,)
    return (lower[:_STEM] if lower[:1].isalpha() else lower,)


def _sentences(found: Sequence[Word]) -> Array:
    """(N,) the number of each word's sentence."""
    numbers = np.zeros(len(found), np.int64)
    number = 0
    for place, word in enumerate(found):
        numbers[place] = number
        if word.text not in _STOPS or place + 1 == len(found):
            continue
        spaced = found[place + 1].start > word.end
        initial = word.text == "." and place > 0 and len(found[place - 1].text) == 1
        lower = found[place + 1].text[:1].islower()
        number += int((spaced or word.text not in ".!?") and not initial and not lower)
    return numbers
