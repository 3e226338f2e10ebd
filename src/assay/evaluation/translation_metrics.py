"""How close translations are to those of people: BLEU and chrF, as sacreBLEU computes them.

Sources: BLEU, Papineni et al. 2002, smoothed as mteval-v13a does; chrF2, Popović 2015; both as in sacreBLEU (Post
2018). Its own functions count the n-grams of each unit, so that a corpus's value equals its value to rounding.

Shapes: U units, R sums, N orders of n-grams.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.metrics import Additive, Values

Array = np.ndarray[Any, Any]
_BLEU_ORDER, _CHRF_ORDER, _BETA = 4, 6, 2
#: ISO 639 codes of languages that are written without spaces, for which sacreBLEU has no tokens without more packages.
_WITHOUT_SPACES = frozenset(
    ("ja", "jpn", "th", "tha", "km", "khm", "lo", "lao", "my", "mya", "bo", "bod", "japanese", "thai")
)

#: The name of sacreBLEU's tokens of languages with spaces between words.
SPACED = "13a"


class Bleu(Additive):
    """How many of the n-grams (up to four tokens) of translations are right, with a penalty for what is too short.

    Outputs are `Hypothesis`es or strings, truths strings. From 0 to 100.

    Args:
        tokenise: sacreBLEU's name of how text becomes tokens; "13a" suits scripts with spaces, "char" those without.
        lower_case: count what differs in case only as equal.
    """

    name = "bleu"
    best = 100.0

    def __init__(self, tokenise: str = "13a", lower_case: bool = False) -> None:
        self.tokenise, self.lower_case = tokenise, lower_case

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2 + 2 N): tokens of the output and of the truth; for each n right n-grams, then for each n all."""
        from sacrebleu.metrics.bleu import BLEU

        return _counted(BLEU(tokenize=self.tokenise, lowercase=self.lower_case, force=True), outputs, truths, 10)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        written, wanted = sums[:, 0], sums[:, 1]
        right, total = sums[:, 2 : 2 + _BLEU_ORDER], sums[:, 2 + _BLEU_ORDER :]
        missed = (right <= 0) & (total > 0)
        halved = np.exp2(np.cumsum(missed, axis=1))  # each order without a hit counts half of the one before
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(missed, 1 / (halved * total), right / total)
            brevity = np.exp(np.minimum(0.0, 1 - wanted / written))
            value = 100 * brevity * np.exp(np.log(precision).mean(axis=1))
        value = np.where((right.sum(axis=1) > 0) & (total > 0).all(axis=1), value, 0.0)
        return np.where(written + wanted > 0, value, np.nan)


class Chrf(Additive):
    """How many of the characters' n-grams (up to six) of translations and of truths are common: chrF2.

    Outputs are `Hypothesis`es or strings, truths strings. From 0 to 100. It needs no tokens, and so suits all scripts.
    """

    name = "chrf"
    best = 100.0

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 3 N): for each n the n-grams of the output, of the truth, and of both."""
        from sacrebleu.metrics.chrf import CHRF

        return _counted(CHRF(char_order=_CHRF_ORDER, beta=_BETA), outputs, truths, 3 * _CHRF_ORDER)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        written, wanted, common = (sums[:, place::3] for place in range(3))
        there = (written > 0) & (wanted > 0)
        orders = np.maximum(there.sum(axis=1), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(there, common / written, 0.0).sum(axis=1) / orders
            recall = np.where(there, common / wanted, 0.0).sum(axis=1) / orders
            value = 100 * (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)
        value = np.where(precision + recall > 0, value, 0.0)
        return np.where((written + wanted).sum(axis=1) > 0, value, np.nan)


def _counted(metric: Any, outputs: Values, truths: Values, columns: int) -> Array:
    """(U, columns): sacreBLEU's statistics of each unit."""
    texts = [str(getattr(output, "text", output)) for output in outputs]
    if not texts:
        return np.zeros((0, columns))
    return np.asarray(metric._extract_corpus_statistics(texts, [[str(truth) for truth in truths]]), float)


def tokenise_for(languages: str) -> str:
    """How sacreBLEU cuts the target of a pair such as "en-de": into characters where words have no spaces."""
    target = languages.rpartition("-")[2].split("_")[0].lower()
    return "zh" if target in ("zh", "zho", "chi", "chinese") else "char" if target in _WITHOUT_SPACES else SPACED
