"""`heat`: values by row and step as colours, such as the gradient norm of each layer during training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.report import _svg as art
from assay.report._words import finite, plain

MOST_ROWS = 60
MOST_COLUMNS = 120
# Viridis (CC0): even steps of lightness, readable with every colour vision and in grey.
COLOURS = ("#440154", "#482878", "#3e4a89", "#31688e", "#26838f", "#1f9e89", "#35b779", "#6dcd59", "#b4de2c", "#fde725")


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw a row of cells for each name, coloured by value, with a key.

    Data:
        rows: list of str; at most 60 are drawn.
        x: list of numbers (steps, epochs), rising.
        values: a list for each row, of number | null (left empty) for each x; more than 120 columns are averaged.
        x_label: the label of the x axis.
        log: bool, colour by the logarithm; what is not positive is then left empty.
    """
    names = [str(name) for name in data.get("rows") or ()]
    steps = list(data.get("x") or ())
    log = bool(data.get("log"))
    values = [_binned(row, len(steps), log) for row in list(data.get("values") or ())[: min(len(names), MOST_ROWS)]]
    known = [value for row in values for value in row if value is not None]
    if not known:
        return art.nothing()
    low, high = min(known), max(known)
    narrow = width <= art.NARROW
    left = min(max(art.text_width(name) for name in names[: len(values)]), 0.32 * width) + 12
    height = 20.0 if len(values) <= 24 else 12.0
    top = 34.0
    columns = max(len(row) for row in values)
    cell = (width - left - 2) / columns
    body = _key(low, high, log, left, width)
    for place, name in enumerate(names[: len(values)]):
        body += art.text(left - 8, top + (place + 0.5) * height + 4, art.shorten(name, left - 10), anchor="end")
    body += _cells(values, low, high, (left, top, cell, height))
    bottom = top + height * len(values)
    body += _steps(steps, left, cell * columns, bottom, 3 if narrow else 6)
    body += art.below(data.get("x_label", ""), left + cell * columns / 2, bottom + 38, width)
    bounds = [plain(10**end if log else end) for end in (low, high)]
    told = f"{len(values)} rows over {len(steps)} steps, values from {bounds[0]} to {bounds[1]}."
    picture = art.svg(width, bottom + 46, body, title=title, description=told)
    return picture + art.left_out(len(names) - MOST_ROWS, "more rows are not drawn.")


def _binned(row: Sequence[Any], columns: int, log: bool) -> list[float | None]:
    """The row's values (their logarithm for `log`), neighbours averaged to at most `MOST_COLUMNS`."""
    numbers = [finite(value) for value in row][:columns]
    numbers += [None] * (columns - len(numbers))
    if log:
        numbers = [math.log10(value) if value is not None and value > 0 else None for value in numbers]
    bins = min(columns, MOST_COLUMNS)
    edges = [place * columns // bins for place in range(bins + 1)] if bins else [0]
    result: list[float | None] = []
    for first, last in itertools.pairwise(edges):
        known = [value for value in numbers[first:last] if value is not None]
        result.append(sum(known) / len(known) if known else None)
    return result


def _level(value: float, low: float, high: float) -> int:
    return round((value - low) / (high - low) * (len(COLOURS) - 1)) if high > low else len(COLOURS) // 2


def _cells(
    values: Sequence[Sequence[float | None]], low: float, high: float, place: tuple[float, float, float, float]
) -> str:
    """All cells, those of one colour as one path."""
    left, top, width, height = place
    paths: dict[int, list[str]] = {}
    for down, row in enumerate(values):
        y = art.number(top + down * height + 0.5)
        for right, value in enumerate(row):
            if value is not None:
                x = art.number(left + right * width)
                corner = f"M{x} {y}h{width + 0.3:.1f}v{art.number(height - 1)}h-{width + 0.3:.1f}z"
                paths.setdefault(_level(value, low, high), []).append(corner)
    return "".join(f'<path fill="{COLOURS[level]}" d="{"".join(cells)}"/>' for level, cells in sorted(paths.items()))


def _key(low: float, high: float, log: bool, left: float, width: int) -> str:
    """The colours with the values of the ends."""
    first, last = (plain(10**end if log else end) for end in (low, high))
    start = left + art.text_width(first) + 8
    over = start + 14 * len(COLOURS) + 8 + art.text_width(last) - width
    if over > 0:  # the key is wider than the cells, as on a telephone
        left, start = left - over, start - over
    cells = "".join(
        f'<rect x="{art.number(start + 14 * place)}" y="6" width="14" height="10" fill="{colour}"/>'
        for place, colour in enumerate(COLOURS)
    )
    end = start + 14 * len(COLOURS) + 8
    return art.text(left, 15, first, "tick") + cells + art.text(end, 15, last, "tick")


def _steps(steps: Sequence[Any], left: float, width: float, bottom: float, count: int) -> str:
    """A few of the steps under the cells that they belong to."""
    last = len(steps) - 1
    places = sorted({round(last * part / (count - 1)) for part in range(count)})
    parts = []
    for place in places:
        step = finite(steps[place])
        x = left + width * (place + 0.5) / len(steps)
        anchor = "start" if place == 0 and last else "end" if place == last and last else "middle"
        parts.append(art.text(x, bottom + 18, "" if step is None else plain(step), "tick", anchor=anchor))
    return "".join(parts)
