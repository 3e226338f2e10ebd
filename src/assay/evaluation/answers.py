r"""How much of a short answer is right: the scores of SQuAD, for all scripts.

Sources: the normalisation, F1 and exact match of SQuAD (Rajpurkar et al. 2016; Rajpurkar et al. 2018 for questions
without an answer). Punctuation is what Unicode calls so, beside ASCII's, as in MLQA (Lewis et al. 2020); characters of
scripts that are written without spaces are tokens of their own, as MLQA does for Chinese and JaQuAD for Japanese.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
#: Scripts written without spaces, as a regular expression's class: Thai, Lao, Myanmar, Khmer, kana, Han.
WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_TOKEN = re.compile(f"[{WITHOUT_SPACES}]|[^\\s{WITHOUT_SPACES}]+")


def answer_tokens(text: str) -> list[str]:
    """The tokens that count: lower-case words without punctuation and without English articles; see the module."""
    lowered = unicodedata.normalize("NFC", text).lower()
    kept = "".join(
        character
        for character in lowered
        if character not in string.punctuation and not unicodedata.category(character).startswith("P")
    )
    return _TOKEN.findall(_ARTICLES.sub(" ", kept))


def token_f1(answer: str, truth: str) -> float:
    """The harmonic mean of the shares of the answer's tokens that are true and of the truth's that are answered.

    Where one of them has no tokens it is 1 if neither has, else 0.
    """
    answered, true = answer_tokens(answer), answer_tokens(truth)
    if not answered or not true:
        return float(answered == true)
    common = sum((Counter(answered) & Counter(true)).values())
    return 2 * common / (len(answered) + len(true))


def exact_match(answer: str, truth: str) -> float:
    """1 where both are the same once normalised, else 0."""
    return float(answer_tokens(answer) == answer_tokens(truth))


def best_over_truths(score: Callable[[str, str], float], answer: str, truths: Iterable[str]) -> float:
    """The best score of an answer against any of several true ones; without any the true answer is that there is none.

    An answer must then be empty; "the" would not do, though nothing of it counts.
    """
    values = [score(answer, truth) for truth in truths]
    return max(values) if values else float(not answer)
