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

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.errors import SettingError

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from assay.baselines.baseline import Baseline
    from assay.evaluation.evaluation import Evaluation
    from assay.evaluation.metrics import Metric, Values
    from assay.evidence.finding import Figure
    from assay.progress import Progress
    from assay.samples.draws import Draws
    from assay.samples.lookalikes import Lookalikes
    from assay.samples.samples import Samples, View
    from assay.samples.text_spans import Recital
    from assay.serving.predictor import Answering, Predictor
    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions, Recognition, Source
    from assay.training.plan import Plan

Spec = Any  # a frozen dataclass of the task's own with `to_json()` and a static `from_json(data)`
Settings = Any  # a frozen dataclass of a network's own
Output = Any  # what a task's `predict` gives for one window


@dataclass(frozen=True)
class Traits:
    """Where applications differ, as data; asked for instead of the task's name.

    Attributes:
        title: the application in a few words.
        data: the data it takes, as `assay tasks` prints it.
        extra: the optional dependencies it needs, as `pip install "assay[extra]"` names them.
        default_budget_s: seconds of fitting where the user says neither `--budget` nor `--epochs`.
        variable_length: samples differ in length; batches carry a padding mask.
        several_windows: a unit may be cut into windows.
        closed_loop: it is evaluated by rollouts, and samples may be appended during a run (`collect`).
        streams: it answers while input still arrives (`session`).
        options: the data options that it adds, by name, with their help text.
        answering: what `assay predict` can be told about answers, likewise; `predict` takes them.
        of_learned: options that `predict` takes where the samples are those that the network learned from, so that it
            does not look them up.
    """

    title: str
    data: str
    extra: str
    default_budget_s: float = 120.0
    variable_length: bool = False
    several_windows: bool = False
    closed_loop: bool = False
    streams: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    answering: Mapping[str, str] = field(default_factory=dict)
    of_learned: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows that go through the network together; each task adds its tensors by subclassing.

    The fields that a subclass adds carry the names of the fields that `Task.encode` gives; those that a prediction does
    without (targets) default to None. A ragged field arrives padded with zeros. Where several are, each has a mask of
    its own: the subclass declares `NAME_mask` beside the field `NAME`.

    Attributes:
        index: (B,) int64, each window's number among the samples; it keys the window's randomness.
        mask: (B, T) bool, True where a ragged field without a mask of its own is real; None where nothing is padded.
    """

    index: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Encoded:
    """What `Task.encode` makes of a record batch.

    Attributes:
        fields: by name, an array (W, ...) for W windows, or a list of W arrays (T_i, ...) that differ in length.
        row: (W,) int64, the row of the record batch that each window was cut from, ascending. A row that gives no
            window was skipped, and the problem log says why.
    """

    fields: Mapping[str, np.ndarray[Any, Any] | list[np.ndarray[Any, Any]]]
    row: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Situation:
    """What a network's recipe may look at when it chooses hyper-parameters.

    Attributes:
        spec: the task's sample spec.
        samples: how many training windows there are.
        budget_s: seconds for fitting; None where `epochs` is given.
        epochs: passes over the training windows that the user asked for; None where the time decides.
        seconds_per_sample: measures one training step of a network with given settings on this machine and gives
            seconds per training window (forward, backward and optimiser).
    """

    spec: Spec
    samples: int
    budget_s: float | None
    epochs: float | None
    seconds_per_sample: Callable[[Settings, Plan], float]


@dataclass(frozen=True)
class NetworkKind:
    """A network that suits a task, with its hyper-parameters.

    Attributes:
        name: what `--network` calls it; a name that ends in "/" takes the rest as an argument (`timm/resnet18`).
        settings: the frozen dataclass of its hyper-parameters, all with defaults.
        build: makes the module for a spec and settings.
        recipe: proposes settings and a plan for a situation; what the user sets by hand overrides both.
        summary: one line for `assay tasks`.
        prepare: changes a fresh network before the first step, such as fitting its head to pretrained features.
        conclude: changes a trained network after the last step, such as fitting to the validation side how far to trust
            what was only counted.
        portable: settings with which `build` makes the module without any file from outside the run.
        features: where its features come from, for the comparison with a classical model.
    """

    name: str
    settings: type[Any]
    build: Callable[[Spec, Settings], nn.Module]
    recipe: Callable[[Situation], tuple[Settings, Plan]]
    summary: str
    prepare: Callable[[nn.Module, Samples, Plan], None] | None = None
    conclude: Callable[[nn.Module, Samples, Plan], None] | None = None
    portable: Callable[[Settings], Settings] = field(default=lambda settings: settings)
    features: Callable[[Settings], str] = field(default=lambda settings: "learned from this data")


@dataclass(frozen=True)
class Drawing:
    """A unit as the page shows it: a small picture (data URI) or lines of text, or both.

    Attributes:
        image: a data URI.
        lines: the unit's name first; "name: value" is set as a definition.
        spans: text in pieces that follow one another, each with its weight, by which it is shaded: positive where it
            spoke for the answer, NaN for text that had no say. White space belongs to the pieces.
    """

    image: str | None = None
    lines: tuple[str, ...] = ()
    spans: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Corruption:
    """One way in which inputs get worse.

    Attributes:
        change: takes a batch, a strength from 1 to 5, and draws; gives the worse batch.
        against: the augmentation (a name in `Plan.augment`) that prepares for it, and how strong it then has to be at
            least; None where there is none.
    """

    change: Callable[[Any, int, Draws], Any]
    against: tuple[str, float] | None = None


@dataclass(frozen=True)
class Support:
    """How much of some answers is left in the outputs of changed inputs.

    Attributes:
        values: (U,) the larger, the more is left: a probability; of a number minus the distance from the one answered.
        unit: "%" for a probability, else what the values are counted in.
        by_size: what lowers an answer made it what it is as much as what raises it, as with numbers.
    """

    values: np.ndarray[Any, Any]
    unit: str = "%"
    by_size: bool = False


class Session(ABC):
    """Takes input in chunks and answers while more arrives."""

    @abstractmethod
    def push(self, chunk: Any) -> Sequence[Any]:
        """Take the next chunk and give the answers that it completes (JSON-able dataclasses, may be none)."""

    @abstractmethod
    def close(self) -> Sequence[Any]:
        """Say that the input has ended and give the answers still owed."""


class Task(ABC):
    """One application."""

    name: ClassVar[str]
    traits: ClassVar[Traits]
    #: The subclass of `Batch` whose fields `encode` fills.
    batch_type: ClassVar[type[Batch]]
    #: The dataclass of its sample spec, for reading `model.json` back.
    spec_type: ClassVar[type[Any]]

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

    def growing(self, network: nn.Module, batch: Any, spec: Spec, options: Mapping[str, Any]) -> Iterator[str] | None:
        """The first answer of a batch as it is being written, in pieces of text; None where answers come at once."""
        return None

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
        raise SettingError(f"{self.name} does not cut a unit into windows")

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

    def collect(self, predictor: Predictor, samples: Samples, epoch: int, seed: int) -> Records | None:
        """New training samples that the network's own behaviour brings up (DAgger), asked for after each epoch.

        Called only for tasks whose traits say `closed_loop`. What it gives is appended to the training side and
        recorded, so that a resumed run sees the same samples. All its randomness follows from `seed` and `epoch`.
        """
        return None

    def session(self, predictor: Predictor) -> Session:
        """A session that takes chunks; only for tasks whose traits say `streams`."""
        raise SettingError(f"{self.name} does not answer while input arrives")

    def stream(self, samples: Samples, unit: int, spec: Spec) -> np.ndarray[Any, Any]:
        """A unit as the input of a session, (T, ...): a chunk is any stretch of it along the first axis."""
        raise SettingError(f"{self.name} does not answer while input arrives")

    # Evidence --------------------------------------------------------------------------------------------------------
    #
    # What findings ask of an application beyond its answers. Each has a default that says "not applicable".

    def probabilities(self, outputs: Values, spec: Spec) -> np.ndarray[Any, Any] | None:
        """(U, C) class probabilities, where a truth is the number of one of C classes; None for other answers.

        Calibration, conformal sets and the search for wrong labels need them.
        """
        return None

    def sharpened(self, outputs: Values, temperature: float, spec: Spec) -> Values:
        """Outputs whose probabilities were taken at another temperature; those of 1 are as they are."""
        raise SettingError(f"the answers of {self.name} have no temperature")

    def residuals(self, outputs: Values, truths: Values, spec: Spec) -> np.ndarray[Any, Any] | None:
        """(U,) truth minus output, where both are numbers; None for other answers. Prediction intervals need them."""
        return None

    def confidences(
        self, outputs: Values, truths: Values, spec: Spec
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
        """(U,) how good each output says that it is, and (U,) how good it was, both from 0 to 1.

        For answers that are neither a class nor a number: the probability of a span and whether it was right, the mean
        probability of a translation's tokens and its chrF over 100. A confidence need not be on the scale of the
        goodness; it should only rise with it. None where outputs do not say how good they are.
        """
        return None

    def parts(self, spec: Spec) -> Mapping[str, np.ndarray[Any, Any]]:
        """Places in the input by name, each a bool array of one input's shape without channels: (H, W) or (P,).

        The one named "rim", where an input has one, is all that should not decide an answer by itself. Findings hide
        places and train networks that see nothing else. Empty where inputs differ in shape (see `part_names`).
        """
        return {}

    def part_names(self, samples: Samples, window: int, spec: Spec) -> Sequence[str] | None:
        """The parts of one input in their order, where inputs differ in length: the text of each of its tokens.

        One after the other they are the input's text: a name holds the white space that stands before it, and is ""
        where a part has no text, such as a special token. There are as many as the input has places without padding.

        Args:
            samples: all samples.
            window: the window's number among them.
            spec: the sample spec.

        Returns:
            None where parts have no names.
        """
        return None

    def masked(self, batch: Any, kept: Tensor, spec: Spec, instead: Any = None) -> Any:
        """The batch with everything outside of what is kept made to say nothing, or taken from other inputs.

        Args:
            batch: the inputs.
            kept: (B, ...) or (...) bool, shaped as `parts`; where inputs differ in length (B, T), shaped as what
                `explain` gives for the same batch, and True wherever that is NaN.
            spec: the sample spec.
            instead: a batch of as many inputs, whose values stand where nothing is kept; None for the training mean.
        """
        raise SettingError(f"the inputs of {self.name} cannot be masked")

    def corruptions(self, spec: Spec) -> Mapping[str, Corruption]:
        """Ways in which inputs get worse, by name."""
        return {}

    def regularisation(self, spec: Spec) -> Mapping[str, tuple[float, float]]:
        """What else than weight decay and the network's own settings can hold this application back from memorising.

        Returns:
            By the name of a setting of the plan, `augment.NAME` for an augmentation: the value at which it does
            nothing, and a moderate one. What usually helps most comes first.
        """
        return {}

    def lookalikes(self, samples: Samples, asked: np.ndarray[Any, Any], budget_s: float) -> Lookalikes | None:
        """Which units are copies of those asked about, exact or changed a little.

        Args:
            samples: all samples; copies are looked for on every side.
            asked: (A,) int64, the units whose copies are wanted.
            budget_s: seconds that it may take, about; what it gives says how many of `asked` it got to.

        Returns:
            None where the application cannot tell copies.
        """
        return None

    def recital(self, predictor: Predictor, samples: Samples, budget_s: float) -> Recital | None:
        """How much of what the network writes stands word for word in what it learned from.

        Args:
            predictor: the network.
            samples: all samples.
            budget_s: seconds that it may take, about.

        Returns:
            None where the application writes nothing of its own.
        """
        return None

    def support(self, outputs: Values, answered: Values, spec: Spec) -> Support | None:
        """How much of the answers that outputs (U,) gave is left in the outputs of the same units, changed.

        Explanations are judged by it: where they are right, little is left once what they mark is gone. None where that
        cannot be measured.
        """
        return None

    def explain(self, predictor: Answering, batch: Any) -> np.ndarray[Any, Any]:
        """How much each part of the input weighed in the answers of a batch.

        Args:
            predictor: the network, or where the application can explain such answers, too, a classical model.
            batch: the inputs, as they were answered.

        Returns:
            (B, ...) float, shaped as `parts`; positive where it spoke for the answer, or raised the number. Where
            inputs differ in length (B, T), padded, and NaN where an input has no such part or where the part is none
            of the input's content: padding, special tokens. Raises `SettingError` where answers of this kind cannot be
            explained.
        """
        raise SettingError(f"{self.name} cannot explain its answers")

    def draw_explained(
        self,
        samples: Samples,
        unit: int,
        weights: np.ndarray[Any, Any],
        spec: Spec,
        window: int | None = None,
    ) -> Drawing:
        """One unit as the page shows it, with what weighed.

        Args:
            samples: all samples.
            unit: the unit.
            weights: what `explain` gave for a window of the unit: (...) as `parts`, or (T,) with NaN at its end where
                other inputs were longer.
            spec: the sample spec.
            window: the window's number among the samples; None where the unit has no other.
        """
        drawing = self.draw(samples, unit, spec)
        number = int(samples.view_of(np.asarray([unit])).windows[0]) if window is None else window
        names = self.part_names(samples, number, spec)
        if names is None:
            return drawing
        spans = tuple((name, float(weight)) for name, weight in zip(names, weights, strict=False))
        return replace(drawing, lines=drawing.lines[:1], spans=spans)

    def draw(self, samples: Samples, unit: int, spec: Spec) -> Drawing:
        """One unit as the page shows it."""
        return Drawing(lines=(samples.id(unit),))


def number_of(
    options: Mapping[str, Any], name: str, default: float, low: float, high: float, *, whole: bool = False
) -> float:
    """A number among the options of an answer; raises `SettingError` where it is none, or out of bounds."""
    given = options.get(name, default)
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = float("nan")
    if not low <= value <= high or (whole and value != int(value)):
        shown, kind = name.replace("_", "-"), "whole number" if whole else "number"
        raise SettingError(f"--{shown} {given} is not possible", f"Give a {kind} from {low:g} to {high:g}.")
    return value
