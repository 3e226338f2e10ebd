"""The samples that can be sent through a run's network: those of its test side, and what somebody brings along.

Samples are found again in the run's source by their ids, and those that are asked for are decoded alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, RunError
from assay.run import RunFolder, reading
from assay.sources.records import ProblemLog, Records, those

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.model import Model
    from assay.samples.samples import Samples
    from assay.task import Drawing

#: The sides of which the first that has samples is shown.
_SHOWN = ("test", "validation", "train")


class Shelf:
    """A run's samples.

    Args:
        run: the run's folder.
        model: its model.
    """

    def __init__(self, run: RunFolder, model: Model) -> None:
        self._run, self._model = run, model
        self._lock = threading.Lock()
        self._records: Records | None = None
        self.side, self._rows = _shown_side(run)

    def listed(self, first: int, count: int, worst: bool) -> tuple[list[dict[str, Any]], int]:
        """Some of the samples with target and stored answer, and how many there are.

        Args:
            first: the position of the first.
            count: how many.
            worst: those whose answers are most wrong come first, else in the order of the source.
        """
        places = np.arange(self._rows.num_rows)
        if worst:
            losses = self._rows.column("loss").to_numpy(zero_copy_only=False).astype(np.float64)
            places = np.argsort(-np.nan_to_num(losses, nan=-np.inf), kind="stable")
        rows = self._rows.take(places[first : first + count]).to_pylist()
        return [_told(row) for row in rows], self._rows.num_rows

    def drawings(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By id, how the samples look; those that are gone, or cannot be decoded any more, are left out."""
        samples = self._found(ids)
        if samples is None:
            return {}
        task, spec = self._model.task, self._model.spec
        return {samples.id(unit): drawn(task.draw(samples, unit, spec)) for unit in range(len(samples.side))}

    def held(self, ids: Sequence[str]) -> Samples:
        """Samples of the run's source, decoded; raises `RunError` where it is gone, or they are not in it any more."""
        samples = self._found(ids)
        if samples is None:
            raise RunError("the sample is not in the data of this run any more", "Choose another.")
        return samples

    def _found(self, ids: Sequence[str]) -> Samples | None:
        """Those of the samples that are there; None where none of them is."""
        from assay.samples.samples import hold_samples

        records = those(self._source(), set(ids).__contains__)
        try:
            return hold_samples(self._model.task, records, self._model.spec, ProblemLog())
        except DataError:
            return None

    def truth(self, samples: Samples) -> str:
        """The target of the only sample in words; empty where it has none."""
        view = samples.view_of(np.arange(1))
        if "target" not in samples.index.column_names or samples.index.column("target")[0].as_py() is None:
            return ""
        return self._model.task.truth_words(view.truths()[0], self._model.spec)

    def _source(self) -> Records:
        with self._lock:
            if self._records is None:
                self._records = _read_again(self._run, self._model)
            return self._records


def brought(model: Model, source: Any) -> Samples:
    """The first sample of a source that somebody brings along, decoded; raises `DataError` where there is none."""
    from assay.samples.samples import hold_samples

    records = model.records(source)
    first = next((str(name) for batch in records.batches() for name in batch.column("id").to_pylist()), None)
    if first is None:
        raise DataError("there is nothing to look at", "Give a file, a text or a row.")
    return hold_samples(model.task, those(records, lambda name: name == first), model.spec, ProblemLog())


def drawn(drawing: Drawing) -> dict[str, Any]:
    """A drawing as the browser shows it."""
    text = "".join(text for text, _ in drawing.spans)
    return {"image": drawing.image, "lines": list(drawing.lines), "text": text, "audio": drawing.audio}


def _shown_side(run: RunFolder) -> tuple[str, pa.Table]:
    """The test side's rows of `samples.parquet`, or those of another side where it has none."""
    from assay.arrow import pc, pq

    if not run.samples.exists():
        raise RunError(f"{run.samples} is missing: the run is not complete", f"assay resume {run.path}")
    with reading(run.samples):
        rows = pq.read_table(run.samples, columns=["id", "split", "target", "prediction", "loss"])
    for side in _SHOWN:
        found = rows.filter(pc.equal(rows.column("split"), side))
        if found.num_rows:
            return side, found
    return "test", rows.slice(0, 0)


def _read_again(run: RunFolder, model: Model) -> Records:
    """The records that a run learned from, as far as they are as they were."""
    from assay.flow import read
    from assay.kept_samples import unchanged_ids
    from assay.sources.privacy import found_source
    from assay.sources.source import DataOptions, open_source

    plan = run.read(run.plan, "source", "data", "task", "fingerprint")
    if plan["source"] is None:
        raise RunError("this run learned from data in memory, which is gone", "Bring a sample of your own along.")
    with reading(run.plan):
        options = replace(DataOptions(**plan["data"]), task=plan["task"])
    records = read(model.task, open_source(found_source(plan["source"])), options)
    if records.fingerprint != plan["fingerprint"]:
        return those(records, unchanged_ids(run, records).__contains__)
    return records


def _told(row: dict[str, Any]) -> dict[str, Any]:
    loss = row["loss"]
    known = loss is not None and np.isfinite(loss)
    return {"id": row["id"], "target": _short(row["target"]), "answer": _answer(row["prediction"]),
            "loss": float(f"{loss:.4g}") if known else None}  # fmt: skip


def _answer(stored: str | None) -> str:
    """A stored answer in a few words: the first value of it that is a text or a number, or how many things it lists."""
    found = json.loads(stored) if stored else None
    if not isinstance(found, dict):
        return _short(found)
    for name, value in found.items():
        if isinstance(value, str | int | float):
            return _short(value)
        if isinstance(value, list):
            return f"{len(value)} {name}"
    return ""


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = (
        f"{value:.4g}"
        if isinstance(value, float)
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )
    return text if len(text) <= 80 else text[:79] + "…"
