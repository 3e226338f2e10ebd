"""One step of a training: a batch, its loss, the gradients, the update; in one process or in several together.

The windows of a step are divided among the processes, and each process' part once more where gradients are
accumulated. The loss is always the mean over all windows of the step, whatever the parts.

Shapes: B windows of the whole step.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.samples.draws import Draws, key_of
from assay.samples.stream import TrainStream
from assay.training.optimisers import set_learning_rate
from assay.training.parts import Part, noted_scale
from assay.training.plan import Plan, learning_rate_at
from assay.training.recompute import recomputed, repeated_blocks
from assay.training.state import State, local

if TYPE_CHECKING:
    from assay.task import Batch, Spec, Task
    from assay.training.loop import Job


class Objective(nn.Module):
    """A network and what it is to minimise as one module: a wrapper sees all that a task does with the network.

    Args:
        network: the network.
        task: the application.
        spec: its sample spec.
        plan: the hyper-parameters.
    """

    def __init__(self, network: nn.Module, task: Task, spec: Spec, plan: Plan) -> None:
        super().__init__()
        self.network = network
        self._task, self._spec, self._plan = task, spec, plan
        self._compiled: list[Any] = []  # in a list, lest its parameters count twice
        if plan.compile:
            import torch._inductor.config as inductor

            inductor.fallback_random = True  # the numbers that the network draws without it
            self._compiled.append(torch.compile(network))

    def forward(self, batch: Batch, plan: Plan | None = None) -> Tensor:
        """(b,) the loss of each window; by another plan where one is given."""
        network = self._compiled[0] if self._compiled and torch.is_grad_enabled() else self.network
        return self._task.objective(network, batch, plan or self._plan, self._spec)


class Step:
    """Makes the steps of a training.

    Args:
        state: the training's state, which a step changes; but for its position, which the loop moves on.
        job: what is trained.
        objective: of the state's network, where it had to be made before the optimiser.
    """

    def __init__(self, state: State, job: Job, objective: Objective | None = None) -> None:
        self.state, self.job = state, job
        self.objective = objective or Objective(state.network, job.task, job.spec, job.plan)
        self._shared = self.objective if job.divided else job.ranks.replicated(self.objective)
        self._blocks = repeated_blocks(state.network) if job.plan.recompute else []
        self._asked = False
        apart = job.ranks.size > 1 and job.plan.batch_norm == "each"
        norms = [module for module in state.network.modules() if apart and isinstance(module, _BatchNorm)]
        buffers = [(norm.running_mean, norm.running_var) for norm in norms]
        self._running = [value for pair in buffers for value in pair if value is not None]

    @property
    def stopping(self) -> bool:
        """Whether the user asked to stop; all processes learn of it with the same step."""
        return self.job.stop.is_set() if self.job.ranks.size == 1 else self._asked

    def __call__(self, stream: TrainStream) -> float:
        """One step; gives the mean loss. A loss that is not finite changes nothing."""
        state, plan, position = self.state, self.job.plan, self.state.position
        epoch, windows = stream.windows(position.step - position.origin_step)
        state.optimizer.zero_grad(set_to_none=True)
        value = self._gradients(epoch + position.origin_epoch, windows)
        if not math.isfinite(value):
            return value
        if plan.l1:
            _add_l1(state.network, plan.l1)
        if plan.gradient_clip:
            nn.utils.clip_grad_norm_(state.network.parameters(), plan.gradient_clip)
        rate = learning_rate_at(position.share(position.step + 0.5), plan)
        set_learning_rate(state.optimizer, rate * position.rate_scale)
        state.optimizer.step()
        self.job.ranks.average(self._running)
        if plan.averaging:
            state.update_average(plan.averaging)
        return value

    def _gradients(self, epoch: int, windows: np.ndarray[Any, Any]) -> float:
        """Leave the gradient of the mean loss of all windows (B,) in the network; gives the mean."""
        job, network, total = self.job, self.state.network, 0.0
        rounds = max(1, min(job.plan.accumulate, len(windows) // job.ranks.size))
        parts, notes = job.ranks.parts(len(windows), rounds), np.zeros(0)
        for number, rows in enumerate(parts):
            with recomputed(self._blocks), self._shares_gradients(number == len(parts) - 1):
                losses, noted = self._losses(epoch, windows, rows)
                # Of the mean over all windows: what sums gradients over the processes divides by their number.
                summed = losses.sum()
                (summed / (len(windows) / job.ranks.size)).backward()
            total, notes = total + float(summed.detach()), notes + noted if len(notes) else np.asarray(noted)
        total, asked, *whole = job.ranks.sums([total, float(job.stop.is_set() and job.ranks.first), *notes])
        self._asked = bool(asked)
        scale = noted_scale(whole)
        if scale != 1:
            torch._foreach_mul_([local(p.grad) for p in network.parameters() if p.grad is not None], scale)
        return float(scale * total / len(windows))

    def _shares_gradients(self, now: bool) -> AbstractContextManager[Any]:
        """Within it, a backward pass sums the gradients of all processes; only if it is time to, with the last part."""
        shared: Any = self._shared
        if hasattr(shared, "set_requires_gradient_sync"):
            shared.set_requires_gradient_sync(now)
        return shared.no_sync() if hasattr(shared, "no_sync") and not now else nullcontext()

    def _losses(self, epoch: int, windows: np.ndarray[Any, Any], rows: slice) -> tuple[Tensor, list[float]]:
        """(b,) the losses of some of the step's windows, and what of them is counted (`Part.notes`)."""
        job, plan = self.job, self.job.plan
        # `torch.manual_seed` would take a stack trace for every kind of accelerator, at a tenth of a small step's cost.
        seed = int(key_of(plan.seed, "step", self.state.position.step)) >> 1
        torch.default_generator.manual_seed(seed)
        if job.ranks.kind == "cuda":
            torch.cuda.manual_seed(seed)
        whole = rows == slice(0, len(windows))
        part = None if whole else Part(rows, len(windows), job.ranks.size > 1 and plan.batch_norm == "shared")
        batch = job.ranks.moved(self._batch(epoch, windows, rows))
        with (
            torch.autocast(job.ranks.kind, torch.bfloat16, enabled=plan.precision == "bfloat16"),
            part or nullcontext(),
        ):
            losses: Tensor = self._shared(batch)
        return losses, part.notes if part else []

    def _batch(self, epoch: int, windows: np.ndarray[Any, Any], rows: slice) -> Any:
        """Some of the step's windows, augmented; all of them for a moment where what comes of one depends on others."""
        job, plan = self.job, self.job.plan
        taken = windows if _looks_around(job.task, plan) else windows[rows]
        batch = job.samples.batch(taken, None if len(taken) == len(windows) else windows)
        batch = job.task.augment(batch, Draws(plan.seed, epoch, taken), plan, job.spec)
        return rows_of(batch, rows) if len(taken) > rows.stop - rows.start else batch


def own_windows(job: Job, windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The windows of a step (B,) that this process needs: its part, unless augmentation mixes all of them."""
    return windows if _looks_around(job.task, job.plan) else windows[job.ranks.parts(len(windows))[0]]


def rows_of(batch: Any, rows: slice) -> Any:
    """Some of the windows of a batch."""
    values = {item.name: getattr(batch, item.name) for item in fields(batch)}
    return replace(batch, **{name: value[rows] for name, value in values.items() if isinstance(value, Tensor)})


def _looks_around(task: Task, plan: Plan) -> bool:
    """Whether augmentation mixes the windows of a step, or may change their length, and so the padding of all."""
    traits: Any = getattr(task, "traits", None)
    if traits is None:
        return bool(plan.mixup or plan.cutmix)
    changing = plan.augment if traits.variable_length else traits.mixing
    return bool(plan.mixup or plan.cutmix) or any(plan.augment.get(name) for name in changing)


def _add_l1(network: nn.Module, strength: float) -> None:
    for parameter in network.parameters():
        if parameter.dim() >= 2 and parameter.grad is not None:
            local(parameter.grad).add_(local(parameter.detach()).sign(), alpha=strength)
