"""`lines`: series over a common x axis with bands of uncertainty, such as learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.report import _svg as art
from assay.report._words import finite, measure, plain

MOST_POINTS = 400
MOST_SERIES = 12
_MARKED_POINTS = 14  # with more points than these, markers would hide the line
_DENSE_POINTS = 250
_MARK_ROW = 16

Point = tuple[float, float, float | None, float | None]


@dataclass(frozen=True)
class _Series:
    index: int
    label: str
    points: tuple[Point | None, ...]  # x, y, low, high; None is a gap
    dash: str
    loose: bool = False

    @property
    def hue(self) -> int:
        """The class of its colour."""
        return self.index % art.SERIES

    @property
    def known(self) -> list[Point]:
        return [point for point in self.points if point is not None]

    @property
    def marked(self) -> bool:
        """Whether the points are few enough to be marked; a line through two, such as an ideal, has nothing to mark."""
        return self.loose or len(self.known) == 1 or 2 < len(self.known) <= _MARKED_POINTS


@dataclass(frozen=True)
class _Frame:
    x: art.Scale
    y: art.Scale
    unit: str


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw lines, their bands and their names.

    Data:
        series: list of {"label": str, "x": [number], "y": [number | null] (null is a gap), "low"?: [number | null],
            "high"?: [number | null], "dashed"?: bool (by default each series has a dash of its own),
            "series"?: int (hue and marker, by default the place in the list), "loose"?: bool (points with their
            intervals, not joined)}; at most 12 are drawn. A series without a label is drawn without a name.
        x, y: the axes' labels.
        unit?: "%": the values of y are shares from 0 to 1, written in per cent.
        log_x?, log_y?: bool; what is not positive is then left out.
        span?: list of numbers that the y axis holds at least, so that figures beside one another can be compared.
        marks?: list of {"x": number, "label": str}, vertical lines such as the place where two lines cross.
    """
    given = list(data.get("series") or ())
    log_x, log_y = bool(data.get("log_x")), bool(data.get("log_y"))
    series = [_series(one, place, len(given), log_x, log_y) for place, one in enumerate(given[:MOST_SERIES])]
    series = [one for one in series if one.known]
    marks = _known_marks(data.get("marks") or (), log_x)
    legend_above = width <= art.NARROW and len(_named(series)) > 1
    frame = _frame(series, [at for at, _ in marks], data, width, legend_above)
    if frame is None:
        return art.nothing()
    top, bottom = frame.y.end, frame.y.start
    narrow = width <= art.NARROW
    whole = all(point[0].is_integer() for one in series for point in one.known)
    body = art.y_axis(frame.y, frame.x.start, frame.x.end, data.get("y", ""), unit=frame.unit)
    body += art.x_axis(frame.x, top, bottom, data.get("x", ""), width, count=4 if narrow else 8, whole=whole)
    body += _marks(marks, frame)
    body += "".join(_band(one, frame) for one in series if not one.loose)
    body += "".join(_points(one, frame) if one.loose else _line(one, frame) for one in series)
    body += _legend(_named(series), frame, width) if legend_above else _end_labels(series, frame, width)
    told = "; ".join(_told(one, frame.unit) for one in _named(series))
    picture = art.svg(width, bottom + 46, body, title=title, description=told)
    return picture + art.left_out(len(given) - MOST_SERIES, "more series are not drawn.")


def _named(series: Sequence[_Series]) -> list[_Series]:
    return [one for one in series if one.label]


def _drawable(value: Any, log: bool) -> float | None:
    """`value` as a number that its axis can show, else None."""
    number = finite(value)
    return number if number is not None and (number > 0 or not log) else None


def _known_marks(given: Sequence[Mapping[str, Any]], log: bool) -> list[tuple[float, str]]:
    places = [(_drawable(mark.get("x"), log), str(mark.get("label", ""))) for mark in given]
    return [(at, label) for at, label in places if at is not None]


