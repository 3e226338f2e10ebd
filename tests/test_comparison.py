"""Runs against each other; the command itself is tested in `test_cli.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.comparison import _same


@pytest.mark.parametrize(
    ("truths", "other"),
    [
        (np.array([0, 1]), np.array([1, 0])),
        (["abc", "d"], ["abc", "e"]),
        ([[{"x": 1.0}], []], [[{"x": 1.0}], [{"x": 2.0}]]),
        ([np.zeros(2), np.ones(3)], [np.zeros(2), np.zeros(3)]),
    ],
)
def test_truths_of_every_kind_are_compared(truths: Any, other: Any) -> None:
    assert _same(truths, truths)
    assert not _same(truths, other)
