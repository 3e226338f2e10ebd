"""`layers`: how one sample travels through a network, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.report import _svg as art
from assay.report._words import escape, finite, image_source, plain

MOST_LAYERS = 120
MOST_PICTURES = 8


def draw(data: Mapping[str, Any], title: str, width: int) -> str:
    """Write the layers from input to output as a flow, with small pictures of their activations.

    Data:
        layers: list of {"name": str, "kind": str, "shape": str, "parameters": int, "dead": share from 0 to 1 of
            units that never answered, or null, "activations": [data URI, ...] (at most 8 are shown), "norm": float |
            null, the norm of its weights}; at most 120 are shown. `report.images.heatmap` makes the pictures.
        input?: data URI of the sample.
    """
    layers = list(data.get("layers") or ())
    if not layers:
        return art.nothing()
    start = ""
    source = image_source(data.get("input"))
    if source:
        picture = f'<div class="maps"><img src="{source}" alt="the input"/></div>'
        start = f'<li class="layer"><div><p class="layer-name">input</p></div>{picture}</li>'
    items = "".join(_layer(layer) for layer in layers[:MOST_LAYERS])
    return f'<ol class="layers" aria-label="{escape(title)}">{start}{items}</ol>' + art.left_out(
        len(layers) - MOST_LAYERS, "more layers are not shown."
    )


def _layer(layer: Mapping[str, Any]) -> str:
    name, kind = escape(layer.get("name", "")), escape(layer.get("kind", ""))
    sources = [source for value in layer.get("activations") or () if (source := image_source(value))]
    maps = "".join(f'<img src="{source}" alt=""/>' for source in sources[:MOST_PICTURES])
    pictures = f'<div class="maps" role="img" aria-label="activations of {name}">{maps}</div>' if maps else ""
    return (
        f'<li class="layer"><div><p class="layer-name">{name} <span class="layer-kind">{kind}</span></p>'
        f'<p class="layer-facts">{_facts(layer)}</p></div>{pictures}</li>'
    )


def _facts(layer: Mapping[str, Any]) -> str:
    parameters, norm, dead = (finite(layer.get(key)) for key in ("parameters", "norm", "dead"))
    facts = [escape(layer.get("shape") or "")]
    if parameters:
        facts.append(f"{plain(parameters, 0)} parameters")
    if norm is not None:
        facts.append(f"norm {plain(norm)}")
    if dead is not None:
        share = f"{plain(100 * dead, 1)} % dead"
        facts.append(f'<strong class="dead">▲ {share}</strong>' if dead >= 0.2 else share)
    return "".join(f"<span>{fact}</span>" for fact in facts if fact)
