"""Copied spans: the longest common substring, against trying all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.samples.text_spans import longest_copy


def test_a_planted_span_is_found() -> None:
    source = "It was the best of times, it was the worst of times."
    assert longest_copy(["He said it was the worst of it all", "nothing"], source) == " it was the worst of "
    assert longest_copy(["xyz", ""], "abc") == ""


@given(st.lists(st.text("ab", max_size=12), max_size=3), st.text("ab", max_size=30))
def test_it_is_as_long_as_the_longest_of_all(texts: list[str], source: str) -> None:
    spans = {text[i:j] for text in texts for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
    wanted = max((len(span) for span in spans if span in source), default=0)
    found = longest_copy(texts, source)
    assert len(found) == wanted and (not found or (found in source and any(found in text for text in texts)))