def _series(one: Mapping[str, Any], place: int, total: int, log_x: bool, log_y: bool) -> _Series:
    xs, ys = list(one.get("x") or ()), list(one.get("y") or ())
    lows, highs = (list(one.get(key) or ()) + [None] * len(ys) for key in ("low", "high"))
    points: list[Point | None] = []
    for raw in zip(xs, ys, lows, highs, strict=False):
        x, (y, low, high) = _drawable(raw[0], log_x), (_drawable(value, log_y) for value in raw[1:])
        points.append(None if x is None or y is None else (x, y, low, high))
    index = int(one.get("series", place) or 0)
    dashed = one.get("dashed")
    dash = art.DASHES[art.shape(index)] if dashed is None and total > 1 else art.DASHES[1] if dashed else ""
    return _Series(index, str(one.get("label", "")), tuple(_thinned(points)), dash, bool(one.get("loose")))


def _thinned(points: Sequence[Point | None]) -> list[Point | None]:
    """At most `MOST_POINTS`: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= MOST_POINTS:
        return list(points)
    stretch = 2 * len(points) / MOST_POINTS
    chosen: list[Point | None] = []
    for part in range(MOST_POINTS // 2):
        known = [(at, point) for at in range(int(part * stretch), int((part + 1) * stretch)) if (point := points[at])]
        ends = {at: point for at, point in (min(known, key=_height), max(known, key=_height))} if known else {}
        chosen += [ends[at] for at in sorted(ends)] or [None]
    return chosen


def _height(item: tuple[int, Point]) -> float:
    return item[1][1]


def _frame(
    series: Sequence[_Series], marks: Sequence[float], data: Mapping[str, Any], width: int, legend_above: bool
) -> _Frame | None:
    narrow = width <= art.NARROW
    unit = str(data.get("unit") or "")
    rows = len(_legend_rows(_named(series), width)) if legend_above else 0
    top = 34.0 + 20 * rows + _MARK_ROW * len(marks)
    bottom = top + (200 if narrow else 260)
    values = [value for one in series for point in one.known for value in point[1:]]
    values += [_drawable(value, bool(data.get("log_y"))) for value in data.get("span") or ()] if values else []
    y = art.fit_scale(values, bottom, top, log=bool(data.get("log_y")), round_to=0 if data.get("log_y") else 5)
    if y is None:
        return None
    names = max((art.text_width(one.label) for one in series), default=0.0)
    right = 14.0 if legend_above else min(names + 26, 0.3 * width)
    left = art.y_margin(y, unit=unit)
    xs = [*(point[0] for one in series for point in one.known), *marks]
    x = art.fit_scale(xs, left, width - right, log=bool(data.get("log_x")))
    return _Frame(x, y, unit) if x else None


def _runs(series: _Series, frame: _Frame, *, banded: bool) -> list[list[Point]]:
    """The stretches without a gap; for bands also without a missing bound."""
    runs: list[list[Point]] = [[]]
    for point in series.points:
        if point is None or (banded and (point[2] is None or point[3] is None)):
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{art.number(x)} {art.number(y)}" for x, y in points)


def _band(series: _Series, frame: _Frame) -> str:
    parts = []
    for run in _runs(series, frame, banded=True):
        lower = [(frame.x(x), frame.y(low)) for x, _, low, _ in run if low is not None]
        upper = [(frame.x(x), frame.y(high)) for x, _, _, high in run if high is not None]
        parts.append(f"M{_path(lower + upper[::-1])}Z")
    return f'<path class="s{series.hue} band" d="{"".join(parts)}"/>' if parts else ""


def _line(series: _Series, frame: _Frame) -> str:
    runs = _runs(series, frame, banded=False)
    path = "".join(f"M{_path([(frame.x(point[0]), frame.y(point[1])) for point in run])}" for run in runs)
    dash = f' stroke-dasharray="{series.dash}"' if series.dash else ""
    css = "line dense" if len(series.known) > _DENSE_POINTS else "line"
    body = f'<path class="{css}" d="{path}"{dash}/>'
    if series.marked:
        body += "".join(art.marker(series.index, frame.x(point[0]), frame.y(point[1]), 3.6) for point in series.known)
    return f'<g class="s{series.hue}">{body}</g>'


def _points(series: _Series, frame: _Frame) -> str:
    parts = []
    for x, y, low, high in series.known:
        if low is not None and high is not None:
            parts.append(art.line(frame.x(x), frame.y(low), frame.x(x), frame.y(high), "whisker"))
        parts.append(art.marker(series.index, frame.x(x), frame.y(y), 3.6))
    return f'<g class="s{series.hue}">{"".join(parts)}</g>'


def _end_labels(series: Sequence[_Series], frame: _Frame, width: int) -> str:
    """Each line's name at its end, moved apart where they would overlap."""
    wanted = sorted(((frame.y(one.known[-1][1]), one) for one in series if one.label), key=lambda pair: pair[0])
    places: list[float] = []
    for y, _ in wanted:
        places.append(max(y, places[-1] + 16) if places else y)
    overflow = (places[-1] - frame.y.start) if places else 0.0
    shift = max(0.0, min(overflow, places[0] - frame.y.end)) if places else 0.0
    parts = []
    for (y, one), place in zip(wanted, (place - shift for place in places), strict=True):
        x, end = frame.x(one.known[-1][0]), frame.x.end
        label = art.text(end + 16, place + 4, art.shorten(one.label, width - end - 16), "name")
        moved = abs(place - y) > 3 or end - x > 3
        lead = art.line(x + 6, y, end + 12, place, "lead") if moved else ""
        parts.append(f'<g class="s{one.hue}">{lead}{label}</g>')
    return "".join(parts)


