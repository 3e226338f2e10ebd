"""`matrix`: how often each true class got each answer (a confusion matrix)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.report import _svg as art
from assay.report._words import escape, finite, plain
from assay.report.kinds import table

MOST_NUMBERED = 30
MOST_DRAWN = 100
_LEVELS = 12
#: Names may take the room that cells of so many pixels leave, and never more than this share of the width.
_LEAST_CELL, _MOST_NAMES = 30.0, 0.6


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw counts as cells, each row's shading relative to its sum; right answers and mistakes have their own hue.

    Data:
        rows, columns: list of str, the true classes and the answers; the same list makes the diagonal "right".
        counts: a list of numbers for each row.
        x, y: what columns and rows are; "answered" and "true" by default.

    Up to 30 classes the cells carry their counts and names, and names that are too long are written out below; up to
    100 only their shading, with the most frequent mistakes in a table below; beyond that there is only the table.
    """
    rows, columns = ([str(label) for label in data.get(key) or ()] for key in ("rows", "columns"))
    counts = _counts(data.get("counts") or (), len(rows), len(columns))
    if not any(any(row) for row in counts):
        return art.nothing()
    classes = max(len(rows), len(columns))
    axes = str(data.get("y") or "true"), str(data.get("x") or "answered")
    if classes > MOST_DRAWN:
        return _mistakes(rows, columns, counts, axes, title, 25, width)
    if classes > MOST_NUMBERED:
        picture = _shaded(rows, columns, counts, axes, title, width)
        return picture + _mistakes(rows, columns, counts, axes, title, 10, width)
    return _numbered(rows, columns, counts, axes, title, width)


def _counts(given: Sequence[Sequence[Any]], rows: int, columns: int) -> list[list[float]]:
    """`given` as numbers, cut or filled with zeros to `rows` times `columns`."""
    counts = [[max(finite(value) or 0.0, 0.0) for value in row][:columns] for row in given][:rows]
    counts += [[] for _ in range(rows - len(counts))]
    return [row + [0.0] * (columns - len(row)) for row in counts]


def _told(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[float]]) -> str:
    worst = _ranked(rows, columns, counts)[:5]
    mistakes = "; ".join(f"{true} taken for {answer}: {plain(count)}" for count, _, true, answer in worst)
    return f"{len(rows)} classes. Most frequent mistakes: {mistakes or 'none'}."


def _ranked(
    rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[float]]
) -> list[tuple[float, float, str, str]]:
    """Count, share of its row, true class and answer of each mistake, most frequent first."""
    cells = [
        (count, count / sum(row), true, answer)
        for true, row in zip(rows, counts, strict=True)
        for answer, count in zip(columns, row, strict=True)
        if count and true != answer
    ]
    return sorted(cells, key=lambda cell: (-cell[0], -cell[1], cell[2], cell[3]))


def _mistakes(
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[Sequence[float]],
    axes: tuple[str, str],
    title: str,
    most: int,
    width: int,
) -> str:
    ranked = _ranked(rows, columns, counts)
    cells = [[true, answer, count, f"{plain(100 * share, 1)} %"] for count, share, true, answer in ranked[:most]]
    told = table.draw({"columns": [*axes, "times", "of its class"], "rows": cells}, f"Mistakes of {title}", width)
    return told + art.left_out(len(ranked) - most, "less frequent kinds of mistakes are not listed.")


def _hue(true: str, answer: str, same: bool) -> str:
    return "s0" if true == answer or not same else "s1"


def _shaded(
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[Sequence[float]],
    axes: tuple[str, str],
    title: str,
    width: int,
) -> str:
    """Cells without words; those of a shade are one path, which keeps 100 classes small."""
    left, top = 20.0, 24.0
    side = min(width - left, 560.0)
    cell = side / max(len(rows), len(columns))
    paths: dict[tuple[str, int], list[str]] = {}
    for down, (true, row) in enumerate(zip(rows, counts, strict=True)):
        for right, (answer, count) in enumerate(zip(columns, row, strict=True)):
            if count:
                shade = max(1, round(_LEVELS * (count / sum(row)) ** 0.6))
                place = f"M{left + right * cell:.1f} {top + down * cell:.1f}h{cell:.1f}v{cell:.1f}h-{cell:.1f}z"
                paths.setdefault((_hue(true, answer, rows == columns), shade), []).append(place)
    body = art.text(left, 12, f"{axes[1]} →", "label")
    body += art.text(0, 0, f"← {axes[0]}", "label", anchor="end", extra=f' transform="translate(12 {top}) rotate(-90)"')
    frame = f"M{left} {top}h{cell * len(columns):.1f}v{cell * len(rows):.1f}h-{cell * len(columns):.1f}z"
    body += f'<path class="cell-empty" d="{frame}"/>'
    for (hue, shade), places in sorted(paths.items()):
        body += f'<path class="{hue} cell" fill-opacity="{shade / _LEVELS:.2f}" d="{"".join(places)}"/>'
    height = top + cell * len(rows) + 4
    return art.svg(width, height, body, title=title, description=_told(rows, columns, counts))


