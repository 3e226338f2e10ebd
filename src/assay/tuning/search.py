"""The search itself: one trial after the other, until there are enough or the time is over."""

from __future__ import annotations

import dataclasses
import datetime
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna import Study
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from assay.errors import AssayError, RunError, SettingError, TrainingError
from assay.pacing import Stopwatch, build
from assay.planning import Held
from assay.progress import Progress
from assay.samples.draws import key_of
from assay.stopping import Stop
from assay.task import Task
from assay.training.loop import Interrupted, Job, fit
from assay.tuning.branches import NETWORK, Branch, defaults_of, suggested
from assay.tuning.options import TuneOptions
from assay.tuning.plan import SearchPlan, of_trial, step_seconds, steps_of
from assay.tuning.sampling import CHECKS, KeyedSampler, pruner_of
from assay.tuning.score import Score
from assay.tuning.storage import reaching, told

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from assay.flow import Prepared
    from assay.sources.source import DataOptions

#: So many trials that all fail are enough to give up.
_ENOUGH_FAILED = 5
#: What a training with unlucky hyper-parameters may raise. Of other errors the trial knows nothing.
_FAILURES = (SettingError, TrainingError, RuntimeError, ValueError, ArithmeticError, MemoryError)
#: A trial of another process that has run for so many times its length has died with it.
_DEAD_AFTER = 20
#: How long to wait for the process that began a search to write down what it decided, in seconds.
_PATIENCE_S = 30.0
_PLAN = "plan"


@dataclass(frozen=True)
class Origin:
    """Where a search comes from, for processes elsewhere that do trials of it.

    Attributes:
        prepared: the data and its split.
        data: how it was asked to be read.
        journal: the file of the trials, where no storage was given.
    """

    prepared: Prepared
    data: DataOptions
    journal: Path


