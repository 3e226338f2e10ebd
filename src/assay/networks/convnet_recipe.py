"""How the convnet is trained: its size and hyper-parameters by the amount of data and time."""

from __future__ import annotations

from assay.networks.convnet import ConvNetSettings
from assay.task import Situation
from assay.training.plan import Plan


def convnet_recipe(situation: Situation) -> tuple[ConvNetSettings, Plan]:
    """Settings and plan for a situation."""
    plan = Plan(
        batch_size=128, optimizer="muon", learning_rate=0.1, weight_decay=0.0, augment={"shift": 0.04, "flip": 0.0}
    )
    return ConvNetSettings(), plan
