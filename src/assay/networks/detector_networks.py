"""The networks that find objects: a small one of ours, and any convolutional backbone of timm's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from assay.errors import MissingExtraError
from assay.networks.detector import Detector
from assay.networks.detector_backbones import SmallBackbone, TimmBackbone
from assay.networks.image_networks import Pixels
from assay.networks.timm_networks import portable, timm_features, wanted_scale
from assay.samples.box_spec import BoxSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.precision import multiplies_bfloat16
from assay.training.ranges import BODY_RATE, WIDTH, searched

if TYPE_CHECKING:
    from assay.samples.samples import Samples

#: Where a tenth of the objects is smaller than this in the field, in pixels, the finest map has a stride of 4.
_SMALL = 14.0
#: With a threshold of so much where the validation side does not tell.
_DEFAULT_SCORE = 0.35
_BATCH = 16
_MOST_EPOCHS = 150
_LEAST_MOST_STEPS = 3000


@dataclass(frozen=True)
class DetectorSettings:
    """Hyper-parameters of a detector with a backbone of ours.

    Attributes:
        width: channels of the backbone's first layer.
        depth: residual blocks of each of its stages.
        neck: channels of the pyramid and the head.
        head: convolutions of the head before its last layer.
        finest: the stride of the finest map in pixels, 8, or 4 for small objects.
        activation: see `ConvNetSettings`.
    """

    width: int = searched(32, WIDTH)
    depth: int = 1
    neck: int = searched(64, WIDTH)
    head: int = 2
    finest: int = 8
    activation: str = "relu"


@dataclass(frozen=True)
class TimmDetectorSettings:
    """Hyper-parameters of a detector with a backbone of timm's.

    Attributes:
        architecture: what follows `detector/`: a name of timm's, or a folder.
        pretrained: start from trained weights.
        neck: channels of the pyramid and the head.
        head: convolutions of the head before its last layer.
        finest: the stride of the finest map in pixels, 8, or 4 for small objects.
        activation: of the pyramid and the head, see `ConvNetSettings`.
        body_rate: the backbone's learning rate as a share of the rest's, where its weights are pretrained.
        trained: the share of a pretrained backbone's tensors, counted from the last, that are trained.
        keep_statistics: keep the means and variances of its batch normalisation.
    """

    architecture: str = ""
    pretrained: bool = True
    neck: int = searched(64, WIDTH)
    head: int = 2
    finest: int = 8
    activation: str = "relu"
    body_rate: float = searched(0.3, BODY_RATE)
    trained: float = 0.85
    keep_statistics: bool = True


def detector_networks(spec: BoxSpec) -> Sequence[NetworkKind]:
    """The networks for pictures of this form, the default first."""
    own = NetworkKind(
        "detector", DetectorSettings, _own, _recipe, "a small one-stage detector of ours", conclude=fit_threshold
    )
    timm = NetworkKind(
        "detector/",
        TimmDetectorSettings,
        _timm,
        _timm_recipe,
        "the same on a convolutional network of timm's, pretrained (detector/NAME or detector/FOLDER)",
        conclude=fit_threshold,
        portable=portable,
        features=timm_features,
    )
    return (own, timm)


def _own(spec: BoxSpec, settings: DetectorSettings) -> nn.Module:
    _check(settings.finest)
    backbone = SmallBackbone(spec.channels, settings.width, settings.depth, settings.finest, settings.activation)
    return _detector(spec, backbone, settings, spec.mean, spec.deviation)


def _timm(spec: BoxSpec, settings: TimmDetectorSettings) -> nn.Module:
    _check(settings.finest)
    known = (settings.body_rate, settings.trained, settings.keep_statistics)
    backbone = TimmBackbone(settings.architecture, settings.pretrained, spec.channels, settings.finest, *known)
    return _detector(spec, backbone, settings, *wanted_scale(backbone.config, spec.channels, 255.0))


def _check(finest: int) -> None:
    if finest not in (4, 8):
        raise ValueError(f"the finest map has a stride of 4 or 8, not {finest}")


def _detector(
    spec: BoxSpec, backbone: nn.Module, settings: Any, mean: Sequence[float], by: Sequence[float]
) -> nn.Module:
    _require_torchvision()
    head = (settings.neck, settings.head, settings.activation)
    network = Detector(Pixels(mean, by), backbone, len(spec.classes), settings.finest, *head)
    laid_out: nn.Module = network.to(memory_format=torch.channels_last)
    return laid_out


def _require_torchvision() -> None:
    """Told when the network is built: loss and decoding would find it missing only once the training runs."""
    try:
        import torchvision.ops  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("finding objects", "detection") from error


def _recipe(situation: Situation) -> tuple[DetectorSettings, Plan]:
    return DetectorSettings(finest=_finest(situation.spec)), _plan(situation, 2e-3)


def _timm_recipe(situation: Situation) -> tuple[TimmDetectorSettings, Plan]:
    return TimmDetectorSettings(finest=_finest(situation.spec)), _plan(situation, 1.5e-3)


def _finest(spec: BoxSpec) -> int:
    return 4 if spec.side < _SMALL else 8


def _plan(situation: Situation, rate: float) -> Plan:
    """Few pictures, seen in ever new crops and mosaics, as often as the time allows."""
    batch = min(_BATCH, max(1, situation.samples))
    return Plan(
        batch_size=batch,
        optimizer="adamw",
        learning_rate=rate,
        weight_decay=0.03,
        warmup=0.1,
        schedule="cosine",
        averaging=0.995,
        gradient_clip=10.0,
        augment={"flip": 0.5, "scale": 0.4, "mosaic": 0.4, "jitter": 0.25, "colour": 0.08},
        steps=max(_LEAST_MOST_STEPS, _MOST_EPOCHS * situation.samples // batch),
        checks=6,
        precision="bfloat16" if multiplies_bfloat16() else "float32",
    )


def fit_threshold(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Let one half be the score from which on boxes count, so that F1 is greatest on the validation side."""
    from assay.evaluation.box_threshold import choose_threshold
    from assay.samples.split import VALIDATION
    from assay.serving.predictor import Predictor

    detector: Any = network
    detector.set_threshold(0.0)
    view = samples.view(VALIDATION)
    outputs = Predictor(samples.task, samples.spec, network).outputs(view)
    score = choose_threshold(outputs, view.truths() if len(view) else [], _DEFAULT_SCORE)
    score = min(max(score, 1e-4), 1 - 1e-4)
    detector.set_threshold(math.log(score / (1 - score)))
