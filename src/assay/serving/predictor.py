"""Answers from a trained network."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay.errors import DataError
from assay.samples.samples import Samples, View, build_samples, hold_samples
from assay.samples.split import TEST
from assay.serving.stand_in import StandIn, arrays_of
from assay.sources.records import Problem, ProblemLog, Records, those

if TYPE_CHECKING:
    from torch import nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.metrics import Values
    from assay.serving.likeness import Likeness
    from assay.serving.streamed import Following
    from assay.task import Spec, Task

Array = np.ndarray[Any, Any]
_BATCH = 256
#: Inputs of no more rows than this are decoded in memory.
FEW = 32


@dataclass(frozen=True)
class Prediction:
    """A unit's name, its answer (a JSON-able dataclass of the task's), and how far it is from the training data.

    Attributes:
        id: the name.
        answer: the answer.
        far: above 1 the input is unlike the training data (`assay.serving.likeness`); None where that is not known.
    """

    id: str
    answer: Any
    far: float | None = None

    def likeness(self) -> dict[str, Any]:
        """What JSON says of it beside the answer."""
        if self.far is None or not math.isfinite(self.far):
            return {"unlike": None, "unlike_ratio": None}
        return {"unlike": self.far > 1, "unlike_ratio": round(self.far, 4)}


class Answering(Protocol):
    """What a task evaluates: a trained network, or a classical model in its place."""

    @property
    def task(self) -> Task:
        """The application."""

    @property
    def spec(self) -> Spec:
        """What a sample is."""

    def outputs(self, view: View) -> Values:
        """The merged output of each unit of a view, in its order."""

    def respond(self, batch: Any) -> Values:
        """The output of each window of a batch, which need not come from the samples: a rollout's next step."""


@dataclass
class Predictor:
    """A network that answers for its task.

    Attributes:
        task: the application.
        spec: what a sample is.
        network: the trained network, in evaluation mode; or a `StandIn`, where an export answers.
        options: search options that the task's `predict` understands (beam width, thresholds).
        temperature: of the probabilities of a unit, as fitted on the validation side (`Task.sharpened`); 1 leaves them
            as the network gives them.
        settled: what the task learned once the network was trained (`Task.settled`).
        likeness: what tells inputs that are unlike the training data; None where nothing does.
    """

    task: Task
    spec: Spec
    network: nn.Module | Any
    options: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    settled: Mapping[str, Any] = field(default_factory=dict)
    likeness: Likeness | None = None

    def respond(self, batch: Any) -> Values:
        """The output of each window of a batch, which need not come from the samples.

        Where a unit may be cut into windows, their outputs are as the network gives them.
        """
        found = self._predict(batch)
        return found if self.task.traits.several_windows else self.scaled(found)

    def outputs(self, view: View) -> Values:
        """The merged output of each unit of a view, in its order."""
        found = self.scaled(self._merged(view))
        return self.task.decided(found, self.settled, self.spec) if len(found) else found

    def scaled(self, outputs: Values) -> Values:
        """Units' outputs at this predictor's temperature."""
        if self.temperature == 1.0 or not len(outputs):
            return outputs
        return self.task.sharpened(outputs, self.temperature, self.spec)

    @property
    def exported(self) -> bool:
        """Whether an export answers, to which batches of arrays are given."""
        return isinstance(self.network, StandIn)

    def given(self, values: Array) -> Any:
        """An array in the form in which a batch takes it: a tensor, unless an export answers."""
        return values if self.exported else tensor(values)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """The network, or what stands in for it, can be asked, and nothing is kept for gradients."""
        if self.exported:
            yield
            return
        import torch

        if self.network.training:  # asking each module of a large network takes as long as a layer
            self.network.eval()
        with torch.inference_mode():
            yield

    def _predict(self, batch: Any) -> Values:
        with self.inference():
            given = arrays_of(batch) if self.exported else batch
            return self.task.predict(self.network, given, self.spec, self.options)

    def _merged(self, view: View) -> Values:
        if self.task.traits.several_windows and view.by_length() is None:
            return list(self._merged_in_turn(view))
        windows = self._windows(view)
        if not self.task.traits.several_windows or not len(windows):
            return windows
        return [self.task.merge(windows[first:end], self.spec) for first, end in window_bounds(view)]

    def _merged_in_turn(self, view: View) -> Iterator[Any]:
        """Each unit's output as soon as its last window is answered: windows may say far more than their unit."""
        ends = iter(window_bounds(view)) if len(view.windows) else iter(())
        held: list[Any] = []
        first, end = next(ends, (0, 0))
        for batch in view.batches(_BATCH):
            held.extend(self._predict(batch))
            while held and len(held) >= end - first:
                yield self.task.merge(_stacked(held[: end - first]), self.spec)
                held = held[end - first :]
                first, end = next(ends, (0, 0))

    def _windows(self, view: View) -> Values:
        places = view.by_length()
        parts = [self._predict(batch) for batch in view.batches(_BATCH, places)]
        arrays = [part for part in parts if isinstance(part, np.ndarray)]
        back = None if places is None else np.argsort(places)
        if parts and len(arrays) == len(parts):
            outputs = np.concatenate(arrays)
            return np.asarray(outputs if back is None else outputs[back])
        found = [output for part in parts for output in part]
        return found if back is None else [found[place] for place in back]

    def predict(self, records: Records) -> tuple[list[Prediction], tuple[Problem, ...]]:
        """Answers for records without targets, and what could not be read."""
        return predict(self, records)


def tensor(values: Array) -> Any:
    """An array as a tensor."""
    import torch

    return torch.from_numpy(values)


