"""A phrase table, a language model and a search put together: sentences in, translations out.

Shapes: N sentence pairs, I tokens of a sentence, F features of a translation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.baselines._bitext import Bitext
from assay.baselines._phrase_search import FEATURES, Limits, Option, Path, PhraseSearch
from assay.baselines._phrases import extract
from assay.baselines._word_model import WordModel
from assay.baselines._words import Casing, together, tokens
from assay.ngrams.counts import Grams, Tokens, count_ngrams, join
from assay.ngrams.kneser_ney import build, estimated, tune

Array = np.ndarray[Any, Any]
#: By the place in `FEATURES`, before they are tuned; about what Moses (Koehn et al. 2007) begins with.
START = np.array([0.5, 0.2, 0.2, 0.2, 0.2, -0.1, -0.2, 0.6, 0.2])
LONGEST_PHRASE = 5
_TRANSLATIONS = 20  # of one phrase
_ORDER = 5  # of the language model
_LONGEST = 60  # tokens that are translated together
_UNTRANSLATED = -10.0
_PROBABILITIES = 5  # that many features are log probabilities, the first ones


@dataclass(frozen=True)
class Translation:
    """What a search found: its text, its score, the values of all features (F,), how many tokens it has."""

    text: str
    score: float
    features: Array
    tokens: int


class PhraseTranslator:
    """Translates with what sentence pairs hold.

    Args:
        bitext: the sentence pairs.
        discounts: of the language model, (3,) for each order; None to estimate them. Afterwards those that it uses.
    """

    def __init__(self, bitext: Bitext, discounts: Sequence[Array] | None = None) -> None:
        self.bitext = bitext
        self._phrases = extract(bitext.source, bitext.target, bitext.links, LONGEST_PHRASE, _TRANSLATIONS)
        self._size = len(bitext.target_words) + 2
        grams = _target_grams(bitext)
        self.discounts = estimated(grams, len(grams)) if discounts is None else list(discounts[: len(grams)])
        self._model = WordModel(build(grams, self._size, len(self.discounts), self.discounts))
        self._targets = bitext.target.values.tolist()
        self._at_the_start = Casing([])
        self._at_the_start.capitals = bitext.capitals

    def search(self, weights: Array, limits: Limits) -> PhraseSearch:
        """A search under weights (F,); one is meant for many sentences, as it remembers what it asked."""
        return PhraseSearch(self._model, self._size, weights, limits)

    def translate(self, search: PhraseSearch, text: str) -> Translation:
        """The best translation; a long text is translated piece by piece."""
        pieces = list(_pieces(tokens(text)))
        found = [self._nbest(search, piece, 1)[0] for piece in pieces]
        words = [word for _, written in found for word in written]
        features = np.sum([np.zeros(len(FEATURES)), *(search.features(path) for path, _ in found)], axis=0)
        score = sum(path.score for path, _ in found)
        return Translation(self._spelt(words), score, features, len(words) + max(1, len(pieces)))

    def translations(self, search: PhraseSearch, text: str, count: int) -> list[Translation]:
        """The best translations, the best first, those of one wording once; of a long text those of its beginning.

        Args:
            search: what `search` gave.
            text: the source text.
            count: how many derivations are looked at.
        """
        piece = next(_pieces(tokens(text)), [])
        found: dict[str, Translation] = {}
        for path, words in self._nbest(search, piece, count):
            spelt = self._spelt(words)
            if spelt not in found:
                found[spelt] = Translation(spelt, path.score, search.features(path), len(words) + 1)
        return list(found.values())

    def log_probability(self, weights: Array, features: Array) -> float:
        """The weighted mean of what language model and phrases give as the logarithm of a translation's probability."""
        shares = np.maximum(weights[:_PROBABILITIES], 0.0)
        if not shares.sum():
            return float(features[0])
        return float(shares @ features[:_PROBABILITIES] / shares.sum())

    def _nbest(self, search: PhraseSearch, sentence: Sequence[str], count: int) -> list[tuple[Path, list[str]]]:
        paths = search.paths(len(sentence), self._options(sentence), count)
        return [(path, self._words(path, sentence)) for path in paths]

    def _options(self, sentence: Sequence[str]) -> list[Option]:
        found: list[Option] = []
        alone = [True] * len(sentence)
        phrases = self._phrases
        for start, end, low, high in phrases.spans(self.bitext.numbers(sentence)):
            alone[start] = alone[start] and end > start + 1
            ranges = zip(phrases.start[low:high].tolist(), phrases.length[low:high].tolist(),
                         phrases.scores[low:high].tolist(), strict=True)  # fmt: skip
            for first, length, scores in ranges:
                found.append(Option(start, end, tuple(self._targets[first : first + length]), tuple(scores)))
        for place, without in enumerate(alone):
            if without:
                found.append(Option(place, place + 1, (-1 - place,), (0.0,) * 5, _UNTRANSLATED))
        return found

    def _words(self, path: Path, sentence: Sequence[str]) -> list[str]:
        words = self.bitext.target_words
        return [words[word] if word >= 0 else sentence[-1 - word] for option in path.options for word in option.words]

    def _spelt(self, words: Sequence[str]) -> str:
        return self._at_the_start.at_the_start(together(words))


def tuned_discounts(bitext: Bitext, aside: Bitext) -> list[Array]:
    """The discounts (3,) of each order of the language model under which held-out translations are most probable."""
    grams = _target_grams(bitext)
    return tune(grams, len(grams), _target_tokens(aside))


def _target_grams(bitext: Bitext) -> list[Grams]:
    return count_ngrams(_target_tokens(bitext), _ORDER)


def _target_tokens(bitext: Bitext) -> Tokens:
    """All translations, with the mark of their ends."""
    size = len(bitext.target_words) + 2
    offsets = bitext.target.offsets
    sentences = np.split(bitext.target.values, offsets[1:-1])
    return join([np.append(sentence, size - 1) for sentence in sentences], size)


def _pieces(sentence: Sequence[str]) -> Iterator[list[str]]:
    """Parts of a sentence that are short enough, cut behind the last sign of each where there is one."""
    left = list(sentence)
    while len(left) > _LONGEST:
        signs = [place for place in range(_LONGEST // 2, _LONGEST) if not any(map(str.isalnum, left[place]))]
        cut = signs[-1] + 1 if signs else _LONGEST
        yield left[:cut]
        left = left[cut:]
    if left:
        yield left
