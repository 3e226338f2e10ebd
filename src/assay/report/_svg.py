"""What the figures share: scales with round ticks, axes, markers, and text that fits its place.

Colours and strokes are classes that `page.css` fills from custom properties, so a figure follows the page's theme.
`s0` to `s5` are the series; each has its own hue, dash and marker, so that none is told apart by colour alone.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay.report._words import clean, escape, in_per_cent, plain

WIDE = 760
NARROW = 360
SERIES = 6
TEXT_SIZE = 12.5
DASHES = ("", "7 4", "2 3.5", "10 3 2 3", "5 2", "1 3")


@dataclass(frozen=True)
class Scale:
    """Maps data from `low` to `high` on pixels from `start` to `end`, by the logarithm if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        place = math.log10(value) if self.log else value
        share = min(1.0, max(0.0, (place - low) / (high - low)))
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """About `count` round values within the scale."""
        return _log_ticks(self.low, self.high, count) if self.log else _linear_ticks(self.low, self.high, count)


def _step(span: float, count: int) -> float:
    """The round step (1, 2, 2.5 or 5 times a power of ten) that cuts `span` into at most `count` parts."""
    power = 10.0 ** math.floor(math.log10(span / count))
    return next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= span / count * 0.999), 10 * power)


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    step = _step(high - low, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((last - first) / count))
    for factors in ((1,), (1, 3), (1, 2, 5)):
        values = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        inside = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(inside) >= 3:
            return inside
    return inside if len(inside) > 1 else _linear_ticks(low, high, count)


def fit_scale(
    values: Iterable[float | None],
    start: float,
    end: float,
    *,
    log: bool = False,
    round_to: int = 0,
) -> Scale | None:
    """The scale that holds all of `values`; None when none of them can be drawn.

    Args:
        values: data; None, and for `log` also what is not positive, is left out.
        start: the pixel of the lowest value.
        end: the pixel of the highest value.
        log: whether the scale is logarithmic.
        round_to: widen the scale to round values, with about so many ticks; 0 keeps it tight.
    """
    known = [value for value in values if value is not None and (value > 0 or not log)]
    if not known:
        return None
    low, high = min(known), max(known)
    if log:
        return Scale(low, high, start, end, True) if high > low * 1.01 else Scale(low / 2, high * 2, start, end, True)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.1 * abs(low) or 1.0
        low, high = low - margin, high + margin
    if round_to:
        step = _step(high - low, round_to)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high, start, end)


def tick_texts(ticks: Sequence[float], unit: str = "") -> list[str]:
    """The ticks' labels, with just the decimals that tell them apart; shares are written in per cent."""
    suffix = "\u202f%" if in_per_cent(unit) else ""
    ticks = [100 * tick for tick in ticks] if suffix else ticks
    gap = min((abs(after - before) for before, after in itertools.pairwise(ticks)), default=1.0)
    decimals = next((digits for digits in range(7) if abs(gap - round(gap, digits)) <= 1e-3 * gap), None)
    large = max((abs(tick) for tick in ticks), default=0.0) >= 1e6
    return [plain(tick, None if large and tick else decimals) + suffix for tick in ticks]


def log_texts(ticks: Sequence[float]) -> list[str]:
    """Labels of logarithmic ticks, each with its own decimals."""
    return [f"{tick:g}" if 1e-3 <= tick < 1 else plain(tick) for tick in ticks]


def text_width(text: str, size: float = TEXT_SIZE) -> float:
    """About how many pixels `text` takes, by the widest of the common system fonts.

    The page has no font measures when it is written, and room to spare looks better than words cut off.
    """
    return sum(map(_sign_width, text)) * size


def _sign_width(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.05
    if sign in " .,:;'|ijlItfr[]()\u00a0\u202f":
        return 0.4
    return 0.9 if sign in "mwMW%" else 0.72 if sign.isupper() else 0.635


def shorten(value: object, width: float, size: float = TEXT_SIZE) -> str:
    """`value` as text of at most `width` pixels, its end replaced by an ellipsis where it is longer."""
    label = " ".join(clean(value)[:400].split())
    if text_width(label, size) <= width + 0.01:
        return label
    while label and text_width(label + "…", size) > width:
        label = label[:-1]
    return label.rstrip() + "…"


def in_two(value: object, width: float, size: float = TEXT_SIZE) -> list[str]:
    """`value` in one line, or in two that break between words, the second shortened where it has to be."""
    label = " ".join(clean(value)[:400].split())
    if text_width(label, size) <= width + 0.01:
        return [label]
    first, _, rest = label.partition(" ")
    while rest:
        word, _, after = rest.partition(" ")
        if text_width(f"{first} {word}", size) > width:
            break
        first, rest = f"{first} {word}", after
    if not rest or text_width(first, size) > width:
        return [shorten(label, width, size)]
    return [first, shorten(rest, width, size)]


def number(value: float) -> str:
    """A coordinate in as few signs as a tenth of a pixel needs."""
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, value: object, css: str = "", *, anchor: str = "start", extra: str = "") -> str:
    """A line of text whose baseline starts, centres or ends (`anchor`) at (x, y)."""
    classes = f' class="{css}"' if css else ""
    anchored = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{number(x)}" y="{number(y)}"{classes}{anchored}{extra}>{escape(value)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line."""
    return f'<path class="{css}" d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"/>'


