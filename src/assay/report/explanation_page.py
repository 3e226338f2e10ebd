"""One explained answer as a file: a page that loads nothing from elsewhere, or a picture."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.evidence.finding import Figure
from assay.report import figures
from assay.report._words import clean, escape
from assay.report.explained import SPANS_CAPTION, heard, shaded

if TYPE_CHECKING:
    from assay.serving.explanation import Explanation

_ROWS, _LONGEST = 25, 20_000
_SIDE, _GAP = 448, 16  # pixels: the longer side of a picture at least, and what lies between two

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; media-src data:;
 style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Assay</title>
<style>{style}</style>
</head>
<body>
<div class="page">
<header class="top">
<p class="title">{title}</p>
<h1>{answer}</h1>
{notice}<p class="lead">{judged}</p>
</header>
<main>
<section class="finding">
{figures}
</section>
</main>
</div>
</body>
</html>
"""


def write_page(explanation: Explanation, judged: str, notice: str = "") -> str:
    """The explanation as HTML: the answer, what the explanation is worth, and what weighed.

    Args:
        explanation: of one answer; text from outside is inert in the page.
        judged: what the explanation is worth, in a sentence.
        notice: what stands at the top of every page of the application (`Traits.notice`).
    """
    shown = [_pictures(explanation)] if explanation.drawn.image else []
    shown += [_text(explanation)] if explanation.drawn.spans else []
    rows = [{"label": name, "value": weight} for name, weight in list(explanation.parts.items())[:_ROWS]]
    data = {"rows": rows, "x": "weight", "unit": explanation.unit}
    caption = (
        "To the right what spoke for the answer or raised the number, to the left what spoke against or lowered it."
    )
    shown.append(Figure("bars", "What weighed", data, caption))
    return _PAGE.format(
        title=escape(clean(explanation.id)),
        style=resources.files("assay.report").joinpath("page.css").read_text(encoding="utf-8"),
        answer=escape(explanation.words),
        notice=f'<p class="lead"><strong>{escape(notice)}</strong></p>\n' if notice else "",
        judged=escape(f"{part_of_several(explanation)} {judged}".strip()),
        figures="\n".join(figures.draw(figure) for figure in shown),
    )


def part_of_several(explanation: Explanation) -> str:
    """Which of several windows was explained, as a sentence; empty where there is one alone."""
    if explanation.windows < 2:
        return ""
    return f"Explained is part {explanation.window + 1} of {explanation.windows}, on which the answer rests most."


def _text(explanation: Explanation) -> Figure:
    item: dict[str, Any] = {"image": None, "title": explanation.id, "lines": [], **shaded(explanation.drawn)}
    return Figure("gallery", "What it went by", {"items": [item], "longest": _LONGEST}, SPANS_CAPTION)


def _pictures(explanation: Explanation) -> Figure:
    images = {"image": explanation.plain.image, "beside": explanation.drawn.image}
    item: dict[str, Any] = {**images, "title": explanation.id, "lines": [], **heard(explanation.plain)}
    caption = "Orange spoke for the answer, blue against it; the brighter, the more."
    return Figure("gallery", "Where it looked", {"items": [item]}, caption)


def write_picture(explanation: Explanation) -> bytes:
    """The input beside the places that weighed, as a PNG.

    Raises:
        ValueError: the input is no picture.
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("drawing pictures", "image") from None
    pictures = [_enlarged(drawing.image) for drawing in (explanation.plain, explanation.drawn) if drawing.image]
    if not pictures:
        raise ValueError(f"{explanation.id} is no picture")
    width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + _GAP
    buffer = io.BytesIO()
    whole.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _enlarged(uri: str) -> Any:
    """A picture out of its data URI, enlarged by a whole factor."""
    from PIL import Image

    picture: Image.Image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
    factor = max(1, -(-_SIDE // max(picture.size)))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
