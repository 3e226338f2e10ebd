"""Side trainings: small trainings after the main one, each of which serves several findings.

Each is made when it is first asked for; `ahead` makes several at once where a mapper can do that (`assay.work`).

Which there are, and what they cost beside the main training:

* the two halves of the training side: what one half's network, and one half's classical model, say of the other half is
  out of sample (`labels`); the first half's classical model is a point of its learning curve too (`data`);
* an eighth: the point of the learning curve (`data`) that its slope is read from, beside the main training itself;
* networks that see only a part of the input (`shortcuts`), or go on from the trained weights with another setting
  (`overfitting`).

A side training takes a share of the main training's steps, `SHARE` times the square root of its share of the samples:
more passes over fewer samples, as in practice. The learning curve's point must be trained as well as the main network,
or its slope would speak of steps and not of samples: it takes the share `1 / divisor` of the samples to the power of
`CURVE_POWER` of the main training's steps, an eighth a quarter of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines.fit import Fit, Fitted
from assay.evidence._side_training import Training
from assay.evidence.context import FittedBaseline
from assay.samples.draws import order
from assay.samples.split import TEST, TRAIN
from assay.serving.predictor import Classical, Predictor
from assay.work import InTurn, Mapper, Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.evaluation.evaluation import Evaluation
    from assay.samples.samples import Samples
    from assay.task import NetworkKind, Settings, Spec, Task
    from assay.training.plan import Plan

Array = np.ndarray[Any, Any]
#: The steps of a side training on as many samples as the main one, as a share of the main one's.
SHARE = 0.08
#: Fewer training units than this are not divided.
FEWEST_UNITS = 80
#: The shares of the training side that the learning curves of network and classical model are read from, by divisor.
SHARES, CLASSICAL_SHARES = (8,), (2, 8)
#: What a classical model on a share may take, as a share of what the baseline took on as many samples.
CLASSICAL_TIME = 0.4
#: See above; 1 would be as many passes as the main training.
CURVE_POWER = 2 / 3
#: A share with fewer units than this is no point of a learning curve.
FEWEST_OF_SHARE = 20
_FEWEST_STEPS = 20
#: A side training that takes more than this share of the main one's steps is too long beside it.
_LONGEST = 0.25


@dataclass(frozen=True)
class SideRun:
    """A network of a side training.

    Attributes:
        name: what tells it from the others.
        units: (U,) the units that it was trained on.
        predictor: the network.
    """

    name: str
    units: Array
    predictor: Predictor


class Side:
    """The side trainings of one run, each made when it is first asked for.

    Args:
        task: the application.
        spec: its sample spec.
        samples: all samples; the training side is what is divided.
        kind: the kind of network.
        settings: its hyper-parameters.
        plan: how the main network was trained; `steps` are those that it took.
        folder: where their weights are kept until the run is complete; None for nowhere.
        say: is told which one is being trained.
        mapper: does the trainings.
    """

    def __init__(
        self,
        task: Task,
        spec: Spec,
        samples: Samples,
        kind: NetworkKind,
        settings: Settings,
        plan: Plan,
        folder: Path | None = None,
        say: Callable[[str], None] = lambda name: None,
        mapper: Mapper | None = None,
    ) -> None:
        self.task, self.spec, self.samples = task, spec, samples
        self._kind, self._settings, self._plan = kind, settings, plan
        self._folder, self._say, self._mapper = folder, say, mapper or InTurn()
        self._known: dict[str, SideRun] = {}
        self._fitted: dict[bytes, Fitted] = {}

    @property
    def _subject(self) -> Subject:
        return Subject(self.task, self.spec, self.samples, self._kind, self._settings, self._plan)

    @property
    def width(self) -> int:
        """How many side trainings are made at a time."""
        return self._mapper.width

    @property
    def steps(self) -> int:
        """That the main training took."""
        return self._plan.steps

    def worth(self, part: float, share: float = 1.0) -> bool:
        """Whether the main training was long enough for a side training on a part of its samples; see `train`."""
        return self._planned(part, share) <= _LONGEST * self._plan.steps

    def _planned(self, part: float, share: float) -> int:
        """The steps of a side training."""
        return max(_FEWEST_STEPS, round(SHARE * share * math.sqrt(part) * self._plan.steps))

    @cached_property
    def halves(self) -> tuple[Array, Array] | None:
        """The training units in two halves (U',) each, groups whole; None where they are too few to be divided."""
        view = self.samples.view(TRAIN)
        groups = view.groups()
        names = np.unique(groups)
        if len(view) < FEWEST_UNITS or len(names) < FEWEST_UNITS // 2:
            return None
        ranked = order(names, "side", self._plan.seed)
        first = np.isin(groups, ranked[: len(ranked) // 2])
        return view.units[first], view.units[~first]

    def nested(self) -> dict[int, tuple[SideRun, ...]]:
        """By divisor: trainings on shares of the training side that can stand beside the main one.

        Divisors that would leave fewer than `FEWEST_OF_SHARE` units are left out; empty where the units are too few to
        be divided.
        """
        return {divisor: (self._made(training),) for divisor, training in self._curve().items()}

    def _curve(self) -> dict[int, Training]:
        """The trainings of the learning curve, by divisor."""
        found = {}
        for divisor, part in self.shares(SHARES).items():
            share: float = divisor**-CURVE_POWER
            steps = max(_FEWEST_STEPS, round(self._plan.steps * share))
            found[divisor] = Training(f"curve-{divisor}", part, self._short(part, plan={"steps": steps}))
        return found

    def _folds(self) -> list[Training]:
        """The trainings of the halves."""
        return [Training(f"2-{number}", half, self._short(half)) for number, half in enumerate(self._shuffled)]

    def ahead(self, curve: bool, halves: bool, classical_s: float | None) -> None:
        """Make what is going to be asked for, as many at a time as the mapper can.

        Args:
            curve: `nested` will be asked for.
            halves: `out_of_fold` will be.
            classical_s: see `classical`, which will be asked for, and where `halves` is true `classical_out_of_fold`;
                None where neither will be.
        """
        trainings: list[Training] = []
        if curve:
            trainings += self._curve().values()
        if halves and self.halves is not None:
            trainings += self._folds()
        self._do(trainings)
        if classical_s is not None:
            parts = list(self.shares(CLASSICAL_SHARES).values())
            parts += self._shuffled[1:] if halves else ()
            self._do_classical(parts, classical_s)

    def shares(self, divisors: Sequence[int]) -> dict[int, Array]:
        """By divisor: the units (U',) of that share of the training side; a smaller one lies inside a larger one."""
        if self.halves is None:
            return {}
        first = self._shuffled[0]
        found = {divisor: first[: 2 * len(first) // divisor] for divisor in divisors}
        return {divisor: part for divisor, part in found.items() if len(part) >= FEWEST_OF_SHARE}

    @cached_property
    def _shuffled(self) -> tuple[Array, ...]:
        return tuple(order(half, "side order", self._plan.seed) for half in self.halves or ())

    def out_of_fold(self) -> tuple[tuple[SideRun, Array], ...]:
        """Each half's network with the units (U',) of the other half, which it never saw; empty without halves."""
        if self.halves is None:
            return ()
        runs = [self._made(training) for training in self._folds()]
        return (runs[0], self.halves[1]), (runs[1], self.halves[0])

    def train(
        self,
        name: str,
        units: Array,
        share: float = 1.0,
        kept: Array | None = None,
        settings: Mapping[str, Any] | None = None,
        plan: Mapping[str, Any] | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> SideRun:
        """A network trained on some units, read back where it is there already.

        Args:
            name: a file name; the same name is the same training.
            units: (U,) what it is trained on.
            share: of the steps that it would take by itself.
            kept: the part of the input that it sees, shaped as `Task.parts`; None for all.
            settings: hyper-parameters of the network that differ.
            plan: hyper-parameters of the training that differ.
            start: the weights to go on from; None for fresh ones.
        """
        return self._made(Training(name, units, self._short(units, share, plan), kept, settings, start))

    def _made(self, training: Training) -> SideRun:
        if training.name not in self._known:
            self._do([training])
        return self._known[training.name]

    def _short(self, units: Array, share: float = 1.0, plan: Mapping[str, Any] | None = None) -> Plan:
        """The run's plan for a side training; see `train`."""
        part = len(units) / max(1, int((self.samples.side == TRAIN).sum()))
        short = {"steps": self._planned(part, share), "checks": 1, "keep": "last", "early_stopping": 0}
        return replace(self._plan, **{**short, **(plan or {})})

    def _do(self, trainings: Sequence[Training]) -> None:
        """Read back those that are there, and make the others."""
        subject, left = self._subject, []
        for one in trainings:
            network = self._read(one, subject)
            if network is None:
                left.append(one)
            else:
                self._keep(one, network)
        done = self._mapper(subject, left)
        for one in left:
            self._say(one.name)
            network = next(done)
            self._write(one, network)
            self._keep(one, network)

    def _keep(self, one: Training, network: nn.Module) -> None:
        predictor = Predictor(one.task(self._subject), self.spec, network.eval())
        self._known[one.name] = SideRun(one.name, one.units, predictor)

    def classical(self, seconds: float, asked: Array | None = None) -> dict[int, FittedBaseline]:
        """By divisor: the task's classical model fitted on the first share of that size.

        Args:
            seconds: what the baseline took to be fitted on all training units.
            asked: (U',) the test units that it is asked about; None for all.
        """
        found: dict[int, FittedBaseline] = {}
        for divisor, part in self.shares(CLASSICAL_SHARES).items():
            fitted = self._classical(part, seconds)
            test = self._tested(self._answering(fitted), asked)
            found[divisor] = FittedBaseline(fitted.model, test, fitted.seconds, fitted.note)
        return found

    def classical_out_of_fold(self, seconds: float) -> tuple[tuple[Classical, Array], ...]:
        """As `out_of_fold`, with the task's classical model; `seconds` as in `classical`."""
        if self.halves is None:
            return ()
        first, second = (self._answering(self._classical(half, seconds)) for half in self._shuffled)
        return (first, self.halves[1]), (second, self.halves[0])

    def _classical(self, units: Array, seconds: float) -> Fitted:
        """The classical model fitted on some units."""
        self._do_classical([units], seconds)
        return self._fitted[units.tobytes()]

    def _do_classical(self, parts: Sequence[Array], seconds: float) -> None:
        """Fit the classical model on each of some parts of the units, as far as that is not done."""
        # The first half is asked for under two names.
        left = {units.tobytes(): units for units in parts if units.tobytes() not in self._fitted}
        each_s = CLASSICAL_TIME * seconds / max(1, len(self.samples.view(TRAIN)))
        fits = [Fit(0, each_s * len(units), self._plan.seed, units) for units in left.values()]
        for known, fitted in zip(left, self._mapper(self._subject, fits), strict=True):
            self._fitted[known] = fitted

    def _answering(self, fitted: Fitted) -> Classical:
        return Classical(self.task, self.spec, fitted.model)

    def _tested(self, fitted: Classical, asked: Array | None) -> Evaluation:
        view = self.samples.view(TEST) if asked is None else self.samples.view_of(asked)
        return self.task.evaluate(fitted, view)

    def _write(self, one: Training, network: nn.Module) -> None:
        if self._folder is None:
            return
        import os

        from safetensors.torch import save_file

        from assay.run import writing

        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            work = self._folder / f"{one.name}.partial"
            save_file(one.packed(network), work)
            os.replace(work, self._folder / f"{one.name}.safetensors")

    def _read(self, one: Training, subject: Subject) -> nn.Module | None:
        """The network of a training of an interrupted call; None where it is not there."""
        file = self._folder / f"{one.name}.safetensors" if self._folder is not None else None
        if file is None or not file.exists():
            return None
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return one.unpacked(load_file(file), subject)
        except (SafetensorError, OSError, RuntimeError):
            return None
