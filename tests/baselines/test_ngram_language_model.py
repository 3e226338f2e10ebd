"""Kneser-Ney: by hand, against a slow implementation with dictionaries, sums over the alphabet, real text."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.baselines.ngram_language_model import NgramLanguageModel
from assay.errors import DataError, RunError, SettingError
from assay.evaluation.generation_metrics import BitsPerByte
from assay.ngrams.counts import count_ngrams, join, look_up
from assay.ngrams.kneser_ney import KneserNey, _loss, _Places, build, estimated, tune
from fakes.text_samples import DATA, Timer, needs, samples_of, sides, view

TEXTS = ["the cat sat on the mat", "", "the dog sat on the log", "日本語の文", "a"] * 4


class Slow:
    """The definition, word for word, with dictionaries."""

    def __init__(self, sequences: list[list[int]], size: int, order: int, discounts: list[Any]) -> None:
        self.size, self.order, self.discounts = size, order, discounts
        seen: Counter[tuple[int, ...]] = Counter()
        for sequence in sequences:
            marked = [size, *sequence]
            for length in range(1, order + 1):
                for start in range(len(marked) - length + 1):
                    seen[tuple(marked[start : start + length])] += 1
        before: dict[tuple[int, ...], set[int]] = defaultdict(set)
        for gram in seen:
            before[gram[1:]].add(gram[0])
        self.counts: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for gram, count in seen.items():
            if gram[-1] != size:
                raw = len(gram) == order or gram[0] == size
                self.counts[gram[:-1]][gram[-1]] = count if raw else len(before[gram])

    def probability(self, token: int, context: tuple[int, ...]) -> float:
        context = context[-(self.order - 1) :] if self.order > 1 else ()
        return self._mixed(token, context)

    def _mixed(self, token: int, context: tuple[int, ...]) -> float:
        below = self._mixed(token, context[1:]) if context else 1 / self.size
        counts = self.counts.get(context)
        if not counts:
            return below
        discount = lambda count: self.discounts[len(context)][min(count, 3) - 1] if count else 0.0  # noqa: E731
        total, left = sum(counts.values()), sum(map(discount, counts.values()))
        own = counts.get(token, 0)
        return (own - discount(own) + left * below) / total


def random_sequences(seed: int, count: int, size: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.choice(size, random.integers(0, 15), p=np.arange(1, size + 1) / (size * (size + 1) / 2)).tolist()
            for _ in range(count)]  # fmt: skip


def model_of(sequences: list[list[int]], size: int, order: int) -> tuple[KneserNey, list[Any]]:
    grams = count_ngrams(join(sequences, size), order)
    discounts = estimated(grams, len(grams))
    return build(grams, size, len(grams), discounts), discounts


def test_by_hand() -> None:
    """Of the sequence 0 1 0 0 the different tokens before 0 are the mark, 1 and 0, before 1 only 0."""
    grams = count_ngrams(join([[0, 1, 0, 0]], 2), 2)
    model = build(grams, 2, 2, [np.array([0.5, 1, 1.5])] * 2)
    np.testing.assert_allclose(model.distribution([]), [0.625, 0.375])
    np.testing.assert_allclose(model.distribution([0]), [0.5625, 0.4375])
    np.testing.assert_allclose(model.distribution([1]), [0.8125, 0.1875])
    np.testing.assert_allclose(model.distribution([2]), [0.8125, 0.1875])
    nats = model.log_probabilities(join([[0, 1], [1]], 2))
    np.testing.assert_allclose(np.exp(nats), [1, 0.8125, 0.4375, 1, 0.1875])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_equals_slow_implementation(order: int, seed: int) -> None:
    size = 5
    sequences = random_sequences(seed, 40, size)
    model, discounts = model_of(sequences, size, order)
    slow = Slow(sequences, size, order, discounts)
    asked = random_sequences(seed + 100, 10, size + 1)
    asked = [[min(token, size - 1) for token in sequence] for sequence in asked]
    expected: list[float] = []
    for sequence in asked:
        marked = (size, *sequence)
        expected += [1.0, *(slow.probability(token, marked[:place]) for place, token in enumerate(marked) if place)]
    np.testing.assert_allclose(np.exp(model.log_probabilities(join(asked, size))), expected)
    for sequence in asked:
        context = [size, *sequence][-(order - 1) :] if order > 1 else []
        one_by_one = [slow.probability(token, tuple(context)) for token in range(size)]
        np.testing.assert_allclose(model.distribution(context), one_by_one)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 6), max_size=12), max_size=6), st.lists(st.integers(0, 7), max_size=6))
def test_sums_to_one_after_any_context(sequences: list[list[int]], context: list[int]) -> None:
    model, _ = model_of(sequences, 7, 4)
    values = model.distribution(context[-3:])
    assert values.sum() == pytest.approx(1)
    assert (values > 0).all()


def test_gradient_and_tuning() -> None:
    sequences = random_sequences(0, 60, 5)
    grams, aside = count_ngrams(join(sequences[:40], 5), 3), join(sequences[40:], 5)
    places = [_Places.of(grams, place, found, 5, aside.real) for place, found in enumerate(look_up(grams, aside))]
    start = np.concatenate(estimated(grams, 3)) * 0.9
    value, gradient = _loss(start, places, 5)
    plain = build(grams, 5, 3, list(start.reshape(3, 3)))
    assert value == pytest.approx(-plain.log_probabilities(aside).sum() / aside.real.sum())
    for place in range(9):
        step = 1e-6 * np.eye(9)[place]
        slope = (_loss(start + step, places, 5)[0] - _loss(start - step, places, 5)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, abs=1e-6)
    tuned = build(grams, 5, 3, tune(grams, 3, aside))
    assert tuned.log_probabilities(aside).sum() > plain.log_probabilities(aside).sum()


def test_fewer_orders_where_there_are_too_many() -> None:
    tokens = join(random_sequences(0, 40, 5), 5)
    every = count_ngrams(tokens, 6)
    some = count_ngrams(tokens, 6, sum(len(one) for one in every[:4]))
    assert len(some) == 4
    np.testing.assert_array_equal(some[3].before, every[3].count)
    np.testing.assert_array_equal(some[2].before, every[2].before)


@pytest.mark.parametrize("windows", [1, 2])
def test_predicts_and_writes(windows: int, tmp_path: Path) -> None:
    sizes = np.asarray([len(text.encode()) for text in TEXTS])
    samples = samples_of(sizes, windows=windows, text=TEXTS)
    train, validation, test = sides(samples, 0.6, 0.2)
    model = NgramLanguageModel()
    note = model.fit(train, validation, 5.0, 0)
    assert "tuned on validation" in note or "as estimated" in note
    nats = np.asarray(model.predict(test))
    assert nats.shape == (len(test),)
    np.testing.assert_array_equal(nats == 0, test.truths() == 0)
    lengths = np.stack([test.truths(), test.truths()], axis=1)  # as many characters as bytes
    assert 0 < BitsPerByte().value(nats, lengths) < 4
    alone = [float(np.asarray(model.predict(samples.view_of(np.asarray([unit]))))[0]) for unit in test.units]
    np.testing.assert_allclose(nats, alone)
    text = model.continue_text("the ", 30, 0.7, 0.9, 3)
    assert text == model.continue_text("the ", 30, 0.7, 0.9, 3)
    assert len(text.encode()) <= 30
    assert model.continue_text("", 0) == ""
    assert model.continue_text("", 20, 1e-3).startswith("the ")
    model.save(tmp_path)
    again = NgramLanguageModel()
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test), nats)
    for bad in ({"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.1}, {"length": -1}):
        with pytest.raises(SettingError):
            model.continue_text("", **{"length": 3, **bad})  # type: ignore[arg-type]


def test_top_p_and_temperature() -> None:
    samples = samples_of(np.ones(10), text=["aaaaaaab"] * 10)
    model = NgramLanguageModel()
    model.fit(view(samples), view(samples, 0, 0), 2.0, 0)
    assert set(model.continue_text("a", 50, 1.0, 0.5)) <= {"a", "b"}
    assert set(model.continue_text("", 3, 0.01)) == {"a"}


@pytest.mark.parametrize("texts", [["x"], ["", "ab"], ["\0" * 5000], ["日本"]])
def test_odd_texts(texts: list[str]) -> None:
    samples = samples_of(np.zeros(len(texts)), text=texts)
    model = NgramLanguageModel()
    for aside in (view(samples, 0, 0), view(samples)):
        model.fit(view(samples), aside, 1.0, 0)
        assert np.isfinite(model.predict(view(samples))).all()
        asked = samples_of(np.zeros(3), text=["", "completely else", "\x7fé"])
        assert np.isfinite(model.predict(view(asked))).all()
        model.continue_text("?", 5)
    with pytest.raises(DataError):
        model.fit(view(samples, 0, 0), view(samples), 1.0, 0)
    assert len(model.predict(view(samples, 0, 0))) == 0


def test_keeps_to_the_time() -> None:
    random = np.random.default_rng(0)
    text = "".join(random.choice(list("etaoin shrdlu"), 3_000_000))
    samples = samples_of(np.zeros(2), text=[text, text[:10_000]])
    timer, model = Timer(), NgramLanguageModel()
    model.fit(view(samples, 0, 1), view(samples, 1), 2.0, 0)
    assert timer.seconds < 6


def test_damaged(tmp_path: Path) -> None:
    samples = samples_of(np.zeros(len(TEXTS)), text=TEXTS)
    model = NgramLanguageModel()
    with pytest.raises(RunError):
        model.predict(view(samples))
    model.fit(view(samples), view(samples), 2.0, 0)
    model.save(tmp_path)
    for name in ("ngrams.json", "text.npz", "discounts.npz"):
        whole = (tmp_path / name).read_bytes()
        for bad in (b"", whole[: len(whole) // 2], b'{"order": 0}', b'{"order": 99}'):
            (tmp_path / name).write_bytes(bad)
            with pytest.raises(RunError):
                NgramLanguageModel().load(tmp_path)
        (tmp_path / name).write_bytes(whole)
    np.savez(tmp_path / "text.npz", text=np.zeros(5, np.uint8), lengths=np.asarray([3]))
    with pytest.raises(RunError):
        NgramLanguageModel().load(tmp_path)


@pytest.mark.data
@needs("tiny_shakespeare")
def test_tiny_shakespeare() -> None:
    """1.636 nats a character on the last tenth."""
    text = (DATA / "tiny_shakespeare/input.txt").read_text(encoding="utf-8")
    first, second = int(0.855 * len(text)), int(0.9 * len(text))
    texts = [text[:first], text[first:second], text[second:]]
    samples = samples_of(np.asarray([len(part) for part in texts]), text=texts)
    timer, model = Timer(), NgramLanguageModel()
    model.fit(view(samples, 0, 1), view(samples, 1, 2), 20.0, 0)
    test = view(samples, 2)
    nats = np.asarray(model.predict(test)) / test.truths()
    assert timer.seconds < 30
    assert 1.5 < nats[0] < 1.66