@dataclass
class Search:
    """A study, and all that its trials take.

    Attributes:
        task: the application.
        held: the samples and their spec.
        options: what was asked for.
        plan: what is going to be done.
        study: Optuna's.
        owner: tells this run's trials from those of other processes.
        shared: other processes may have trials in the same storage.
        origin: what its samples came from and where its journal is; None in a process that does single trials.
        at_once: how many trials of this run are done at a time.
        after: is called when a trial of this run has ended.
    """

    task: Task
    held: Held
    options: TuneOptions
    plan: SearchPlan
    study: Study
    owner: str
    shared: bool
    origin: Origin | None = None
    at_once: int = 1
    after: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        samples, spec, _ = self.held
        self.score = Score(self.task, spec, samples, self.plan.fidelity.units, self.several)
        self._watches: dict[str, Stopwatch] = {}

    @property
    def several(self) -> bool:
        """Whether networks of several kinds are compared."""
        return len(self.plan.branches) > 1

    def branch_of(self, trial: FrozenTrial) -> Branch:
        """The network of a trial."""
        name = trial.params.get(NETWORK, self.plan.branches[0].network)
        return next(one for one in self.plan.branches if one.network == name)

    def trials(self) -> list[FrozenTrial]:
        """All trials of the study, as they stand now."""
        with self._reaching():
            return self.study.get_trials(deepcopy=False)

    def trial(self, number: int) -> FrozenTrial:
        """A trial that ended; raises `RunError` where the storage does not hold it any more."""
        found = next((one for one in self.trials() if one.number == number and one.state.is_finished()), None)
        if found is None:
            words = f"{told(self.options.storage)} does not hold trial {number} of the search any more"
            raise RunError(words, "Restore it from a copy.")
        return found

    def run(self, progress: Progress, stop: threading.Event) -> FrozenTrial:
        """Do trials, and give the best; raises `TrainingError` where all fail, `Interrupted` where asked to stop."""
        begun = time.monotonic()
        while (trial := self.next(begun)) is not None:
            self.do(trial, progress, stop)
            self.after()
        return best_of(self.trials())

    def next(self, begun: float, besides: Collection[int] = ()) -> Trial | None:
        """A trial of ours that was interrupted, or a new one; None where there are enough.

        Args:
            begun: when this run's trials began.
            besides: trials that are being done.
        """
        found = self.trials()
        for one in found:
            if one._trial_id in besides or one.state != TrialState.RUNNING:
                continue
            if not self.shared or one.user_attrs.get("owner") == self.owner:
                with self._reaching():
                    return Trial(self.study, one._trial_id)
        give_up_on(found, self.options.trials, [name for name, where in self.options.search.items() if where])
        if self._enough(found):
            return None
        with self._reaching():
            asked = self.study.ask()
            asked.set_user_attr("owner", self.owner)
        return asked

    def _enough(self, found: list[FrozenTrial]) -> bool:
        finished = [one for one in found if one.state.is_finished()]
        if self.options.trials is not None and len(finished) + self._elsewhere(found) >= self.options.trials:
            return True
        mine = [one.user_attrs.get("seconds", 0.0) for one in finished if one.user_attrs.get("owner") == self.owner]
        if not mine:
            return False
        return bool(self.spent(found) + 0.5 * sum(mine) / len(mine) > self.plan.search_s)

    def _elsewhere(self, found: list[FrozenTrial]) -> int:
        """Trials that other processes have begun and seem to go on with."""
        since = datetime.datetime.now() - datetime.timedelta(seconds=60 + _DEAD_AFTER * self.plan.fidelity.trial_s)
        running = [one for one in found if one.state == TrialState.RUNNING]
        return sum(one.datetime_start is not None and one.datetime_start > since for one in running)

    def spent(self, found: list[FrozenTrial]) -> float:
        """Seconds of this run so far: its planning and its finished trials."""
        mine = [one for one in found if one.user_attrs.get("owner") == self.owner]
        return self.plan.setup_s + float(sum(one.user_attrs.get("seconds", 0.0) for one in mine)) / self.at_once

    def do(self, trial: Trial, progress: Progress, stop: threading.Event) -> None:
        """One trial, from its parameters to what is told of it."""
        if stop.is_set():
            raise Interrupted
        begun = time.perf_counter()
        with self._reaching():
            trial.set_user_attr("owner", self.owner)
            branch, values = suggested(trial, self.plan.branches)
        of = f" of {self.options.trials}" if self.options.trials else ""
        progress.stage(f"Trial {trial.number + 1}{of}", CHECKS)
        progress.say(f"  {_words(branch, values)}")
        state, value, error = self._outcome(trial, branch, values, progress, stop)
        with self._reaching():
            trial.set_user_attr("seconds", round(time.perf_counter() - begun, 3))
            if error is not None:
                trial.set_user_attr("error", str(error).splitlines()[0] if str(error) else type(error).__name__)
                trial.set_user_attr("hint", error.hint if isinstance(error, AssayError) else "")
            self.study.tell(trial, value, state)
        progress.say(f"  {_ended(state, value, error)}")

    def _outcome(
        self, trial: Trial, branch: Branch, values: Mapping[str, Any], progress: Progress, stop: threading.Event
    ) -> tuple[TrialState, float | None, Exception | None]:
        try:
            value = self._trained(trial, branch, values, progress, stop)
        except TrainingError as broken:
            # Told as stopped and not as failed, so that the sampler learns to keep away from there.
            return TrialState.PRUNED, None, broken
        except _FAILURES as failed:
            return TrialState.FAIL, None, failed
        if value is None:
            return TrialState.PRUNED, None, None
        if not math.isfinite(value):
            error = TrainingError(
                f"the loss on the validation side is {value}", "Hold the learning rate down by --set."
            )
            return TrialState.PRUNED, None, error
        return TrialState.COMPLETE, value, None

    def _trained(
        self, trial: Trial, branch: Branch, values: Mapping[str, Any], progress: Progress, stop: threading.Event
    ) -> float | None:
        """Train, and give how wrong the network is; None where the trial was stopped for being behind."""
        import torch

        samples, spec, _ = self.held
        settings, plan = branch.with_values(values)
        steps = self._steps(trial, branch, settings, plan)
        plan = of_trial(plan, steps, self.plan.fidelity.checks)
        torch.manual_seed(int(key_of(plan.seed, "weights")) >> 1)
        network = build(branch.kind, spec, settings)
        if branch.kind.prepare is not None:
            branch.kind.prepare(network, samples, plan)
        job = Job(self.task, spec, samples, plan, snapshot_every=max(1, min(steps, 50)), stop=stop)
        job.windows_checked = self.plan.fidelity.windows
        behind = False

        def judge(shown: nn.Module, check: int, loss: float) -> bool:
            nonlocal behind
            behind = self._behind(trial, check, self.score.at_check(shown, plan, loss))
            progress.advance(check)
            return behind

        job.judge = judge
        with stop.awaited() if isinstance(stop, Stop) else nullcontext():
            fit(network, job)
        if behind:
            return None
        if branch.kind.conclude is not None:
            branch.kind.conclude(network, samples, plan)
        return self.score.of(network.eval(), plan)

    def _behind(self, trial: Trial, check: int, value: float) -> bool:
        """Report a check, and whether the trial is to be stopped there."""
        with self._reaching():
            trial.report(value, check)
            return check < self.plan.fidelity.checks and trial.should_prune()

    def _steps(self, trial: Trial, branch: Branch, settings: Any, plan: Any) -> int:
        """How many steps take as long as those of the first network as proposed; the same ones where it is done again.

        What both take is measured here and now, so that a slower machine does not make a trial shorter.
        """
        with self._reaching():
            known = self.study._storage.get_trial(trial._trial_id).user_attrs.get("steps")
        if known is not None:
            return int(known)
        steps = steps_of(self.plan.fidelity, *self._costs(branch, settings, plan), plan.steps)
        with self._reaching():
            trial.set_user_attr("steps", steps)
        return steps

    def _costs(self, branch: Branch, settings: Any, plan: Any) -> tuple[float, float]:
        """Seconds of a step of the first network as proposed, and of this one; both 1 where they are alike."""
        first = self.plan.branches[0]
        plain = {one.name: one.default for one in branch.dimensions if not one.changes_cost}
        alike = dataclasses.replace(settings, **{name: plain[name] for name in plain if hasattr(settings, name)})
        if branch is first and alike == first.settings:
            return 1.0, 1.0
        reference = step_seconds(self._watch(first), first.settings, first.plan, self.held)
        return reference, step_seconds(self._watch(branch), alike, branch.plan, self.held)

    def _watch(self, branch: Branch) -> Stopwatch:
        samples, spec, _ = self.held
        if branch.network not in self._watches:
            budget = self.plan.fidelity.trial_s
            self._watches[branch.network] = Stopwatch(self.task, spec, samples, branch.kind, budget)
        return self._watches[branch.network]

    def _reaching(self) -> Any:
        return reaching(self.options.storage)


