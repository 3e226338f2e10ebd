"""Spans of several windows: their probabilities against all spans counted one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.evaluation.spans import Reading, Span, decide, left_of, probability_of, surest_window


def reading(odds: list[list[float]], first: int = 0) -> Reading:
    """A window of tokens of one character each, of which spans of all lengths may be answers."""
    values = np.asarray(odds, np.float32)
    pairs = {(a, b): float(values[a, 0] + values[b, 1]) for a in range(len(odds)) for b in range(a, len(odds))}
    best = max(pairs, key=lambda pair: pairs[pair])
    total = math.log(sum(map(math.exp, pairs.values())))
    places = np.asarray([[first + place, first + place + 1] for place in range(len(odds))], np.int32)
    return Reading(
        first + best[0], first + best[1] + 1, "x" * (best[1] - best[0] + 1), pairs[best], total, places, values
    )


READINGS = (reading([[1.0, -1.0], [0.5, 0.2]]), reading([[0.0, 2.0], [-1.0, 0.3]], first=10))


@pytest.mark.parametrize("may_lack", [True, False])
def test_the_probabilities_of_all_spans_and_none_sum_to_one(may_lack: bool) -> None:
    spans = [(first + a, first + b + 1) for first in (0, 10) for a in range(2) for b in range(a, 2)]
    found = [probability_of(READINGS, start, end, may_lack) for start, end in spans]
    assert sum(found) + probability_of(READINGS, -1, -1, may_lack) == pytest.approx(1, abs=1e-6)
    odds = [math.exp(value) for value in (0.0, 1.2, 0.7, 2.0, 0.3, -0.7)]
    assert found == pytest.approx([value / (sum(odds) + may_lack) for value in odds], abs=1e-6)


def test_the_most_probable_span_of_all_windows_is_the_answer() -> None:
    assert surest_window(READINGS) == 1
    answer = decide(READINGS, True)
    assert (answer.start, answer.end, answer.text) == (10, 11, "x") and answer.answered
    assert decide([answer.readings[0]], False).start == 0


def test_no_answer_wins_where_it_is_more_probable_and_may_be() -> None:
    low = (reading([[-4.0, -4.0]]), reading([[-5.0, -3.0]], first=5))
    nothing = decide(low, True)
    assert not nothing.answered and nothing.text == "" and nothing.probability > 0.99
    assert decide(low, False).answered


def test_a_span_that_two_windows_hold_counts_in_both() -> None:
    twice = (READINGS[0], READINGS[0])
    assert probability_of(twice, 0, 2, False) == pytest.approx(probability_of(READINGS[:1], 0, 2, False))


def test_what_is_left_of_an_answer() -> None:
    answered = decide(READINGS, True)
    changed = decide(READINGS[:1], True)
    assert left_of([answered, changed], [answered, answered], True).tolist() == [answered.probability, 0.0]
    alone = Span(3, 5, "xx", 0.4)
    assert left_of([alone, alone], [alone, Span(3, 6, "xxx", 1.0)], False).tolist() == [0.4, 0.0]
