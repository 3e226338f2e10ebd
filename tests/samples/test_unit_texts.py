"""The texts of units, whole, in the order of the view, also of several windows and of changed batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from assay.samples.unit_texts import unit_bytes, unit_texts
from fakes.text_samples import QuestionBatch, samples_of

TEXTS = ["Straße", "", "犬が走る", "a\n b\0", "🙂"]


@pytest.mark.parametrize("windows", [1, 3])
def test_texts_of_units(windows: int) -> None:
    samples = samples_of(np.zeros(5), windows=windows, text=TEXTS)
    units = np.array([3, 0, 2, 2, 1, 4])
    assert unit_texts(samples.view_of(units)) == [TEXTS[unit] for unit in units]
    assert unit_bytes(samples.view_of(units)) == [TEXTS[unit].encode() for unit in units]
    assert unit_texts(samples.view_of(np.zeros(0, int))) == []


@pytest.mark.parametrize("windows", [1, 2])
def test_changed_texts(windows: int) -> None:
    samples = samples_of(np.zeros(5), QuestionBatch, windows, context=TEXTS, question=TEXTS[::-1])

    def louder(batch: Any) -> Any:
        return replace(batch, context=batch.context - 32 * ((batch.context >= 97) & (batch.context < 123)).byte())

    changed = samples.view_of(np.arange(5)).changed(louder)
    assert unit_texts(changed, "context") == ["STRAßE", "", "犬が走る", "A\n B\0", "🙂"]
    assert unit_texts(changed, "question") == TEXTS[::-1]


def test_bytes_that_are_no_text() -> None:
    samples = samples_of(np.zeros(1), text=["é"])

    def cut(batch: Any) -> Any:
        return replace(batch, text=batch.text[:, :1], mask=batch.mask[:, :1])

    assert unit_texts(samples.view_of(np.zeros(1, int)).changed(cut)) == ["\ufffd"]
