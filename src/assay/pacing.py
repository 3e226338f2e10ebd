"""How fast a network trains here, and how many steps a budget holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from assay.errors import SettingError
from assay.samples.samples import Samples, TrainStream
from assay.samples.split import TRAIN
from assay.task import NetworkKind, Settings, Spec, Task
from assay.training.loop import Job, check_views
from assay.training.optimisers import build_optimizer
from assay.training.pace import Pace
from assay.training.plan import Plan
from assay.training.state import Position, State
from assay.training.step import Step

#: The share of a budget that the loop fills; the rest is for writing what it leaves.
_FILL = 0.985
#: The share of a budget that may go into looking at the validation side, and into measuring steps.
_CHECKS, _MEASURING = 0.05, 0.02
#: `torch.compile` takes about a minute: it is tried from such a time of the loop on, and taken where it saves so much.
_COMPILED_FROM_S, _COMPILED_SAVES = 900.0, 0.05
#: Seconds between snapshots: few, so that a machine that becomes ten times slower still writes one every half minute.
_SNAPSHOT_S = 3.0
#: Steps of several processes after which those that are left are counted at the latest.
_COUNTED_SOON = 8
#: Steps between snapshots where no step was measured.
_SNAPSHOT_STEPS = 10
#: How many times a forward pass alone is quicker than a whole training step.
_FORWARD_SHARE = 2.5


def build(kind: NetworkKind, spec: Spec, settings: Settings) -> nn.Module:
    """A network; raises `SettingError` where PyTorch can make none of these settings."""
    try:
        return kind.build(spec, settings)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        raise SettingError(
            f"no network can be built with {settings} ({error})", "Change what --set asks for."
        ) from error


class Stopwatch:
    """Measures training steps of fresh networks; see `Situation.seconds_per_sample`.

    Args:
        task: the application.
        spec: its sample spec.
        samples: the samples.
        kind: the network to measure.
        budget_s: the time for fitting, a small share of which goes into each measurement; None for half a second.
    """

    def __init__(self, task: Task, spec: Spec, samples: Samples, kind: NetworkKind, budget_s: float | None) -> None:
        self._task, self._spec, self._samples, self._kind = task, spec, samples, kind
        self._least_s = min(3.0, max(0.3, _MEASURING * (budget_s or 0.0)))
        self._known: dict[str, float] = {}
        self.first_s = 0.0  # how long the first step took that was measured last

    def __call__(self, settings: Settings, plan: Plan) -> float:
        """Seconds per training window with these settings; measured once."""
        key = repr((settings, replace(plan, steps=0)))
        if key not in self._known:
            self._known[key] = self._measure(settings, plan)
        return self._known[key]

    def saved_by_compiling(self, settings: Settings, plan: Plan, steps: int) -> float:
        """The share of so many steps' time that `torch.compile` saves, itself included; below 0 where it costs."""
        size = min(plan.batch_size, len(self._samples.view(TRAIN).windows))
        plain = steps * size * self(settings, plan)
        try:
            compiled = self(settings, replace(plan, compile=True)) * size
        except Exception:  # whatever a compiler that is not there, or a network that it cannot take, may raise
            return -math.inf
        return 1 - (self.first_s + steps * compiled) / plain

    def _measure(self, settings: Settings, plan: Plan) -> float:
        with torch.random.fork_rng(devices=[]):
            network = build(self._kind, self._spec, settings)
            job = Job(self._task, self._spec, self._samples, replace(plan, warmup=1.0))
            state = State(network, build_optimizer(network, job.plan), position=Position(end=1000))
            step, stream = Step(state, job), TrainStream(self._samples.view(TRAIN), plan.batch_size, plan.seed)
            network.train()
            taken: list[float] = []
            while len(taken) < 3 or (sum(taken) < self._least_s and len(taken) < 60):
                begun = time.perf_counter()
                step(stream)
                taken.append(time.perf_counter() - begun)
                state.position.step += 1
        settled, self.first_s = sorted(taken[1:]), taken[0]
        return settled[len(settled) // 2] / stream.batch_size


def choose_compiling(
    plan: Plan, settings: Settings, measured: Stopwatch, loop_s: float | None, devices: int, asked: bool
) -> bool:
    """Whether `torch.compile` makes the training's steps: where it is asked for, or measured steps say that it pays.

    Args:
        plan: the plan, with its steps.
        settings: the network's settings.
        measured: measures steps.
        loop_s: seconds of the loop; None where the steps are given, whose number no saved time would raise.
        devices: the processes that train together.
        asked: the user decided about it.

    Raises:
        SettingError: it is asked for where a step is divided, whose random numbers are not those of a compiled network.
    """
    if plan.compile and (devices > 1 or plan.accumulate > 1):
        raise SettingError("compile is for steps that one process computes at once", "Leave it out, or the division.")
    if asked or devices > 1 or plan.accumulate > 1 or plan.recompute or (loop_s or 0.0) < _COMPILED_FROM_S:
        return plan.compile
    return measured.saved_by_compiling(settings, plan, plan.steps) > _COMPILED_SAVES


@dataclass(frozen=True)
class Timing:
    """How long a training is meant to take, as planned.

    Attributes:
        snapshot_every: steps between snapshots.
        loop_s: seconds for the loop; None where the passes were given instead of a budget.
        most_steps: steps that are useful at most; None for no limit.
        check_steps: how many steps a look at the validation side is guessed to cost.
        revisions: the last step that each revision of the number of steps came to, after the step at which it was made.
    """

    snapshot_every: int
    loop_s: float | None = None
    most_steps: int | None = None
    check_steps: float = 0.0
    revisions: tuple[tuple[int, int], ...] = ()

    def pace(self, keep: Callable[[int, int], None], devices: int = 1) -> Pace | None:
        """What ends the loop with its time, and tells `keep` of each new revision; None for a fixed number of steps.

        A step that one process measured says little about those of several: the first few are counted.
        """
        if not self.loop_s:
            return None
        first = _COUNTED_SOON if devices > 1 else None
        return Pace(self.loop_s, self.most_steps, self.check_steps, dict(self.revisions), keep, first)


def plan_steps(
    plan: Plan,
    settings: Settings,
    samples: Samples,
    measured: Stopwatch,
    budget_s: float | None,
    epochs: float | None,
    begun: float,
) -> tuple[Plan, Timing]:
    """The plan with its number of steps, an estimate where there is a budget, and the timing of the loop.

    Args:
        plan: the plan; `steps` is the most that are useful, 0 for no limit.
        settings: the network's settings.
        samples: the samples.
        measured: measures a step.
        budget_s: seconds for fitting.
        epochs: passes over the training windows, instead of a budget.
        begun: when planning began (`time.perf_counter`), since that counts too.
    """
    stream = TrainStream(samples.view(TRAIN), plan.batch_size, plan.seed)
    most = plan.steps or None
    if epochs is not None:
        steps = max(1, round(epochs * stream.steps_per_epoch))
        return replace(plan, steps=steps, checks=min(plan.checks, steps)), Timing(max(1, min(steps, _SNAPSHOT_STEPS)))
    step_s = measured(settings, plan) * stream.batch_size
    looked_at = sum(len(view.windows) for view in check_views(samples, plan.batch_size) if len(view))
    check_steps = looked_at / (_FORWARD_SHARE * stream.batch_size)
    left = max(step_s, (budget_s or 0.0) * _FILL - (time.perf_counter() - begun))
    checks = max(1, min(plan.checks, int(_CHECKS * left / max(check_steps * step_s, 1e-9))))
    steps = max(1, int(left / step_s - checks * check_steps))
    steps = min(steps, most) if most else steps
    every = max(1, min(steps, int(_SNAPSHOT_S / step_s)))
    return replace(plan, steps=steps, checks=min(checks, steps)), Timing(every, left, most, check_steps)
