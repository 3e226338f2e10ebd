"""Samples that a closed-loop training appends while it runs, kept so that a resumed run sees the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.samples.samples import Samples
from assay.serving.predictor import Predictor

if TYPE_CHECKING:
    from assay.task import Spec, Task
    from assay.training.state import State


class Collector:
    """Asks a closed-loop task for new samples after an epoch and appends them to the training side.

    What an epoch brought up lies in `folder/epoch-N`; a training that comes to that epoch again, after a kill or a step
    back, takes it from there instead of asking the task anew.

    Args:
        task: the application; it is in a closed loop (`Task.in_loop`).
        spec: what a sample is.
        samples: takes the new samples.
        folder: where their encoded form is kept.
        seed: the run's seed.
    """

    def __init__(self, task: Task, spec: Spec, samples: Samples, folder: Path, seed: int) -> None:
        self._task, self._spec, self._samples = task, spec, samples
        self._folder, self._seed = folder, seed

    def __call__(self, state: State, epoch: int) -> bool:
        """Append what the epoch brings up; False where that is nothing."""
        folder = self._folder / f"epoch-{epoch}"
        if (folder / "cache.json").exists():
            return self._samples.append(None, folder) > 0
        with state.averaged() as network:
            predictor = Predictor(self._task, self._spec, network)
            done = state.position.share(state.position.step)
            records = self._task.collect(predictor, self._samples, epoch, self._seed, done)
            network.train()
        return records is not None and self._samples.append(records, folder) > 0

    def restore(self, count: int | None) -> None:
        """Bring the samples to where they stood after `count` collections; after all that there were where None."""
        self._samples.forget_appended(self._samples.appended if count is None else count)
        for folder in self._known()[self._samples.appended : count]:
            self._samples.append(None, folder)

    def _known(self) -> list[Path]:
        """The folders of complete collections, in the order in which they were made."""
        found = [file.parent for file in self._folder.glob("epoch-*/cache.json")]
        return sorted(found, key=lambda folder: int(folder.name.removeprefix("epoch-")))
