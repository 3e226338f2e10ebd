"""Drives in words, and as small pictures from above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import MissingExtraError
from assay.evaluation.tracks import Track

if TYPE_CHECKING:
    from assay.samples.route_spec import RouteSpec
    from assay.samples.samples import Samples
    from assay.task import Drawing

Array = np.ndarray[Any, Any]
_SIDE, _EDGE = 224, 12
_TRUE, _ANSWERED = (120, 120, 120), (31, 90, 180)


def told(track: Track) -> str:
    """How long a drive lasted and how far it went; of an answer, how sure its places are."""
    if not len(track):
        return "no poses"
    from assay.evaluation.tracks import largest_sigma

    seconds = float(track.time[-1] - track.time[0])
    words = f"{track.length_m:,.0f} m in {seconds:,.0f} s"
    if len(track.spread):
        words += f", places within {2 * float(largest_sigma(track.spread).max()):,.1f} m"
    return words


def draw_drive(samples: Samples, unit: int, spec: RouteSpec) -> Drawing:
    """The true path of a drive."""
    from assay.task import Drawing

    view = samples.view_of(np.asarray([unit]))
    truth = view.truths()[0] if "target" in samples.index.column_names else Track(*_nothing())
    ways = [(truth.place, _TRUE)] if len(truth) else []
    return Drawing(_picture(ways), (samples.id(unit), *_lines(truth)), large=True)


def draw_answered(samples: Samples, unit: int, output: Track, truth: Track, spec: RouteSpec) -> Drawing:
    """The true path in grey, the track in blue."""
    from assay.evidence.track_figures import laid_on
    from assay.task import Drawing

    ways = [(truth.place, _TRUE), (laid_on(output, truth), _ANSWERED)]
    drawn = _picture([way for way in ways if len(way[0])])
    return Drawing(drawn, (samples.id(unit), "true in grey, answered in blue, each from its dot on"), large=True)


def draw_weights(samples: Samples, unit: int, weights: Array, spec: RouteSpec) -> Drawing:
    """How much each sensor moved the track: a row a sensor in the picture, from the drive's beginning to its end."""
    from assay.report.images import heatmap
    from assay.samples.route_places import rows_of
    from assay.task import Drawing

    own = np.nan_to_num(weights[:, ~np.isnan(weights).all(axis=0)])
    names = list(rows_of(spec))
    lines = (f"{name}: {float(row.mean()):.3g} m" for name, row in zip(names, own, strict=True))
    tall, wide = max(1, 96 // max(1, len(own))), max(1, _SIDE // max(1, own.shape[1]))
    picture = heatmap(np.kron(own, np.ones((tall, wide))), _SIDE) if own.size else None
    shown = f"rows: {', '.join(names)}" if picture else ""
    return Drawing(picture, (samples.id(unit), *filter(None, (shown,)), *lines))


def _lines(truth: Track) -> tuple[str, ...]:
    return (f"way: {told(truth)}",) if len(truth) else ()


def _nothing() -> tuple[Array, Array, Array, Array]:
    return np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 4))


def _picture(ways: list[tuple[Array, tuple[int, int, int]]]) -> str | None:
    """Ways from above as a data URI; None for none."""
    from assay.report.images import thumbnail

    if not ways:
        return None
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtraError("drawing drives", "positioning") from None
    every = np.concatenate([place for place, _ in ways])
    low, high = every.min(axis=0), every.max(axis=0)
    scale = (_SIDE - 2 * _EDGE) / max(float((high - low).max()), 1.0)
    canvas = Image.new("RGB", (2 * _SIDE, 2 * _SIDE), (255, 255, 255))
    pen = ImageDraw.Draw(canvas)
    for place, colour in ways:
        moved = (place - (low + high) / 2) * scale * 2
        points = [(_SIDE + float(x), _SIDE - float(y)) for x, y in moved]
        pen.line([*points, points[-1]], fill=colour, width=4, joint="curve")
        x, y = points[0]
        pen.ellipse((x - 8, y - 8, x + 8, y + 8), fill=colour)
    return thumbnail(np.asarray(canvas, np.uint8), _SIDE)
