"""The search against all translations that there are, the language model that it asks, and the tuning of weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from assay.baselines._phrase_search import FEATURES, Limits, Option, PhraseSearch
from assay.baselines._phrase_translator import Translation
from assay.baselines._translation_tuning import Lists, _log_bleu, _loss, tune_weights
from assay.baselines._word_model import WordModel
from assay.evaluation.translation_metrics import Bleu
from assay.ngrams.counts import count_ngrams, join
from assay.ngrams.kneser_ney import KneserNey, build, estimated

SIZE = 7  # five words, the unknown one, the end
WIDE = Limits(beam=10_000, tries=100_000, distance=20)


def language_model(seed: int, order: int = 3) -> KneserNey:
    random = np.random.default_rng(seed)
    sentences = [[*random.integers(0, 5, random.integers(1, 6)).tolist(), SIZE - 1] for _ in range(30)]
    grams = count_ngrams(join(sentences, SIZE), order)
    return build(grams, SIZE, len(grams), estimated(grams, len(grams)))


def random_options(random: Any, length: int) -> list[Option]:
    """Two translations of each word, one of each pair; the last word can only be copied."""
    found = [Option(place, place + 1, (int(random.integers(0, 5)),), tuple(random.normal(size=5)))
             for place in range(length - 1) for _ in range(2)]  # fmt: skip
    found += [Option(place, place + 2, tuple(random.integers(0, 5, random.integers(0, 4)).tolist()),
                     tuple(random.normal(size=5))) for place in range(length - 1)]  # fmt: skip
    return [*found, Option(length - 1, length, (-length,), (0.0,) * 5, -1.5)]


def covers(length: int, options: list[Option]) -> Iterator[tuple[Option, ...]]:
    """All ways to translate each word once, in all orders."""

    def ways(start: int) -> Iterator[tuple[Option, ...]]:
        if start == length:
            yield ()
        for option in options:
            if option.start == start:
                for rest in ways(option.end):
                    yield (option, *rest)

    for way in ways(0):
        yield from itertools.permutations(way)


def scored(model: KneserNey, options: tuple[Option, ...], weights: Any) -> float:
    """The score by its definition, with the language model asked as `test_ngram_language_model` tests it."""
    written = [word if word >= 0 else SIZE - 2 for option in options for word in option.words]
    values = np.zeros(len(FEATURES))
    values[0] = model.log_probabilities(join([[*written, SIZE - 1]], SIZE)).sum()
    values[1:6] = np.sum([option.features for option in options], axis=0)
    ends = [0, *(option.end for option in options)]
    jumps = sum(abs(option.start - end) for option, end in zip(options, ends, strict=False))
    values[6:] = len(options), len(written), -jumps
    return float(values @ weights) + sum(option.extra for option in options)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_word_model_is_the_model(order: int) -> None:
    model = language_model(order, order)
    asked = WordModel(model)
    random = np.random.default_rng(0)
    for _ in range(50):
        sentence = random.integers(0, SIZE, random.integers(0, 8)).tolist()
        value, state = asked.walk(asked.begin, sentence)
        assert value == pytest.approx(model.log_probabilities(join([sentence], SIZE)).sum())
        again, _ = asked.walk(state, [1, 2])
        both = model.log_probabilities(join([[*sentence, 1, 2]], SIZE)).sum()
        assert value + again == pytest.approx(both)


@pytest.mark.parametrize("seed", range(8))
def test_finds_the_best_of_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    length = int(random.integers(1, 5))
    model, options, weights = language_model(seed), random_options(random, length), random.normal(size=9)
    weights[[0, 8]] = np.abs(weights[[0, 8]])
    search = PhraseSearch(WordModel(model), SIZE, weights, WIDE)
    paths = search.paths(length, options, 10**6)
    every = sorted((scored(model, way, weights) for way in covers(length, options)), reverse=True)
    np.testing.assert_allclose([path.score for path in paths], every)
    for path in paths[:20]:
        extra = sum(option.extra for option in path.options)
        assert path.score == pytest.approx(scored(model, path.options, weights))
        assert path.score == pytest.approx(search.features(path) @ weights + extra)
    assert len(search.paths(length, options, 3)) == min(3, len(every))


def test_keeps_to_the_distance() -> None:
    random = np.random.default_rng(0)
    model, options = WordModel(language_model(0)), random_options(random, 4)
    straight = PhraseSearch(model, SIZE, random.normal(size=9), Limits(distance=0)).paths(4, options, 10**5)
    assert straight
    for path in straight:
        assert [option.start for option in path.options] == sorted(option.start for option in path.options)
    near = PhraseSearch(model, SIZE, np.ones(9), Limits(distance=1)).paths(4, options, 10**5)
    for path in near:
        ends = [0, *(option.end for option in path.options)]
        assert all(abs(one.start - end) <= 1 for one, end in zip(path.options, ends, strict=False))
    assert PhraseSearch(model, SIZE, np.ones(9), WIDE).paths(0, [], 5)[0].options == ()


def test_always_ends_under_a_small_beam() -> None:
    """However little is kept, no sentence is left without a translation."""
    random = np.random.default_rng(1)
    model = WordModel(language_model(1))
    for length in range(1, 13):
        options = random_options(random, length)
        for limits in (Limits(1, 1, 3), Limits(2, 5, 5), Limits()):
            paths = PhraseSearch(model, SIZE, np.full(9, 0.3), limits).paths(length, options, 1)
            assert sorted(place for one in paths[0].options for place in range(one.start, one.end)) == [*range(length)]


def test_log_bleu_and_its_gradient() -> None:
    metric = Bleu()
    texts = ["the cat sat on the mat today", "a dog is here in the house"]
    truths = ["the cat sat on a mat today", "the dog is here in the house now"]
    sums = metric.statistics(texts, truths).sum(axis=0)
    value, slope = _log_bleu(sums)
    assert 100 * np.exp(value) == pytest.approx(metric.value(texts, truths))
    for place in range(len(sums)):
        step = 1e-5 * np.eye(len(sums))[place]
        assert slope[place] == pytest.approx((_log_bleu(sums + step)[0] - _log_bleu(sums - step)[0]) / 2e-5, abs=1e-6)


def test_gradient_of_the_loss() -> None:
    random = np.random.default_rng(0)
    owner = np.repeat([0, 1, 2], [4, 1, 6])
    given = (random.normal(size=(11, 3)), random.uniform(1, 9, (11, 10)), owner, np.ones(3))
    weights = random.normal(size=3)
    _, gradient = _loss(weights, *given)
    for place in range(3):
        step = 1e-6 * np.eye(3)[place]
        slope = (_loss(weights + step, *given)[0] - _loss(weights - step, *given)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, abs=1e-6)


def test_tuning_finds_the_feature_that_tells() -> None:
    """The first feature says how wrong a translation is, the second nothing; hand-set weights prefer the worst."""
    truths = [f"the number {number} stands in this line" for number in range(20)]
    random = np.random.default_rng(0)
    noise = random.normal(size=(20, 5))

    def search(weights: Any) -> list[list[Translation]]:
        found = []
        for number, truth in enumerate(truths):
            ways = [Translation(" ".join(["x"] * wrong + truth.split()[wrong:]), 0.0,
                                np.array([wrong, noise[number, wrong]]), 8) for wrong in range(5)]  # fmt: skip
            found.append(sorted(ways, key=lambda one: -float(one.features @ weights)))
        return found

    lists = Lists(truths, Bleu())
    weights, value, rounds = tune_weights(search, lists, np.array([0.5, 0.0]), 4, lambda: False)
    assert value == pytest.approx(100)
    assert weights[0] < 0 and abs(weights[1]) < abs(weights[0])
    assert rounds == 2  # all translations are known after the first
    assert tune_weights(search, Lists(truths, Bleu()), np.array([0.5, 0.0]), 4, lambda: True)[2] == 1
