"""The phrase-based model on a toy language, the translation memory, both on odd data; sentence pairs on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.baselines._bitext import aligned, read_bitext, words_of, write_bitext
from assay.baselines._phrase_translator import _LONGEST, _pieces
from assay.baselines.baseline import Baseline
from assay.baselines.translation_classical import TranslationClassical
from assay.baselines.translation_memory import TranslationMemory
from assay.errors import DataError, RunError
from assay.evaluation.sequences import Hypothesis
from assay.evaluation.translation_metrics import Bleu
from fakes.sentence_pairs import pair_samples, toy_pairs
from fakes.text_samples import Timer, sides, view

KINDS: list[type[Any]] = [TranslationClassical, TranslationMemory]


def fitted(count: int = 400, budget_s: float = 60.0) -> TranslationClassical:
    samples = pair_samples(*toy_pairs(count))
    model = TranslationClassical()
    model.fit(view(samples), view(samples, 0, 0), budget_s, 0)
    return model


@pytest.mark.parametrize("windows", [1, 2])
def test_learns_words_and_their_order(windows: int, tmp_path: Path) -> None:
    """Words and the rule of order are all there is, so that hardly anything may be wrong; a memory cannot know it."""
    samples = pair_samples(*toy_pairs(500), windows)
    train, validation, test = sides(samples, 0.8, 0.1)
    model, floor = TranslationClassical(), TranslationMemory()
    note = model.fit(train, validation, 60.0, 0)
    assert note.startswith("400 sentence pairs, weights tuned on 40 of them in ")
    assert floor.fit(train, validation, 60.0, 0) == "400 sentence pairs"
    truths, outputs = list(test.truths()), list(model.predict(test))
    assert Bleu().value(outputs, truths) > 97 > Bleu().value(floor.predict(test), truths) + 20
    for one, truth in zip(outputs, truths, strict=True):
        assert isinstance(one, Hypothesis)
        assert one.log_probability < 0
        assert one.text != truth or one.tokens == 9  # seven words, the stop, the end
    model.save(tmp_path)
    again = TranslationClassical()
    again.load(tmp_path)
    assert again.predict(test) == outputs
    assert again.translate(["", "The cat"]) == model.translate(["", "The cat"])


def test_same_seed_same_model() -> None:
    samples = pair_samples(*toy_pairs(320))
    asked, found = toy_pairs(20, seed=7)[0], []
    for _ in range(2):
        model = TranslationClassical()
        note = model.fit(view(samples), view(samples, 0, 0), 60.0, 3)
        found.append((note, model.translate(asked)))
    assert found[0] == found[1]
    assert "weights tuned on 32 of them" in found[0][0]


def test_copies_what_it_does_not_know() -> None:
    model = fitted()
    texts = [one.text for one in model.translate(["The red Zyx sees a blue dog.", "Zyx", "", " ", "THE RED CAT"])]
    assert "Zyx" in texts[0] and "hund blau." in texts[0]
    assert texts[1:4] == ["Zyx", "", ""]
    assert texts[4].lower() == "der katze rot"
    assert model.translate([""])[0] == Hypothesis("", 0.0, 1)


def test_long_texts_are_translated_piece_by_piece() -> None:
    model = fitted()
    sources, targets = toy_pairs(60, seed=5)
    text = model.translate([" ".join(sources)])[0].text
    assert Bleu().value([text], [" ".join(targets)]) > 90
    sentence = [*["word"] * 40, ".", *["word"] * 70]
    pieces = list(_pieces(sentence))
    assert [len(piece) for piece in pieces] == [41, _LONGEST, 10]
    assert [token for piece in pieces for token in piece] == sentence
    assert list(_pieces([])) == []


def test_validation_is_not_looked_at() -> None:
    samples, other = pair_samples(*toy_pairs(200)), pair_samples(["x"] * 9, ["y"] * 9)
    asked = toy_pairs(20, seed=7)[0]
    found = []
    for aside in (view(samples, 0, 0), view(other)):
        model = TranslationClassical()
        model.fit(view(samples), aside, 60.0, 0)
        found.append(model.translate(asked))
    assert found[0] == found[1]


def test_memory_finds_what_is_near() -> None:
    sources, targets = toy_pairs(300)
    sources[123], targets[123] = "An old clock hangs on the wall of the station.", "Die Uhr."
    samples = pair_samples(sources, targets)
    model = TranslationMemory()
    model.fit(view(samples), view(samples, 0, 0), 5.0, 0)
    exact, near, nothing = model.translate([sources[123], "A clock hangs on a wall of the station", "Zyx"])
    assert (exact.text, near.text) == ("Die Uhr.", "Die Uhr.")
    assert exact.log_probability == pytest.approx(0, abs=1e-6)
    assert -2 < near.log_probability < -0.05
    assert nothing.log_probability < -10
    assert TranslationMemory.floor


def test_memory_of_scripts_without_spaces() -> None:
    samples = pair_samples(["猫が魚を食べる", "犬が走る", "鳥が空を飛ぶ"], ["cat", "dog", "bird"])
    model = TranslationMemory()
    model.fit(view(samples), view(samples, 0, 0), 5.0, 0)
    assert [one.text for one in model.translate(["鳥は空を", "犬は走った"])] == ["bird", "dog"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "b")],
        [("a b c", "x"), ("", "y"), ("d", ""), (" ", " ")],
        [("猫が魚を食べる。", "Die Katze frisst Fisch.")] * 3,
        [("... !!! ???", "– — …"), ("\0\x07", "\u2060 x")],
        [("word " * 2000, "wort " * 2000), ("a", "b")],
    ],
)
def test_odd_pairs(kind: type[Baseline], pairs: list[tuple[str, str]], tmp_path: Path) -> None:
    samples = pair_samples(*zip(*pairs, strict=True))
    model = kind()
    model.fit(view(samples), view(samples), 2.0, 0)
    asked = view(pair_samples(["", "completely else", "a", "猫 x\n\ny", "\x7fé"], [""] * 5))
    outputs = list(model.predict(asked))
    assert len(outputs) == 5
    assert all(np.isfinite(one.log_probability) and one.tokens > 0 for one in outputs)
    assert len(model.predict(view(samples, 0, 0))) == 0
    model.save(tmp_path)
    again = kind()
    again.load(tmp_path)
    assert again.predict(asked) == outputs


@pytest.mark.parametrize("kind", KINDS)
def test_without_pairs(kind: type[Baseline]) -> None:
    samples = pair_samples(["a", ""], ["", "b"])
    with pytest.raises(RunError):
        kind().predict(view(samples))
    with pytest.raises(DataError):
        kind().fit(view(samples), view(samples), 1.0, 0)


def test_keeps_to_the_time() -> None:
    samples = pair_samples(*toy_pairs(3000))
    TranslationClassical().fit(view(samples, 0, 9), view(samples, 0, 0), 0.1, 0)  # imports take their time once
    for budget_s in (0.5, 4.0):
        timer, model = Timer(), TranslationClassical()
        model.fit(view(samples), view(samples, 0, 0), budget_s, 0)
        assert timer.seconds < budget_s + 3
        assert model.translate(["The red dog sees a blue cat."])[0].text == "Der hund rot sieht ein katze blau."


def test_sentence_pairs() -> None:
    bitext = aligned(["The dog runs.", "A dog", "the"], ["Der Hund rennt.", "Ein Hund", "der"])
    assert words_of(bitext.source, bitext.source_words)[0][:3] == ["The", "dog", "runs"]
    assert bitext.numbers(["dog", "RUNS", "cat"]).tolist() == [
        bitext.source_words.index("dog"), bitext.source_words.index("runs"), -1,
    ]  # fmt: skip
    some = bitext.some(np.array([1, 2]))
    assert words_of(some.target, some.target_words) == words_of(bitext.target, bitext.target_words)[1:]
    assert (some.source.sentence[some.links[0]] == some.target.sentence[some.links[1]]).all()
    inside = bitext.source.sentence[bitext.links[0]] > 0
    assert len(some.links[0]) == inside.sum()
    assert bitext.capitals


def test_damaged(tmp_path: Path) -> None:
    model = fitted(60, 2.0)
    model.save(tmp_path)
    memory = TranslationMemory()
    memory.fit(view(pair_samples(*toy_pairs(9))), view(pair_samples(*toy_pairs(9))), 1.0, 0)
    memory.save(tmp_path)
    for name in ("words.json", "pairs.npz", "weights.npz", "memory.npz"):
        whole = (tmp_path / name).read_bytes()
        kind = TranslationMemory if name == "memory.npz" else TranslationClassical
        for bad in (b"", whole[: len(whole) // 2], b'{"source": ["a", "a"], "target": [], "capitals": true}'):
            (tmp_path / name).write_bytes(bad)
            with pytest.raises(RunError):
                kind().load(tmp_path)
        (tmp_path / name).write_bytes(whole)
    bitext = read_bitext(tmp_path)
    links = np.array([0]), np.array([len(bitext.target.values) - 1])
    write_bitext(tmp_path, type(bitext)(*(getattr(bitext, name) for name in (
        "source_words", "target_words", "source", "target")), links, True))  # fmt: skip
    with pytest.raises(RunError, match="impossible links"):
        TranslationClassical().load(tmp_path)
