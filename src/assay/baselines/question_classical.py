"""The classical model of questions about texts: stretches of the text, ranked by their features; and the floor.

Sources: the logistic regression of P. Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text",
EMNLP 2016. Of the probable candidates the one is answered that shares most words with the others, each by its
probability, as with machine translations by S. Kumar, W. Byrne, "Minimum Bayes-risk decoding for statistical machine
translation", NAACL 2004: what is measured is the share of words, not the whole answer.

Shapes: C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.baselines._choice import Choice, asked, fit_choice
from assay.baselines._fitting import Clock, hold_out, require_fitted, require_training
from assay.baselines._question_candidates import cut
from assay.baselines._question_features import BESIDE, Features, Vocabulary, fit_vocabulary
from assay.baselines._storage import read_arrays, read_json, require, write_arrays, write_json
from assay.baselines.baseline import Baseline
from assay.evaluation.answers import best_over_truths, token_f1
from assay.evaluation.spans import Span
from assay.samples.question_windows import questions_of

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Penalties that are tried, the usual one first; by how much another has to be better; the rounds of each search.
_PENALTIES, _BETTER, _ROUNDS = (0.01, 0.003, 0.03), 0.01, 60
#: The shares of the time after which no more words are counted, and no more features.
_COUNTING, _READING = 0.15, 0.5
#: Candidates that are learned from, of one question and of all; how much of a true answer the best candidate has to
#: cover for its question to be learned from.
_EACH, _ALL, _COVERED = 300, 600_000, 0.5
#: Questions of the validation side that penalties are compared on; candidates that an answer is chosen among.
_ASIDE, _PROBABLE = 400, 20
#: Words of the floor's answer, and the words before it.
_LENGTHS, _PLACES = (1, 2, 3, 5, 8, 15, 30), (0, 1, 2, 5, 10, 20, 50)

Pair = tuple[str, str]


class _Fitted(NamedTuple):
    vocabulary: Vocabulary
    choice: Choice
    may_lack: bool


class QuestionClassical(Baseline):
    """Spans ranked by logistic regression; sentences by TF-IDF are among their features."""

    name = "TF-IDF sentence and span features with logistic regression"
    features = "made by hand"
    reading = "one weight for each feature of a span, and kind of question"
    libraries = ("scipy.optimize",)

    def __init__(self) -> None:
        self._fitted: _Fitted | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        pairs, truths = questions_of(train), list(train.truths())
        require_training(len(pairs))
        aside, answers = questions_of(validation), list(validation.truths())
        if not aside:
            kept, out = hold_out(len(pairs), seed)
            aside, answers = [pairs[place] for place in out], [truths[place] for place in out]
            pairs, truths = [pairs[place] for place in kept], [truths[place] for place in kept]
        may_lack = any(not truth for truth in truths)
        order = np.random.default_rng(seed).permutation(len(pairs))
        pairs, truths = [pairs[place] for place in order], [truths[place] for place in order]
        vocabulary = _vocabulary(pairs, clock)
        data, count = _read(vocabulary, pairs, truths, may_lack, clock, seed)
        chosen = np.random.default_rng(seed).permutation(len(aside))[:_ASIDE]
        best: tuple[float, _Fitted, float] | None = None
        for tried, penalty in enumerate(_PENALTIES):
            begun_s = clock.spent_s
            start = None if best is None else best[1].choice
            model = _Fitted(vocabulary, fit_choice(data, len(vocabulary.frequent), penalty, _ROUNDS, start), may_lack)
            rating = _rate(model, [aside[place] for place in chosen], [answers[place] for place in chosen])
            if best is None or rating > best[0] + _BETTER:
                best = (rating, model, penalty)
            if clock.left_s() < clock.spent_s - begun_s or tried + 1 == len(_PENALTIES):
                break
        self._fitted = require_fitted(best)[1]
        return f"{count} training questions, {len(data.question)} spans, penalty {require_fitted(best)[2]:g}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        model = require_fitted(self._fitted)
        return [_answer(model, *pair) for pair in questions_of(view)]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        vocabulary, choice, may_lack = require_fitted(self._fitted)
        told = {"units": list(vocabulary.rarity), "frequent": vocabulary.frequent, "kinds": vocabulary.kinds}
        write_json(folder / "words.json", {**told, "may_lack": may_lack})
        rarity = np.asarray(list(vocabulary.rarity.values()), float)
        write_arrays(folder / "weights.npz", {"rarity": rarity, "weights": choice.weights})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "words.json"
        told = read_json(path, units=list, frequent=list, kinds=list, may_lack=bool)
        for name in ("units", "frequent", "kinds"):
            require(all(isinstance(word, str) for word in told[name]), path, f"{name!r} are no words")
        numbers = read_arrays(folder / "weights.npz", rarity=1, weights=2)
        require(len(numbers["rarity"]) == len(told["units"]), path, "another number of units")
        rarity = dict(zip(told["units"], numbers["rarity"].tolist(), strict=True))
        vocabulary = Vocabulary(rarity, tuple(told["frequent"]), tuple(told["kinds"]))
        width = vocabulary.features("a", "a").numbers.shape[1] + BESIDE * (len(vocabulary.frequent) + 1)
        fits = numbers["weights"].shape == (1 + len(vocabulary.kinds), width)
        require(fits, folder / "weights.npz", "another number of weights")
        self._fitted = _Fitted(vocabulary, Choice(numbers["weights"]), told["may_lack"])


def _vocabulary(pairs: Sequence[Pair], clock: Clock) -> Vocabulary:
    """What as many questions and texts say as the time suffices for."""
    texts: dict[str, None] = {}
    questions: list[str] = []
    for question, text in pairs:
        if questions and clock.left_s(_COUNTING) < 0:
            break
        questions.append(question)
        texts[text] = None
        cut(text)
    return fit_vocabulary(questions, list(texts))


def _read(
    vocabulary: Vocabulary, pairs: Sequence[Pair], truths: Sequence[Any], may_lack: bool, clock: Clock, seed: int
) -> tuple[Any, int]:
    """The features of as many training questions as the time and the memory suffice for, and how many these are."""
    random = np.random.default_rng(seed)
    features: list[Features] = []
    shares: list[Array] = []
    kept: list[Array] = []
    rows = 0
    for (question, text), truth in zip(pairs, truths, strict=True):
        if features and (rows > _ALL or clock.left_s(_READING) < 0):
            break
        found = vocabulary.features(question, text, may_lack)
        share = _truth(found, text, truth)
        if share is None:
            continue
        others = random.permutation(np.flatnonzero(share == 0))
        keep = np.r_[np.flatnonzero(share), others[: max(0, _EACH - int((share > 0).sum()))]]
        features.append(found)
        shares.append(share)
        kept.append(keep)
        rows += len(keep)
    require_training(len(features))
    return asked(features, shares, kept), len(features)


def _truth(found: Features, text: str, truth: Sequence[tuple[str, int]]) -> Array | None:
    """(C,) the share of the probability that each candidate should have; None where none of them is good enough."""
    whole = cut(text)
    if not truth:
        good = (found.spans[:, 0] < 0).astype(float)
        return good if good.any() else None
    spans = found.spans
    low = np.where(spans[:, 0] < 0, -1, whole.start[spans[:, 0]])
    high = np.where(spans[:, 0] < 0, -1, whole.end[spans[:, 1]])
    best = np.zeros(len(spans))
    for answer, start in truth:
        end = start + len(answer)
        shared = np.maximum(0, np.minimum(high, end) - np.maximum(low, start))
        best = np.maximum(best, 2 * shared / np.maximum(1, high - low + end - start))
    if not len(best) or best.max() < _COVERED:
        return None
    good = (best == best.max()).astype(float)
    return np.asarray(good / good.sum())


def _answer(model: _Fitted, question: str, text: str) -> Span:
    """The candidate that shares most with the probable ones."""
    found = model.vocabulary.features(question, text, model.may_lack)
    if not len(found.spans):
        return Span(-1, -1, "", 1.0)
    scores = model.choice.scores(found)
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    top = np.argsort(-chances, kind="stable")[:_PROBABLE]
    spans = found.spans[top]
    length = spans[:, 1] - spans[:, 0] + 1
    shared = np.minimum(spans[:, None, 1], spans[None, :, 1]) - np.maximum(spans[:, None, 0], spans[None, :, 0]) + 1
    alike = 2 * np.maximum(0, shared) / (length[:, None] + length[None, :])
    place = int(np.argmax(alike @ chances[top]))  # shares most with all that may be right
    sure = float(chances[top][place])
    first, last = spans[place].tolist()
    if first < 0:
        return Span(-1, -1, "", sure)
    whole = cut(text)
    start, end = int(whole.start[first]), int(whole.end[last])
    return Span(start, end, text[start:end], sure)


def _rate(model: _Fitted, pairs: Sequence[Pair], truths: Sequence[Any]) -> float:
    """The mean F1 of a model's answers."""
    answers = [_answer(model, *pair).text for pair in pairs]
    scores = [best_over_truths(token_f1, answer, [text for text, _ in truth])
              for answer, truth in zip(answers, truths, strict=True)]  # fmt: skip
    return float(np.mean(scores)) if scores else 0.0


