"""`gallery`: samples as cards, with or without a picture, such as the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.report import _svg as art
from assay.report._words import audio_source, escape, image_source
from assay.report.spans import draw_spans

MOST_ITEMS, LONGEST = 60, 1500
#: So many cards have a key for all of them; what is always a card's own.
_FEW = 2
_OWN = frozenset({"true", "answered", "given", "label"})


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Write a grid of cards.

    Data:
        items: list of {"image": data URI of a PNG, WebP, JPEG or GIF, or null, "title": str, "lines": [str]
            ("name: value" is set as a definition), "wrong"?: bool (marked with a cross and the word), "beside"?: data
            URI of a second picture, such as where the network looked, "spans"?: list of (str, number | null), text in
            pieces with what each weighed, "audio"?: data URI of an MP3, WAV or OGG, "audio_beside"?: that
            of the second picture, "large"?: bool, a picture with marks that are to be seen}; at most 60 are shown.
        longest?: int, characters of a text in spans, 1,500 by default; of a longer one what weighed most is shown.

    `report.images` makes the pictures.
    """
    items = list(data.get("items") or ())
    if not items:
        return art.nothing()
    longest = int(data.get("longest") or LONGEST)
    shared = _shared([list(map(str, item.get("lines") or ())) for item in items[:MOST_ITEMS]])
    cards = "".join(f"<li>{_card(item, longest, shared)}</li>" for item in items[:MOST_ITEMS])
    pictures = any(image_source(item.get("image")) for item in items)
    double = any(image_source(item.get("beside")) for item in items)
    texts = any(item.get("spans") for item in items)
    heard = any(audio_source(item.get("audio")) for item in items)
    large = "large" if any(item.get("large") for item in items) else ""
    shown = f"double {large}".strip() if double else large
    css = "heard" if heard else shown if pictures else "words texts" if texts else "words"
    key = f'<p class="key">{escape("; ".join(shared))}</p>' if shared else ""
    return f'<ul class="{f"gallery {css}".strip()}" aria-label="{escape(title)}">{cards}</ul>{key}' + art.left_out(
        len(items) - MOST_ITEMS, "more are not shown."
    )


def _shared(lines: Sequence[Sequence[str]]) -> list[str]:
    """What the cards of pictures have in common and is no number, such as what colours mean: it is said once."""
    if len(lines) < _FEW:
        return []
    return [one for one in lines[0] if all(one in other for other in lines[1:]) and _is_key(one)]


def _is_key(line: str) -> bool:
    return line.partition(": ")[0] not in _OWN and not any(map(str.isdecimal, line))


def _card(item: Mapping[str, Any], longest: int, shared: Sequence[str] = ()) -> str:
    name = escape(item.get("title", ""))
    sources = [source for key in ("image", "beside") if (source := image_source(item.get(key)))]
    images = "".join(f'<img src="{source}" alt="{name if not place else ""}"/>' for place, source in enumerate(sources))
    picture = f'<div class="pictures">{images}</div>' if images else ""
    wrong = '<span class="wrong"><span aria-hidden="true">✕</span> wrong</span>' if item.get("wrong") else ""
    sounds = [audio_source(item.get(key)) for key in ("audio", "audio_beside")]
    player = "".join(
        f'<audio controls="" preload="none" src="{sound}" aria-label="{label}"></audio>'
        for sound, label in zip(sounds, (name, f"beside {name}"), strict=True)
        if sound
    )
    broken = name.replace("/", "/<wbr/>")  # names of files break behind a folder rather than anywhere
    heading = f'<p class="card-title">{broken}{wrong}</p>' if name or wrong else ""
    lines = [one for one in item.get("lines") or () if str(one) not in shared]
    text = draw_spans(item["spans"], longest) if item.get("spans") else ""
    return picture + player + f'<div class="card-text">{heading}{text}{_lines(lines)}</div>'


def _lines(lines: Sequence[Any]) -> str:
    parts = []
    for words in (str(one) for one in lines):
        term, colon, value = words.partition(": ")
        if colon:
            parts.append(f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>")
        else:
            parts.append(f"<div><dd>{escape(words)}</dd></div>")
    return f"<dl>{''.join(parts)}</dl>" if parts else ""
