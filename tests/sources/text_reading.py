"""Texts as the tests write and read them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from text_examples import rows

from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from assay.sources.texts import read_texts

TEXTS = [f"the {word} number {row} is quite long, {word}" for row in range(10) for word in ("cat", "dog")]
ROWS = [{"text": text, "label": "cd"[place % 2]} for place, text in enumerate(TEXTS)]


def read(data: Any, **options: Any) -> Records:
    return read_texts(open_source(data), DataOptions(**options))


def pairs(records: Records) -> list[tuple[Any, Any]]:
    return [(row["text"], row["target"]) for row in rows(records)]


def write(folder: Path, text: str, name: str = "rows.csv", encoding: str = "utf-8") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def as_csv(values: list[dict[str, Any]], delimiter: str = ",") -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(values[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(values)
    return stream.getvalue()


def as_json(values: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in values)
