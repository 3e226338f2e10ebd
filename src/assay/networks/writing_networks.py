"""The networks that learn to go on with a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from assay.networks.language_model import LanguageModel, LanguageModelSettings
from assay.samples.passage_spec import PassageSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

#: Passes over the training windows after which a network only learns the text by heart; a window's stretch of text is
#: about twice as long as what it foretells.
_MOST_EPOCHS = 40


@dataclass(frozen=True)
class _Size:
    """A network, and the seconds of training from which on it is worth its time on a laptop's processor."""

    from_s: float
    depth: int
    width: int
    heads: int
    dropout: float
    ngrams: int
    ngram_dropout: float
    tokens: int  # of a batch, about
    learning_rate: float


#: Chosen on the end of the training part of Tiny Shakespeare, see `docs/log.md`; those from 1,800 s on
#: by judgement.
_SIZES = (
    _Size(0, 2, 128, 2, 0.0, 4, 0.0, 1536, 0.04),
    _Size(60, 3, 128, 2, 0.0, 4, 0.0, 1536, 0.04),
    _Size(240, 4, 128, 2, 0.0, 3, 0.5, 1536, 0.04),
    _Size(1800, 4, 192, 3, 0.1, 3, 0.5, 2048, 0.03),
    _Size(5400, 5, 256, 4, 0.2, 3, 0.5, 3072, 0.02),
)
_BUCKETS = 16384


def writing_networks(spec: PassageSpec) -> Sequence[NetworkKind]:
    """The networks for text in this form, the default first."""
    summary = "a causal Transformer with vectors for n-grams"
    return (NetworkKind("transformer", LanguageModelSettings, _build, _recipe, summary),)


def _build(spec: PassageSpec, settings: LanguageModelSettings) -> nn.Module:
    return LanguageModel(spec.tokenizer.size, spec.longest, settings)


def _recipe(situation: Situation) -> tuple[LanguageModelSettings, Plan]:
    budget = situation.budget_s if situation.budget_s is not None else 120.0
    size = [size for size in _SIZES if size.from_s <= budget][-1]
    settings = LanguageModelSettings(
        depth=size.depth,
        width=size.width,
        heads=size.heads,
        dropout=size.dropout,
        ngram_dropout=size.ngram_dropout,
        ngrams=size.ngrams,
        buckets=_BUCKETS,
    )
    batch = max(1, size.tokens // situation.spec.longest)
    plan = Plan(
        batch_size=batch,
        optimizer="muon",
        learning_rate=size.learning_rate,
        weight_decay=0.1,
        schedule="one-cycle",
        warmup=0.05,
        steps=_MOST_EPOCHS * max(1, situation.samples // batch),
        checks=10,
        keep="last" if budget < _SIZES[2].from_s else "best",  # a short training does not overfit
        augment={"hidden_tokens": 0.0},
    )
    return settings, plan
