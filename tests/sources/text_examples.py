"""What the tests of the readers of texts share: records as rows, problems by kind, and who recognises what."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from assay.sources.images import recognise_images
from assay.sources.plain_text import recognise_plain_text
from assay.sources.records import Records
from assay.sources.sentence_pairs import recognise_sentence_pairs
from assay.sources.source import open_source
from assay.sources.squad import recognise_squad
from assay.sources.table import recognise_table
from assay.sources.texts import recognise_texts

READERS = {"texts": recognise_texts, "table": recognise_table, "images": recognise_images,
           "pairs": recognise_sentence_pairs, "squad": recognise_squad, "plain": recognise_plain_text}  # fmt: skip


def rows(records: Records) -> list[dict[str, Any]]:
    return pa.Table.from_batches(list(records.batches())).to_pylist()


def kinds(records: Records) -> dict[str, tuple[int, str]]:
    return {problem.kind: (problem.count, problem.action) for problem in records.problems}


def places(records: Records, kind: str) -> list[int | None]:
    return [place.row for problem in records.problems if problem.kind == kind for place in problem.examples]


def scores(data: Any) -> dict[str, float]:
    """How well each reader fits; a tie fails."""
    source = open_source(data)
    found = {name: one.score for name, recognise in READERS.items() if (one := recognise(source)) is not None}
    assert len(set(found.values())) == len(found), f"a tie: {found}"
    return found


def best(data: Any) -> str:
    found = scores(data)
    return max(found, key=lambda name: found[name], default="")
