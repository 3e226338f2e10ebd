"""Everything that decides how a network is trained, written down before the first step."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.errors import SettingError, did_you_mean
from assay.training.ranges import DecayRange, Range, searched


@dataclass(frozen=True)
class Plan:
    """Hyper-parameters of a training.

    Attributes:
        steps: optimiser steps in all; the schedule ends with the last. Under a time budget a first estimate, which is
            revised while the training runs.
        batch_size: windows a step.
        optimizer: `adamw` (Loshchilov and Hutter 2019), `sgd` with Nesterov momentum, or `muon` (Jordan et al. 2024)
            for matrices and kernels with AdamW for the rest.
        learning_rate: the largest of the schedule.
        momentum: of SGD and Muon; AdamW's first beta.
        weight_decay: decoupled L2 on matrices and kernels, as a factor of the learning rate.
        l1: L1 penalty on matrices and kernels, added to their gradients as sign times this.
        schedule: `one-cycle` (linear up, linear down to zero), `cosine` (linear up, cosine down), `constant`.
        warmup: the share of the steps that goes up.
        label_smoothing: the share of a target's weight spread over all classes.
        mixup: Beta parameter of mixing pairs of windows (Zhang et al. 2018); 0 for none.
        cutmix: Beta parameter of pasting a rectangle of another window (Yun et al. 2019); 0 for none.
        augment: strengths of the task's own augmentations, by name.
        averaging: decay per step of an exponential moving average of the weights, which is what is kept; 0 for none.
        early_stopping: stop after so many checks on the validation side without a better loss; 0 for never.
        keep: keep the `last` weights, or the `best` on the validation side.
        checks: how often the validation side is looked at, spread evenly.
        gradient_clip: the largest norm of the whole gradient; 0 for no limit.
        precision: `float32`, or `bfloat16` for the products of the training's forward and backward pass, by PyTorch's
            autocast; the weights stay in float32.
        accumulate: in how many parts a process computes its share of a step, one after the other, to need less memory.
        recompute: compute the values inside repeated blocks twice instead of keeping them for the backward pass (Chen
            et al. 2016): less memory, more time.
        shards: divide the weights among the processes (FSDP2), for networks that none of them holds whole.
        compile: let `torch.compile` make one program of the network for its training steps; chosen where measured steps
            say that it pays.
        batch_norm: over which windows of a step several processes normalise: `shared`, over all, as one process does,
            which costs two small messages a layer; or `each`, over its own.
        seed: of weights, order, augmentation and dropout.
    """

    steps: int = 0
    batch_size: int = 128
    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    learning_rate: float = searched(1e-3, Range(0.2, 5.0, log=True, relative=True))
    momentum: float = 0.9
    weight_decay: float = searched(0.0, DecayRange(0.01, 2.0))
    l1: float = 0.0
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    warmup: float = 0.2
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    augment: Mapping[str, float] = field(default_factory=dict)
    averaging: float = 0.0
    early_stopping: int = 0
    keep: Literal["last", "best"] = "last"
    checks: int = 10
    gradient_clip: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    accumulate: int = 1
    recompute: bool = False
    shards: bool = False
    compile: bool = False
    batch_norm: Literal["shared", "each"] = "shared"
    seed: int = 0


def learning_rate_at(share: float, plan: Plan) -> float:
    """The learning rate where a share of the schedule is done, before any reduction after a loss that was not finite.

    A step takes the rate at its middle: `Position.share(step + 0.5)`.
    """
    if plan.schedule == "constant":
        return plan.learning_rate
    if plan.warmup and share <= plan.warmup:
        return plan.learning_rate * share / plan.warmup
    left = min(1.0, (1 - share) / max(1e-12, 1 - plan.warmup))
    return plan.learning_rate * (left if plan.schedule == "one-cycle" else 0.5 * (1 - math.cos(math.pi * left)))


_MOST = 1e9
_BOUNDS = {
    "batch_size": (1, _MOST),
    "learning_rate": (0, _MOST),
    "momentum": (0, 0.9999),
    "weight_decay": (0, _MOST),
    "l1": (0, _MOST),
    "warmup": (0, 1),
    "label_smoothing": (0, 1),
    "mixup": (0, _MOST),
    "cutmix": (0, _MOST),
    "averaging": (0, 0.999999),
    "early_stopping": (0, _MOST),
    "checks": (1, _MOST),
    "gradient_clip": (0, _MOST),
    "accumulate": (1, _MOST),
}


def apply_settings(settings: Any, plan: Plan, given: Mapping[str, str]) -> tuple[Any, Plan]:
    """Network settings and plan with the user's `--set KEY=VALUE` in place of what a recipe proposed.

    Args:
        settings: the network's settings, a frozen dataclass.
        plan: the plan.
        given: values as text, by name; `augment.NAME` sets one augmentation.

    Raises:
        SettingError: an unknown name, or a value that is not of the setting's type.
    """
    own = {item.name for item in dataclasses.fields(settings)}
    shared = {item.name for item in dataclasses.fields(plan)} - {"seed", "augment", "steps"}
    for name, text in given.items():
        if name in own:
            settings = dataclasses.replace(settings, **{name: parse_value(settings, name, text)})
        elif name in shared:
            plan = dataclasses.replace(plan, **{name: parse_value(plan, name, text)})
        elif name.startswith("augment."):
            known = name.removeprefix("augment.")
            if known not in plan.augment:
                raise SettingError(f"there is no augmentation {known!r} here", did_you_mean(known, plan.augment))
            plan = dataclasses.replace(plan, augment={**plan.augment, known: _number(name, text)})
        else:
            raise SettingError(f"there is no setting {name!r}", did_you_mean(name, own | shared))
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(plan, name) <= high:
            raise SettingError(
                f"{name}={getattr(plan, name):g} is not possible", f"Give a number from {low:g} to {high:g}."
            )
    return settings, plan


def parse_value(settings: Any, name: str, text: str) -> Any:
    """A setting's value out of its text, by the type that its dataclass declares; raises `SettingError`."""
    kind = typing.get_type_hints(type(settings))[name]
    options = typing.get_args(kind)
    if typing.get_origin(kind) is Literal:
        if text not in options:
            raise SettingError(
                f"{name}={text} is not possible", did_you_mean(text, [str(option) for option in options])
            )
        return text
    if types.NoneType in options:
        if text.lower() in ("none", ""):
            return None
        kind = next(option for option in options if option is not types.NoneType)
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise SettingError(f"{name}={text} is not true or false", "Write true or false.")
        return text.lower() in ("true", "1", "yes")
    if kind is int or kind is float:
        value = _number(name, text)
        if kind is int and value != int(value):
            raise SettingError(f"{name}={text} is not a whole number", "Give a whole number, such as 64.")
        return kind(value)
    return text


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingError(f"{name}={text} is not a number", "Give a number, such as 0.01.")
    return value