def _legend_rows(series: Sequence[_Series], width: int) -> list[list[tuple[float, _Series]]]:
    """The names set in rows, each with its place from the left."""
    rows: list[list[tuple[float, _Series]]] = [[]]
    x = 0.0
    for one in series:
        needed = min(art.text_width(one.label), width - 40) + 46
        if rows[-1] and x + needed > width:
            rows.append([])
            x = 0.0
        rows[-1].append((x, one))
        x += needed
    return rows


def _legend(series: Sequence[_Series], frame: _Frame, width: int) -> str:
    parts = []
    for row, names in enumerate(_legend_rows(series, width)):
        y = 10 + 20 * row
        for x, one in names:
            dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
            sample = f'<path class="line" d="M{art.number(x)} {y}h26"{dash}/>'
            sample += art.marker(one.index, x + 13, y, 3.6) if one.marked else ""
            label = art.text(x + 32, y + 4, art.shorten(one.label, width - x - 34), "name")
            parts.append(f'<g class="s{one.hue}">{sample}{label}</g>')
    return "".join(parts)


def _marks(marks: Sequence[tuple[float, str]], frame: _Frame) -> str:
    """Vertical lines, their names above the plot, each in a row of its own."""
    parts = []
    for row, (at, label) in enumerate(reversed(marks)):
        x, y = frame.x(at), frame.y.end - 6 - _MARK_ROW * row
        left_half = x < (frame.x.start + frame.x.end) / 2
        parts.append(art.line(x, y - 10, x, frame.y.start, "reference"))
        words = art.shorten(label, max(x - frame.x.start, frame.x.end - x) + 20)
        anchor = "start" if left_half else "end"
        parts.append(art.text(x + (5 if left_half else -5), y, words, "note halo", anchor=anchor))
    return "".join(parts)


def _told(series: _Series, unit: str) -> str:
    first, last = series.known[0], series.known[-1]
    begin, end = (measure(point[1], unit=unit)[0] for point in (first, last))
    return f"{series.label}: from {begin} at {plain(first[0])} to {end} at {plain(last[0])}"