def shape(series: int) -> int:
    """Which dash and marker a series has; those that share a hue with an earlier one have another."""
    return (series + series // SERIES) % SERIES


def marker(series: int, x: float, y: float, radius: float = 4.5) -> str:
    """The series' own shape: circle, square, diamond, triangle, inverted triangle, hourglass."""
    r = radius
    if shape(series) == 0:
        return f'<circle class="mark" cx="{number(x)}" cy="{number(y)}" r="{number(r)}"/>'
    shapes = (
        [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        [(0, -1.2), (1.2, 0.95), (-1.2, 0.95)],
        [(0, 1.2), (1.2, -0.95), (-1.2, -0.95)],
        [(-1.1, -1.1), (1.1, -1.1), (-1.1, 1.1), (1.1, 1.1)],
    )
    corners = shapes[shape(series) - 1]
    points = "L".join(f"{number(x + r * right)} {number(y + r * down)}" for right, down in corners)
    return f'<path class="mark" d="M{points}Z"/>'


def x_axis(
    scale: Scale,
    top: float,
    bottom: float,
    label: object,
    width: int,
    *,
    unit: str = "",
    count: int = 6,
    whole: bool = False,
) -> str:
    """Ticks under the plot, at `whole` numbers alone if asked, their grid lines, and the label of the axis.

    All stays within a drawing of `width`.
    """
    if whole and not scale.log:
        count = max(1, min(count, int(scale.high - scale.low)))
    ticks, labels = _labelled(scale, unit, count)
    while count > 2 and sum(text_width(one) + 12 for one in labels) > abs(scale.end - scale.start) + 24:
        count -= 1
        ticks, labels = _labelled(scale, unit, count)
    parts = [line(scale(tick), top, scale(tick), bottom, "grid") for tick in ticks]
    for tick, words in zip(ticks, labels, strict=True):
        beyond = max(0.0, scale(tick) + text_width(words) / 2 - width)
        parts.append(text(scale(tick) - beyond, bottom + 17, words, "tick", anchor="middle"))
    return "".join(parts) + below(label, (scale.start + scale.end) / 2, bottom + 37, width)


def _labelled(scale: Scale, unit: str, count: int) -> tuple[list[float], list[str]]:
    ticks = scale.ticks(count)
    return ticks, log_texts(ticks) if scale.log else tick_texts(ticks, unit)


def below(label: object, middle: float, y: float, width: int) -> str:
    """An axis' label centred at `middle`, or at the right edge where that leaves it too little room."""
    words = shorten(label, width)
    if text_width(words) / 2 > min(middle, width - middle):
        return text(width, y, words, "label", anchor="end")
    return text(middle, y, words, "label", anchor="middle")


def y_axis(scale: Scale, left: float, right: float, label: object, *, unit: str = "", count: int = 5) -> str:
    """Ticks left of the plot, their grid lines, and the axis' label lying above them, so that it is read upright."""
    ticks, labels = _labelled(scale, unit, count)
    parts = [line(left, scale(tick), right, scale(tick), "grid") for tick in ticks]
    parts += [
        text(left - 8, scale(tick) + 4, words, "tick", anchor="end") for tick, words in zip(ticks, labels, strict=True)
    ]
    return "".join(parts) + text(2, min(scale.start, scale.end) - 14, shorten(label, right - 20), "label")


def y_margin(scale: Scale, *, unit: str = "", count: int = 5) -> float:
    """How much room the labels of `y_axis` take."""
    _, labels = _labelled(scale, unit, count)
    return max((text_width(label) for label in labels), default=20.0) + 12


def svg(width: float, height: float, body: str, *, title: str, description: str) -> str:
    """A drawing that scales with the page; `title` and `description` are what a screen reader tells."""
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {number(width)} {number(height)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title><desc>{escape(description)}</desc>'
        f"{body}</svg>"
    )


def nothing(reason: str = "There is nothing to draw here.") -> str:
    """What stands where a figure has no data."""
    return f'<p class="nothing">{escape(reason)}</p>'


def left_out(count: int, what: str) -> str:
    """The note under a figure that does not draw all that it was given."""
    return f'<p class="left-out">{escape(plain(count, 0))} {escape(what)}</p>' if count > 0 else ""
