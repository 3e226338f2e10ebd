"""The fingerprint of a source is the same however few rows are taken in at a time."""

from __future__ import annotations

import pyarrow as pa
import pytest

from assay.sources import _digest
from assay.sources._digest import fingerprint_of

ROWS = 3 * _digest._FEW
TEXTS: list[str | None] = ["", None, "a\x1fb", "ünï", "\x00"]
TABLE = pa.table(
    {
        "id": [f"photo {row}" for row in range(ROWS)],
        "digest": [TEXTS[row % 4] for row in range(ROWS)],
        "target": pa.array([TEXTS[row % 5] for row in range(ROWS)], pa.string()),
        "other": list(range(ROWS)),
    }
)


def of(table: pa.Table, rows: int) -> str:
    return fingerprint_of(table.to_batches(max_chunksize=rows))


@pytest.mark.parametrize("names", [["id", "digest", "target"], ["id"], ["id", "target"]])
def test_few_rows_and_many_give_the_same(names: list[str]) -> None:
    table = TABLE.select(names)
    assert of(table, 1) == of(table, _digest._FEW) == of(table, _digest._FEW + 1) == of(table, ROWS)
    assert of(table.slice(0, 1), 1) != of(table.slice(1, 1), 1)


def test_few_rows_of_numbers_and_lists_go_through_arrow() -> None:
    for target in (pa.array([float(row) for row in range(ROWS)]), pa.array([["a", "b"]] * ROWS)):
        table = TABLE.set_column(2, "target", target)
        assert of(table, 1) == of(table, ROWS)
