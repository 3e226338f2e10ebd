"""Checks of training: randomness, overfitting, seeds, interruption, samples collected on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay._check_subject import CheckFailed, NotApplicable, Subject, Trained, alike, demand
from assay.run import to_json
from assay.samples.draws import Draws
from assay.samples.samples import Samples
from assay.samples.split import TEST, TRAIN
from assay.serving.predictor import Predictor
from assay.stored_network import read_network, write_network
from assay.training.loop import Interrupted

_OVERFIT_STEPS = 200


def check_randomness(subject: Subject) -> str:
    plan = replace(subject.chosen[2], mixup=0.0, cutmix=0.0)
    plan = replace(plan, augment={**plan.augment, **dict.fromkeys(subject.task.traits.mixing, 0.0)})
    windows = subject.samples.view(TRAIN).windows[:6]
    together = _augmented(subject, windows, plan)
    backwards = _augmented(subject, windows[::-1], plan)
    for place, window in enumerate(windows):
        alone = _augmented(subject, np.asarray([window]), plan)
        for name, value in alone.items():
            for other, row in ((together, place), (backwards, len(windows) - 1 - place)):
                size = tuple(slice(0, length) for length in value.shape[1:])  # padding depends on the batch
                same = torch.allclose(value[0].double(), other[name][row][size].double(), rtol=1e-5, atol=1e-4)
                demand(same, f"augmenting window {window} gives another {name!r} alone than in a batch")
    return f"{len(windows)} windows, alone, together and backwards"


def _augmented(subject: Subject, windows: Any, plan: Any) -> dict[str, torch.Tensor]:
    batch = subject.samples.batch(np.ascontiguousarray(windows))
    changed = subject.task.augment(batch, Draws(plan.seed, 3, windows), plan, subject.spec)
    return {name: value for name, value in vars(changed).items() if isinstance(value, torch.Tensor)}


def check_overfit(subject: Subject) -> str:
    samples = subject.samples
    units = samples.view(TRAIN).sample(8).units
    side = np.full(len(samples.side), -1, np.int8)
    side[units] = TRAIN
    few = samples.with_side(side)
    size = min(64, len(few.view(TRAIN).windows))
    plan = replace(subject.chosen[2], steps=_OVERFIT_STEPS, batch_size=size, checks=1, averaging=0.0, early_stopping=0)
    plan = replace(plan, augment={}, label_smoothing=0.0, mixup=0.0, cutmix=0.0, l1=0.0, weight_decay=0.0, keep="last")
    losses = subject.losses_until(0.25, plan, few)
    first, last = losses[0], max(losses[-3:])
    demand(last < 0.25 * first, f"the loss of eight units fell from {first:.4g} to {last:.4g} only")
    return f"from {first:.4g} to {last:.4g} in {len(losses)} steps"


def check_seed(subject: Subject) -> str:
    plan = subject.short_plan
    first, again = subject.trained, subject.train(plan, subject.folder / "again")
    other = subject.train(replace(plan, seed=plan.seed + 1), subject.folder / "other")
    demand(first.losses == again.losses, f"the same seed gives other losses: {first.losses} and {again.losses}")
    demand(first.losses != other.losses, "another seed gives the same losses")
    return f"{len(first.losses)} losses"


def check_saved(subject: Subject) -> str:
    task, spec, folder = subject.task, subject.spec, subject.folder / "model"
    kind, settings, _ = subject.chosen
    name = subject.network or kind.name
    settled = subject.predictor.settled
    write_network(folder, task, spec, name, kind.portable(settings), subject.predictor.network, settled=settled)
    _, read_spec, network, facts = read_network(folder, task)
    demand(facts["settled"] == to_json(settled), "what was settled after the training is not what is read")
    demand(to_json(read_spec.to_json()) == to_json(spec.to_json()), "the spec that is read is not the one written")
    view = subject.samples.view(TEST)
    before, after = (
        subject.predictor.outputs(view),
        Predictor(task, read_spec, network, settled=facts["settled"]).outputs(view),
    )
    demand(alike(before, after), "the loaded network answers otherwise than the saved one")
    return f"{len(view)} outputs"


def check_resumed(subject: Subject) -> str:
    plan, folder = subject.short_plan, subject.folder / "resumed"
    whole = subject.trained
    step = plan.steps // 2 + 2
    resumed = _interrupted(subject, folder, step)
    for part in ("average", "best"):
        kept = [getattr(trained.state, part) or {} for trained in (whole, resumed)]
        _demand_same(kept[0], kept[1], f"{part} weights")
    _demand_same(whole.network.state_dict(), resumed.network.state_dict(), "weights")
    demand(whole.losses[-2:] == resumed.losses[-2:], "the losses after the interruption differ")
    return f"stopped after {step} of {plan.steps} steps"


def _interrupted(subject: Subject, folder: Path, step: int) -> Trained:
    """A training that was stopped after a step and resumed."""
    try:
        subject.train(subject.short_plan, folder, stop_after=step)
    except Interrupted:
        return subject.train(subject.short_plan, folder)
    raise CheckFailed("the training cannot be stopped")


def _demand_same(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], what: str) -> None:
    demand(first.keys() == second.keys(), f"other {what} are there after an interruption")
    for name, value in first.items():
        demand(torch.equal(value, second[name]), f"{what} of {name} differ after an interruption")


def check_closed_loop(subject: Subject) -> str:
    if not subject.task.in_loop(subject.spec):
        raise NotApplicable("the task is not closed-loop")
    whole = subject.trained.samples
    demand(whole.appended > 0, "collect brought up no sample in three epochs")
    added = len(whole.side) - len(subject.samples.side)
    demand(bool((whole.side[-added:] == TRAIN).all()), "collected samples are not on the training side")
    resumed = _interrupted(subject, subject.folder / "closed-loop", subject.short_plan.steps - 1).samples
    demand(whole.index.equals(resumed.index), "a resumed training sees other collected samples")
    _demand_same(_tensors(whole, added), _tensors(resumed, added), "collected samples")
    return f"{added} samples in {whole.appended} collections"


def _tensors(samples: Samples, last: int) -> dict[str, torch.Tensor]:
    units = np.arange(len(samples.side) - last, len(samples.side))
    batch = samples.batch(samples.view_of(units).windows)
    return {name: value for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
