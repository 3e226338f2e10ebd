"""What the fake tasks share: a table in memory as their data, a spec, a network's entry, a metric, and baselines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.baselines.baseline import Baseline
from assay.errors import DataError
from assay.evaluation.metrics import Additive
from assay.samples.samples import View
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.source import Recognition, Source
from assay.task import NetworkKind, Situation, Task
from assay.training.plan import Plan


class ColumnTask(Task):
    """A task whose data is a table in memory that has a column of a certain name."""

    column: ClassVar[str]

    def recognise(self, source: Source) -> Recognition | None:
        if isinstance(source.value, pa.Table) and self.column in source.value.column_names:
            return Recognition(0.9, f"a table with a column {self.column!r}")
        return None

    def read(self, source: Source, options: Any) -> Records:
        """Rows without a value in the column are skipped and counted."""
        if self.recognise(source) is None:
            raise DataError(f"there is no column {self.column!r}", "Give a table that has it.", file=source.label)
        table, log = source.value, ProblemLog()
        missing = pc.is_null(table[self.column])
        if pc.any(missing).as_py():
            first = missing.to_pylist().index(True)
            log.add("missing-value", "skipped", str(table["id"][first]), count=pc.sum(missing).as_py())
            table = table.filter(pc.invert(missing))
        if not table.num_rows:
            raise DataError("no row is left", "See the problems that assay inspect lists.", file=source.label)
        fingerprint = hashlib.sha256(json.dumps(table.to_pydict(), default=str).encode()).hexdigest()
        return records_from_table(table, fingerprint, rows_per_batch=50, problems=log.problems())

    def read_inputs(self, source: Source, spec: Any) -> Records:
        """The same without targets, groups and digests."""
        records = self.read(source, None)
        drop = {"target", "group", "digest", "split"}

        def batches() -> Any:
            for batch in records.batches():
                yield batch.select([name for name in batch.schema.names if name not in drop])

        return replace(records, batches=batches)


class PlainSpec:
    """A spec whose fields are numbers, text and tuples of these; its subclasses are frozen dataclasses."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


def small_network(
    name: str, settings: type[Any], build: Callable[[Any, Any], Any], summary: str
) -> tuple[NetworkKind, ...]:
    """The one network of a task, trained in small batches at a constant rate."""

    def recipe(situation: Situation) -> tuple[Any, Plan]:
        return settings(), Plan(batch_size=16, learning_rate=0.01, schedule="constant")

    return (NetworkKind(name, settings, build, recipe, summary),)


class Quotient(Additive):
    """The sum of the first statistic over that of the second."""

    def from_sums(self, sums: np.ndarray) -> np.ndarray:
        return sums[:, 0] / np.maximum(sums[:, 1], 1e-9)


class Constant(Baseline):
    """The floor: one answer for everything, chosen by `choose(truths)`, JSON-able, and given in the task's `form`."""

    name, features, reading, floor = "always the same", "none", "one answer", True

    def __init__(self, choose: Callable[[Any], Any], form: Callable[[Any], Any] = lambda answer: answer) -> None:
        self._choose, self._form, self._answer = choose, form, None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        self._answer = self._choose(train.truths())
        return f"from {len(train)} truths"

    def predict(self, view: View) -> Sequence[Any]:
        return [self._form(self._answer)] * len(view)

    def respond(self, batch: Any) -> Sequence[Any]:
        return [self._form(self._answer)] * len(batch.index)

    def save(self, folder: Path) -> None:
        (folder / "answer.json").write_text(json.dumps(self._answer))

    def load(self, folder: Path) -> None:
        self._answer = json.loads((folder / "answer.json").read_text())


class Rule(Baseline):
    """A classical method without anything to fit: a function of a batch."""

    features, reading = "made by hand", "a rule"

    def __init__(self, name: str, rule: Callable[[Any], Sequence[Any]]) -> None:
        self.name, self._rule = name, rule  # type: ignore[misc]

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        return "nothing to fit"

    def predict(self, view: View) -> Sequence[Any]:
        return [output for batch in view.batches(64) for output in self.respond(batch)]

    def respond(self, batch: Any) -> Sequence[Any]:
        return list(self._rule(batch))

    def save(self, folder: Path) -> None:
        (folder / "rule.txt").write_text(self.name)

    def load(self, folder: Path) -> None:
        pass
