"""The networks that suit texts: tokens go in, logits come out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from assay.networks.hf_networks import PREFIX, context_of, hf_kind
from assay.networks.text_convnet import TextConvNet, TextConvNetSettings
from assay.samples.text_spec import TextSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan


def text_networks(spec: TextSpec) -> Sequence[NetworkKind]:
    """The networks for texts of this form, the default first."""
    convnet = NetworkKind("textconv", TextConvNetSettings, _convnet, _recipe, "filters over a few tokens at a time")
    return (convnet, hf_kind())


def pretrained_argument(network: str | None) -> str | None:
    """The pretrained network that `--network` names, whose tokens are to be used; None for another."""
    return network.removeprefix(PREFIX) if network is not None and network.startswith(PREFIX) else None


def _convnet(spec: TextSpec, settings: TextConvNetSettings) -> nn.Module:
    return TextConvNet(spec.tokenizer.size, spec.tokenizer.pad, spec.target.outputs, settings)


def _recipe(situation: Situation) -> tuple[TextConvNetSettings, Plan]:
    batch = 32 if situation.samples < 20_000 else 128
    plan = Plan(
        batch_size=batch,
        learning_rate=2e-3,
        weight_decay=0.05,
        warmup=0.2,
        steps=15 * max(1, situation.samples // batch),
        checks=10,
        keep="best",
    )
    return TextConvNetSettings(), plan


__all__ = ["context_of", "pretrained_argument", "text_networks"]
