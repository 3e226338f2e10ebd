"""The classical model of texts: how often each word and each piece of a word stands in it, weighed by a linear model.

Sources: tf-idf (Spärck Jones 1972) with logarithmic counts and rows of length one, pairs of words (Wang and Manning
2012), n-grams of characters within words (Cavnar and Trenkle 1994), logistic or ridge regression over all of them.

Shapes: N units, D n-grams, O outputs of the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, doubt, hold_out, known, require_fitted, require_training, score
from assay.baselines._linear import outputs_of, rounds_within, solve
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines._text_grams import Grams, fit_grams, read_grams, write_grams
from assay.baselines.baseline import Baseline
from assay.samples.unit_texts import unit_texts

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
_STRENGTHS = (1.0, 10.0, 100.0, 3.0, 30.0, 0.3)
_VECTORISING = 0.3  # the share of the time for counting n-grams
_LEAST_CHARACTERS, _MOST_CHARACTERS = 5e5, 50e6  # the least are read whatever the time: a second, about
_ENOUGH_ROUNDS = 50  # of the solver; where pieces of words leave time for fewer, words alone are tried first
_PROBE = 200  # texts that are counted to see how long it takes


@dataclass(frozen=True)
class Weights:
    """A fitted model: the n-grams that it counts, weights (D, O) float32 for all of them in turn, offset (O,)."""

    grams: tuple[Grams, ...]
    weights: Array
    offset: Array

    def scores(self, texts: Sequence[str]) -> Array:
        """(N, O) logits, or numbers in the target's own unit."""
        total = np.repeat(np.asarray(self.offset, float)[None], len(texts), axis=0)
        start = 0
        for one in self.grams:
            total += one.inputs(texts) @ self.weights[start : start + len(one.names)]
            start += len(one.names)
        return np.asarray(total)


@dataclass(frozen=True)
class _Sides:
    """What is learned from and chosen on, as sparse inputs of each kind of n-gram, with the truths."""

    grams: tuple[Grams, ...]
    train: tuple[Any, ...]
    truths: Array
    aside: tuple[Any, ...]
    answers: Array


