"""Fitting a task's classical model as a piece of work, here or on another machine."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from assay.baselines.baseline import Baseline
from assay.memory import watched
from assay.samples.split import TRAIN, VALIDATION
from assay.work import Subject, Work

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fitted:
    """A fitted classical model.

    Attributes:
        model: the model.
        seconds: that fitting took.
        note: how it was fitted.
        memory_bytes: the most that fitting took; None where that is not known.
    """

    model: Baseline
    seconds: float
    note: str
    memory_bytes: int | None


@dataclass(frozen=True, eq=False)
class Fit(Work[Fitted]):
    """Fits one of a task's classical models.

    Attributes:
        place: which of `Task.baselines`.
        budget_s: the time for it.
        seed: of what is drawn by lot.
        units: (U,) the units it is fitted on; None for the training side.
    """

    place: int
    budget_s: float
    seed: int
    units: Array | None = None

    def do(self, subject: Subject) -> Fitted:
        """See `Work.do`."""
        model, samples = self._fresh(subject), subject.samples
        view = samples.view(TRAIN) if self.units is None else samples.view_of(np.sort(self.units))
        model.load_libraries()
        with watched() as memory:
            begun = time.perf_counter()
            note = model.fit(view, samples.view(VALIDATION), self.budget_s, self.seed)
            seconds = time.perf_counter() - begun
        return Fitted(model, seconds, note, memory.most)

    def packed(self, result: Fitted) -> Any:
        """The files that the model is saved as, by name, and the facts beside."""
        with tempfile.TemporaryDirectory() as folder:
            result.model.save(Path(folder))
            files = {file.relative_to(folder).as_posix(): file.read_bytes()
                     for file in sorted(Path(folder).rglob("*")) if file.is_file()}  # fmt: skip
        return files, result.seconds, result.note, result.memory_bytes

    def unpacked(self, packed: Any, subject: Subject) -> Fitted:
        """See `Work.unpacked`."""
        files, *facts = packed
        model = self._fresh(subject)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            model.load(Path(folder))
        return Fitted(model, *facts)

    def _fresh(self, subject: Subject) -> Baseline:
        return next(islice(subject.task.baselines(subject.spec), self.place, None))
