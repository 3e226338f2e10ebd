"""Figures as text that stands in the page: inline SVG for plots, HTML for galleries, tables and layers.

Each kind is a file in `kinds/`; the docstring of its `draw` says what the figure's `data` holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay.evidence.finding import Figure
from assay.report._svg import NARROW, WIDE
from assay.report._words import escape, prose
from assay.report.kinds import bars, gallery, heat, intervals, layers, lines, matrix, paths, scatter, table

KINDS: dict[str, Callable[[Mapping[str, Any], str, int], str]] = {
    "bars": bars.draw,
    "gallery": gallery.draw,
    "heat": heat.draw,
    "intervals": intervals.draw,
    "layers": layers.draw,
    "lines": lines.draw,
    "matrix": matrix.draw,
    "paths": paths.draw,
    "scatter": scatter.draw,
    "table": table.draw,
}
_HTML = frozenset({"gallery", "layers", "table"})  # these fit every width by themselves


def draw(figure: Figure) -> str:
    """Draw a figure with its title and caption.

    A plot is drawn twice, for wide and for narrow places, and the page shows the one that fits: a scaled plot would
    have unreadable letters on a phone.

    Args:
        figure: what to show; text in it may come from anywhere and is escaped.

    Returns:
        A `<figure>` element, well-formed as XML, whose colours come from the page's style sheet.

    Raises:
        ValueError: the figure's kind is not one of `KINDS`.
    """
    if figure.kind not in KINDS:
        raise ValueError(f"unknown kind of figure {figure.kind!r}; known are {', '.join(sorted(KINDS))}")
    kind = KINDS[figure.kind]
    drawn = wide = kind(figure.data, figure.title, WIDE)
    if figure.kind not in _HTML and (narrow := kind(figure.data, figure.title, NARROW)) != wide:
        drawn = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    caption = f'<p class="caption">{prose(figure.caption)}</p>' if figure.caption else ""
    return (
        f'<figure class="figure kind-{figure.kind}"><figcaption>{escape(figure.title)}</figcaption>'
        f"{drawn}{caption}</figure>"
    )
