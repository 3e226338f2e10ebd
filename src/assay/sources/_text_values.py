"""What texts hold: words, characters that hardly belong there, halves of surrogate pairs."""

from __future__ import annotations

import re
from typing import Any

from assay.evaluation.answers import WITHOUT_SPACES

#: A text with more characters is skipped as `overlong-text`: no line of a book comes near it.
LONGEST = 10 * 1024 * 1024

_WRITTEN_WITHOUT_SPACES = re.compile(f"[{WITHOUT_SPACES}]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DOUBTFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_REPLACEMENT = "\ufffd"


def count_words(text: str) -> int:
    """Words of a text; in scripts that put no spaces between them, two characters count as one."""
    words = len(text.split())
    return words if text.isascii() else words + sum(map(len, _WRITTEN_WITHOUT_SPACES.findall(text))) // 2


def doubtful_characters(text: str) -> tuple[str, ...]:
    """The kinds of problems that single characters of a text are: control characters, and U+FFFD."""
    if not (found := set(_DOUBTFUL.findall(text))):
        return ()
    kinds = ("replacement-character",) if _REPLACEMENT in found else ()
    return (*kinds, "control-character") if found - {_REPLACEMENT} else kinds


def mended(value: Any) -> Any:
    """A text in which halves of surrogate pairs are joined, or become U+FFFD; any other value as it is."""
    if not isinstance(value, str) or not _SURROGATE.search(value):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
