"""Text whose pieces are shaded by what they weighed, as HTML.

What spoke for an answer has a line under it, what spoke against it dots: the sign can be told without colours, and the
thickness tells the strength, on paper too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from assay.report._words import escape, finite, plain

#: Steps of strength; a piece of less than half of the first step's weight is not marked.
LEVELS = 5
#: Pieces shown beside a heavy one where the text is shortened.
_AROUND = 14
_GAP = " … "
#: For places without the page's style sheet, such as a notebook: hue and line by sign.
_INLINE = {"for": ("230,120,0", "solid"), "against": ("40,110,220", "dotted")}

Span = tuple[str, float | None]


def draw_spans(spans: Sequence[Span], longest: int = 1500, styled: bool = False) -> str:
    """A paragraph of text with what weighed.

    Args:
        spans: pieces of text with their weights, None or NaN for those that had no say.
        longest: characters at most; a longer text is shown about its heaviest pieces alone.
        styled: bring the style along, for a place that does not have the page's.

    Returns:
        HTML that is well-formed as XML; the text is inert in it.
    """
    most = max((abs(weight) for _, weight in _known(spans)), default=0.0)
    style = ' style="line-height:1.9;white-space:pre-wrap;overflow-wrap:anywhere"' if styled else ""
    parts = "".join(_piece(text, weight, most, styled) for text, weight in _shortened(list(spans), longest))
    return f'<p class="shaded" dir="auto"{style}>{parts}</p>'


def _known(spans: Sequence[Span]) -> Iterator[tuple[str, float]]:
    for text, weight in spans:
        value = finite(weight)
        if value is not None:
            yield text, value


def _piece(text: str, weight: float | None, most: float, styled: bool) -> str:
    """One piece; white space about it is not marked."""
    value, words = finite(weight), text.strip()
    level = round(LEVELS * abs(value) / most) if value is not None and most else 0
    if value is None or not level or not words:
        return escape(text)
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    sign = "for" if value > 0 else "against"
    told = f"{'+' if value > 0 else ''}{plain(value)}"
    css = f'class="{sign} w{level}" title="{escape(told)}"'
    return f"{escape(before)}<span {css}{_inline(sign, level) if styled else ''}>{escape(words)}</span>{escape(after)}"


def _inline(sign: str, level: int) -> str:
    hue, line = _INLINE[sign]
    return (
        f' style="background:rgba({hue},{0.07 * level:.2f});border-bottom:{0.6 + 0.6 * level:.1f}px {line} rgb({hue})"'
    )


def _shortened(spans: list[Span], longest: int) -> Iterator[Span]:
    """The pieces, or where they are too long those about the heaviest, with a mark for what is left out."""
    if sum(len(text) for text, _ in spans) <= longest:
        yield from spans
        return
    kept: set[int] = set()
    size = 0
    for place in sorted(range(len(spans)), key=lambda place: -_size(spans[place][1])):
        near = [one for one in range(place - _AROUND, place + _AROUND + 1) if 0 <= one < len(spans) and one not in kept]
        size += sum(len(spans[one][0]) for one in near)
        if kept and size > longest:
            break
        kept.update(near)
    last = -1
    for place in sorted(kept):
        if place != last + 1:
            yield _GAP, None
        yield spans[place]
        last = place
    if last != len(spans) - 1:
        yield _GAP, None


def _size(weight: float | None) -> float:
    return abs(weight) if weight is not None and math.isfinite(weight) else -1.0
