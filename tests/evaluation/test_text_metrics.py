"""BLEU and chrF against sacreBLEU, also of resamples; bits per byte by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evaluation.generation_metrics import BitsPerByte, NatsPerCharacter
from assay.evaluation.intervals import estimate
from assay.evaluation.sequences import Hypothesis
from assay.evaluation.translation_metrics import Bleu, Chrf

WORDS = ["the", "a", "dog", "Dog", "runs", "fast", "over", "it's", "1,000", "straße", "犬", "。", ".", "", "$5"]
SENTENCE = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1, max_size=6)


def hypotheses(texts: list[str]) -> list[Hypothesis]:
    return [Hypothesis(text, -1.0, len(text.split())) for text in texts]


@settings(deadline=None)
@given(PAIRS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_as_sacrebleu(pairs: list[tuple[str, str]], repeats: list[int]) -> None:
    weights = np.asarray(repeats[: len(pairs)])
    texts, truths = [text for text, _ in pairs], [truth for _, truth in pairs]
    again = [
        [value for value, count in zip(side, weights, strict=True) for _ in range(count)] for side in (texts, truths)
    ]
    references: list[tuple[Any, Any]] = [
        (Bleu(), lambda a, b: sacrebleu.corpus_bleu(a, [b], force=True).score),
        (Bleu("char"), lambda a, b: sacrebleu.corpus_bleu(a, [b], force=True, tokenize="char").score),
        (Bleu(lower_case=True), lambda a, b: sacrebleu.corpus_bleu(a, [b], force=True, lowercase=True).score),
        (Chrf(), lambda a, b: sacrebleu.corpus_chrf(a, [b]).score),
    ]
    for metric, reference in references:
        statistics = metric.statistics(hypotheses(texts), truths)
        value = metric.aggregate(statistics, np.ones(len(texts)))
        if any(texts) or any(truths):
            assert value == pytest.approx(reference(texts, truths), abs=1e-6) or np.isnan(value)
        if weights.sum() and not np.isnan(metric.aggregate(statistics, weights)):
            assert metric.aggregate(statistics, weights) == pytest.approx(reference(*again), abs=1e-6)


def test_known_bleu_and_chrf() -> None:
    same = ["the quick brown fox jumps over the dog .", "it is so ."]
    assert Bleu().value(same, same) == pytest.approx(100)
    assert Chrf().value(same, same) == pytest.approx(Chrf.best) == 100
    # 5 of 6, 3 of 5, 2 of 4, 1 of 3 n-grams are right, and it is as long as it should be
    value = Bleu().value(["the cat sat on the mat"], ["the cat sat on a mat"])
    assert value == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert np.isnan(Bleu().value([], []))
    assert np.isnan(Chrf().aggregate(Chrf().statistics(same, same), np.zeros(2)))


def test_intervals_are_quick() -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 8)) for _ in range(300)]
    truths = [" ".join(random.choice(WORDS, 8)) for _ in range(300)]
    got = estimate(Bleu(), texts, truths, np.arange(300))
    assert got.low is not None
    assert got.high is not None
    assert got.low < got.value < got.high


def test_bits_per_byte() -> None:
    nats, sizes = np.log([2.0, 16.0, 1.0]), np.array([[1, 1], [1, 1], [2, 1]])  # bytes, characters
    metric = BitsPerByte()
    assert metric.value(nats, sizes) == pytest.approx(5 / 4)
    assert metric.aggregate(metric.statistics(nats, sizes), np.array([2, 1, 0])) == pytest.approx(2)
    assert np.isnan(metric.value(np.zeros(1), np.zeros((1, 2))))
    assert not metric.higher_is_better
    assert NatsPerCharacter().value(nats, sizes) == pytest.approx(np.log(32) / 3)
