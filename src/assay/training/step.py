"""One step of a training: a batch, its loss, the gradients, the update; in one process or in several together.

The windows of a step are divided among the processes, and each process' part once more where gradients are
accumulated. The loss is always the mean over all windows of the step, whatever the parts.

Shapes: B windows of the whole step.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.samples.draws import Draws, key_of
from assay.samples.stream import TrainStream
from assay.training.optimisers import set_learning_rate
from assay.training.plan import Plan, learning_rate_at
from assay.training.state import State

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

    def forward(self, batch: Batch) -> Tensor:
        """(b,) the loss of each window."""
        return self._task.objective(self.network, batch, self._plan, self._spec)


class Step:
    """Makes the steps of a training.

    Args:
        state: the training's state, which a step changes; but for its position, which the loop moves on.
        job: what is trained.
    """

    def __init__(self, state: State, job: Job) -> None:
        self._state, self._job = state, job
        self._objective = job.ranks.replicated(Objective(state.network, job.task, job.spec, job.plan))
        self._asked = False

    @property
    def stopping(self) -> bool:
        """Whether the user asked to stop; all processes learn of it with the same step."""
        return self._job.stop.is_set() if self._job.ranks.size == 1 else self._asked

    def __call__(self, stream: TrainStream) -> float:
        """One step; gives the mean loss. A loss that is not finite changes nothing."""
        state, plan, position = self._state, self._job.plan, self._state.position
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
        if plan.averaging:
            state.update_average(plan.averaging)
        return value

    def _gradients(self, epoch: int, windows: np.ndarray[Any, Any]) -> float:
        """Leave the gradient of the mean loss of all windows (B,) in the network; gives the mean."""
        job, total = self._job, 0.0
        parts = job.ranks.parts(len(windows), job.plan.accumulate)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            with nullcontext() if last or job.ranks.size == 1 else self._objective.no_sync():  # type: ignore[operator]
                summed = self._losses(epoch, windows[part]).sum()
                # Of the mean over all windows: what sums gradients over the processes divides by their number.
                (summed / (len(windows) / job.ranks.size)).backward()
            total += float(summed.detach())
        total, asked = job.ranks.sums([total, float(job.stop.is_set() and job.ranks.first)])
        self._asked = bool(asked)
        return total / len(windows)

    def _losses(self, epoch: int, windows: np.ndarray[Any, Any]) -> Tensor:
        """(b,) the losses of some of the step's windows."""
        job, plan = self._job, self._job.plan
        # `torch.manual_seed` would take a stack trace for every kind of accelerator, at a tenth of a small step's cost.
        torch.default_generator.manual_seed(int(key_of(plan.seed, "step", self._state.position.step)) >> 1)
        batch = job.task.augment(job.samples.batch(windows), Draws(plan.seed, epoch, windows), plan, job.spec)
        with torch.autocast(job.ranks.kind, torch.bfloat16, enabled=plan.precision == "bfloat16"):
            losses: Tensor = self._objective(job.ranks.moved(batch))
        return losses


def _add_l1(network: nn.Module, strength: float) -> None:
    for parameter in network.parameters():
        if parameter.dim() >= 2 and parameter.grad is not None:
            parameter.grad.add_(parameter.detach().sign(), alpha=strength)