def _stacked(outputs: list[Any]) -> Values:
    """Outputs of windows as `predict` gave them: rows of an array as an array again."""
    return np.stack(outputs) if all(isinstance(one, np.ndarray | np.generic) for one in outputs) else outputs


@dataclass
class Classical:
    """A classical model in the place of a `Predictor`.

    Attributes:
        task: the application.
        spec: what a sample is.
        model: the fitted model.
    """

    task: Task
    spec: Spec
    model: Baseline

    def outputs(self, view: View) -> Values:
        """See `Answering.outputs`."""
        return self.model.predict(view)

    def respond(self, batch: Any) -> Values:
        """See `Answering.respond`."""
        return self.model.respond(batch)


def window_bounds(view: View) -> list[tuple[int, int]]:
    """For each unit of a view where its windows begin and end among the view's."""
    unit = view.samples.unit[view.windows]
    starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    return list(zip(starts.tolist(), np.r_[starts[1:], len(unit)].tolist(), strict=True))


def deciding_windows(model: Answering, view: View) -> Array:
    """(U',) for each unit of a view the number of the window that its answer rests on most (`Task.deciding`)."""
    if not model.task.traits.several_windows or len(view.windows) == len(view.units):
        return view.windows
    outputs = [output for batch in view.batches(_BATCH) for output in model.respond(batch)]
    places = [first + model.task.deciding(outputs[first:end], model.spec) if end - first > 1 else first
              for first, end in window_bounds(view)]  # fmt: skip
    return np.asarray(view.windows[places])


def predict(
    model: Answering, records: Records, following: Following | None = None
) -> tuple[list[Prediction], tuple[Problem, ...]]:
    """A network's or a classical model's answers for records without targets, and what could not be read."""
    from assay.serving.streamed import Following, streamed_answers

    log = ProblemLog()
    may = isinstance(model, Predictor) or model.task.traits.classical_streams
    streamed = streamed_answers(model, records, log, following or Following()) if may else {}
    if not streamed:
        return _held(model, records)
    rest = those(records, lambda name: name not in streamed)
    others, problems = _beside(model, rest, any(isinstance(one, Prediction) for one in streamed.values()))
    log.extend(problems)
    known = {one.id: one for one in others}
    for name, found in streamed.items():
        if isinstance(found, Prediction):
            known[name] = found
        else:
            log.add("unreadable-input", "skipped", name)
    if not known:
        raise next(found for found in streamed.values() if isinstance(found, DataError))
    names = [name for batch in records.batches() for name in batch.column("id").to_pylist()]
    return [known[name] for name in names if name in known], log.problems()


def form_of(model: Answering) -> Callable[[Array], Any]:
    """What makes an array what a model's batches hold: a tensor, unless an export answers."""
    return model.given if isinstance(model, Predictor) else tensor


def takes_arrays(model: Answering) -> bool:
    """Whether a model is given batches of arrays."""
    return isinstance(model, Predictor) and model.exported


def _held(model: Answering, records: Records) -> tuple[list[Prediction], tuple[Problem, ...]]:
    """Answers for records that are decoded before the first is answered."""
    from assay.serving.likeness import answered

    with inputs(model.task, records, model.spec, takes_arrays(model)) as (samples, problems):
        view = samples.view(TEST)
        outputs, far = answered(model, view) if isinstance(model, Predictor) else (model.outputs(view), None)
        known = [None] * len(view) if far is None else [float(one) for one in far]
        rows = zip(view.ids(), outputs, known, strict=True)
        return [Prediction(name, model.task.answer(output, model.spec), one) for name, output, one in rows], problems


def _beside(model: Answering, rest: Records, answered: bool) -> tuple[list[Prediction], tuple[Problem, ...]]:
    """Answers for the records beside streamed ones; where none can be read, those that are answered are not lost."""
    if not are_more_than(rest, 0):
        return [], rest.problems
    try:
        return _held(model, rest)
    except DataError:
        if not answered:
            raise
        log = ProblemLog()
        log.extend(rest.problems)
        for batch in rest.batches():
            for name in batch.column("id").to_pylist():
                log.add("unreadable-input", "skipped", name)
        return [], log.problems()


def growing(predictor: Predictor, records: Records) -> Iterator[str]:
    """The answer to a single record in pieces of text, as it is written (`Task.growing`)."""
    task = predictor.task
    with inputs(task, records, predictor.spec, predictor.exported) as (samples, _):
        view = samples.view(TEST)
        if not len(view):
            raise DataError("no input could be read", "Give an input that can be read.")
        batch = samples.batch(samples.view_of(view.units[:1]).windows)
        with predictor.inference():
            yield from task.growing(predictor.network, batch, predictor.spec, predictor.options) or ()


@contextmanager
def inputs(
    task: Task, records: Records, spec: Spec, arrays: bool = False
) -> Iterator[tuple[Samples, tuple[Problem, ...]]]:
    """Samples of records that are to be predicted, and what could not be read; their decoded form is thrown away.

    Their batches hold tensors, or `arrays`.
    """
    log = ProblemLog()
    log.extend(records.problems)
    if not are_more_than(records, FEW):
        samples = hold_samples(task, records, spec, log)
        samples.arrays = arrays
        yield samples, log.problems()
        return
    with tempfile.TemporaryDirectory(prefix="assay-", ignore_cleanup_errors=True) as folder:
        samples = build_samples(task, records, spec, None, log, Path(folder) / "samples", lasting=False)
        samples.arrays = arrays
        yield samples, log.problems()


def are_more_than(records: Records, count: int) -> bool:
    """Whether there are more records than that; no more of them are read than tell it."""
    rows = 0
    for batch in records.batches():
        rows += batch.num_rows
        if rows > count:
            return True
    return False
