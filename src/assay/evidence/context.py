"""What findings look at: a trained network and everything that was measured on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import difference
from assay.evaluation.metrics import Metric

if TYPE_CHECKING:
    from assay.baselines.baseline import Baseline
    from assay.evidence.side import Side
    from assay.evidence.tuned import Tuned
    from assay.samples.samples import Samples
    from assay.serving.predictor import Predictor
    from assay.task import Spec, Task
    from assay.training.plan import Plan


@dataclass(frozen=True)
class FittedBaseline:
    """A classical model on the same split.

    Attributes:
        model: the model.
        test: its answers on the test side.
        fit_seconds: what fitting took.
        note: how it was fitted, in a phrase.
        bytes: what it takes on disk.
        memory_bytes: what fitting held beyond what the process held before; None where that is not known.
    """

    model: Baseline
    test: Evaluation
    fit_seconds: float
    note: str
    bytes: int = 0
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Context:
    """A finished training, for findings to ask.

    Attributes:
        task: the application.
        spec: its sample spec.
        samples: all samples.
        predictor: the trained network.
        network: its name.
        settings: its hyper-parameters.
        plan: how it was trained.
        history: the lines of `metrics.jsonl`.
        fit_seconds: what training took.
        test: answers on the test side.
        validation: answers on the validation side.
        train: answers on (a sample of) the training side.
        baseline: the best classical model; None where there is none.
        floor: the dummy model that marks what guessing reaches; None where there is none.
        no_baseline: why there is no baseline, as the end of a sentence, such as "--evidence none was asked for".
        model_bytes: what the network takes on disk.
        peak_memory_bytes: the largest resident memory of the process so far.
        side: the side trainings; None where there are none (quick evidence).
        fit_memory_bytes: what training held beyond what the process held before; None where that is not known.
        features: where the network's features come from (`NetworkKind.features`).
        thorough: full evidence was asked for, which may take as long as the training did; else a tenth of it.
        tuned: the search that its hyper-parameters came from; None where they were not searched.
        no_likeness: why it is not known which inputs are unlike the training data; empty where it is.
    """

    task: Task
    spec: Spec
    samples: Samples
    predictor: Predictor
    network: str
    settings: Any
    plan: Plan
    history: Sequence[Mapping[str, Any]]
    fit_seconds: float
    test: Evaluation
    validation: Evaluation
    train: Evaluation
    baseline: FittedBaseline | None = None
    floor: FittedBaseline | None = None
    no_baseline: str = ""
    model_bytes: int = 0
    peak_memory_bytes: int = 0
    side: Side | None = None
    thorough: bool = True
    fit_memory_bytes: int | None = None
    features: str = "learned from this data"
    tuned: Tuned | None = None
    no_likeness: str = ""

    @property
    def shown(self) -> Evaluation:
        """The test side, or where there is none what else was evaluated: to show units, not to judge by."""
        return next((side for side in (self.test, self.validation) if len(side)), self.train)

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        return self.task.metrics(self.spec)[0]

    @property
    def learned(self) -> bool:
        """Whether the network is better than guessing beyond doubt; True where that cannot be said."""
        test = self.test
        if not len(test) or not math.isfinite(self.metric.value(test.outputs, test.truths)):
            return False
        if self.floor is None:
            return True
        found = difference(self.metric, test.outputs, self.floor.test.outputs, test.truths, test.groups)
        return found.low is None or found.low > 0
