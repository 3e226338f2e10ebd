"""The networks that suit images: pixels as they are in the cache go in, logits come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay.networks.convnet import ConvNet, ConvNetSettings
from assay.networks.convnet_recipe import convnet_recipe
from assay.networks.mlp import Mlp, MlpSettings
from assay.networks.timm_networks import timm_kind
from assay.samples.image_spec import ImageSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan


class Pixels(nn.Module):
    """Pixel values (B, C, H, W) of any type, to (value - mean) / deviation in float32, channels last."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("scale", 1 / torch.tensor(deviation, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        values = pixels.to(torch.float32, memory_format=torch.channels_last)
        return (values - self.mean) * self.scale


class ImageNetwork(nn.Module):
    """Standardises pixels and hands them to a body, which gives logits and has `features`."""

    def __init__(self, pixels: Pixels, body: Any) -> None:
        super().__init__()
        self.pixels = pixels
        self.body: Any = body

    def features(self, image: Tensor) -> Tensor:
        """(B, F) what the last layer before the logits says."""
        features: Tensor = self.body.features(self.pixels(image))
        return features

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) pixel values to (B, outputs) logits."""
        logits: Tensor = self.body(self.pixels(image))
        return logits


def image_networks(spec: ImageSpec) -> Sequence[NetworkKind]:
    """The networks for images of this form, the default first."""
    convnet = NetworkKind(
        "convnet", ConvNetSettings, _convnet, convnet_recipe, "a compact convolutional network of ours, fast on a CPU"
    )
    mlp = NetworkKind("mlp", MlpSettings, _mlp, _mlp_recipe, "layers of neurons, blind to what lies beside what")
    return (convnet, mlp, timm_kind(_wrap))


def _wrap(spec: ImageSpec, body: nn.Module, mean: Sequence[float], deviation: Sequence[float]) -> nn.Module:
    network: nn.Module = ImageNetwork(Pixels(mean, deviation), body)
    return network.to(memory_format=torch.channels_last)


def _convnet(spec: ImageSpec, settings: ConvNetSettings) -> nn.Module:
    body = ConvNet(spec.channels, spec.height, spec.width, spec.target.outputs, settings)
    return _wrap(spec, body, spec.mean, spec.deviation)


def _mlp(spec: ImageSpec, settings: MlpSettings) -> nn.Module:
    body = Mlp(spec.channels * spec.height * spec.width, spec.target.outputs, settings)
    return ImageNetwork(Pixels(spec.mean, spec.deviation), body)


def _mlp_recipe(situation: Situation) -> tuple[MlpSettings, Plan]:
    batch = 64 if situation.samples < 5000 else 256
    plan = Plan(
        batch_size=batch,
        optimizer="adamw",
        learning_rate=2e-3,
        weight_decay=0.01,
        label_smoothing=0.05,
        augment={"shift": 0.04},
        schedule="one-cycle",
        warmup=0.2,
    )
    most = 60 * max(1, situation.samples // batch)
    return MlpSettings(depth=2, width=512, dropout=0.2), dataclasses.replace(plan, steps=most)
