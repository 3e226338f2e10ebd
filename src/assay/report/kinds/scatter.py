"""`scatter`: a point for each sample, such as answers against the truth of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.report import _svg as art
from assay.report._words import finite, plain

MOST_POINTS = 2000


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Draw points.

    Data:
        x, y: lists of numbers of one length; pairs with a missing number are left out; of more than 2,000, every
            n-th is drawn.
        x_label, y_label: the axes' labels.
        diagonal: bool, draw the line x = y, and give both axes the same range.
    """
    xs, ys = data.get("x") or (), data.get("y") or ()
    pairs = [(finite(x), finite(y)) for x, y in zip(xs, ys, strict=False)]
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    every = -(-len(known) // MOST_POINTS) or 1
    points = known[::every]
    diagonal = bool(data.get("diagonal"))
    side = min(width - 64.0, 430.0)
    top = 34.0
    both = [value for point in points for value in point]
    y_scale = art.fit_scale(both if diagonal else [y for _, y in points], top + side, top, round_to=5)
    if y_scale is None:
        return art.nothing()
    left = art.y_margin(y_scale)
    right = min(left + (side if diagonal or width <= art.NARROW else width), width - 12.0)
    x_scale = art.fit_scale(both if diagonal else [x for x, _ in points], left, right, round_to=5)
    if x_scale is None:
        return art.nothing()
    body = art.y_axis(y_scale, left, right, data.get("y_label", ""))
    body += art.x_axis(x_scale, top, top + side, data.get("x_label", ""), width, count=5)
    body += art.line(left, top + side, right, top, "reference") if diagonal else ""
    dots = "".join(f"M{art.number(x_scale(x))} {art.number(y_scale(y))}h0" for x, y in points)
    body += f'<path class="s0 dots{" many" if len(points) > 300 else ""}" d="{dots}"/>'
    told = f"{plain(len(points))} points; {data.get('y_label', 'y')} against {data.get('x_label', 'x')}."
    picture = art.svg(width, top + side + 46, body, title=title, description=told)
    return picture + art.left_out(len(known) - len(points), "more points are not drawn.")
