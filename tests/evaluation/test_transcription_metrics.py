"""Word and character error rates: known answers, jiwer's own figures, resampling; the stated form of transcripts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jiwer")
pytest.importorskip("inflect")

import jiwer

from assay.evaluation.spoken_text import guessed_language, has_no_spaces, spoken, units_of
from assay.evaluation.transcription_metrics import CharacterErrorRate, WordErrorRate


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Press 2, please - it's the 21st!", "press two please it's the twenty first"),
        ("slash [/]", "slash"),
        ("press * to toggle, press # to stop", "press to toggle press to stop"),
        (
            "$5.25 for 1,250 at 3.5%",
            "five dollars and twenty five cents for one thousand two hundred and fifty at three point five percent",
        ),
        ("007 and 12345678", "zero zero seven and one two three four five six seven eight"),
        ("$1 & 100th", "one dollar and one hundredth"),
        ("‘Tis’ \u2019twas  rock'n'roll", "tis twas rock'n'roll"),
        ("ＡＢＣ\n\tdef", "abc def"),
        ("press *1 or *2", "press one or two"),
        ("he *laughs loudly* goes", "he goes"),
        ("<noise> well <b>yes</b> <two words> [x]", "well yes"),
        ("a<b c>d", "a b c d"),
        ("the 1,000th of 2,500", "the one thousandth of two thousand five hundred"),
        ("$5.5 or $1,000.125", "five point five dollars or one thousand point one two five dollars"),
        ("AT&T, rock & roll", "at and t rock and roll"),
        ("...", ""),
        ("", ""),
    ],
)
def test_english_is_brought_into_the_form_in_which_it_is_compared(written: str, said: str) -> None:
    assert spoken(written, "en") == said
    assert spoken(said, "en") == said


def test_digits_of_other_languages_stay() -> None:
    assert spoken("Über 5 Äpfel!", "de") == "über 5 äpfel"
    assert spoken("5 pommes", "") == "5 pommes"


def test_languages_without_spaces_are_counted_in_characters() -> None:
    assert has_no_spaces("ja-JP") and not has_no_spaces("de")
    assert units_of("今日は。", "ja") == "今 日 は"
    assert WordErrorRate("ja").value(["今日わ"], ["今日は"]) == pytest.approx(1 / 3)


def test_english_is_recognised_by_its_commonest_words() -> None:
    text = "the number that you have dialed is not in service and you will have to try it again"
    assert guessed_language([text, text]) == "en"
    assert guessed_language(["yes no yes yes no no yes no"] * 10) == ""
    assert guessed_language(["der Hund und die Katze sind in dem Haus und sie schlafen dort nun schon lange"] * 4) == ""


def sentences(random: np.random.Generator, count: int) -> tuple[list[str], list[str]]:
    words = ["one", "two", "three", "four", "and", "but"]
    truths = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(count)]
    told = [" ".join(word for word in truth.split() if random.random() > 0.2) or "but" for truth in truths]
    told = [text + " and" if random.random() < 0.3 else text.replace("one", "won") for text in told]
    return told, truths


def test_rates_are_those_of_jiwer() -> None:
    told, truths = sentences(np.random.default_rng(0), 200)
    assert WordErrorRate("en").value(told, truths) == pytest.approx(jiwer.wer(truths, told), abs=1e-12)
    assert CharacterErrorRate("en").value(told, truths) == pytest.approx(jiwer.cer(truths, told), abs=1e-12)


def test_statistics_of_each_recording_add_up_under_weights() -> None:
    told, truths = sentences(np.random.default_rng(1), 50)
    metric = WordErrorRate("en")
    kept = metric.statistics(told, truths)
    places = np.random.default_rng(2).integers(0, 50, 50)
    weights = np.bincount(places, minlength=50).astype(float)
    again = jiwer.wer([truths[place] for place in places], [told[place] for place in places])
    assert metric.aggregate(kept, weights) == pytest.approx(again, abs=1e-12)


def test_what_counts_and_what_does_not() -> None:
    metric = WordErrorRate("en")
    assert metric.statistics(["a x c d", "", "Two."], ["a b c", "q", "2"]).tolist() == [
        [1, 0, 1, 3],
        [0, 1, 0, 1],
        [0, 0, 0, 1],
    ]
    assert metric.value(["Hello,  WORLD"], ["hello world!"]) == 0
    assert metric.value(["one two three four"], ["one"]) == 3
    assert np.isnan(metric.value(["one"], ["..."]))
    assert metric.statistics([], []).shape == (0, 4)
