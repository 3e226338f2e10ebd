"""Tables: what is learned from the training rows, and how a row is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.tasks import table


@pytest.mark.parametrize(("rows", "looked_at"), [(50, 50), (100, 100), (199, 100), (1000, 100)])
def test_no_more_rows_than_wanted_are_looked_at_from_first_to_last(
    monkeypatch: pytest.MonkeyPatch, rows: int, looked_at: int
) -> None:
    monkeypatch.setattr(table, "_MOST_ROWS", 100)
    whole = pa.table({"x:place": np.arange(2 * rows), "target": np.zeros(2 * rows)})
    records: Any = SimpleNamespace(batches=lambda: whole.to_batches(max_chunksize=70))
    places = table._training_columns(records, np.arange(2 * rows) % 2 == 0)["place"].to_numpy()
    assert len(places) == looked_at
    assert (places % 2 == 0).all() and places[0] == 0 and places[-1] > 1.9 * rows - 4


@pytest.mark.parametrize(
    ("value", "origin_s", "told"),
    [
        (3.14159265, None, "3.1416"),
        (float("nan"), None, "?"),
        (float("nan"), 0.0, "?"),
        (0.0, 1.6e9 - 1.6e9 % 86400, "2020-09-13"),
        (1.5, 0.0, "1970-01-02 12:00"),
        (-1.0, 0.0, "1969-12-31"),
    ],
)
def test_dates_are_shown_as_dates(value: float, origin_s: float | None, told: str) -> None:
    assert table._shown(value, origin_s) == told
