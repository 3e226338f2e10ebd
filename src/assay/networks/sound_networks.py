"""The networks that suit spoken commands: a waveform goes in, logits come out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from assay.networks.keyword_net import KeywordNet, KeywordNetSettings
from assay.samples.sound_spec import ClipSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

#: Passes over the clips after which more bring nothing, and the least number of steps in which a network settles.
_MOST_EPOCHS, _MOST_STEPS_FEW = 80, 2500
_FEW = 20_000


def sound_networks(spec: ClipSpec) -> Sequence[NetworkKind]:
    """The networks for clips of this form, the default first."""
    about = "a compact network that looks along frequency and time"
    return (NetworkKind("keyword", KeywordNetSettings, _keyword_net, _recipe, about),)


def _keyword_net(spec: ClipSpec, settings: KeywordNetSettings) -> nn.Module:
    return KeywordNet(spec.rate, spec.target.outputs, settings)


def _recipe(situation: Situation) -> tuple[KeywordNetSettings, Plan]:
    batch = 64 if situation.samples < _FEW else 128
    plan = Plan(
        steps=max(_MOST_EPOCHS * situation.samples // batch, _MOST_STEPS_FEW),
        batch_size=batch,
        optimizer="muon",
        learning_rate=0.03,
        momentum=0.9,
        weight_decay=0.05,
        label_smoothing=0.1,
        warmup=0.2,
        augment={
            "other": 0.05,
            "cut": 0.03,
            "speed": 0.15,
            "throat": 0.15,
            "place": 1.0,
            "mask_time": 0.1,
            "mask_band": 0.1,
            "tilt": 3.0,
            "gain": 6.0,
            "background": 0.5,
            "noise": 0.5,
        },
        averaging=0.995,
        checks=10,
    )
    return KeywordNetSettings(), plan
