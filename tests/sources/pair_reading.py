"""Pairs of sentences as the tests write and read them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from text_examples import rows

from assay.sources.records import Records
from assay.sources.sentence_pairs import (
    read_sentence_pairs,
)
from assay.sources.source import DataOptions, open_source


def read(data: Any, split: str | None = None, target: str | None = None, group: str | None = None,
         **extra: Any) -> Records:  # fmt: skip
    return read_sentence_pairs(open_source(data), DataOptions(split=split, target=target, group=group, extra=extra))


def pairs(records: Records) -> list[tuple[str, str]]:
    return [(row["source"], row["target"]) for row in rows(records)]


def write(folder: Path, text: str | list[str], name: str, encoding: str = "utf-8") -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    content = (text if isinstance(text, str) else "".join(f"{line}\n" for line in text)).encode(encoding)
    place.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return place
