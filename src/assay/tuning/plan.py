"""What a search is going to do, decided before its first trial and written down: networks, ranges, length of a trial.

Of the time that is given, a fifth is for the training of the best trial in full, a fifth for that of the defaults
beside it, less what a trial takes (see `assay.tuning.finals`), and the rest for trials. All trials take as long as ten
that are never stopped, or as `--trials` says.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import SettingError
from assay.flow import TrainOptions
from assay.pacing import Stopwatch, build
from assay.planning import Held, pick_network, proposed
from assay.run import to_json
from assay.samples.samples import TrainStream
from assay.samples.split import TRAIN, VALIDATION
from assay.task import Task
from assay.training.plan import Plan
from assay.training.space import dimensions
from assay.tuning.branches import Branch, narrowed
from assay.tuning.options import TuneOptions
from assay.tuning.sampling import CHECKS, COST_WITH_PRUNING
from assay.tuning.score import units_in_time

#: Where no budget is given: so many times the time of a training.
_TIMES_DEFAULT = 15
#: The share of the time for each of the two trainings in full.
FINAL_SHARE = 0.2
#: Trials that are never stopped, that the time for trials holds where their number is not given.
_FULL_TRIALS = 10
#: The share of a trial that goes into training steps; the rest into looking at the validation side.
_STEPPING = 0.8
#: The share of a trial's steps that the loop's own checks may cost; how much quicker a forward pass alone is.
_CHECKING, _FORWARD_SHARE = 0.15, 2.5
_FEWEST_WINDOWS = 200
#: A trial is judged by the mean of its weights over about this share of its steps: in the midst of a training a large
#: learning rate hides how good it is going to be.
_AVERAGED = 0.05


@dataclass(frozen=True)
class Fidelity:
    """How well a trial is trained and judged.

    Attributes:
        trial_s: seconds that a trial of the first network as proposed is meant to take.
        steps: its training steps; a network whose steps take longer gets as many fewer.
        windows: windows of the validation side that a check of the loop looks at, at most.
        units: units of the validation side that trials are judged by.
        checks: how often a trial is looked at, so that it can be stopped.
    """

    trial_s: float
    steps: int
    windows: int
    units: int
    checks: int = CHECKS


@dataclass(frozen=True)
class SearchPlan:
    """What a search is going to do.

    Attributes:
        branches: the networks.
        fidelity: of a trial.
        search_s: seconds for trials.
        total_s: seconds in all.
        setup_s: seconds that planning took.
    """

    branches: tuple[Branch, ...]
    fidelity: Fidelity
    search_s: float
    total_s: float
    setup_s: float

    def to_json(self) -> dict[str, Any]:
        """All but the times, which are each process' own: what processes that share a search must agree on."""
        branches = [
            {"network": one.network, "settings": one.settings, "plan": one.plan, "step_s": one.step_s}
            for one in self.branches
        ]
        plain: dict[str, Any] = to_json({"fidelity": self.fidelity, "branches": branches})
        return plain

    @staticmethod
    def read(
        shared: Mapping[str, Any], times: Mapping[str, float], task: Task, held: Held, options: TuneOptions
    ) -> SearchPlan:
        """What `to_json` wrote, in this process or in the one that began the search, with this process' own times."""
        fidelity = Fidelity(**shared["fidelity"])
        found = []
        for one in shared["branches"]:
            kind, _ = pick_network(task, held[1], one["network"])
            found.append((one["network"], kind, kind.settings(**one["settings"]), Plan(**one["plan"]), one["step_s"]))
        return SearchPlan(_branched(found, fidelity, task, held, options), fidelity, **times)

    @property
    def times(self) -> dict[str, float]:
        """What is each process' own."""
        return {"search_s": self.search_s, "total_s": self.total_s, "setup_s": self.setup_s}


