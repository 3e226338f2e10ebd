"""All findings together: one that fails does not hold up the others, and those known are not looked for again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.errors import DataError
from assay.evidence import accuracy, cost, evidence
from assay.evidence.finding import Finding
from assay.progress import Progress

CONTEXT: Any = SimpleNamespace(thorough=True, side=None, baseline=None)


def failing(error: Exception) -> Any:
    def find(context: Any) -> Finding:
        raise error

    return find


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two findings alone, of which the second has no trouble."""
    known = {name: evidence.FINDINGS[name] for name in ("accuracy", "cost")}
    monkeypatch.setattr(evidence, "FINDINGS", known)
    monkeypatch.setattr(cost, "find", lambda context: Finding("cost", cost.QUESTION, "good", "It is cheap."))


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DataError("the file has gone", "Put it back.", file="a.png"), "a.png: the file has gone"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_a_finding_that_fails_is_unknown_and_the_rest_stands(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "find", failing(error))
    first, second = evidence.find_all(CONTEXT, Progress())
    assert first.status == "unknown" and words in first.verdict and first.next
    assert first.question == accuracy.QUESTION and second.verdict == "It is cheap."


@pytest.mark.usefixtures("two")
def test_what_is_known_is_not_looked_for_again_and_each_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "find", failing(AssertionError("asked again")))
    known = Finding("accuracy", accuracy.QUESTION, "good", "As before.")
    kept: list[list[str]] = []
    found = evidence.find_all(CONTEXT, Progress(), [known], lambda so_far: kept.append([one.name for one in so_far]))
    assert found[0] is known and kept == [["accuracy", "cost"]]


@pytest.mark.usefixtures("two")
def test_a_mistake_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "find", failing(KeyError("x")))
    with pytest.raises(KeyError):
        evidence.find_all(CONTEXT, Progress())
