"""The networks that suit driving, how they are trained, and their loss.

Shapes: B windows, A controls.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.drive_net import DriveNet, DriveNetSettings
from assay.samples.drive_spec import DriveSpec, Loop
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

#: How much an error of the wheel counts beside one of each other control, both in usual sizes.
_STEERING = 2.0
#: Beyond so many usual sizes an error counts by its size and no longer by its square (Huber 1964).
_HUBER = 0.5
_MOST_EPOCHS = 80


def drive_networks(spec: DriveSpec) -> Sequence[NetworkKind]:
    """The networks for drives of this form."""
    summary = "a small convolutional policy of ours, about a millisecond a step"
    return (NetworkKind("drivenet", DriveNetSettings, _build, _recipe, summary),)


def drive_losses(answered: Tensor, wanted: Tensor, weight: Tensor | None, spec: DriveSpec) -> Tensor:
    """(B,) Huber's loss of the controls (B, A), each in its usual size, the wheel counted more.

    Args:
        answered: by the network.
        wanted: what the driver did.
        weight: (B,) how much each frame counts; None for all alike.
        spec: its scale says what usual is.
    """
    scale = torch.tensor(spec.scale)
    errors = functional.smooth_l1_loss(answered.float() / scale, wanted / scale, reduction="none", beta=_HUBER)
    counts = torch.ones(len(spec.controls))
    counts[0] = _STEERING
    losses = (errors * counts).sum(dim=1) / counts.sum()
    return losses if weight is None else losses * weight


def _build(spec: DriveSpec, settings: DriveNetSettings) -> nn.Module:
    return DriveNet(spec, settings).to(memory_format=torch.channels_last)


def _recipe(situation: Situation) -> tuple[DriveNetSettings, Plan]:
    """One size, which drives well and is quick; as many passes as there is time for.

    In a simulator DAgger brings up the frames that matter; in records bends are rare and have to count as much.
    """
    batch = 64 if situation.samples < 5000 else 128
    loop: Loop | None = situation.spec.loop
    expected = situation.samples * (1 + (loop.collect / loop.drives if loop else 0))  # with what is collected
    plan = Plan(
        steps=_MOST_EPOCHS * max(1, int(expected // batch)),
        batch_size=batch,
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.02,
        schedule="one-cycle",
        warmup=0.1,
        augment={"mirror": 0.5, "jitter": 0.1, "recolour": 0.0, "balance": 0.5 if loop else 1.0},
        averaging=0.99,
    )
    return DriveNetSettings(), plan