def make_plan(task: Task, held: Held, options: TuneOptions) -> SearchPlan:
    """Measure the steps of each network, and decide how long a trial is; raises `SettingError`."""
    begun = time.perf_counter()
    if not len(held[0].view(VALIDATION)):
        raise SettingError("trials are judged by the validation side, which is empty", "Tune with --split 80/10/10.")
    total_s = options.budget_s or _TIMES_DEFAULT * task.traits.default_budget_s
    final_s = FINAL_SHARE * total_s
    found = [_proposal(task, held, options, name, final_s) for name in options.networks or (None,)]
    search_s = total_s - 2 * final_s
    fidelity = _fidelity(task, held, options, found[0], min(final_s, _trial_seconds(search_s, options)))
    branches = _branched(found, fidelity, task, held, options)
    return SearchPlan(branches, fidelity, search_s, total_s, time.perf_counter() - begun)


def _trial_seconds(search_s: float, options: TuneOptions) -> float:
    if options.trials is None:
        return search_s / _FULL_TRIALS
    return search_s / (options.trials * (COST_WITH_PRUNING if options.pruning else 1.0))


_Found = tuple[str, Any, Any, Plan, float]


def _proposal(task: Task, held: Held, options: TuneOptions, name: str | None, final_s: float) -> _Found:
    """A network with what its recipe proposes for a training in full, and the seconds of a step."""
    own = fixed_of(task, held, options, name)
    asked = TrainOptions(budget_s=final_s, network=name, settings=own, seed=options.seed)
    kind, settings, plan, measured = proposed(task, held, asked, final_s)
    return name or kind.name, kind, settings, plan, step_seconds(measured, settings, plan, held)


def fixed_of(task: Task, held: Held, options: TuneOptions, name: str | None) -> Mapping[str, str]:
    """What the user holds fixed, as far as this network has it, where there are several; all of it for a single one."""
    if len(options.networks) < 2:
        return options.settings
    kinds = {one: pick_network(task, held[1], one)[0] for one in options.networks}
    fields = {one: {item.name for item in dataclasses.fields(kind.settings)} for one, kind in kinds.items()}
    foreign = set().union(*fields.values()) - fields[name or options.networks[0]]
    return {key: value for key, value in options.settings.items() if key not in foreign}


def step_seconds(measured: Stopwatch, settings: Any, plan: Plan, held: Held) -> float:
    """Seconds of a training step on this machine."""
    stream = TrainStream(held[0].view(TRAIN), plan.batch_size, plan.seed)
    return measured(settings, plan) * stream.batch_size


def _fidelity(task: Task, held: Held, options: TuneOptions, first: _Found, trial_s: float) -> Fidelity:
    samples, spec, _ = held
    _, kind, settings, plan, step_s = first
    steps = max(CHECKS, int(_STEPPING * trial_s / step_s))
    steps = min(steps, max(CHECKS, plan.steps)) if plan.steps else steps
    windows = _CHECKING * steps * plan.batch_size * _FORWARD_SHARE / (1.5 * CHECKS)
    view = samples.view(VALIDATION)
    units = units_in_time(task, spec, view, build(kind, spec, settings), trial_s, CHECKS)
    return Fidelity(trial_s, steps, max(_FEWEST_WINDOWS, int(windows)), units)


def _branched(
    found: Sequence[_Found], fidelity: Fidelity, task: Task, held: Held, options: TuneOptions
) -> tuple[Branch, ...]:
    fixed: Collection[str] = options.settings
    regularisation = task.regularisation(held[1])
    whole = [
        dimensions(settings, plan, regularisation, steps_of(fidelity, found[0][4], step_s), fixed)
        for _, _, settings, plan, step_s in found
    ]
    asked = narrowed(whole, options.search)
    return tuple(
        Branch(name, kind, settings, plan, tuple(of), step_s)
        for (name, kind, settings, plan, step_s), of in zip(found, asked, strict=True)
    )


def steps_of(fidelity: Fidelity, reference_s: float, step_s: float, most: int = 0) -> int:
    """The steps of a trial whose steps take as long as that, where those of the first network take `reference_s`."""
    steps = max(fidelity.checks, round(fidelity.steps * reference_s / max(step_s, 1e-9)))
    return min(steps, max(fidelity.checks, most)) if most else steps


def of_trial(plan: Plan, steps: int, checks: int) -> Plan:
    """How a trial of that many steps, which is looked at so often, is trained."""
    averaging = max(plan.averaging, 1 - 1 / max(1.0, _AVERAGED * steps))
    return dataclasses.replace(plan, steps=steps, checks=checks, early_stopping=0, averaging=averaging)
