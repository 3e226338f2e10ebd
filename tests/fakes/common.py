"""What the fake tasks share: recognising a table in memory by a column, and a floor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.baselines.baseline import Baseline
from assay.errors import DataError
from assay.samples.samples import View
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.source import Recognition, Source
from assay.task import Situation
from assay.training.plan import Plan


def recognise_column(source: Source, column: str) -> Recognition | None:
    if isinstance(source.value, pa.Table) and column in source.value.column_names:
        return Recognition(0.9, f"a table with a column {column!r}")
    return None


def read_column(source: Source, column: str) -> Records:
    """A table in memory as records; rows without a value in `column` are skipped and counted."""
    if recognise_column(source, column) is None:
        raise DataError(f"there is no column {column!r}", "Give a table that has it.", file=source.label)
    table, log = source.value, ProblemLog()
    missing = pc.is_null(table[column])
    if pc.any(missing).as_py():
        first = missing.to_pylist().index(True)
        log.add("missing-value", "skipped", str(table["id"][first]), count=pc.sum(missing).as_py())
        table = table.filter(pc.invert(missing))
    if not table.num_rows:
        raise DataError("no row is left", "See the problems that assay inspect lists.", file=source.label)
    fingerprint = str(hash(json.dumps(table.to_pydict(), default=str)))
    return records_from_table(table, fingerprint, rows_per_batch=50, problems=log.problems())


def read_unlabelled(source: Source, column: str) -> Records:
    """The same without targets, groups and digests."""
    records = read_column(source, column)
    drop = {"target", "group", "digest", "split"}

    def batches() -> Any:
        for batch in records.batches():
            yield batch.select([name for name in batch.schema.names if name not in drop])

    return replace(records, batches=batches)


def small_recipe(settings: Any, learning_rate: float = 0.01) -> Any:
    def recipe(situation: Situation) -> tuple[Any, Plan]:
        return settings(), Plan(batch_size=16, learning_rate=learning_rate, schedule="constant")

    return recipe


class Constant(Baseline):
    """The floor: one answer for everything, chosen by `choose(truths)`; JSON-able."""

    name, features, reading, floor = "always the same", "none", "one answer", True

    def __init__(self, choose: Any) -> None:
        self._choose, self._answer = choose, None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        self._answer = self._choose(train.truths())
        return f"from {len(train)} truths"

    def predict(self, view: View) -> Sequence[Any]:
        return [self._answer] * len(view)

    def respond(self, batch: Any) -> Sequence[Any]:
        return [self._answer] * len(batch.index)

    def save(self, folder: Path) -> None:
        (folder / "answer.json").write_text(json.dumps(self._answer))

    def load(self, folder: Path) -> None:
        self._answer = json.loads((folder / "answer.json").read_text())


class Rule(Baseline):
    """A classical method without anything to fit: a function of a batch."""

    features, reading = "made by hand", "a rule"

    def __init__(self, name: str, rule: Any) -> None:
        self.name, self._rule = name, rule  # type: ignore[misc]

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        return "nothing to fit"

    def predict(self, view: View) -> Sequence[Any]:
        return [output for batch in view.batches(64) for output in self._rule(batch)]

    def respond(self, batch: Any) -> Sequence[Any]:
        return list(self._rule(batch))

    def save(self, folder: Path) -> None:
        (folder / "rule.txt").write_text(self.name)

    def load(self, folder: Path) -> None:
        pass
