"""The networks that say what each pixel is: pixels as they are in the cache go in, logits of all pixels come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.image_networks import Pixels
from assay.networks.timm_networks import portable, timm_features, wanted_scale
from assay.networks.unet import UNet
from assay.networks.unet_settings import OwnEncoderSettings, TimmEncoderSettings
from assay.samples.mask_spec import MaskSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.precision import multiplies_bfloat16
from assay.training.ranges import WIDTH, searched

#: Windows a step, and passes over the training windows after which little is gained.
_BATCH, _MOST_EPOCHS = 8, 150
_DECODER = (96, 64, 32, 16)


@dataclass(frozen=True)
class UNetSettings(OwnEncoderSettings):
    """Hyper-parameters of a U-Net of ours: see `OwnEncoderSettings`."""


@dataclass(frozen=True)
class TimmUNetSettings(TimmEncoderSettings):
    """Hyper-parameters of a U-Net whose encoder is a network of timm's: see `TimmEncoderSettings`.

    Attributes:
        decoder: channels of the decoder's first step; each further step has about half as many.
    """

    decoder: int = searched(96, WIDTH)


class PixelClassifier(nn.Module):
    """Standardises pixels and hands them to a U-Net."""

    def __init__(self, pixels: Pixels, body: UNet) -> None:
        super().__init__()
        self.pixels, self.body = pixels, body

    def features(self, image: Tensor) -> Tensor:
        """(B, F): see `UNet.features`."""
        return self.body.features(self.pixels(image))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) pixel values to (B, classes, H, W) logits."""
        logits: Tensor = self.body(self.pixels(image))
        return logits


def segmentation_networks(spec: MaskSpec) -> Sequence[NetworkKind]:
    """The networks for pictures of this form, the default first."""
    own = NetworkKind("unet", UNetSettings, _unet, _recipe, "a small U-Net of ours, fast on a CPU")
    other = NetworkKind(
        "timm/",
        TimmUNetSettings,
        _timm_unet,
        _timm_recipe,
        "a U-Net over any network of timm's, pretrained (timm/NAME or timm/FOLDER)",
        portable=portable,
        features=timm_features,
    )
    return (own, other)


def _unet(spec: MaskSpec, settings: UNetSettings) -> nn.Module:
    shape = (settings.encoder("group"), 3, settings.decoder_widths(), len(spec.classes))
    body = UNet(*shape, activation_name=settings.activation, dropout=settings.dropout)
    return _whole(Pixels(spec.mean, spec.deviation), body)


def _timm_unet(spec: MaskSpec, settings: TimmUNetSettings) -> nn.Module:
    encoder = settings.encoder()
    steps = min(4, len(encoder.channels))
    decoder = [max(8, settings.decoder * width // (8 * _DECODER[0]) * 8) for width in _DECODER[:steps]]
    body = UNet(encoder, 3, decoder, len(spec.classes), dropout=settings.dropout)
    mean, deviation = wanted_scale(encoder.config, 3, 255.0)
    return _whole(Pixels(mean, deviation), body)


def _whole(pixels: Pixels, body: UNet) -> nn.Module:
    network: nn.Module = PixelClassifier(pixels, body)
    return network.to(memory_format=torch.channels_last)


def _recipe(situation: Situation) -> tuple[UNetSettings, Plan]:
    """From scratch: large steps, down to zero."""
    return UNetSettings(), _plan(situation, 3e-3)


def _timm_recipe(situation: Situation) -> tuple[TimmUNetSettings, Plan]:
    """Smaller steps from good weights."""
    return TimmUNetSettings(), _plan(situation, 1e-3)


def _plan(situation: Situation, learning_rate: float) -> Plan:
    spec: MaskSpec = situation.spec
    batch = max(1, min(_BATCH, situation.samples))
    return Plan(
        steps=_MOST_EPOCHS * max(1, situation.samples // batch),
        batch_size=batch,
        optimizer="adamw",
        learning_rate=learning_rate,
        weight_decay=0.02,
        schedule="one-cycle",
        warmup=0.15,
        gradient_clip=1.0,
        averaging=0.99,
        augment={
            "flip": 0.5,
            "quarters": 1.0 if spec.turnable else 0.0,
            "zoom": 1.3,
            "turn": 15.0,
            "colour": 0.3,
        },
        checks=10,
        keep="best",
        precision="bfloat16" if multiplies_bfloat16() else "float32",
    )
