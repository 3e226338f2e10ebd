"""A trained model: what `assay.train` gives and `assay.load` reads."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay._task_options import answering_options
from assay.errors import RunError, SettingError
from assay.evidence.finding import Finding
from assay.run import RunFolder, reading, writing
from assay.sources.source import DataOptions, open_source
from assay.stored_network import read_description, read_network
from assay.task import Task

if TYPE_CHECKING:
    from torch import nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.intervals import Estimate
    from assay.serving.explanation import Explanation
    from assay.serving.label_next import Suggestions
    from assay.serving.predictor import Answering, Prediction, Predictor
    from assay.serving.streamed import Following
    from assay.sources.records import Problem, Records
    from assay.task import Rollout, Session, Spec


class Model:
    """A trained network with its evidence.

    Made by `assay.train` and `assay.load`. Shown as a table in a notebook.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._description: tuple[Task, Spec, dict[str, Any]] | None = None
        self._exported: Predictor | None = None
        self._loaded: tuple[Task, Spec, nn.Module, dict[str, Any]] | None = None
        self._classical: Baseline | None = None

    def _described(self) -> tuple[Task, Spec, dict[str, Any]]:
        """The application, its spec and what `model.json` holds; the network is not read for it."""
        if self._loaded is not None:
            task, spec, _, facts = self._loaded
            return task, spec, facts
        if self._description is None:
            self._description = read_description(self.run.model)
        return self._description

    def check(self) -> None:
        """Raise `RunError` where the run holds no network that can answer."""
        if self.exported is None:
            self._parts()

    def _parts(self) -> tuple[Task, Spec, nn.Module, dict[str, Any]]:
        if self._loaded is None:
            self._loaded = read_network(self.run.model)
        return self._loaded

    @property
    def task(self) -> Task:
        """The application."""
        return self._described()[0]

    @property
    def spec(self) -> Spec:
        """What a sample is."""
        return self._described()[1]

    @property
    def network(self) -> nn.Module:
        """The trained PyTorch module, in evaluation mode."""
        return self._parts()[2]

    @property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds."""
        return self.run.read(self.run.summary, "task", "network", "findings")

    @property
    def evidence(self) -> list[Finding]:
        """All findings."""
        written = self.run.read(self.run.evidence, "findings")
        with reading(self.run.evidence):
            return [Finding.from_json(item) for item in written["findings"]]

    @property
    def predictor(self) -> Predictor:
        """The network, ready to answer."""
        from assay.serving.predictor import Predictor

        task, spec, network, facts = self._parts()
        return Predictor(task, spec, network, temperature=facts["temperature"], settled=facts["settled"],
                         likeness=facts["likeness"])  # fmt: skip

    @property
    def exported(self) -> Predictor | None:
        """The export of the network (`assay export`), which answers without torch; None where it cannot be run here."""
        from assay.serving.exported import is_exported, load_exported

        if self._exported is None and is_exported(self.run.model):
            self._exported = load_exported(self.run.model, *self._described())
        return self._exported

    def quickest(self, options: Mapping[str, Any]) -> Predictor:
        """What answers: the export where there is one, else the network."""
        return replace(self.exported or self.predictor, options=options)

    def predict(self, inputs: Any, *, baseline: bool = False, options: Mapping[str, Any] | None = None) -> list[Any]:
        """Answers for a path, a list of paths, an image, an array, a data frame, or a list of rows (dicts).

        Args:
            inputs: what is to be answered.
            baseline: ask the classical model instead of the network.
            options: of answers, as the task's `Traits.answering` names them, such as `{"beams": 1}`.

        Returns:
            One answer (a dataclass of the task's) for each sample that could be read, in their order.

        Raises:
            DataError: nothing can be read.
            SettingError: the task knows no such option, or not that value.
        """
        return [prediction.answer for prediction in self.predictions(inputs, baseline=baseline, options=options)[0]]

    def predictions(
        self,
        inputs: Any,
        *,
        baseline: bool = False,
        options: Mapping[str, Any] | None = None,
        following: Following | None = None,
    ) -> tuple[list[Prediction], tuple[Problem, ...]]:
        """As `predict`, with the name of each sample, and what could not be read.

        `following` is told how far inputs are that come in chunks, such as videos.
        """
        return self.answers(self.records(inputs), baseline=baseline, options=options, following=following)

    def records(self, inputs: Any) -> Records:
        """Inputs, as `predict` takes them, read but not yet decoded; raises `DataError` where there are none."""
        return self.task.read_inputs(open_source(inputs), self.spec)

    def answers(
        self,
        records: Records,
        *,
        baseline: bool = False,
        options: Mapping[str, Any] | None = None,
        following: Following | None = None,
    ) -> tuple[list[Prediction], tuple[Problem, ...]]:
        """As `predictions`, for what `records` gave."""
        from assay.serving.predictor import predict

        return predict(self._answering(baseline, options), records, following)

    def stream(self, inputs: Any, options: Mapping[str, Any] | None = None) -> Iterator[str] | None:
        """The answer to an input in pieces of text, as it is written; None where answers come at once.

        Where there are several inputs it is None, too: they are answered together.

        Args:
            inputs: as `predict` takes them.
            options: likewise.

        Raises:
            DataError: nothing can be read.
            SettingError: the task knows no such option, or not that value.
        """
        from assay.serving.predictor import are_more_than, growing

        if type(self.task).growing is Task.growing:
            return None
        predictor = self.quickest(answering_options(self.task, options))
        records = self.task.read_inputs(open_source(inputs), self.spec)
        return None if are_more_than(records, 1) else growing(predictor, records)

    def are_several(self, inputs: Any) -> bool:
        """Whether there is more than one input to answer; raises `DataError` where none can be read."""
        from assay.serving.predictor import are_more_than

        return are_more_than(self.task.read_inputs(open_source(inputs), self.spec), 1)

    def comes_in_chunks(self, inputs: Any) -> bool:
        """Whether some input is answered in chunks, as videos are; raises `DataError` where none can be read."""
        from assay.sources.records import ProblemLog

        records = self.task.read_inputs(open_source(inputs), self.spec)
        return self.task.traits.streams and any(self.task.streamed(records, self.spec, ProblemLog()) or ())

    def session(self, options: Mapping[str, Any] | None = None) -> Session:
        """A session that takes input in chunks and answers while more arrives.

        Args:
            options: as `predict` takes them.

        Raises:
            SettingError: the application answers whole inputs alone, or knows no such option.
        """
        predictor = self.quickest(answering_options(self.task, options, session=True))
        with reading(self.run.model / "model.json"):  # what was settled may not be what the task wrote
            return self.task.session(predictor)

    def rollouts(
        self, count: int = 5, first: int | None = None, *, pictured: bool = False, baseline: bool = False
    ) -> Iterator[Rollout]:
        """Let it act in its world, such as drive on tracks, and give what came of each as it ends.

        Args:
            count: how many.
            first: the number of the first world; None for the first of those that the run was tested in.
            pictured: with the frames that were seen.
            baseline: let the classical model act instead.

        Raises:
            SettingError: the application does not act, or not with such data.
        """
        return self.task.rollouts(self._answering(baseline), first, count, pictured)

    def explain(self, inputs: Any, *, baseline: bool = False) -> list[Explanation]:
        """Why each input is answered as it is: what weighed how much, and how far that can be believed.

        Args:
            inputs: as `predict` takes them.
            baseline: explain the classical model's answers instead, where the task can.

        Returns:
            One explanation for each sample that could be read, in their order.

        Raises:
            DataError: nothing can be read.
            SettingError: answers of this kind cannot be explained.
        """
        return self.explanations(inputs, baseline=baseline)[0]

    def explanations(
        self, inputs: Any, *, baseline: bool = False, row: int | None = None, only_first: bool = False
    ) -> tuple[list[Explanation], int, tuple[Problem, ...]]:
        """As `explain`, of one row or the first alone, with how many samples there are and what could not be read."""
        from assay.serving.explanation import explain

        records = self.task.read_explained(open_source(inputs), self.spec)
        answering = self._answering(True) if baseline else self.predictor  # explanations follow the network's gradients
        return explain(answering, records, row, only_first)

    def label_next(self, inputs: Any, count: int = 20, seed: int = 0) -> Suggestions:
        """Which of some unlabelled samples to label next, as they would teach the network most.

        Args:
            inputs: as `predict` takes them; of videos alone it is their frames.
            count: how many are wanted.
            seed: of the draw of candidates, where there are very many.

        Raises:
            DataError: nothing can be read.
            SettingError: answers of this kind do not say how sure they are.
        """
        from assay.serving.label_next import suggest

        return suggest(self.predictor, self.task.read_explained(open_source(inputs), self.spec), count, seed)

    def _answering(self, baseline: bool, options: Mapping[str, Any] | None = None) -> Answering:
        """The network, or the classical model."""
        from assay.serving.predictor import Classical

        chosen = answering_options(self.task, options)
        if baseline and chosen:
            shown = next(iter(chosen)).replace("_", "-")
            raise SettingError(f"the classical model has no option --{shown}", "Leave it out, or ask the network.")
        if baseline:
            return Classical(self.task, self.spec, self._baseline())
        return self.quickest(chosen)

    def _baseline(self) -> Baseline:
        if self._classical is not None:
            return self._classical
        folder = self.run.model / "baseline"
        if not folder.exists():
            raise RunError(f"{self.run.path} holds no baseline", "Train with --evidence quick or full.")
        model = next(model for model in self.task.baselines(self.spec) if not model.floor)
        model.load(folder)
        self._classical = model
        return model

    def evaluate(
        self, source: Any, options: DataOptions | None = None
    ) -> tuple[dict[str, Estimate], Evaluation, tuple[Problem, ...]]:
        """Every metric with its interval on all labelled samples of a source.

        A source with a given split is judged by its test side alone.

        Raises:
            DataError: there are no labelled samples, or none of a class that the network learned.
        """
        from assay.flow import read
        from assay.samples.samples import build_samples
        from assay.samples.split import TEST, split
        from assay.sources.checks import check_known
        from assay.sources.records import ProblemLog

        source = open_source(source)
        records = read(self.task, source, self._as_trained(options or DataOptions()), self.spec)
        check_known(records, self.task.classes(self.spec), source.label)
        log = ProblemLog()
        log.extend(records.problems)
        sides = split(records.index(), None, 0)
        side = sides.side if sides.by == "given" else None
        view = build_samples(self.task, records, self.spec, side, log).view(TEST)
        evaluation = self.task.evaluate(self.predictor, view)
        found = {metric.name: evaluation.measure(metric) for metric in self.task.metrics(self.spec)}
        return found, evaluation, log.problems()

    def _as_trained(self, options: DataOptions) -> DataOptions:
        """The target that the user named for the training, unless another is named now."""
        plan = self.run.read(self.run.plan, "data")
        with reading(self.run.plan):
            return replace(options, target=options.target or plan["data"].get("target"))

    def save(self, path: str | Path) -> Path:
        """Copy the whole run to a new folder; raises `RunError` where it is taken, or lies in this run."""
        if Path(path).resolve().is_relative_to(self.run.path.resolve()):
            raise RunError(f"{path} lies in the run that is to be copied", "Choose a folder elsewhere.")
        target = RunFolder.create(Path(path)).path
        with writing(target):
            shutil.copytree(self.run.path, target, dirs_exist_ok=True)
        return target

    def _repr_html_(self) -> str:
        summary = self.summary
        rows = [
            "<tr>"
            + "".join(f"<td>{html.escape(text)}</td>" for text in (name, item["status"], item["verdict"]))
            + "</tr>"
            for name, item in summary["findings"].items()
        ]
        about = (summary["task"], summary["network"]["name"], str(self.run.report))
        head = " · ".join(html.escape(text) for text in about)
        return f"{head}<table>{''.join(rows)}</table>"

    def __repr__(self) -> str:
        return f"<assay.Model {self.run.path}>"
