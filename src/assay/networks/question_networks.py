"""The networks that suit questions about texts: tokens of both go in, scores of spans come out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from assay.networks.hf_loading import (
    PREFIX,
    check_vocabulary,
    context_of,
    load_body,
    origin_of_features,
    portable,
)
from assay.networks.hf_spans import HfSpanReader, HfSpanSettings
from assay.networks.span_reader import SpanReader, SpanReaderSettings
from assay.networks.text_networks import pretrained_argument
from assay.samples.question_spec import QuestionSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

#: Passes over the questions that are useful at most: many of few, since a pretrained encoder has seen no question yet.
_EPOCHS, _PRETRAINED_EPOCHS = 20, 10
#: The smallest share of a text that is left in training: answers stand elsewhere each time, and a pass is quicker.
_TEXT_CROP = 0.4


def question_networks(spec: QuestionSpec) -> Sequence[NetworkKind]:
    """The networks for questions of this form, the default first."""
    reader = NetworkKind("reader", SpanReaderSettings, _reader, _recipe, "a small Transformer over question and text")
    summary = "a pretrained encoder of transformers' (hf/NAME or hf/FOLDER)"
    pretrained = NetworkKind(
        PREFIX,
        HfSpanSettings,
        _pretrained,
        _pretrained_recipe,
        summary,
        portable=portable,
        features=origin_of_features,
    )
    return (reader, pretrained)


def _reader(spec: QuestionSpec, settings: SpanReaderSettings) -> nn.Module:
    return SpanReader(spec.tokenizer.size, spec.longest, spec.tokenizer.end, settings)


def _pretrained(spec: QuestionSpec, settings: HfSpanSettings) -> nn.Module:
    body = load_body(settings)
    check_vocabulary(body, spec.tokenizer.size, settings.model)
    return HfSpanReader(body, spec.tokenizer.end, settings)


def _recipe(situation: Situation) -> tuple[SpanReaderSettings, Plan]:
    batch = 32
    plan = Plan(
        batch_size=batch,
        learning_rate=1e-3,
        weight_decay=0.05,
        warmup=0.1,
        steps=_EPOCHS * max(1, situation.samples // batch),
        checks=10,
        keep="best",
        gradient_clip=1.0,
        augment={"text_crop": _TEXT_CROP},
    )
    return SpanReaderSettings(), plan


def _pretrained_recipe(situation: Situation) -> tuple[HfSpanSettings, Plan]:
    """A fresh head at 3e-3, the body's last layer at a tenth of it; small batches, since questions are few.

    The last weights are kept: the loss on the validation side begins to rise long before answers get worse.
    """
    batch = 8 if situation.samples < 20_000 else 32
    plan = Plan(
        batch_size=batch,
        learning_rate=3e-3,
        weight_decay=0.01,
        warmup=0.1,
        steps=_PRETRAINED_EPOCHS * max(1, situation.samples // batch),
        checks=4,
        gradient_clip=1.0,
        augment={"text_crop": _TEXT_CROP},
    )
    return HfSpanSettings(), plan


__all__ = ["context_of", "pretrained_argument", "question_networks"]
