"""The networks that follow a car's motion, with a plan for each situation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.networks.motion_net import MotionSettings, build_motion_net
from assay.networks.motion_tuning import trust_fitted
from assay.samples.route_spec import RouteSpec
from assay.task_parts import NetworkKind, Situation
from assay.training.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Drives a step; steps after which little is gained; seconds of a stretch of a drive that is learned from at once.
_BATCH, _MOST_STEPS, _STRETCH_S = 8, 6000, 150.0


def motion_networks(spec: RouteSpec) -> Sequence[NetworkKind]:
    """The networks for drives of this form, the default first."""
    summary = "a recurrent network that corrects what a calibrated car says of its motion"
    return (NetworkKind("motion", MotionSettings, build_motion_net, _recipe, summary, conclude=trust_fitted),)


def _recipe(situation: Situation) -> tuple[MotionSettings, Plan]:
    spec: RouteSpec = situation.spec
    plan = Plan(
        steps=_MOST_STEPS,
        batch_size=max(1, min(_BATCH, situation.samples)),
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=0.01,
        schedule="one-cycle",
        warmup=0.15,
        gradient_clip=1.0,
        averaging=0.98,
        augment=_errors(spec),
        checks=10,
        keep="best",
    )
    return MotionSettings(), plan


def _errors(spec: RouteSpec) -> Mapping[str, float]:
    """SIMULATED sensors are drawn anew; measured ones get errors of the size that such sensors have."""
    nothing = dict.fromkeys(("redraw", "mirror", "scale", "wheels", "bias", "noise", "drop"), 0.0)
    if spec.simulated:
        return {"crop": _STRETCH_S, **nothing, "redraw": 1.0, "mirror": 0.5}
    return {"crop": _STRETCH_S, **nothing, "scale": 0.005, "wheels": 0.0005, "bias": 0.001, "noise": 0.01, "drop": 0.05}
