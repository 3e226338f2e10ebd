"""The classical model that translates: phrases seen in sentence pairs, put in the order that reads best.

Sources: phrase-based translation (Koehn, Och and Marcu 2003) as Moses does it (Koehn et al. 2007): word alignments of
both directions, phrases of up to five words, a Kneser-Ney language model, a beam search, weights tuned for BLEU.

Shapes: N sentence pairs, F features of a translation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._bitext import Bitext, aligned, read_bitext, write_bitext
from assay.baselines._fitting import Clock, require_fitted, require_training
from assay.baselines._phrase_search import FEATURES, Limits, PhraseSearch
from assay.baselines._phrase_translator import START, PhraseTranslator, Translation, tuned_discounts
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines._translation_tuning import Lists, tune_weights
from assay.baselines._words import words
from assay.baselines.baseline import Baseline
from assay.evaluation.sequences import Hypothesis
from assay.evaluation.translation_metrics import Bleu
from assay.samples.unit_texts import unit_texts

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_LONGEST = 1000  # characters of a sentence that are learned from
_MOST_CELLS = 12e6  # source times target tokens of all pairs, at about 100 bytes each while they are aligned
_CHARACTERS = 4.0  # of a token with the space behind it, about
_PROBE, _FEWEST = 200, 50  # sentence pairs that are aligned to see how long it takes; that are learned from at least
_LEARNING, _TUNING = 0.4, 0.9  # the shares of the time after which pairs are learned, and weights tuned
_ASIDE, _FEWEST_ASIDE = 300, 30  # held-out pairs that tune, at most and at least
_DERIVATIONS, _ROUNDS = 100, 8  # of each sentence in a search; searches
_TRIAL = 10  # sentences that are translated to see how long it takes
_ROUNDS_AT_LEAST = 3  # for which there has to be time


@dataclass(frozen=True)
class _Fitted:
    """A translator with the discounts (3,) of each order of its language model, and the weights (F,) of features."""

    translator: PhraseTranslator
    discounts: list[Array]
    weights: Array


class TranslationClassical(Baseline):
    """Phrase-based statistical translation; the weights of its features are tuned on held-out training pairs.

    What it does not know, such as names, it copies.

    Args:
        source: the ragged field of bytes that holds the text.
        target: the ragged field of bytes that holds its translation.
        tokenise: sacreBLEU's name of how translations become tokens for the BLEU that weights are tuned for.
    """

    name = "phrase-based statistical translation"
    features = "made by hand"
    reading = "which phrases stood for one another in sentence pairs, and how often"
    libraries = ("scipy.optimize", "scipy.special")

    def __init__(self, source: str = "source_text", target: str = "target_text", tokenise: str = "13a") -> None:
        self.source, self.target, self.tokenise = source, target, tokenise
        self._fitted: _Fitted | None = None
        self._search: PhraseSearch | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`; the validation side is not used, so that it stays a fair judge of the weights."""
        clock = Clock(budget_s)
        sources, targets = _pairs(unit_texts(train, self.source), unit_texts(train, self.target))
        require_training(len(sources))
        order = np.random.default_rng(seed).permutation(len(sources))
        kept = order[: _affordable(sources[order], targets[order], clock)]
        sources, targets = sources[kept], targets[kept]
        bitext = aligned(sources.tolist(), targets.tolist())
        note = f"{len(sources):,} sentence pairs"
        self._fitted, how = self._tuned(bitext, sources, targets, clock)
        self._search = None
        return f"{note}, {how}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: a `Hypothesis` for each unit."""
        return self.translate(unit_texts(view, self.source))

    def translate(self, texts: Sequence[str]) -> list[Hypothesis]:
        """A translation of each text.

        Its `log_probability` is the weighted mean of what the language model and the phrases give.
        """
        model = require_fitted(self._fitted)
        if self._search is None:
            self._search = model.translator.search(model.weights, Limits())
        found: list[Hypothesis] = []
        for text in texts:
            one = model.translator.translate(self._search, text)
            value = model.translator.log_probability(model.weights, one.features)
            found.append(Hypothesis(one.text, value, one.tokens))
        return found

    def save(self, folder: Path) -> None:
        """See `Baseline.save`: aligned sentence pairs, discounts and weights, of which `load` makes all else anew."""
        model = require_fitted(self._fitted)
        write_bitext(folder, model.translator.bitext)
        write_arrays(folder / "weights.npz", {"weights": model.weights, "discounts": np.stack(model.discounts)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        bitext, path = read_bitext(folder), folder / "weights.npz"
        got = read_arrays(path, weights=1, discounts=2)
        weights, discounts = got["weights"], got["discounts"]
        require(weights.shape == (len(FEATURES),), path, "another number of weights than there are features")
        fits = len(discounts) > 0 and discounts.shape[1:] == (3,)
        fits = fits and bool(((discounts >= 0) & (discounts <= [1.0, 2.0, 3.0])).all())
        require(fits, path, "impossible discounts")
        self._fitted = _Fitted(PhraseTranslator(bitext, list(discounts)), list(discounts), weights)
        self._search = None

    def _tuned(self, bitext: Bitext, sources: Array, targets: Array, clock: Clock) -> tuple[_Fitted, str]:
        """The model of all pairs with weights tuned on some that were held out, and in a phrase how it was tuned."""
        aside = np.arange(min(_ASIDE, len(sources) // 10))  # pairs are shuffled
        learned = np.flatnonzero(~np.isin(sources, sources[aside]))
        if len(aside) < _FEWEST_ASIDE or len(learned) < _FEWEST or clock.left_s(_LEARNING) < 0:
            return _plain(bitext), "weights as set by hand"
        part, begun_s = bitext.some(learned), clock.spent_s
        discounts = tuned_discounts(part, bitext.some(aside))
        translator = PhraseTranslator(part, discounts)
        building_s = clock.spent_s - begun_s
        aside = aside[: _searchable(translator, sources[aside].tolist(), clock, building_s)]
        if len(aside) < _FEWEST_ASIDE:
            return _plain(bitext), "weights as set by hand"
        texts, begun_s = sources[aside].tolist(), clock.spent_s
        lists, done = Lists(targets[aside].tolist(), Bleu(self.tokenise)), 0

        def search(weights: Array) -> list[list[Translation]]:
            nonlocal done
            done += 1
            searching = translator.search(weights, Limits())
            return [translator.translations(searching, text, _DERIVATIONS) for text in texts]

        def enough() -> bool:
            return clock.left_s(_TUNING) - building_s < (clock.spent_s - begun_s) / done

        weights, value, rounds = tune_weights(search, lists, START, _ROUNDS, enough)
        how = f"weights tuned on {len(texts)} of them in {rounds} rounds (BLEU {value:.1f} there)"
        return _Fitted(PhraseTranslator(bitext, discounts), discounts, weights), how


def _plain(bitext: Bitext) -> _Fitted:
    translator = PhraseTranslator(bitext)
    return _Fitted(translator, translator.discounts, START)


def _pairs(sources: Sequence[str], targets: Sequence[str]) -> tuple[Array, Array]:
    """The beginnings of pairs, without those that have an empty side."""
    cut = [(source[:_LONGEST], target[:_LONGEST]) for source, target in zip(sources, targets, strict=True)]
    kept = [pair for pair in cut if words(pair[0]) and words(pair[1])]
    both = np.asarray(kept, object).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _affordable(sources: Array, targets: Array, clock: Clock) -> int:
    """Of how many pairs, the first ones, there is time and memory to learn."""
    rows, columns = (np.asarray([1 + len(text) / _CHARACTERS for text in side]) for side in (sources, targets))
    fitting = int(np.searchsorted(np.cumsum(rows * columns), _MOST_CELLS, "right"))
    PhraseTranslator(aligned(["a"], ["b"]))  # what is imported and set up once is no part of what pairs take
    begun_s, count = clock.spent_s, min(_PROBE, len(sources))
    PhraseTranslator(aligned(sources[:count].tolist(), targets[:count].tolist()))
    seconds = 1.5 * (clock.spent_s - begun_s) / count  # larger arrays take longer to sort
    return max(min(_FEWEST, len(sources)), min(fitting, int(clock.left_s(_LEARNING) / seconds)))


def _searchable(translator: PhraseTranslator, texts: Sequence[str], clock: Clock, building_s: float) -> int:
    """How many sentences can be searched in a few rounds; the model of all pairs has to be built afterwards, too."""
    begun_s = clock.spent_s
    searching = translator.search(START, Limits())
    for text in texts[:_TRIAL]:
        translator.translations(searching, text, _DERIVATIONS)
    seconds = (clock.spent_s - begun_s) / min(_TRIAL, len(texts))
    left = clock.left_s(_TUNING) - building_s
    return int(np.clip(left / (_ROUNDS_AT_LEAST * seconds), 0, len(texts)))
