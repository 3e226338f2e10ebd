"""When two answers say the same."""

from __future__ import annotations

import pytest

from assay.evaluation.agreement import same_answer


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"label": "cat", "confidence": 0.9}, {"label": "cat", "confidence": 0.9004}, True),
        ({"label": "cat", "confidence": 0.9}, {"label": "cat", "confidence": 0.91}, False),
        ({"label": "cat"}, {"label": "dog"}, False),
        ({"boxes": [[1.0, 2.0]]}, {"boxes": [[1.0, 2.0], [3.0, 4.0]]}, False),
        (1000.0, 1000.9, True),
        (3, 4, False),
        (float("nan"), float("nan"), True),
        (None, None, True),
        ({"a": 0.6, "b": 0.3, "c": 0.05}, {"a": 0.6, "b": 0.3, "d": 0.05}, True),
        ({"a": 0.6, "b": 0.3, "c": 0.5}, {"a": 0.6, "b": 0.3, "d": 0.5}, False),
    ],
)
def test_words_are_equal_and_numbers_close(one: object, other: object, same: bool) -> None:
    assert same_answer(one, other, 1e-3) is same
