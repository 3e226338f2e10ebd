"""Scores of short answers: known answers, an independent implementation of SQuAD's script, properties."""

from __future__ import annotations

import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evaluation.answer_metrics import AnswerF1, ExactMatch, answer_scores
from assay.evaluation.answers import answer_tokens, best_over_truths, exact_match, token_f1
from assay.evaluation.spans import Span

ASCII = st.text(alphabet=string.ascii_letters + string.digits + " ',.-\t", max_size=30)


def squad_tokens(text: str) -> list[str]:
    """As SQuAD's own script normalises."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad_f1(answer: str, truth: str) -> float:
    first, second = squad_tokens(answer), squad_tokens(truth)
    if not first or not second:
        return float(first == second)
    same = sum((Counter(first) & Counter(second)).values())
    if not same:
        return 0.0
    precision, recall = same / len(first), same / len(second)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Panthers' defense!", "panthers defense"),
        ("an apple, a day", "apple day"),
        ("“Élan” – 1,234", "élan 1234"),
        ("E\u0301lan", "élan"),
        ("東大寺の大仏", "東 大 寺 の 大 仏"),
        ("約15メートル。", "約 15 メ ー ト ル"),
        ("ＮＨＫ ﾃﾚﾋﾞ", "ｎｈｋ ﾃ ﾚ ﾋ ﾞ"),
        ("北京 Beijing 2008年", "北 京 beijing 2008 年"),
        ("한국 사람", "한국 사람"),
        ("ไทย", "ไ ท ย"),
        ("the", ""),
        ("", ""),
    ],
)
def test_normalised(text: str, normal: str) -> None:
    assert " ".join(answer_tokens(text)) == normal


def test_known_scores() -> None:
    assert token_f1("in the year 1990", "1990") == pytest.approx(0.5)
    assert token_f1("a b b", "b b c") == pytest.approx(0.8)  # "a" is an article
    assert token_f1("東大寺", "大寺院") == pytest.approx(2 / 3)
    assert exact_match("The 1990s.", "1990s") == 1
    assert exact_match("1990", "1991") == 0
    assert best_over_truths(token_f1, "1990", ["x", "in 1990"]) == pytest.approx(2 / 3)
    assert best_over_truths(token_f1, "", []) == 1
    assert best_over_truths(token_f1, "the", []) == 0


@given(ASCII, ASCII)
def test_as_squad_where_text_is_ascii(first: str, second: str) -> None:
    assert answer_tokens(first) == squad_tokens(first)
    assert token_f1(first, second) == pytest.approx(squad_f1(first, second))
    assert exact_match(first, second) == float(squad_tokens(first) == squad_tokens(second))
    assert answer_tokens(" ".join(answer_tokens(first))) == answer_tokens(first)


@given(st.text(max_size=20), st.text(max_size=20))
def test_properties(first: str, second: str) -> None:
    score = token_f1(first, second)
    assert 0 <= score <= 1
    assert score == token_f1(second, first)
    assert token_f1(first, first) == exact_match(first, first) == 1
    assert exact_match(first, second) <= score


def test_metrics() -> None:
    outputs = [Span(0, 4, "1990", 0.5), Span(-1, -1, "", 0.9), Span(3, 9, "Warsaw", 0.2), Span(-1, -1, "", 0.4)]
    truths = [(("in 1990", 0), ("May 1990", 3)), (), (), (("Paris", 1),)]
    np.testing.assert_allclose(answer_scores(token_f1, outputs, truths), [2 / 3, 1, 0, 0])
    assert AnswerF1().value(outputs, truths) == pytest.approx(5 / 12)
    assert ExactMatch().value(outputs, truths) == pytest.approx(1 / 4)
    assert AnswerF1().aggregate(AnswerF1().statistics(outputs, truths), np.array([3, 0, 0, 1])) == pytest.approx(0.5)
    assert np.isnan(AnswerF1().aggregate(AnswerF1().statistics(outputs, truths), np.zeros(4)))
    assert [span.answered for span in outputs] == [True, False, True, False]