def open_study(
    name: str, storage: BaseStorage, plan: SearchPlan, options: TuneOptions, task: Task, held: Held
) -> tuple[Study, SearchPlan]:
    """The study of that name, begun where it is not there yet, and the plan that all its processes agree on.

    The process that makes it writes down its plan last; others wait for it.
    """
    with reaching(options.storage):
        try:
            study = optuna.create_study(study_name=name, storage=storage, direction="minimize")
            begun = True
        except optuna.exceptions.DuplicatedStudyError:
            study = optuna.load_study(study_name=name, storage=storage)
            begun = False
        until = time.monotonic() + (0.0 if begun or options.storage is None else _PATIENCE_S)
        while _PLAN not in study.user_attrs and time.monotonic() < until:
            time.sleep(0.2)
        if _PLAN not in study.user_attrs:
            for branch in plan.branches:
                study.enqueue_trial(defaults_of(branch, len(plan.branches) > 1), skip_if_exists=True)
            study.set_user_attr(_PLAN, plan.to_json())
        agreed = SearchPlan.read(study.user_attrs[_PLAN], plan.times, task, held, options)
        proposed = [defaults_of(branch, len(agreed.branches) > 1) for branch in agreed.branches]
        study.sampler = KeyedSampler(options.seed, options.sampler == "random", proposed)
        study.pruner = pruner_of(options.pruning)
    return study, agreed


def best_of(found: list[FrozenTrial]) -> FrozenTrial:
    """The best of the trials that ran to their end; raises `TrainingError` where there is none."""
    complete = [one for one in found if one.state == TrialState.COMPLETE and one.value is not None]
    if not complete:
        give_up_on(found, 1)
        raise TrainingError("no trial ran to its end", "Give it more time with --budget.")
    return min(complete, key=lambda one: (one.value, one.number))


def give_up_on(found: list[FrozenTrial], trials: int | None, ranges: Sequence[str] = ()) -> None:
    """Raise `TrainingError` with the reason of the first where enough trials failed and none did not.

    It likely lies in the `ranges`, the hyper-parameters of which the user said where to search, where there are any.
    """
    failed = [one for one in found if "error" in one.user_attrs]
    others = [one for one in found if one.state.is_finished() and "error" not in one.user_attrs]
    if others or len(failed) < min(_ENOUGH_FAILED, trials or _ENOUGH_FAILED):
        return
    first = min(failed, key=lambda one: one.number)
    count = "the only trial" if len(failed) == 1 else f"all {len(failed)} trials"
    hint = f"Give --search {ranges[0]} another range, or none." if ranges else first.user_attrs.get("hint")
    hint = hint or "Try assay train on the same data; --set holds a hyper-parameter fixed."
    raise TrainingError(f"{count} failed, the first because {first.user_attrs['error']}", hint)


def _words(branch: Branch, values: Mapping[str, Any]) -> str:
    told = [f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()]
    return ", ".join([branch.network, *told])


def _ended(state: TrialState, value: float | None, error: Exception | None) -> str:
    if error is not None:
        return f"failed: {error}"
    return "stopped: behind the others" if value is None else f"validation: {value:.4f}"
