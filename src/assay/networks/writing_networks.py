"""The networks that learn to go on with a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from assay.networks.language_model import LanguageModel, LanguageModelSettings
from assay.samples.passage_spec import PassageSpec
from assay.samples.split import TRAIN
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

if TYPE_CHECKING:
    from assay.samples.samples import Samples

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
_COUNTED = 7
#: Tokens that are counted, about, and how many windows are read at once for it.
_MOST_TOKENS, _WINDOWS_AT_ONCE = 8_000_000, 1024


def writing_networks(spec: PassageSpec) -> Sequence[NetworkKind]:
    """The networks for text in this form, the default first."""
    summary = "a causal Transformer beside counted n-grams"
    return (NetworkKind("transformer", LanguageModelSettings, _build, _recipe, summary, count_training_text),)


def _build(spec: PassageSpec, settings: LanguageModelSettings) -> nn.Module:
    return LanguageModel(spec.tokenizer.size, spec.longest, settings, spec.tokenizer.begin)


def count_training_text(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Count the n-grams of the training side's tokens, before the first step; of the beginning of a very long one."""
    counts: Any = network.counts
    if not counts.order:
        return
    view = samples.view(TRAIN)
    pieces: list[np.ndarray[Any, Any]] = []
    taken = 0
    for start in range(0, len(view.windows), _WINDOWS_AT_ONCE):
        windows = view.windows[start : start + _WINDOWS_AT_ONCE]
        for ids, scored in zip(samples.field("tokens", windows), samples.field("scored", windows), strict=True):
            pieces.append(ids[len(ids) - scored :])
        taken += sum(map(len, pieces[start:]))
        if taken >= _MOST_TOKENS:
            break
    firsts = np.flatnonzero(np.diff(samples.unit[view.windows[: len(pieces)]], prepend=-1))
    bounds = zip(firsts, [*firsts[1:], len(pieces)], strict=True)
    counts.count([np.concatenate(pieces[first:end]) for first, end in bounds])


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
        counted=_COUNTED,
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
