"""Text as words and signs, the same for all languages, and back again.

A word is a run of letters, digits and marks; a sign stands alone, and so does each character of a script that is
written without spaces. A token that touches the one before it or behind it says so by a joiner, so that text can be put
together again; a joiner belongs to the sign, where one of the two is a sign.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assay.evaluation.answers import WITHOUT_SPACES

JOINER = "\u2060"  # Unicode's word joiner: no space here


@dataclass(frozen=True)
class Word:
    """A word or sign of a text, from character `start` to `end` (exclusive)."""

    text: str
    start: int
    end: int
    sign: bool


def words(text: str) -> list[Word]:
    """The words and signs of a text."""
    return [Word(one.group(), *one.span(), one.lastgroup == "sign") for one in _pattern().finditer(text)]


def tokens(text: str) -> list[str]:
    """The words and signs of a text with their joiners."""
    found: list[str] = []
    end, was_sign = -1, False
    for one in _pattern().finditer(text.replace(JOINER, "")):
        start, sign, word = one.start(), one.lastgroup == "sign", one.group()
        if start == end and was_sign and not sign:
            found[-1] += JOINER
        elif start == end:
            word = JOINER + word
        found.append(word)
        end, was_sign = one.end(), sign
    return found


def together(parts: Iterable[str]) -> str:
    """The text of tokens with joiners; the inverse of `tokens` but for the width of spaces."""
    text = " ".join(parts)
    return re.sub(f" ?{JOINER} ?", "", text)


class Casing:
    """How words are written inside of sentences, so that the capital of a first word can be taken off and put on again.

    Args:
        sentences: tokens of each training sentence.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        counts: dict[str, dict[str, int]] = {}
        capitals = total = 0
        for sentence in sentences:
            first = _first_word(sentence)
            for place, token in enumerate(sentence):
                if place != first:
                    forms = counts.setdefault(token.lower(), {})
                    forms[token] = forms.get(token, 0) + 1
            if first is not None:
                capitals, total = capitals + sentence[first].strip(JOINER)[:1].isupper(), total + 1
        self._forms = {lower: max(forms, key=lambda form: (forms[form], form)) for lower, forms in counts.items()}
        self.capitals = 2 * capitals > total

    def inside(self, sentence: Sequence[str]) -> list[str]:
        """The sentence with its first word as it would be written inside of one; as it is where that is not known."""
        changed, first = list(sentence), _first_word(sentence)
        if first is not None:
            changed[first] = self._forms.get(changed[first].lower(), changed[first])
        return changed

    def at_the_start(self, text: str) -> str:
        """The text with a capital first letter, where most training sentences have one."""
        found = re.search(r"[^\W\d_]", text) if self.capitals else None
        return text if found is None else text[: found.start()] + found.group().upper() + text[found.end() :]


def _first_word(sentence: Sequence[str]) -> int | None:
    return next((place for place, token in enumerate(sentence) if token.strip(JOINER)[:1].isalnum()), None)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    signs, alone = _signs(), WITHOUT_SPACES
    word = (
        f"(?:[^\\W_{alone}]+|[^\\s{signs}{alone}])+"  # letters and digits come first, as the rest takes longer to tell
    )
    return re.compile(f"(?P<word>{word})|(?P<sign>[{signs}])|(?P<alone>[{alone}])")


def _signs() -> str:
    """Punctuation and symbols as the ranges of a regular expression's class."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] in "PS":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in ranges)
