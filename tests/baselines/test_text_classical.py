"""TF-IDF with a linear model: against scikit-learn's own parts, on all kinds of targets, on odd texts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.baselines._text_grams import fit_grams
from assay.baselines.text_classical import TextClassical
from assay.errors import DataError, RunError, SettingError
from assay.targets.class_target import ClassTarget
from assay.targets.labels_target import LabelsTarget
from assay.targets.number_target import NumberTarget
from assay.targets.target import Target
from fakes.text_samples import DATA, Timer, needs, samples_of, sides, view

WORDS = ["river", "stone", "apple", "green", "seven", "walks", "under", "light", "paper", "cloud"]


def sentences(count: int, seed: int = 0) -> tuple[list[str], Any]:
    """Random sentences, and how often each word stands in them, (N, 10)."""
    random = np.random.default_rng(seed)
    rows = [random.integers(0, 10, random.integers(3, 9)) for _ in range(count)]
    return [" ".join(WORDS[code] for code in row) for row in rows], np.stack(
        [np.bincount(row, minlength=10) for row in rows]
    )


def truths_of(counts: Any, target: Target) -> Any:
    if target.kind == "class":
        return np.where(counts[:, 0] > 0, 0, np.where(counts[:, 1] > 0, 1, 2))
    if target.kind == "labels":
        return (counts[:, :2] > 0).astype(np.float32)
    return 10.0 * (counts[:, 0] > 0) - 5 * (counts[:, 1] > 0)


TARGETS = [ClassTarget(("a", "b", "c")), LabelsTarget(("a", "b")), NumberTarget(0.0, 1.0)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize("windows", [1, 2])
def test_kinds_of_targets(target: Target, windows: int, tmp_path: Path) -> None:
    texts, counts = sentences(600)
    samples = samples_of(truths_of(counts, target), windows=windows, text=texts)
    train, validation, test = sides(samples, 0.6, 0.2)
    model = TextClassical(target)
    note = model.fit(train, validation, 20.0, 0)
    outputs = np.asarray(model.predict(test))
    assert target.metrics()[0].value(outputs, test.truths()) > (0.85 if target.kind == "number" else 0.93)
    assert "360 training texts" in note
    model.save(tmp_path)
    again = TextClassical(target)
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test), outputs)
    same = TextClassical(target)
    same.fit(train, validation, 20.0, 0)
    np.testing.assert_allclose(same.predict(test), outputs, atol=1e-6)
    with pytest.raises(SettingError):
        model.respond(None)


def test_grams_equal_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [text.title() + "! It's 5" for text in sentences(50)[0]]
    asked = sentences(20, 1)[0]
    pattern = {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)}
    for kind, options in (("words", pattern), ("characters", {"analyzer": "char_wb", "ngram_range": (2, 5)})):
        reference = TfidfVectorizer(sublinear_tf=True, **options)
        grams, inputs = fit_grams(kind, texts)
        np.testing.assert_allclose(inputs.toarray(), reference.fit_transform(texts).toarray(), atol=1e-6)
        np.testing.assert_allclose(grams.inputs(asked).toarray(), reference.transform(asked).toarray(), atol=1e-6)


def test_weights_equal_scikit_learn() -> None:
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    texts, counts = sentences(300)
    target = TARGETS[0]
    samples = samples_of(truths_of(counts, target), text=texts)
    model = TextClassical(target)
    note = model.fit(view(samples, 0, 200), view(samples, 200), 20.0, 0)
    parts = [fit_grams(kind, texts[:200]) for kind in ("words", "characters") if kind in note]
    reference = LogisticRegression(C=float(note.rpartition("/")[2]), max_iter=1000)
    reference.fit(sparse.hstack([inputs for _, inputs in parts]), samples.view_of(np.arange(200)).truths())
    asked = sparse.hstack([grams.inputs(texts[200:]) for grams, _ in parts])
    np.testing.assert_allclose(model.predict(view(samples, 200)), reference.predict_proba(asked), atol=0.02)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize("texts", [[""] * 4, ["犬", "", "\0 \n", "the same"], ["a" * 300_000, "b", "c", " "]])
def test_odd_texts(target: Target, texts: list[str], capfd: Any) -> None:
    truths = {"class": np.array([0, 2, 0, 0]), "labels": np.eye(4, 2), "number": np.arange(4.0)}[target.kind]
    samples = samples_of(truths, text=texts)
    for train in (view(samples), view(samples, 0, 1)):
        model = TextClassical(target)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(train, view(samples, 0, 0), 1.0, 0)
            outputs = np.asarray(model.predict(view(samples)))
            assert len(model.predict(view(samples, 0, 0))) == 0
        assert len(outputs) == 4
        assert np.isfinite(outputs).all()
    assert capfd.readouterr() == ("", "")


def test_script_without_spaces() -> None:
    random = np.random.default_rng(0)
    truths = random.integers(0, 2, 200)
    texts = [
        "".join(random.choice(list("日本語東京大学"), 12)) + ("です" if truth else "ます") + "。" for truth in truths
    ]
    train, validation, test = sides(samples_of(truths, text=texts), 0.6, 0.2)
    model = TextClassical(ClassTarget(("a", "b")))
    model.fit(train, validation, 10.0, 0)
    assert (np.asarray(model.predict(test)).argmax(axis=1) == test.truths()).mean() == 1


def test_unknown_truths_are_left_out() -> None:
    texts, counts = sentences(300)
    truths = np.where(np.arange(300) % 3 == 0, -1, truths_of(counts, TARGETS[0]))
    samples = samples_of(truths, text=texts)
    model = TextClassical(TARGETS[0])
    assert model.fit(view(samples, 0, 150), view(samples, 150), 10.0, 0).startswith("100 training texts")
    with pytest.raises(DataError):
        model.fit(samples.view_of(np.array([0, 3])), view(samples), 10.0, 0)


@pytest.mark.parametrize("budget_s", [0.1, 2.0])
def test_keeps_to_the_time(budget_s: float) -> None:
    texts, counts = sentences(6000)
    samples = samples_of(truths_of(counts, TARGETS[0]), text=[f"{text} " * 20 for text in texts])
    timer, model = Timer(), TextClassical(TARGETS[0])
    model.fit(view(samples, 0, 5000), view(samples, 5000), budget_s, 0)
    assert timer.seconds < 2 * budget_s + 2


def test_damaged(tmp_path: Path) -> None:
    texts, counts = sentences(60)
    target = TARGETS[0]
    samples = samples_of(truths_of(counts, target), text=texts)
    model = TextClassical(target)
    with pytest.raises(RunError):
        model.predict(view(samples))
    model.fit(view(samples), view(samples), 2.0, 0)
    model.save(tmp_path)
    for name in ("grams.json", "rarity.npz", "weights.npz"):
        whole = (tmp_path / name).read_bytes()
        for bad in (b"", whole[: len(whole) // 2], b'{"grams": [["words", ["a", "a"]]]}', b'{"grams": [["x", ["a"]]]}'):
            (tmp_path / name).write_bytes(bad)
            with pytest.raises(RunError):
                TextClassical(target).load(tmp_path)
        (tmp_path / name).write_bytes(whole)
    TextClassical(target).load(tmp_path)
    with pytest.raises(RunError):
        TextClassical(ClassTarget(("a", "b"))).load(tmp_path)


@pytest.mark.data
@needs("sms_spam")
def test_sms_spam() -> None:
    rows = [line.split("\t", 1) for line in (DATA / "sms_spam/sms.tsv").read_text(encoding="utf-8").splitlines()]
    samples = samples_of(np.array([kind == "spam" for kind, _ in rows], int), text=[text for _, text in rows])
    train, validation, test = sides(samples, 0.8, 0.1)
    model = TextClassical(ClassTarget(("ham", "spam")))
    model.fit(train, validation, 20.0, 0)
    assert (np.asarray(model.predict(test)).argmax(axis=1) == test.truths()).mean() > 0.975


@pytest.mark.data
@needs("sms_spam")
def test_no_time_gives_a_plain_model_and_no_guess() -> None:
    rows = [line.split("\t", 1) for line in (DATA / "sms_spam/sms.tsv").read_text(encoding="utf-8").splitlines()]
    samples = samples_of(np.array([kind == "spam" for kind, _ in rows], int), text=[text for _, text in rows])
    train, validation, test = sides(samples, 0.8, 0.1)
    timer, model = Timer(), TextClassical(ClassTarget(("ham", "spam")))
    model.fit(train, validation, 0.0, 0)
    assert timer.seconds < 20
    assert (np.asarray(model.predict(test)).argmax(axis=1) == test.truths()).mean() > 0.96, ".866 are no spam"
