"""Shaded text: strength and sign can be seen, the text stays what it was, and nothing in it is taken for HTML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from assay.report.spans import LEVELS, draw_spans


def text_of(drawn: str) -> str:
    return "".join(ElementTree.fromstring(drawn).itertext())


def test_the_heaviest_is_marked_most_and_its_sign_can_be_told() -> None:
    drawn = draw_spans([("good", 0.5), (" but", 0.01), (" dull", -0.25), (" film", None), (" .", float("nan"))])
    assert text_of(drawn) == "good but dull film ."
    assert f'class="for w{LEVELS}"' in drawn and 'class="against w2"' in drawn
    assert len(re.findall("<span", drawn)) == 2  # too weak, or without a say: not marked
    assert 'title="+0.5"' in drawn


def test_text_is_inert() -> None:
    hostile = '<script>alert("x")</script> & "quotes"'
    drawn = draw_spans([(hostile, 1.0), (hostile, None)], styled=True)
    assert "<script" not in drawn and text_of(drawn) == hostile * 2
    assert "border-bottom" in drawn


def test_a_long_text_is_shown_about_its_heaviest_pieces() -> None:
    spans: list[tuple[str, float | None]] = [(f" word{number}", 0.001) for number in range(1000)]
    spans[500] = (" HERE", 1.0)
    drawn = text_of(draw_spans(spans, longest=300))
    assert len(drawn) < 330 and " HERE" in drawn and "word0 " not in drawn and drawn.count("…") == 2


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8),
                          st.none() | st.floats()), max_size=8))  # fmt: skip
def test_any_text_comes_back_as_it_was(spans: list[tuple[str, float | None]]) -> None:
    assert text_of(draw_spans(spans)) == "".join(text for text, _ in spans)
