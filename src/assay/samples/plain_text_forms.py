"""Texts as tokenisers take them: in a form of their own, and cut into words; each letter with its place in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

#: Words as GPT-2 cuts them, on letters of which `_kinds` has left the kind alone.
_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII)
_CHINESE = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
            (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))  # fmt: skip


@dataclass(frozen=True)
class Letters:
    """A text, or a word of one.

    Attributes:
        text: its letters.
        places: for each where in the original text what it comes from begins and ends, in characters.
    """

    text: str
    places: list[tuple[int, int]]

    def part(self, start: int, end: int) -> Letters:
        """Some of the letters."""
        return Letters(self.text[start:end], self.places[start:end])


def _each(letters: Letters, change: Callable[[str], str]) -> Letters:
    """Each letter changed to any number of others, which keep its place."""
    new = [(made, place) for letter, place in zip(letters.text, letters.places, strict=True) for made in change(letter)]
    return Letters("".join(made for made, _ in new), [place for _, place in new])


def lowered(letters: Letters) -> Letters:
    """In small letters, one by one."""
    return _each(letters, str.lower)


def bert_form(facts: Mapping[str, Any]) -> Callable[[Letters], Letters]:
    """The form of BERT's tokenisers: see `BertNormalizer` of `tokenizers`."""
    accents = facts["strip_accents"] if facts["strip_accents"] is not None else facts["lowercase"]

    @cache
    def change(letter: str) -> str:
        if facts["clean_text"]:
            if letter not in "\t\n\r" and (letter == "\ufffd" or unicodedata.category(letter)[0] == "C"):
                return ""
            letter = " " if _is_space(letter) else letter
        text = f" {letter} " if facts["handle_chinese_chars"] and _is_chinese(letter) else letter
        if accents:
            text = "".join(one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one) != "Mn")
        return "".join(map(str.lower, text)) if facts["lowercase"] else text

    return lambda letters: _each(letters, change)


def _is_chinese(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _CHINESE)


def _is_space(letter: str) -> bool:
    return letter.isspace() and letter not in "\x1c\x1d\x1e\x1f"  # no white space in Unicode


@cache
def _is_punctuation(letter: str) -> bool:
    ascii_one = letter.isascii() and letter.isprintable() and not letter.isalnum() and letter != " "
    return ascii_one or unicodedata.category(letter)[0] == "P"


def bert_words(letters: Letters) -> list[Letters]:
    """The words between spaces, each punctuation mark by itself: those of Python's Unicode, which has some more."""
    words: list[Letters] = []
    start = 0
    for place, letter in enumerate(letters.text):
        if (space := _is_space(letter)) or _is_punctuation(letter):
            words.append(letters.part(start, place))
            words.append(letters.part(place, place if space else place + 1))
            start = place + 1
    words.append(letters.part(start, len(letters.text)))
    return [word for word in words if word.text]


class _Kinds(dict[int, str]):
    """For `str.translate`: a letter beyond ASCII as one of its kind, of letters, digits, spaces and others."""

    def __missing__(self, number: int) -> str:
        letter = chr(number)
        kind = unicodedata.category(letter)[0]
        found = letter if number < 128 else {"L": "a", "N": "0"}.get(kind, "\t" if _is_space(letter) else "!")
        self[number] = "!" if 0x1C <= number <= 0x1F else found
        return self[number]


_kinds = _Kinds()


def byte_words(space_first: bool) -> Callable[[Letters], list[Letters]]:
    """Words as GPT-2 cuts them, in letters that stand for bytes; `space_first`: a text begins with a space."""

    def words(letters: Letters) -> list[Letters]:
        if space_first and letters.text and not letters.text.startswith(" "):
            letters = Letters(" " + letters.text, [letters.places[0], *letters.places])
        found = (match.span() for match in _WORDS.finditer(letters.text.translate(_kinds)))
        return [_each(letters.part(*span), _letters_of_bytes) for span in found]

    return words


@cache
def _letters_of_bytes(letter: str) -> str:
    return "".join(_LETTERS[byte] for byte in letter.encode())


def _byte_letters() -> dict[int, str]:
    """A letter that can be seen for each byte, as GPT-2 has them."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in seen]
    return {**{byte: chr(byte) for byte in seen}, **{byte: chr(256 + place) for place, byte in enumerate(others)}}


_LETTERS = _byte_letters()
_BYTES = {letter: byte for byte, letter in _LETTERS.items()}


def bytes_of_letters(token: Iterable[str]) -> bytes:
    """The bytes that the letters of a token stand for; of one with other letters, such as a mark, those of its text."""
    text = "".join(token)
    return bytes(_BYTES[letter] for letter in text) if all(letter in _BYTES for letter in text) else text.encode()