class TextClassical(Baseline):
    """TF-IDF over words, pairs of words and pieces of words, with logistic regression (ridge regression for a number).

    Whether pieces of words are counted, too, and the strength of the penalty are chosen on the validation side. Of
    several labels each has a regression of its own.

    Args:
        target: what is predicted.
        field: the ragged field of bytes that holds the text.
    """

    name = "TF-IDF with a linear model"
    features = "made by hand"
    reading = "one weight for each word, pair of words and piece of a word, and answer"

    def __init__(self, target: Target, field: str = "text") -> None:
        self.target, self.field = target, field
        self._fitted: Weights | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        import sklearn.feature_extraction.text
        import sklearn.linear_model  # noqa: F401  # loading them is not the model's time

        clock = Clock(budget_s)
        sides = self._read(train, validation, clock, seed)
        rounds = rounds_within(_joined(sides.train), self.target.outputs, clock.left_s())
        best: tuple[tuple[float, float], Weights, str] | None = None
        begun_s = clock.spent_s
        for tried, (count, strength) in enumerate(_trials(len(sides.grams), rounds < _ENOUGH_ROUNDS)):
            if best is not None and clock.left_s() < 2 * (clock.spent_s - begun_s) / tried:
                break
            weights = self._solve(sides, count, strength, clock.left_s())
            rating = self._rate(weights, sides, count)
            if best is None or rating > best[0]:
                what = " and ".join(grams.kind for grams in sides.grams[:count])
                note = f"{sides.train[0].shape[0]} training texts, {len(weights.weights)} n-grams of {what}"
                best = (rating, weights, f"{note}, penalty 1/{strength:g}")
        if best is None:
            raise RuntimeError("no strength was tried")
        self._fitted = best[1]
        return best[2]

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return self.predict_texts(unit_texts(view, self.field))

    def predict_texts(self, texts: Sequence[str]) -> Values:
        """One output for each text: probabilities (N, O), or numbers (N,)."""
        model = require_fitted(self._fitted)
        if not texts:
            return np.zeros((0,) if self.target.kind == "number" else (0, self.target.outputs))
        return outputs_of(self.target, model.scores(texts))

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        model = require_fitted(self._fitted)
        write_grams(folder, model.grams)
        write_arrays(folder / "weights.npz", {"weights": model.weights, "offset": model.offset})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        grams, path = read_grams(folder), folder / "weights.npz"
        got = read_arrays(path, weights=2, offset=1)
        count = sum(len(one.names) for one in grams)
        require(got["weights"].shape == (count, self.target.outputs), path, "another number of weights")
        require(len(got["offset"]) == self.target.outputs, path, "another number of outputs than the target has")
        self._fitted = Weights(grams, **got)

    def _read(self, train: View, validation: View, clock: Clock, seed: int) -> _Sides:
        """Both sides without units of unknown truth; as many texts to train as the time suffices for."""
        places, truths = known(self.target, train)
        require_training(len(places))
        texts = np.asarray(unit_texts(train, self.field), object)[places]
        chosen, answers = known(self.target, validation)
        if len(chosen):
            aside = np.asarray(unit_texts(validation, self.field), object)[chosen]
        else:
            kept, out = hold_out(len(texts), seed)
            aside, answers, texts, truths = texts[out], truths[out], texts[kept], truths[kept]
        order = np.random.default_rng(seed).permutation(len(texts))
        seconds = _seconds_per_character(texts[order[:_PROBE]])
        most = float(np.clip(clock.left_s(_VECTORISING) / seconds, _LEAST_CHARACTERS, _MOST_CHARACTERS))
        order, held = _fitting(texts, order, most), _fitting(aside, np.arange(len(aside)), most / 3)
        aside, answers = aside[held], answers[held]
        fitted = [fit_grams(kind, texts[order].tolist()) for kind in ("words", "characters")]
        grams = tuple(one for one, _ in fitted)
        inputs = tuple(one.inputs(aside.tolist()) for one in grams)
        return _Sides(grams, tuple(inputs for _, inputs in fitted), truths[order], inputs, answers)

    def _solve(self, sides: _Sides, count: int, strength: float, limit_s: float) -> Weights:
        inputs = _joined(sides.train[:count])
        weights, offset = solve(self.target, inputs, sides.truths, strength, limit_s)
        return Weights(sides.grams[:count], weights.astype(np.float32), offset)

    def _rate(self, weights: Weights, sides: _Sides, count: int) -> tuple[float, float]:
        if not len(sides.answers):
            return (0.0, 0.0)
        outputs = outputs_of(self.target, _joined(sides.aside[:count]) @ weights.weights + weights.offset)
        return score(self.target, outputs, sides.answers), -doubt(self.target, outputs, sides.answers)


def _trials(kinds: int, hurried: bool) -> Iterator[tuple[int, float]]:
    """How many kinds of n-grams are counted and the strength, the most promising first, or in a hurry the quickest."""
    counts = range(1, kinds + 1) if hurried else range(kinds, 0, -1)
    for strength in _STRENGTHS[1:] if hurried else _STRENGTHS:
        for count in counts:
            yield count, strength


def _seconds_per_character(texts: Array) -> float:
    """What counting n-grams of both kinds takes, measured on some texts."""
    clock = Clock(0.0)
    for kind in ("words", "characters"):
        fit_grams(kind, [text[:10_000] for text in texts])
    return clock.spent_s / max(1, sum(min(len(text), 10_000) for text in texts))


def _fitting(texts: Array, order: Array, most: float) -> Array:
    """The first places of an order (one at least) whose texts have at most so many characters together; ascending."""
    if not len(order):
        return order
    sizes = np.cumsum([len(texts[place]) + 1 for place in order])
    return np.sort(order[: max(1, int(np.searchsorted(sizes, most, "right")))])


def _joined(parts: Sequence[Any]) -> Any:
    from scipy import sparse

    return sparse.hstack(parts, format="csr")
