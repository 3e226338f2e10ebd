"""The contract that every application fulfils. Read this first.

A `Task` says what makes an application different, and nothing else: how its data is recognised and read, what a sample
is, which networks suit it, the objective of a batch, how outputs become answers, and how answers are scored. The flow
(`flow.py`) calls it; the stages never ask which task they serve.

Words used throughout:

* **unit**: what a user asks about (a photo, a row, a document, a patient, a drive). Splits, intervals and paired tests
go by unit, or by group of units.
* **window**: the part of a unit that the network takes at once. Most units are one window; the outputs of several merge
  into one.
* **part**: a place of an input that an explanation weighs: a pixel, a column, a token.
* **output**: what `predict` gives for a window, before it is put into words; **answer**: what the user reads.
* **truth**: a unit's target in the form that metrics compare outputs with.

Shapes: B windows in a batch, U units, K statistics of a unit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.errors import SettingError
from assay.task_evidence import TaskEvidence
from assay.task_export import Preparation, Step, TaskExport
from assay.task_parts import (
    Amount,
    Batch,
    Confusion,
    Corruption,
    Doubt,
    Doubts,
    Drawing,
    Encoded,
    InUse,
    NetworkKind,
    Output,
    Settings,
    Situation,
    Spec,
    Support,
    Things,
    Traits,
    no_targets,
    number_of,
)
from assay.task_sessions import Recorder, Rollout, Session, TaskSessions

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.samples import Samples, View
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

__all__ = [
    "Amount",
    "Batch",
    "Confusion",
    "Corruption",
    "Doubt",
    "Doubts",
    "Drawing",
    "Encoded",
    "InUse",
    "NetworkKind",
    "Output",
    "Preparation",
    "Recorder",
    "Rollout",
    "Session",
    "Settings",
    "Situation",
    "Spec",
    "Step",
    "Support",
    "Task",
    "Things",
    "Traits",
    "no_targets",
    "number_of",
]


class Task(TaskEvidence, TaskExport, TaskSessions):
    """One application."""

    name: ClassVar[str]
    traits: ClassVar[Traits]
    #: The subclass of `Batch` whose fields `encode` fills.
    batch_type: ClassVar[type[Batch]]
    #: The dataclass of its sample spec, for reading `model.json` back.
    spec_type: ClassVar[type[Any]]

    def in_loop(self, spec: Spec) -> bool:
        """Whether it is evaluated by rollouts and may `collect`; not with every data where the traits say so."""
        return self.traits.closed_loop

    # Data ------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def recognise(self, source: Source) -> Recognition | None:
        """How well this data fits the task, cheaply; None where it does not."""

    @abstractmethod
    def read(self, source: Source, options: DataOptions) -> Records:
        """The labelled samples of a source; raises `DataError` where there are none."""

    def read_like(self, source: Source, options: DataOptions, spec: Spec) -> Records:
        """The labelled samples of a source that a trained network is judged by, read as those it learned from."""
        return self.read(source, options)

    def classes(self, spec: Spec) -> Sequence[str]:
        """The names of the classes that answers tell apart, but for that of nothing; empty where there are none.

        They are those that records count as `facts["class_counts"]`: data with none of them cannot be judged.
        """
        return ()

    @abstractmethod
    def read_inputs(self, source: Source, spec: Spec) -> Records:
        """The samples of a source that is to be predicted, with no need of targets."""

    def read_explained(self, source: Source, spec: Spec) -> Records:
        """The samples of a source whose answers are to be explained, where that takes more than an input."""
        return self.read_inputs(source, spec)

    @abstractmethod
    def fit_spec(self, records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> Spec:
        """Learn from the training rows alone what a sample is: classes, sizes, vocabulary, scales.

        Args:
            records: all samples.
            train: (rows,) bool, True for a row of the training side, in the order of `records.batches()`.
            options: the user's data options.
        """

    @abstractmethod
    def encode(self, batch: pa.RecordBatch, records: Records, spec: Spec, log: ProblemLog) -> Encoded:
        """Turn rows into arrays for the cache, once; a row that cannot be read is noted in `log` and left out."""

    def check(self, index: pa.Table, split_given: bool) -> None:
        """Raise `DataError` where nothing can be learnt from what was read; called before the split.

        Args:
            index: the columns about the samples (`Records.index`).
            split_given: the data says which sample is on which side, or fewer than three sides are asked for.
        """
        return

    def copied_rows(self, records: Records, progress: Progress) -> np.ndarray[Any, Any] | None:
        """(P, 2) int64: pairs of rows that are copies of one another, changed a little; they never cross a split.

        Called before the split, where neither groups nor sides came with the data. Rows of equal digests are known to
        be copies already. Where that takes a while, it begins a stage of `progress` and says how far it is.

        Returns:
            None where copies cannot be told, or not in a reasonable time.
        """
        return None

    def truths(self, targets: pa.ChunkedArray, spec: Spec) -> Values:
        """The units' targets as metrics compare them: (U,) or (U, ...) array, or a list of U objects."""
        return list(targets.to_pylist())

    # Network ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def networks(self, spec: Spec) -> Sequence[NetworkKind]:
        """The networks that suit this spec, the default first."""

    def augment(self, batch: Any, draws: Draws, plan: Plan, spec: Spec) -> Any:
        """A changed training batch; all randomness comes from `draws`, which is keyed by seed, epoch and window."""
        return batch

    @abstractmethod
    def objective(self, network: nn.Module, batch: Any, plan: Plan, spec: Spec) -> Tensor:
        """The loss of each window, (B,), float32, whose mean is minimised; logits may come in `plan.precision`."""

    @abstractmethod
    def predict(self, network: nn.Module, batch: Any, spec: Spec, options: Mapping[str, Any]) -> Values:
        """One output for each window; search, thresholds and suppression live here. Runs without gradients.

        Args:
            network: in evaluation mode.
            batch: the windows.
            spec: the sample spec.
            options: as `Traits.answering` names them, as text or as numbers; what is not there has a default.

        Raises:
            SettingError: an option has a value that is not possible.
        """

    def deciding(self, outputs: Values, spec: Spec) -> int:
        """The position of the window whose output a unit's merged answer rests on most, among all of the unit's.

        An answer is explained by that window, and a sample known by its features. Called with the outputs that `merge`
        takes; not called for a unit that is a single window.
        """
        return 0

    def merge(self, outputs: Values, spec: Spec) -> Output:
        """The one output of a unit, out of its windows' outputs in their order.

        Called for every unit, also for one that is a single window, where the traits say `several_windows`; for no unit
        elsewhere.
        """
        raise SettingError(
            f"{self.name} does not cut a unit into windows",
            "Define `merge`, or leave several_windows out of its traits.",
        )

    def settled(self, predictor: Predictor, samples: Samples) -> Mapping[str, Any]:
        """What is learned once the network is trained, from the validation side alone: thresholds of a session.

        Kept with the model; `Predictor.settled` gives it back wherever the network answers. Called after the
        temperature is fitted, once for a run.

        It is for what is decided about a whole unit (`decided`). What `predict` needs for a window, such as the
        probability from which a peak starts an outline, belongs to the network: `NetworkKind.conclude` sets it, and
        exports and side trainings have it, too.

        Args:
            predictor: the trained network.
            samples: all samples.

        Returns:
            JSON-able; empty where there is nothing to learn.
        """
        return {}

    def decided(self, outputs: Values, settled: Mapping[str, Any], spec: Spec) -> Values:
        """Units' outputs with what was settled after the training, where `answer` or metrics ask for it: thresholds.

        Args:
            outputs: merged, at the network's temperature.
            settled: what `settled` gave; empty before that.
            spec: the sample spec.
        """
        return outputs

    # Answers ---------------------------------------------------------------------------------------------------------
    #
    # What follows takes the outputs of `predict` and `merge`, and, in a closed-loop task, what `evaluate` puts in their
    # place: what came of each rollout.

    @abstractmethod
    def answer(self, output: Output, spec: Spec) -> Any:
        """The answer that a user reads: a frozen JSON-able dataclass."""

    @abstractmethod
    def metrics(self, spec: Spec) -> Sequence[Metric]:
        """What is measured, the primary metric first."""

    def losses(self, outputs: Values, truths: Values, spec: Spec) -> np.ndarray[Any, Any]:
        """How wrong each unit's output is, (U,), larger is worse; NaN where that cannot be said."""
        return np.full(len(outputs), np.nan)

    def mistakes(self, outputs: Values, truths: Values, spec: Spec) -> np.ndarray[Any, Any] | None:
        """(U,) True where an output is plainly wrong; None where outputs are only more or less good."""
        return None

    def words(self, output: Output, spec: Spec) -> str:
        """An output in a few words for the page."""
        return str(self.answer(output, spec))

    def truth_words(self, truth: Any, spec: Spec) -> str:
        """A truth in a few words for the page."""
        return str(truth)

    def figures(self, evaluation: Evaluation, spec: Spec) -> Sequence[Figure]:
        """How answers and truths compare, beyond the metrics: a confusion matrix, a scatter plot."""
        return ()

    def figures_beside(self, evaluation: Evaluation, classical: Evaluation, name: str, spec: Spec) -> Sequence[Figure]:
        """How the network's answers and those of the classical model of that name look beside one another."""
        return ()

    def writings(self) -> Mapping[str, Callable[[Mapping[str, Any]], str | bytes]]:
        """Forms in which `assay predict --out` can write one answer, by the ending of a file's name, such as ".srt".

        Each takes the answer as JSON (what `answer` gives, as a mapping) and gives the text of the file, or its bytes.
        Where `--out` is a folder, each answer becomes a file of the first form.
        """
        return {}

    def why_no_baseline(self, spec: Spec) -> str:
        """Why `baselines` gives none but the floor, as the end of a sentence; empty where that needs no reason."""
        return ""

    @abstractmethod
    def baselines(self, spec: Spec) -> Sequence[Baseline]:
        """Fresh classical models that answer the same question, the best of the field first; the dummy floor last."""

    def evaluate(self, predictor: Answering, view: View) -> Evaluation:
        """Answers and their scores for one side of the samples: by batches, unless the task is closed-loop.

        A closed-loop task runs a rollout for each unit of the view, such as from the moment that the unit recorded, and
        asks `predictor.respond` at every step: a trained network, or a classical model in its place.
        """
        from assay.evaluation.batched import evaluate_batches

        return evaluate_batches(predictor, view)

    def collect(self, predictor: Predictor, samples: Samples, epoch: int, seed: int, done: float) -> Records | None:
        """New training samples that the network's own behaviour brings up (DAgger), asked for after each epoch.

        Called only where `in_loop` says so. What it gives is appended to the training side and recorded, so that a
        resumed run sees the same samples. All its randomness follows from `seed` and `epoch`.

        Args:
            predictor: the network as it is now.
            samples: all samples so far; `appended` tells how many collections there were.
            epoch: the epoch that has just ended.
            seed: the run's seed.
            done: the share of the training that is done, from 0 to 1.
        """
        return None
