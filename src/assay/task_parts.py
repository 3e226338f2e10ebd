"""The words in which an application talks to the stages: see `assay.task`.

Shapes: B windows in a batch, U units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.evaluation.metrics import Values
    from assay.evidence.finding import Figure, Number
    from assay.samples.draws import Draws
    from assay.samples.samples import Samples
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
        classical_streams: a session may as well be asked of a classical model.
        options: the data options that it adds, by name, with their help text.
        answering: what `assay predict` can be told about answers, likewise; `predict` takes them.
        of_learned: options that `predict` takes where the samples are those that the network learned from, so that it
            does not look them up.
        doubting: options that `predict` takes where labels are doubted, so that it tells what it hardly sees, too.
        listening: which of these only a session takes (`assay listen`), since whole inputs are answered at once.
        mixing: augmentations (names in `Plan.augment`) that put parts of other windows of the batch into a window.
        notice: a sentence that stands at the top of every page, such as what the answers may not be used for.
        takes: what an input is for who asks over a network or in a browser, the usual first: "picture", "video",
            "scan", "sound", "text", "question" (with its context), "row" of a table, "log" of a drive. What a server
            lets in follows from it; where it is empty, any file.
        worded: the fields of a batch (B, N) uint8 that hold an input's text in UTF-8, beside its first window or in
            each: by their wording it is told whether an input is unlike the training data (`assay.serving.likeness`).
            Empty where inputs are no texts; then the network's features tell it.
        asked: attributes of a network that `predict` asks for beside calling it; an export holds their values.
        exported_by: the module that says what an export's graphs are, where that is not `forward` as `predict` calls
            it: it has `steps`, `stand_in` and `ASKED`, see `assay.task_export`.
        watched_by: the module that says what is seen in frames of a camera (`assay listen --camera`): it has
            `sight(predictor)`, see `serving/watching.py`; empty where nothing is.
        private: no path of a source goes into a run, and no run is named after one: paths, too, tell who people are.
    """

    title: str
    data: str
    extra: str
    default_budget_s: float = 120.0
    variable_length: bool = False
    several_windows: bool = False
    closed_loop: bool = False
    streams: bool = False
    classical_streams: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    answering: Mapping[str, str] = field(default_factory=dict)
    of_learned: Mapping[str, Any] = field(default_factory=dict)
    doubting: Mapping[str, Any] = field(default_factory=dict)
    listening: tuple[str, ...] = ()
    mixing: tuple[str, ...] = ()
    notice: str = ""
    asked: tuple[str, ...] = ()
    exported_by: str = ""
    watched_by: str = ""
    private: bool = False
    takes: tuple[str, ...] = ()
    worded: tuple[str, ...] = ()


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
            what was only counted, or the threshold with which `Task.predict` decodes.
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
    """A unit as the page shows it: a small picture (data URI) or lines of text, or both; a sound beside them.

    Attributes:
        image: a data URI.
        lines: the unit's name first; "name: value" is set as a definition.
        spans: text in pieces that follow one another, each with its weight, by which it is shaded: positive where it
            spoke for the answer, NaN for text that had no say. White space belongs to the pieces.
        audio: the sound that the page plays, a data URI.
        large: the picture has marks that a small one would not show.
    """

    image: str | None = None
    lines: tuple[str, ...] = ()
    spans: tuple[tuple[str, float], ...] = ()
    audio: str | None = None
    large: bool = False


@dataclass(frozen=True)
class Corruption:
    """One way in which inputs get worse.

    Attributes:
        change: takes a batch, a strength from 1 to 5, and draws; gives the worse batch. None where it is no input that
            gets worse but the world, which an application in a closed loop does itself (`Task.worsened`).
        against: the augmentation (a name in `Plan.augment`) that prepares for it, and how strong it then has to be at
            least; None where there is none.
        strengths: what each of the five strengths is, in a few words, such as "20 dB signal to noise"; empty where that
            cannot be said.
    """

    change: Callable[[Any, int, Draws], Any] | None
    against: tuple[str, float] | None = None
    strengths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Amount:
    """How much some samples are, in what such data is counted in.

    Attributes:
        value: how much.
        name: of what, such as "minutes of speech".
        little: a sentence that says so where it is plainly too little to learn from; empty elsewhere.
    """

    value: float
    name: str
    little: str = ""


@dataclass(frozen=True)
class InUse:
    """How a network does as it is used, where that is not the answering of one sample after the other.

    Attributes:
        words: a sentence with what matters most of it.
        numbers: what was measured on test samples alone, by name.
        certainty: a sentence about how far these can be believed.
        figures: of what was measured.
    """

    words: str
    numbers: Mapping[str, Number]
    certainty: str
    figures: tuple[Figure, ...] = ()


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


class Things(ABC):
    """The labelled things in inputs, such as boxes and cells: where each lies, and whether answers find it."""

    @abstractmethod
    def places(self, batch: Any) -> np.ndarray[Any, Any]:
        """(B, ...) int32 without channels: which of its input's things each place belongs to, from 1; 0 for none."""

    @abstractmethod
    def names(self, batch: Any) -> Sequence[Sequence[str]]:
        """The class of each thing of each input, in the order of their numbers."""

    @abstractmethod
    def found(self, batch: Any, outputs: Values) -> Sequence[np.ndarray[Any, Any]]:
        """(n,) bool for each input: which of its things the outputs of its windows find, place and class."""

    @abstractmethod
    def sizes(self, batch: Any) -> list[str]:
        """The size of each input's picture as it came, as a word: what is known of it without looking at it."""


@dataclass(frozen=True)
class Confusion:
    """A part of the truth, such as a word, for which answers had another.

    Attributes:
        truth: what it was.
        predicted: what stands in the answer in its place.
        rows: the positions of the answers in which that happened, each once.
        places: (x0, y0, x1, y1) in pixels of one such part in each of these, where answers are about pictures.
    """

    truth: str
    predicted: str
    rows: tuple[int, ...]
    places: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Doubt:
    """One of the labels of a unit that looks wrong, or one that seems to be missing.

    Attributes:
        kind: what is wrong with it, in a few words, such as "missing".
        label: what it says, in a few words.
        better: what looks right.
        sure: from 0 to 1, how sure the network is.
        place: where in the unit, in a form of the application's own.
        row: the position of the unit among those asked about.
    """

    kind: str
    label: str
    better: str
    sure: float
    place: Any = None
    row: int = 0


@dataclass(frozen=True)
class Doubts:
    """What outputs say of the labels of units that the network has not seen.

    Attributes:
        labels: how many were looked at.
        agreed: how well outputs and labels agree, from 0 to 1: the F1 of what is found.
        found: those that look wrong or are missing, the surest first.
    """

    labels: int
    agreed: float
    found: tuple[Doubt, ...]


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
        upper = "on" if high == float("inf") else f"to {high:g}"
        raise SettingError(f"--{shown} {given} is not possible", f"Give a {kind} from {low:g} {upper}.")
    return value


def no_targets(message: str) -> SettingError:
    """The error of a batch without labels that is to be learned from."""
    return SettingError(message, "Train on a labelled source: `read` gives one, `read_inputs` does not.")
