"""What all tasks share whose answer is a class, labels or a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.task import Support, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Source


class TargetTask(Task):
    """A task whose spec has a `target` (see `Target`); everything about answers follows from it."""

    def check(self, index: pa.Table, split_given: bool) -> None:
        """See `check_classes`."""
        from assay.sources.checks import check_classes

        check_classes(index, split_given)

    def read_like(self, source: Source, options: DataOptions, spec: Any) -> Records:
        """See `Task.read_like`: the kind of target is that of the training, whatever these values look like."""
        return self.read(source, replace(options, extra={"target_kind": spec.target.kind, **options.extra}))

    def classes(self, spec: Any) -> Sequence[str]:
        """See `Task.classes`."""
        names: Sequence[str] = getattr(spec.target, "classes", ())
        return names

    def encode_targets(
        self, batch: pa.RecordBatch, spec: Any, log: ProblemLog
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
        """A batch's targets as they are cached, and which rows (N,) have one that the network knows; the rest is noted.

        None where the batch has no targets at all, as in prediction.
        """
        if "target" not in batch.schema.names or batch.column("target").null_count == batch.num_rows:
            return None
        values, known = spec.target.encode(batch.column("target"))
        for row in np.flatnonzero(~known):
            log.add("unknown-target", "skipped", batch.column("id")[int(row)].as_py())
        return values, known

    def truths(self, targets: pa.ChunkedArray, spec: Any) -> Values:
        """See `Target.truths`."""
        truths: Values = spec.target.truths(targets)
        return truths

    def answer(self, output: Any, spec: Any) -> Any:
        """See `Target.answer`."""
        return spec.target.answer(output)

    def metrics(self, spec: Any) -> Sequence[Metric]:
        """See `Target.metrics`."""
        metrics: Sequence[Metric] = spec.target.metrics()
        return metrics

    def losses(self, outputs: Values, truths: Values, spec: Any) -> np.ndarray[Any, Any]:
        """See `Target.losses`."""
        return np.asarray(spec.target.losses(outputs, truths))

    def mistakes(self, outputs: Values, truths: Values, spec: Any) -> np.ndarray[Any, Any] | None:
        """See `Target.mistakes`."""
        found: np.ndarray[Any, Any] | None = spec.target.mistakes(outputs, truths)
        return found

    def probabilities(self, outputs: Values, spec: Any) -> np.ndarray[Any, Any] | None:
        """See `Target.probabilities`."""
        found: np.ndarray[Any, Any] | None = spec.target.probabilities(outputs)
        return found

    def regularisation(self, spec: Any) -> Mapping[str, tuple[float, float]]:
        """Smoothed targets, where these are classes or labels."""
        return {} if spec.target.kind == "number" else {"label_smoothing": (0.0, 0.1)}

    def sharpened(self, outputs: Values, temperature: float, spec: Any) -> Values:
        """See `Target.sharpened`."""
        changed: Values = spec.target.sharpened(outputs, temperature)
        return changed

    def residuals(self, outputs: Values, truths: Values, spec: Any) -> np.ndarray[Any, Any] | None:
        """See `Target.residuals`."""
        found: np.ndarray[Any, Any] | None = spec.target.residuals(outputs, truths)
        return found

    def support(self, outputs: Values, answered: Values, spec: Any) -> Support:
        """See `Target.support`."""
        found: Support = spec.target.support(outputs, answered)
        return found

    def words(self, output: Any, spec: Any) -> str:
        """See `Target.words`."""
        return str(spec.target.words(output))

    def truth_words(self, truth: Any, spec: Any) -> str:
        """See `Target.truth_words`."""
        return str(spec.target.truth_words(truth))

    def figures(self, evaluation: Evaluation, spec: Any) -> Sequence[Figure]:
        """See `Target.figures`."""
        figures: Sequence[Figure] = spec.target.figures(evaluation)
        return figures
