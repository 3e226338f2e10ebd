"""The description of the API as a page that loads nothing from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>Assay</title>'
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "pre{overflow:auto;padding:.5rem;border:1px solid #8888}table{border-collapse:collapse}"
    "td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}"
)


def docs_page(described: Mapping[str, Any]) -> str:
    """HTML with a section for each path: what it takes, an example for each model, what it can answer."""
    parts = [f"<h1>{html.escape(described['info']['title'])}</h1>",
             f"<p>{html.escape(described['info'].get('description', ''))} "
             '<a href="/openapi.json">OpenAPI</a></p>']  # fmt: skip
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parts.append(_section(path, method, operation))
    body = "\n".join(parts)
    return f"{_HEAD}<style>{_STYLE}</style></head><body>{body}</body></html>"


def _section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    told = [f"<h2>{method.upper()} {html.escape(path)}</h2>",
            f"<p>{html.escape(operation.get('description') or operation.get('summary', ''))}</p>"]  # fmt: skip
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        for example in content.get("examples", {}).values():
            told.append(_example(f"{kind}: {example['summary']}", example["value"]))
    rows = "".join(f"<tr><th>{status}</th><td>{html.escape(one.get('description', ''))}</td></tr>"
                   for status, one in operation["responses"].items())  # fmt: skip
    for example in (
        operation["responses"]
        .get("200", {})
        .get("content", {})
        .get("application/json", {})
        .get("examples", {})
        .values()
    ):
        told.append(_example(f"Answer of {example['summary']}", example["value"]))
    return "\n".join([*told, f"<table>{rows}</table>"])


def _example(title: str, value: Any) -> str:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return f"<h3>{html.escape(title)}</h3><pre>{html.escape(text)}</pre>"
