"""What is predicted for a unit, where that is one of the common kinds: a class, a set of labels, a number.

Tasks whose answer is of such a kind (a photo's class, a row's number, a document's labels) share all that follows from
it: encoding, loss, answers and metrics.

Shapes: B windows, U units, C classes or labels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.errors import SettingError
from assay.task import Support

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure

Array = np.ndarray[Any, Any]


class Target(ABC):
    """A kind of target; the concrete ones are frozen dataclasses, so that a spec can hold them."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers the network gives for a window."""

    @abstractmethod
    def encode(self, targets: pa.Array) -> tuple[Array, Array]:
        """The values for the cache, (N, ...), and (N,) bool: False where a row has no usable target."""

    def truths(self, targets: pa.ChunkedArray) -> Array:
        """The values as metrics compare them, (U, ...)."""
        from assay.arrow import pa

        whole = pa.concat_arrays(targets.chunks) if targets.num_chunks else pa.array([], targets.type)
        return self.encode(whole)[0]

    @abstractmethod
    def loss(self, logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """The loss of each window, (B,), from logits (B, C) and targets as cached or as mixed by `soft`."""

    @abstractmethod
    def soft(self, target: Tensor) -> Tensor:
        """Targets in a float form that may be averaged with one another."""

    @abstractmethod
    def output(self, logits: Tensor) -> Array:
        """Outputs of windows: class and labels (B, C) probabilities, number (B,) in its own unit."""

    @abstractmethod
    def answer(self, output: Any) -> Any:
        """The answer that a user reads."""

    @abstractmethod
    def metrics(self) -> Sequence[Metric]:
        """The primary metric first."""

    @abstractmethod
    def losses(self, outputs: Values, truths: Values) -> Array:
        """How wrong each unit is, (U,)."""

    @abstractmethod
    def mistakes(self, outputs: Values, truths: Values) -> Array | None:
        """(U,) True where an output is plainly wrong; None for numbers."""

    def probabilities(self, outputs: Values) -> Array | None:
        """(U, C) the probability of each class; None where a truth is not the number of one class."""
        return None

    def sharpened(self, outputs: Values, temperature: float) -> Values:
        """Outputs whose probabilities were taken at another temperature."""
        raise SettingError(
            f"answers of the kind {self.kind!r} have no temperature",
            "Only classes and labels have probabilities that can be sharpened.",
        )

    def residuals(self, outputs: Values, truths: Values) -> Array | None:
        """(U,) truth minus output; None where they are no numbers."""
        return None

    @abstractmethod
    def score(self, logits: Tensor, answered: Tensor) -> Tensor:
        """(B,) how strongly logits (B, C) speak for what other logits (B, C) of the same windows answer."""

    @abstractmethod
    def strength(self, outputs: Values, answered: Values) -> Array:
        """(U,) what an explanation is a sum of: the probability of what was answered, or the number itself."""

    def support(self, outputs: Values, answered: Values) -> Support:
        """How much of what was answered is left in outputs."""
        return Support(self.strength(outputs, answered))

    @abstractmethod
    def words(self, output: Any) -> str:
        """An output in a few words."""

    @abstractmethod
    def truth_words(self, truth: Any) -> str:
        """A truth in a few words."""

    @abstractmethod
    def figures(self, evaluation: Evaluation) -> Sequence[Figure]:
        """How answers and truths compare."""

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


def target_from_json(data: Mapping[str, Any]) -> Target:
    """The inverse of `Target.to_json`."""
    from assay.targets.class_target import ClassTarget
    from assay.targets.labels_target import LabelsTarget
    from assay.targets.number_target import NumberTarget

    values = dict(data)
    kind = values.pop("kind")
    if kind == ClassTarget.kind:
        return ClassTarget(tuple(values["classes"]))
    if kind == LabelsTarget.kind:
        return LabelsTarget(tuple(values["classes"]))
    return NumberTarget(values["mean"], values["deviation"])


def fit_target(targets: pa.ChunkedArray, train: Array) -> Target:
    """The target that a column holds: strings are classes, lists of strings labels, numbers a number.

    Args:
        targets: (N,) the target column.
        train: (N,) bool, the training rows, from which a number's scale is learned. Class names come from all rows, so
            that a class that only the test side holds is an error of the network and not of the program.
    """
    from assay.arrow import pa, pc
    from assay.targets.class_target import ClassTarget
    from assay.targets.labels_target import LabelsTarget
    from assay.targets.number_target import NumberTarget

    if pa.types.is_floating(targets.type) or pa.types.is_integer(targets.type):
        values = np.asarray(targets.to_numpy(), float)[train]
        values = values[np.isfinite(values)]
        deviation = float(values.std()) if len(values) else 1.0
        return NumberTarget(float(values.mean()) if len(values) else 0.0, deviation or 1.0)
    if pa.types.is_list(targets.type) or pa.types.is_large_list(targets.type):
        return LabelsTarget(_names(pc.list_flatten(targets)))
    return ClassTarget(_names(targets))


def _names(values: pa.ChunkedArray) -> tuple[str, ...]:
    """The distinct names, in the order a person would expect: numbers by value, else by the alphabet."""
    names = [str(name) for name in values.unique().to_pylist() if name is not None]

    def place(name: str) -> tuple[int, float, str]:
        try:
            return (0, float(name), name)
        except ValueError:
            return (1, 0.0, name)

    return tuple(sorted(names, key=place))
