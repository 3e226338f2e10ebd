"""`intervals`: a dot with its 95 % interval for each row, such as the accuracy of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.report import _svg as art
from assay.report._words import escape, finite, in_per_cent, measure, shared_decimals

MOST_ROWS = 25
#: The height of a row, and of those where a label takes two lines; and how far these lines are apart.
_ROW, _TALL_ROW, _LINE = 26, 36, 14


@dataclass(frozen=True)
class _Row:
    label: str
    value: float | None
    low: float | None
    high: float | None
    group: str
    series: int
    decimals: int | None = None

    def words(self, unit: str) -> str:
        value, bounds = measure(self.value, self.low, self.high, unit, decimals=self.decimals)
        return f"{value} {bounds}".strip()


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw rows of values with their intervals.

    Data:
        rows: list of {"label": str, "value": number | null, "low": number | null, "high": number | null,
            "group"?: str (rows of a group stand together under its name), "series"?: int (hue and marker: 0, the
            default, the network; 1 the baseline)}.
        x: the axis' label.
        unit: "", another unit, or "%": values are then shares from 0 to 1, written in per cent.
        reference?: {"label": str, "value": number}, a dashed line.
        worst?: "low" (default) or "high": which end comes first when there are more than 25 rows and only the
            worst 25 are drawn; fewer rows keep their order.
    """
    given = [_row(row) for row in data.get("rows") or ()]
    rows = _worst([row for row in given if row.value is not None], data.get("worst") == "high")
    if len(given) <= MOST_ROWS:
        rows = given
    reference = data.get("reference") or {}
    at = finite(reference.get("value"))
    values = [value for row in rows for value in (row.value, row.low, row.high)]
    unit = str(data.get("unit") or "")
    decimals = shared_decimals([(row.value, row.low, row.high) for row in rows], unit)
    rows = [replace(row, decimals=decimals) for row in rows]
    left, right = _margins(rows, unit, width)
    scale = art.fit_scale([*values, at], left, width - right, round_to=5)
    if scale is None:
        return art.nothing()
    if (in_per_cent(unit) or not unit) and all(0 <= value <= 1 for value in (*values, at) if value is not None):
        scale = replace(scale, low=max(0.0, scale.low), high=min(1.0, scale.high))  # no share is above 1
    top = 26.0 if at is not None else 8.0
    body, bottom = _rows(rows, scale, top, unit, width)
    axis = art.x_axis(scale, top, bottom, data.get("x", ""), width, unit=unit, count=6 if width > art.NARROW else 3)
    guide = _reference(scale, at, str(reference.get("label", "")), top, bottom, width) if at is not None else ""
    told = "; ".join(f"{row.label}: {row.words(unit)}" for row in rows)
    picture = art.svg(width, bottom + 46, axis + guide + body, title=title, description=told)
    return picture + art.left_out(len(given) - len(rows), "more rows are not drawn; these are the worst.")


def _row(row: Mapping[str, Any]) -> _Row:
    value, low, high = (finite(row.get(key)) for key in ("value", "low", "high"))
    return _Row(str(row.get("label", "")), value, low, high, str(row.get("group") or ""), int(row.get("series") or 0))


def _worst(rows: Sequence[_Row], high_is_worse: bool) -> list[_Row]:
    ordered = sorted(rows, key=lambda row: row.value or 0.0, reverse=high_is_worse)
    return ordered[:MOST_ROWS]


def _margins(rows: Sequence[_Row], unit: str, width: int) -> tuple[float, float]:
    """Room for the labels on the left, and on the right for the values, with their bounds where the page is wide."""
    labels = max((art.text_width(row.label) for row in rows), default=0.0)
    values = max((art.text_width(_value(row, unit, width)) for row in rows), default=0.0)
    return min(labels, 0.4 * width) + 14, min(values + 18, 0.36 * width)


def _value(row: _Row, unit: str, width: int) -> str:
    if width > art.NARROW:
        return row.words(unit)
    return measure(row.value, row.low, row.high, unit, decimals=row.decimals)[0]


def _rows(rows: Sequence[_Row], scale: art.Scale, top: float, unit: str, width: int) -> tuple[str, float]:
    """All rows under their groups' names, and where the last one ends."""
    groups = list(dict.fromkeys(row.group for row in rows))
    tall = any(art.text_width(row.label) > scale.start - 14 + 0.01 for row in rows)
    height = _TALL_ROW if tall else _ROW
    parts, y = [], top + height / 2
    for group in groups:
        if group:
            parts.append(art.text(0, y + 4, art.shorten(group, scale.start + 60), "heading"))
            y += _ROW
        for row in (row for row in rows if row.group == group):
            parts.append(_drawn(row, scale, y, unit, width))
            y += height
    return "".join(parts), y - height / 2 + 2


def _drawn(row: _Row, scale: art.Scale, y: float, unit: str, width: int) -> str:
    label = _label(row.label, scale.start - 12, y, scale.start - 14)
    told = art.text(width, y + 4, _value(row, unit, width), "value", anchor="end")
    if row.value is None:
        return label + told
    parts = [f"<title>{escape(row.label)}: {escape(row.words(unit))}</title>"]
    if row.low is not None and row.high is not None:
        low, high = scale(row.low), scale(row.high)
        parts.append(art.line(low, y, high, y, "whisker"))
        parts += [art.line(end, y - 4, end, y + 4, "whisker") for end in (low, high)]
    parts.append(art.marker(row.series, scale(row.value), y, 5 if width > art.NARROW else 4))
    return label + f'<g class="s{row.series % art.SERIES}">{"".join(parts)}</g>' + told


def _label(label: str, right: float, y: float, room: float) -> str:
    """A label that ends at `right`, in two lines where it is wider than its room."""
    lines = art.in_two(label, room)
    first = y + 4 - (len(lines) - 1) * _LINE / 2
    return "".join(art.text(right, first + place * _LINE, one, anchor="end") for place, one in enumerate(lines))


def _reference(scale: art.Scale, at: float, label: str, top: float, bottom: float, width: int) -> str:
    x = scale(at)
    half = art.text_width(label) / 2
    centre = min(max(x, half), width - half)
    return art.line(x, top - 6, x, bottom, "reference") + art.text(centre, top - 11, label, "note", anchor="middle")
