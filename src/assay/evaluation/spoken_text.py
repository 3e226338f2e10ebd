"""The form in which transcripts are compared, so that spelling, case and punctuation count for nothing.

Stated in full, since word error rates are only comparable under the same form:

1. Unicode NFKC; lower case; typographic apostrophes become plain ones.
2. Remarks in square brackets, angle brackets or asterisks, such as `[laughter]`, are dropped; angle brackets and
   asterisks only where a letter follows, so that `press *1 or *2` and `a<b` stay.
3. In English `&` becomes "and"; `%`, `+`, `$`, `£`, `€` beside a number, and numbers in digits become words: `1,250` is
   "one thousand two hundred and fifty", `3.5` "three point five", `21st` "twenty first", `$5` "five dollars", `$5.5`
   "five point five dollars", `$5.25` "five dollars and twenty five cents"; a row of digits that begins with 0 or has
   more than six is read digit by digit.
4. All that is neither a letter, a mark on one, a digit nor an apostrophe inside a word becomes a space; so a hyphen
   parts words.
5. White space becomes one space.

No contraction is written out ("it's" stays), and spellings are not made alike ("colour", "color").

Languages that write no spaces between words are compared character by character, in both metrics.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from assay.errors import MissingExtraError

#: Of a text's words that so many of the commonest of English must be for it to count as English.
_ENGLISH = frozenset(("the", "of", "to", "and", "a", "in", "is", "it", "you", "that", "he", "was", "for", "on", "are",
                      "with", "as", "i", "his", "they", "be", "at", "one", "have", "this"))  # fmt: skip
_ENGLISH_SHARE, _FEWEST_WORDS = 0.12, 20
_WITHOUT_SPACES = ("zh", "ja", "th", "lo", "km", "my", "bo", "yue", "wuu", "cmn")
_REMARK = re.compile(
    r"\[[^\]]*\]|</?[^\W\d_][^<>\s]*>|(?<!\w)<[^\W\d_][^<>]*>(?!\w)|(?<![\w*])\*[^\W\d_](?:[^*]*[^*\s])?\*(?![\w*])"
)
_ORDINAL = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d{1,6})(?:st|nd|rd|th)\b")
_MONEY = re.compile(r"([$£€])\s?(\d+(?:,\d{3})*)(?:\.(\d+))?")
_NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+")
_COINS = {"$": ("dollar", "dollars", "cents"), "£": ("pound", "pounds", "pence"), "€": ("euro", "euros", "cents")}
_SIGNS = {"%": " percent ", "+": " plus "}
_LONGEST_NUMBER = 6
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def spoken(text: str, language: str = "") -> str:
    """A transcript in the form in which it is compared.

    Args:
        text: as it was written.
        language: a code such as "en"; digits become words in English alone.

    Example:
        >>> spoken("Press 2, please - it's the 21st!", "en")
        "press two please it's the twenty first"
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("`", "'")
    text = _REMARK.sub(" ", text)
    if is_english(language):
        text = _numbers_said(text)
    kept = "".join(sign if sign == "'" or unicodedata.category(sign)[0] in "LMN" else " " for sign in text)
    return " ".join(word for word in (part.strip("'") for part in kept.split()) if word)


def units_of(text: str, language: str = "") -> str:
    """`spoken`, with a space after each character where the language writes none between words."""
    said = spoken(text, language)
    return " ".join(said.replace(" ", "")) if has_no_spaces(language) else said


def has_no_spaces(language: str) -> bool:
    """Whether a language, by its code, writes no spaces between words."""
    return _first(language) in _WITHOUT_SPACES


def is_english(language: str) -> bool:
    """Whether a language, by its code, is English."""
    return _first(language) in ("en", "eng", "english")


def guessed_language(texts: Iterable[str]) -> str:
    """The code "en" where the commonest words of English make up enough of some transcripts; else none."""
    words = [word for text in texts for word in re.findall(r"[a-z']+|[^\W\d_]+", text.lower())]
    common = sum(word in _ENGLISH for word in words)
    return "en" if len(words) >= _FEWEST_WORDS and common >= _ENGLISH_SHARE * len(words) else ""


def _first(language: str) -> str:
    return re.split(r"[-_]", language.lower(), maxsplit=1)[0]


def _numbers_said(text: str) -> str:
    text = _MONEY.sub(_money, text.replace("&", " and "))
    text = _ORDINAL.sub(lambda found: f" {_said(found[1].replace(',', '') + 'th')} ", text)
    for sign, word in _SIGNS.items():
        text = re.sub(rf"(?<=\d)\s?{re.escape(sign)}|{re.escape(sign)}(?=\s?\d)", word, text)
    return _NUMBER.sub(lambda found: f" {_number(found[0])} ", text)


def _money(found: re.Match[str]) -> str:
    one, many, small = _COINS[found[1]]
    whole, part = found[2].replace(",", ""), found[3]
    if part is not None and len(part) != 2:
        return f" {_number(f'{whole}.{part}')} {many} "
    said = f" {_number(whole)} {one if whole == '1' else many} "
    return said if part in (None, "00") else f"{said}and {_number(str(int(part)))} {small} "


def _number(digits: str) -> str:
    digits = digits.replace(",", "")
    whole, _, part = digits.partition(".")
    if part:
        return f"{_number(whole)} point {_one_by_one(part)}"
    if len(whole) > _LONGEST_NUMBER or (whole.startswith("0") and len(whole) > 1) or not whole.isascii():
        return _one_by_one(whole)
    return _said(whole)


def _one_by_one(digits: str) -> str:
    return " ".join(_DIGITS[int(digit)] for digit in digits)


@lru_cache(maxsize=4096)
def _said(number: str) -> str:
    ordinal = number.endswith("th")
    engine = _engine()
    words = str(engine.number_to_words(number.removesuffix("th"), comma=""))
    return str(engine.ordinal(words)) if ordinal else words


@lru_cache(maxsize=1)
def _engine() -> Any:
    try:
        import inflect
    except ImportError as error:
        raise MissingExtraError("numbers in English transcripts", "audio") from error
    return inflect.engine()
