"""Per-word errors: known counts, the sum is jiwer's word error rate, and the figures that show them."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest

pytest.importorskip("inflect")

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import wilson
from assay.evaluation.transcription_metrics import aligned
from assay.evaluation.word_errors import confusions, word_errors
from assay.evidence.word_figures import word_figures
from assay.report.figures import draw

SAID = ["Go left now", "left, left!", "up", "please go up", "down"]
TOLD = ["go lift now", "left", "up up", "go cup", "down"]


def answers(told: list[str], said: list[str], groups: list[int] | None = None) -> Evaluation:
    places = np.arange(len(said))
    return Evaluation(places, told, said, places if groups is None else np.asarray(groups), np.zeros(len(said)), 0.0)


def test_texts_are_aligned_word_by_word() -> None:
    assert aligned(["a b c", "", "x"], ["a x c d", "q", ""]) == [
        [("a", "a"), ("b", "x"), ("c", "c"), (None, "d")], [(None, "q")], [("x", None)],
    ]  # fmt: skip
    assert aligned([], []) == []


def test_what_becomes_of_each_word() -> None:
    found = word_errors(TOLD, SAID, "en")
    left, up, please = found["left"], found["up"], found["please"]
    assert (left.said, left.missing, left.added, dict(left.instead)) == (3, 1, 0, {"lift": 1})
    assert (up.said, up.missing, up.added, dict(up.instead)) == (2, 0, 1, {"cup": 1})
    assert (please.said, please.missing, please.wrong, please.errors) == (1, 1, 1, 1)
    assert found["down"].errors == 0 and "cup" not in found
    assert (dict(left.said_in), dict(left.wrong_in)) == ({0: 1, 1: 2}, {0: 1, 1: 1})


def test_the_errors_of_all_words_are_those_of_the_word_error_rate() -> None:
    random = np.random.default_rng(0)
    words = np.asarray(["one", "two", "three", "four"])
    said = [" ".join(random.choice(words, random.integers(1, 8))) for _ in range(100)]
    told = [" ".join(random.choice(words, random.integers(1, 8))) for _ in range(100)]
    found = word_errors(told, said, "en").values()
    assert sum(one.errors for one in found) / sum(one.said for one in found) == pytest.approx(jiwer.wer(said, told))
    other = jiwer.process_words(said, told)
    assert sum(one.missing for one in found) == other.deletions
    assert sum(one.added for one in found) == other.insertions


def test_the_words_that_cost_most_come_first() -> None:
    share, listed = word_figures(answers(TOLD, SAID), "en")
    assert listed.data["rows"] == [
        ["left", 3, 1, 1, 0, "lift"],
        ["up", 2, 1, 0, 1, "cup"],
        ["please", 1, 0, 1, 0, ""],
    ]
    assert [row["label"] for row in share.data["rows"]] == ["left (3)", "up (2)", "please (1)"]
    assert [row["value"] for row in share.data["rows"]] == [2 / 3, 1 / 2, 1]
    # Two recordings say "left": their number is what the interval rests on, not that of the words.
    first = share.data["rows"][0]
    assert (first["low"], first["high"]) == wilson(2 / 3, 2)
    assert "left (3)" in draw(share) and "lift" in draw(listed)


def test_words_of_one_speaker_go_wrong_together() -> None:
    random = np.random.default_rng(0)
    told = ["left" if random.random() < 0.5 else "lift" for _ in range(40)]
    alone, _ = word_figures(answers(told, ["left"] * 40))
    told = ["left" if speaker < 2 else "lift" for speaker in np.arange(40) % 4]
    together, _ = word_figures(answers(told, ["left"] * 40, (np.arange(40) % 4).tolist()))
    widths = [one.data["rows"][0]["high"] - one.data["rows"][0]["low"] for one in (alone, together)]
    assert widths[1] > 1.5 * widths[0]


def test_added_words_alone_are_listed() -> None:
    (listed,) = word_figures(answers(["so left", "so up"], ["left", "up"]))
    assert listed.data["rows"] == [["so", 0, 0, 0, 2, ""]]
    assert word_figures(answers(["left"], ["left"])) == ()
    assert word_figures(answers([], [])) == ()


def test_the_commonest_confusions_are_named() -> None:
    told = ["lift"] * 3 + ["loft"] * 2 + ["laughed", "lft"]
    _, listed = word_figures(answers(told, ["left"] * 7))
    assert listed.data["rows"] == [["left", 7, 7, 0, 0, "lift (3), loft (2), laughed, …"]]


def test_confusions_name_the_recordings_in_which_they_are() -> None:
    truths = ["one two one", "two one", "three", "one"]
    told = ["won two won", "two won", "tree", "one more"]
    found = confusions(told, truths)
    assert [(one.truth, one.predicted, one.rows) for one in found] == [("one", "won", (0, 1)), ("three", "tree", (2,))]
    assert confusions(truths, truths) == []