def _numbered(
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[Sequence[float]],
    axes: tuple[str, str],
    title: str,
    width: int,
) -> str:
    limit = max(0.24 * width, min(_MOST_NAMES * width, width - 32 - _LEAST_CELL * len(columns)))
    shown_rows, shown_columns, key = _keyed(rows, columns, limit)
    left = min(max(art.text_width(label) for label in shown_rows), limit) + 30
    cell = min((width - left - 2) / len(columns), 46.0)
    longest = max(art.text_width(label) for label in shown_columns)
    upright = longest <= cell - 6
    top = 46.0 if upright else min(longest, limit) + 42
    body = art.text(left, 12, f"{axes[1]} →", "label")
    turned = f' transform="translate(12 {art.number(top)}) rotate(-90)"'
    body += art.text(0, 0, f"← {axes[0]}", "label", anchor="end", extra=turned)
    small = cell < 14
    for down, label in enumerate(shown_rows):
        words = art.shorten(label, left - 30)
        body += art.text(left - 8, top + (down + 0.5) * cell + 4, words, "small" if small else "", anchor="end")
    for right, label in enumerate(shown_columns):
        body += _column(label, left + (right + 0.5) * cell, top, limit, upright, small)
    for down, (true, row) in enumerate(zip(rows, counts, strict=True)):
        for right, (answer, count) in enumerate(zip(columns, row, strict=True)):
            share = count / sum(row) if count else 0.0
            hue = _hue(true, answer, rows == columns)
            body += _cell(left + right * cell, top + down * cell, cell, count, share, hue, f"{true} → {answer}")
    height = top + cell * len(rows) + 4
    return art.svg(width, height, body, title=title, description=_told(rows, columns, counts)) + key


def _keyed(rows: Sequence[str], columns: Sequence[str], limit: float) -> tuple[list[str], list[str], str]:
    """The names as the drawing has them, which begin with numbers where some are cut, and below it these in full."""
    long = {(place, name) for names in (rows, columns) for place, name in enumerate(names, 1)
            if art.text_width(name) > limit}  # fmt: skip
    if not long:
        return list(rows), list(columns), ""
    numbered = [[f"{place} {name}" for place, name in enumerate(names, 1)] for names in (rows, columns)]
    told = "; ".join(f"{place} {escape(name)}" for place, name in sorted(long))
    return numbered[0], numbered[1], f'<p class="key">Names in full: {told}.</p>'


def _column(label: str, x: float, top: float, limit: float, upright: bool, small: bool) -> str:
    css = "small" if small else ""
    if upright:
        return art.text(x, top - 9, label, css, anchor="middle")
    turned = f' transform="translate({art.number(x + 4)} {art.number(top - 9)}) rotate(-90)"'
    return art.text(0, 0, art.shorten(label, limit), css, extra=turned)


def _cell(x: float, y: float, side: float, count: float, share: float, hue: str, told: str) -> str:
    edge = f'x="{art.number(x + 0.75)}" y="{art.number(y + 0.75)}" width="{side - 1.5:.1f}" height="{side - 1.5:.1f}"'
    if not count:
        return f'<rect class="cell-empty" {edge}/>'
    shade = max(0.08, share**0.6)  # the root makes rare mistakes visible
    words = plain(count)
    tip = f"<title>{escape(told)}: {escape(words)} ({plain(100 * share, 1)} %)</title>"
    cell = f'<rect class="{hue} cell" {edge} fill-opacity="{shade:.2f}">{tip}</rect>'
    size = min(13.0, 0.46 * side, (side - 3) / art.text_width(words, 1.0))
    if size < 7:
        return cell
    css = "count strong" if shade > 0.62 else "count"
    style = f' font-size="{art.number(size)}"'
    return cell + art.text(x + side / 2, y + side / 2 + size * 0.36, words, css, anchor="middle", extra=style)