class SamePlace(Baseline):
    """Answers with the same words of every text, counted from its beginning, or always that there is no answer."""

    name = "always the same words of the text"
    features = "none"
    reading = "the first word and the number of words"
    floor = True

    def __init__(self) -> None:
        self._place: tuple[int, int] | None = None  # words before it, and its words; none for no answer

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        some = train.sample(1000, seed)
        pairs, truths = questions_of(some), list(some.truths())
        require_training(len(pairs))

        def score(place: tuple[int, int]) -> float:
            answers = (_words(text, place).text for _, text in pairs)
            return sum(best_over_truths(token_f1, answer, [text for text, _ in truth])
                       for answer, truth in zip(answers, truths, strict=True))  # fmt: skip

        places = [(first, count) for count in _LENGTHS for first in _PLACES]
        self._place = max([*places, (0, 0)], key=score)
        first, count = self._place
        told = f"words {first + 1} to {first + count}" if count else "no answer"
        return f"{told}, from {len(pairs)} training questions"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        place = require_fitted(self._place)
        return [_words(text, place) for _, text in questions_of(view)]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "place.json", {"place": list(require_fitted(self._place))})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "place.json"
        place = read_json(path, place=list)["place"]
        good = len(place) == 2 and all(isinstance(number, int) and number >= 0 for number in place)
        require(good, path, "a place is two whole numbers")
        self._place = (place[0], place[1])


def _words(text: str, place: tuple[int, int]) -> Span:
    """So many words of a text behind so many others; its last ones where it is too short."""
    whole, (first, count) = cut(text), place
    count = min(count, len(whole))
    if not count:
        return Span(-1, -1, "", 0.5)
    first = min(first, len(whole) - count)
    start, end = int(whole.start[first]), int(whole.end[first + count - 1])
    return Span(start, end, text[start:end], 0.5)
