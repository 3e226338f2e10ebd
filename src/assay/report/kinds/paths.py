"""`paths`: ways from above, such as where a car was and where a filter put it; both axes have one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.report import _svg as art
from assay.report._words import finite, plain

MOST_PATHS, MOST_POINTS = 6, 600
#: Of the drawing's plot, in pixels.
_HIGHEST, _LOWEST = 460.0, 160.0

Points = list[tuple[float, float]]


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw paths.

    Data:
        paths: list of {"label": str, "x": [number], "y": [number], "series"?: int (hue, by default the place in the
            list), "dashed"?: bool}; at most 6 are drawn, the first below the others; of many points every n-th.
        x, y: the axes' labels.
    """
    given = list(data.get("paths") or ())
    paths = [(path, _points(path)) for path in given[:MOST_PATHS]]
    paths = [(path, points) for path, points in paths if points]
    if not paths:
        return art.nothing()
    xs = [x for _, points in paths for x, _ in points]
    ys = [y for _, points in paths for _, y in points]
    names = [str(path.get("label", "")) for path, _ in paths]
    top = 34.0 + 20 * len(names)
    left, right = 64.0, width - 14.0
    spans = max(max(xs) - min(xs), 1e-9), max(max(ys) - min(ys), 1e-9)
    scale = min((right - left) / spans[0], _HIGHEST / spans[1])
    height = max(_LOWEST, scale * spans[1])
    x_scale = _about(xs, (right - left) / scale, left, right)
    y_scale = _about(ys, height / scale, top + height, top)
    body = art.y_axis(y_scale, left, right, data.get("y", ""))
    body += art.x_axis(x_scale, top, top + height, data.get("x", ""), width, count=5)
    for place, (path, points) in enumerate(paths):
        body += _path(path, points, place, x_scale, y_scale) + _name(path, names[place], place, left, width)
    told = "; ".join(f"{name}: {plain(len(points))} places" for name, (_, points) in zip(names, paths, strict=True))
    picture = art.svg(width, top + height + 46, body, title=title, description=told)
    return picture + art.left_out(len(given) - MOST_PATHS, "more paths are not drawn.")


def _points(path: Mapping[str, Any]) -> Points:
    pairs = [(finite(x), finite(y)) for x, y in zip(path.get("x") or (), path.get("y") or (), strict=False)]
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    every = -(-len(known) // MOST_POINTS) or 1
    return [*known[::every], *known[-1:]]


def _about(values: Sequence[float], span: float, start: float, end: float) -> art.Scale:
    """A scale of a given span about the middle of some values."""
    middle = (min(values) + max(values)) / 2
    return art.Scale(middle - span / 2, middle + span / 2, start, end)


def _path(path: Mapping[str, Any], points: Points, place: int, x: art.Scale, y: art.Scale) -> str:
    hue = int(path.get("series", place) or 0) % art.SERIES
    dash = f' stroke-dasharray="{art.DASHES[1]}"' if path.get("dashed") else ""
    line = "L".join(f"{art.number(x(east))} {art.number(y(north))}" for east, north in points)
    return f'<g class="s{hue}"><path class="line" d="M{line}"{dash}/></g>'


def _name(path: Mapping[str, Any], label: str, place: int, left: float, width: int) -> str:
    hue = int(path.get("series", place) or 0) % art.SERIES
    dash = f' stroke-dasharray="{art.DASHES[1]}"' if path.get("dashed") else ""
    y = 12 + 20 * place
    sample = f'<path class="line" d="M{art.number(left)} {y}h26"{dash}/>'
    return f'<g class="s{hue}">{sample}{art.text(left + 32, y + 4, art.shorten(label, width - left - 34), "name")}</g>'
