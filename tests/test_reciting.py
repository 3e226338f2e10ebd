"""What a network that writes recites: all of a text that it learned by heart, no more than chance of another."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.samples.split import TEST, TRAIN
from assay.serving.reciting import recital
from fakes.text_samples import samples_of

LEARNED = "In the beginning was a river, and nobody knew where it came from or went to. " * 3
UNSEEN = ["Once there was a stone that nobody moved.", "Twice there was a cloud which rained on it all.", "no"]


@dataclass
class Writer:
    """Goes on with whatever it is told to say."""

    says: str
    spec = None

    @property
    def task(self) -> Any:
        return SimpleNamespace(read_inputs=lambda source, spec: source)

    def predict(self, records: Any) -> Any:
        return [SimpleNamespace(answer=SimpleNamespace(text=self.says))], ()


def sides() -> Any:
    samples = samples_of(np.zeros(4, np.int64), text=[LEARNED, *UNSEEN])
    samples.side[:] = [TRAIN, TEST, TEST, TEST]
    return samples


def test_what_was_learned_by_heart_is_found() -> None:
    found = recital(Writer(LEARNED[20:60] + "zzz"), sides(), 100.0, "text", 8)  # type: ignore[arg-type]
    assert found is not None
    assert found.longest == LEARNED[20:60][: len(UNSEEN[1]) - 8]
    assert len(found.unseen) < 12
    assert found.written == sum(min(43, len(text) - 8) for text in UNSEEN[:2])


@pytest.mark.parametrize("says", ["qqqqqq", ""])
def test_what_stands_nowhere_is_not(says: str) -> None:
    found = recital(Writer(says), sides(), 100.0, "text", 8)  # type: ignore[arg-type]
    assert found is not None and len(found.longest) <= 1


def test_nothing_is_longer_than_a_prompt() -> None:
    assert recital(Writer("x"), sides(), 100.0, "text", 500) is None  # type: ignore[arg-type]
