"""The networks that transcribe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from assay.networks.hf_loading import PREFIX, load_body, portable
from assay.networks.hf_speech import HfSpeech
from assay.networks.speech_ctc import SpeechCtc, SpeechCtcSettings
from assay.networks.speech_frames import LONGEST_S
from assay.networks.speech_marks import HfSpeechSettings, SpeechMarks, marks_of
from assay.samples.transcript_spec import RATE, TranscriptSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

_FAMILY = "AutoModelForSpeechSeq2Seq"
#: Changes of the sound, as `assay.samples.speech_augment` names them.
_AUGMENT = {"speed": 0.12, "gain": 6.0, "noise": 0.3, "mask_time": 0.1, "mask_band": 0.2, "tilt": 4.0}
#: Passes over the training recordings after which a pretrained network is at home in windows of any length; seconds of
#: a training step for one of them, about.
_ACCUSTOMED, _STEP_S = 1.0, 0.5
_MILD = {"speed": 0.08, "gain": 6.0, "noise": 0.2, "mask_time": 0.05, "mask_band": 0.1, "tilt": 0.0}


def speech_networks(spec: TranscriptSpec) -> Sequence[NetworkKind]:
    """The networks for recordings of this form, the default first."""
    own = NetworkKind(
        "ctc", SpeechCtcSettings, _build, _recipe, "convolutions and attention, a token or none per frame"
    )
    summary = "a pretrained network of Whisper's kind (hf/NAME or hf/FOLDER)"
    return (
        own,
        NetworkKind(PREFIX, HfSpeechSettings, _build_pretrained, _recipe_pretrained, summary,
                    portable=_portable, features=_origin),
    )  # fmt: skip


def _build(spec: TranscriptSpec, settings: SpeechCtcSettings) -> nn.Module:
    return SpeechCtc(spec.tokenizer.size, settings, RATE)


def _recipe(situation: Situation) -> tuple[SpeechCtcSettings, Plan]:
    batch = 8 if situation.samples < 1000 else 16
    plan = Plan(
        batch_size=batch,
        learning_rate=2e-3,
        weight_decay=0.05,
        warmup=0.2,
        gradient_clip=1.0,
        augment=_AUGMENT,
        steps=100 * max(1, situation.samples // batch),
        checks=10,
        keep="best",
    )
    return SpeechCtcSettings(), plan


def _build_pretrained(spec: TranscriptSpec, settings: HfSpeechSettings) -> nn.Module:
    marks = SpeechMarks.of(settings)
    body = load_body(settings, _FAMILY)
    encoder = body.get_encoder()
    for parameter in encoder.parameters() if settings.freeze_encoder else encoder.embed_positions.parameters():
        parameter.requires_grad = False
    return HfSpeech(body, marks, spec.language, settings.context_s)


def _recipe_pretrained(situation: Situation) -> tuple[HfSpeechSettings, Plan]:
    plan = Plan(
        batch_size=16,
        learning_rate=2e-5,
        weight_decay=0.01,
        warmup=0.1,
        gradient_clip=1.0,
        augment=_MILD,
        steps=5 * max(1, situation.samples // 16),
        checks=5,
        keep="best",
    )
    settings = HfSpeechSettings()
    return (settings if _is_accustomed(situation) else replace(settings, context_s=LONGEST_S)), plan


def _is_accustomed(situation: Situation) -> bool:
    """Whether there is time to accustom a network to windows shorter than those that it was trained on.

    Without that it writes what is said in them again and again. Which network it is is not known here: the time is that
    of one of Whisper's smallest.
    """
    if situation.budget_s is None:
        return (situation.epochs or 0) >= _ACCUSTOMED
    return situation.budget_s >= _ACCUSTOMED * situation.samples * _STEP_S


def _portable(settings: HfSpeechSettings) -> HfSpeechSettings:
    return replace(portable(settings), marks=marks_of(settings))


def _origin(settings: HfSpeechSettings) -> str:
    return "learned before, from other recordings" if settings.pretrained else "learned from this data"
