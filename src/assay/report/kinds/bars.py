"""`bars`: a horizontal bar for each row, such as the seconds that each stage took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.report import _svg as art
from assay.report._words import escape, finite, measure

MOST_ROWS = 40
_ROW = 28


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw bars from zero.

    Data:
        rows: list of {"label": str, "value": number | null, "series"?: int (hue: 0, the default, the network; 1 the
            baseline)}; at most 40 are drawn, in their order.
        x: the axis' label.
        unit: "", "s", "bytes", another unit, or "%": values are then shares from 0 to 1, written in per cent.
    """
    given = list(data.get("rows") or ())
    rows = [(str(row.get("label", "")), finite(row.get("value")), int(row.get("series") or 0)) for row in given]
    rows = rows[:MOST_ROWS]
    if not any(value is not None for _, value, _ in rows):
        return art.nothing()
    unit = str(data.get("unit") or "")
    told = [(label, measure(value, unit=unit)[0]) for label, value, _ in rows]
    left = min(max(art.text_width(label) for label, _ in told), 0.34 * width) + 14
    right = max(art.text_width(words) for _, words in told) + 12
    scale = art.fit_scale([0.0, *(value for _, value, _ in rows)], left, width - right)
    if scale is None:
        return art.nothing()
    zero, parts = scale(0.0), []
    for place, ((label, value, series), (_, words)) in enumerate(zip(rows, told, strict=True)):
        y = place * _ROW + _ROW / 2 + 2
        parts.append(art.text(left - 12, y + 4, art.shorten(label, left - 14), anchor="end"))
        end = zero if value is None else scale(value)
        start, length = min(zero, end), max(abs(end - zero), 0.0 if value is None else 1.0)
        place_of = f'x="{art.number(start)}" y="{art.number(y - 8)}" width="{art.number(length)}" height="16"'
        tip = f"<title>{escape(label)}: {escape(words)}</title>"
        parts.append(f'<rect class="s{series % art.SERIES} bar" rx="1.5" {place_of}>{tip}</rect>')
        parts.append(art.text(max(end, zero) + 8, y + 4, words, "value"))
    bottom = len(rows) * _ROW + 4
    body = "".join(parts) + art.line(zero, 2, zero, bottom, "axis")
    under = 0.0 if width <= art.NARROW else left
    body += art.text(under, bottom + 18, art.shorten(data.get("x", ""), width - under), "label")
    described = "; ".join(f"{label}: {words}" for label, words in told)
    picture = art.svg(width, bottom + 26, body, title=title, description=described)
    return picture + art.left_out(len(given) - MOST_ROWS, "more rows are not drawn.")
