"""The training loop. It fits on one screen and knows no application.

Everything random is keyed by (seed, step) or (seed, epoch, window), so that a run that was stopped and resumed gives
the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from assay.errors import TrainingError
from assay.progress import Progress
from assay.samples.samples import Samples, TrainStream, View
from assay.samples.split import TRAIN, VALIDATION
from assay.training.collecting import Collector
from assay.training.optimisers import build_optimizer
from assay.training.pace import Pace
from assay.training.plan import Plan, learning_rate_at
from assay.training.ranks import Ranks
from assay.training.repeatable import repeatable
from assay.training.shards import prepared, read_checkpoint, write_checkpoint
from assay.training.state import Position, Snapshot, State, copy_weights, local
from assay.training.step import Step, own_windows

if TYPE_CHECKING:
    from assay.task import Spec, Task

_MOST_REDUCTIONS = 10
#: Windows of the validation side that a check looks at: so many batches of a training step, within bounds.
_BATCHES_CHECKED, _FEWEST_CHECKED, _MOST_CHECKED = 50, 200, 2000


class Clock:
    """Seconds of fitting so far, from those spent before."""

    def __init__(self, spent: float) -> None:
        self._begun = time.monotonic() - spent

    def __call__(self) -> float:
        """See the class."""
        return time.monotonic() - self._begun


class Interrupted(Exception):
    """The user asked the training to stop; its state is on disk."""


@dataclass
class Job:
    """What is to be trained, and where its state and history go.

    Attributes:
        task: the application.
        spec: its sample spec.
        samples: the samples.
        plan: the hyper-parameters; `plan.steps` is set.
        folder: where checkpoints go (None: nowhere).
        record: takes each line of the history.
        snapshot_every: steps between snapshots; a checkpoint on disk is always a snapshot.
        pace: revises the number of steps so that the training ends with its time; None for a fixed number.
        spent: seconds of fitting before the loop, counted with its own.
        stop: set from a signal handler to stop after the present step.
        progress: is told how far it is.
        collect: for closed-loop tasks, asked for new samples after each epoch.
        ranks: the processes that train together; each calls `fit` with the same job, and the first alone writes.
        judge: is shown the network at each check, with the number of the check, from 1, and the validation loss; True
            ends the training there.
        windows_checked: windows of the validation side that a check looks at, at most; None for as usual.
        written: called by each process when a checkpoint is on disk.
    """

    task: Task
    spec: Spec
    samples: Samples
    plan: Plan
    folder: Path | None = None
    record: Callable[[dict[str, Any]], None] = lambda line: None
    snapshot_every: int = 100
    pace: Pace | None = None
    spent: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    collect: Collector | None = None
    ranks: Ranks = field(default_factory=Ranks)
    judge: Callable[[nn.Module, int, float], bool] | None = None
    windows_checked: int | None = None
    written: Callable[[], None] = lambda: None

    @property
    def divided(self) -> bool:
        """Whether the weights are divided among several processes."""
        return self.plan.shards and self.ranks.size > 1


@repeatable()
def fit(network: nn.Module, job: Job) -> State:
    """Train a network, from the checkpoint in the job's folder where there is one, and leave the weights to keep in it.

    Raises:
        TrainingError: the loss stays not finite however small the steps.
        Interrupted: `job.stop` was set.
    """
    objective, position = prepared(network, job), Position(end=job.plan.steps, seconds=job.spent)
    state = State(network, build_optimizer(network, job.plan), position=position)
    saved = read_checkpoint(job)
    if saved:
        _restore(state, saved, job)
    clock, monitor, step = Clock(state.position.seconds), Monitor(job, network), Step(state, job, objective)
    if job.plan.keep == "best" and not saved:
        _check(step, monitor, clock)
    last, written, stream = state.snapshot(), time.monotonic(), _stream(job, state)
    if job.pace:
        job.pace.start(state.position, clock())
    network.train()
    while state.position.step < state.position.end:
        loss = step(stream)
        if not math.isfinite(loss):
            stream = _go_back(state, last, job, loss)
            continue
        state.position.step += 1
        monitor.step(state, loss, clock())
        if _check_due(state.position, job.plan) and _check(step, monitor, clock):
            break
        if _collected(state, job, stream):
            stream = _stream(job, state)
        if job.pace:
            job.pace.revise(state.position, job.plan, clock(), job.ranks.decided)
        due = state.position.step % job.snapshot_every == 0 or state.position.step == state.position.end
        if due or step.stopping:
            state.position.seconds = clock()
            snapshot = state.snapshot()
            if job.ranks.sums([float(not snapshot.finite())])[0]:
                stream = _go_back(state, last, job, math.nan)
                continue
            last = snapshot
            if job.folder and (step.stopping or job.ranks.decided(float(time.monotonic() - written > 5))):
                write_checkpoint(last, job)
                job.written()
                written = time.monotonic()
            if step.stopping:
                raise Interrupted
    state.position.seconds = clock()
    _keep(state, job.plan)
    return state


def validation_loss(step: Step, view: View) -> float:
    """The mean loss over a view, without augmentation and smoothing."""
    job, network = step.job, step.state.network
    plain = Plan(batch_size=job.plan.batch_size, seed=job.plan.seed)
    # Divided weights come together for every batch on all processes at once, which then look at all batches.
    turn = (0, 1) if job.divided else (job.ranks.rank, job.ranks.size)
    network.eval()
    own: list[tuple[float, int]] = []
    with torch.no_grad() if job.divided else torch.inference_mode():
        for batch in view.batches(max(256, job.plan.batch_size), view.by_length(), turn):
            losses = step.objective(job.ranks.moved(batch), plain)
            own.append((float(losses.double().sum()), len(losses)))
    network.train()
    found = own if job.divided else job.ranks.in_turn(own)
    return sum(total for total, _ in found) / max(1, sum(count for _, count in found))


def check_views(samples: Samples, batch_size: int, windows: int | None = None) -> tuple[View, View]:
    """What a check looks at: some units of the validation side, and some of the training side.

    At most 2,000 windows of the one and 1,000 of the other; fewer where batches are small, as windows are then large,
    and at most `windows`.
    """
    most = min(_MOST_CHECKED, max(_FEWEST_CHECKED, _BATCHES_CHECKED * batch_size))
    most = most if windows is None else min(most, windows)
    train, validation = samples.view(TRAIN), samples.view(VALIDATION)
    unseen = _units_of(validation, most)
    seen = min(_units_of(train, most // 2), max(_FEWEST_CHECKED // 2, len(validation)))
    return validation.sample(unseen), train.sample(seen)


def _units_of(view: View, windows: int) -> int:
    """About how many units of a view have so many windows; at least one."""
    return max(1, windows * len(view) // max(1, len(view.windows)))


class Monitor:
    """Writes the history: the loss and each layer's gradient norm about a hundred times, and every check."""

    def __init__(self, job: Job, network: nn.Module) -> None:
        self._job, self._every = job, max(1, job.plan.steps // 100)
        self._sum, self._count = 0.0, 0
        self._waited = job.samples.waited_s
        self._layers = dict(layers_with_parameters(network))

    def step(self, state: State, loss: float, seconds: float) -> None:
        """Take note of a step's loss."""
        self._sum, self._count = self._sum + loss, self._count + 1
        step, job = state.position.step, self._job
        if step % self._every and step != state.position.end:
            return
        rate = learning_rate_at(state.position.share(step - 0.5), job.plan) * state.position.rate_scale
        line: dict[str, Any] = {
            "step": step,
            "seconds": round(seconds, 3),
            "data_seconds": round(job.samples.waited_s - self._waited, 3),
            "train_loss": self._sum / self._count,
            "learning_rate": rate,
        }
        line["gradient_norms"] = _norms(self._layers, job.ranks if job.divided else None)
        job.record(line)
        job.progress.advance(job.plan.steps * state.position.share(step), f"loss {self._sum / self._count:.3f}")
        self._sum, self._count = 0.0, 0

    def check(self, state: State, loss: float, train_loss: float, seconds: float, taken: float) -> None:
        """Take note of a check on the validation side, when it began and how long it took."""
        line = {"step": state.position.step, "seconds": round(seconds, 3), "validation_loss": loss}
        line["check_seconds"] = round(taken, 3)
        self._job.record({**line, "train_sample_loss": train_loss})


def layers_with_parameters(network: nn.Module) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """The modules that own matrices or kernels, by name, in the order of the network."""
    for name, module in network.named_modules():
        own = [parameter for parameter in module.parameters(recurse=False) if parameter.dim() >= 2]
        if own:
            yield name or "network", own


def _stream(job: Job, state: State) -> TrainStream:
    seed = job.plan.seed + state.position.collected
    return TrainStream(job.samples.view(TRAIN), job.plan.batch_size, seed, partial(own_windows, job))


def _check_due(position: Position, plan: Plan) -> bool:
    """Whether the step just done completes one of the plan's equal parts, as the last step does; True once for each."""
    due = int(max(1, plan.checks) * position.share(position.step) + 1e-9)
    if due <= position.checks:
        return False
    position.checks = due
    return True


def _check(step: Step, monitor: Monitor, clock: Clock) -> bool:
    """Look at the validation side; True where training should stop early."""
    state, job = step.state, step.job
    position, plan, begun = state.position, job.plan, clock()
    validation = job.samples.view(VALIDATION)
    if not len(validation):
        return False
    with state.averaged() as network:
        unseen, seen = check_views(job.samples, plan.batch_size, job.windows_checked)
        loss = validation_loss(step, unseen)
        seen_loss = validation_loss(step, seen)
        monitor.check(state, loss, seen_loss, begun, clock() - begun)
        ended = bool(position.checks and job.judge and job.judge(network, position.checks, loss))
    if math.isfinite(loss) and (position.best_loss is None or loss < position.best_loss):
        position.best_loss, position.best_step, position.waited = loss, position.step, 0
        if plan.keep == "best":
            kept = state.average if state.average is not None else copy_weights(state.network)
            state.best = {name: value.clone() for name, value in kept.items()}
    else:
        position.waited += 1
    job.progress.advance(plan.steps * position.share(position.step), f"validation loss {loss:.3f}")
    if job.pace:
        job.pace.checked(clock() - begun)
    return ended or (bool(plan.early_stopping) and position.waited >= plan.early_stopping)


def _collected(state: State, job: Job, stream: TrainStream) -> bool:
    """At the end of an epoch of a closed-loop task, let it append samples; True where it did."""
    position = state.position
    inside = position.step - position.origin_step
    if job.collect is None or inside % stream.steps_per_epoch or position.step >= position.end:
        return False
    epoch = position.origin_epoch + inside // stream.steps_per_epoch
    collect = job.collect
    if not job.ranks.first_does(lambda: collect(state, epoch)):
        return False
    position.origin_step, position.origin_epoch = position.step, epoch
    position.collected += 1
    return True


def _restore(state: State, snapshot: Snapshot, job: Job) -> None:
    """Back to a snapshot, with the samples that had been collected by then."""
    state.restore(snapshot)
    if job.collect is not None:
        job.collect.restore(state.position.collected)


def _go_back(state: State, last: Snapshot, job: Job, loss: float) -> TrainStream:
    """After a loss that is not finite: the last good state again, with half the learning rate."""
    at, scale = state.position.step, state.position.rate_scale / 2
    if scale < 0.5**_MOST_REDUCTIONS:
        raise TrainingError(
            f"the loss is {loss} at step {at}, however small the learning rate",
            "Look for extreme values in the data, or choose another network.",
        )
    _restore(state, last, job)
    state.position.rate_scale = scale
    there = state.position.step
    text = f"the loss became {loss} at step {at}: back to step {there} with the learning rate times {scale:g}"
    job.record({"step": state.position.step, "event": text})
    job.progress.say(text)
    return _stream(job, state)


def _keep(state: State, plan: Plan) -> None:
    """Leave in the network the weights that the plan keeps."""
    kept = state.best if plan.keep == "best" and state.best is not None else state.average
    if kept is not None:
        state.network.load_state_dict(kept)
    state.network.eval()


def _norms(layers: Mapping[str, Sequence[nn.Parameter]], pieces: Ranks | None = None) -> dict[str, float]:
    """The norm of each layer's gradient, all computed in one call; infinite where it is not finite.

    Args:
        layers: see `layers_with_parameters`.
        pieces: the processes that hold a piece of each gradient; None where this one holds all.
    """
    owners = [(name, parameter.grad) for name, of in layers.items() for parameter in of if parameter.grad is not None]
    squares = dict.fromkeys(layers, 0.0)
    if owners:
        norms = torch.stack(torch._foreach_norm([local(gradient) for _, gradient in owners])).tolist()
        if pieces is not None:
            norms = [math.sqrt(square) for square in pieces.sums([norm * norm for norm in norms])]
        for (name, _), norm in zip(owners, norms, strict=True):
            squares[name] += norm * norm
    return {name: math.sqrt(square) if math.isfinite(square) else math.inf for name, square in squares.items()}
