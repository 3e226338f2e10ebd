"""The networks that learn to go on with a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from assay.networks.language_model import LanguageModel, LanguageModelSettings
from assay.networks.passage_reading import scored, shifted
from assay.samples.passage_spec import PassageSpec
from assay.samples.split import TRAIN, VALIDATION
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

if TYPE_CHECKING:
    from assay.samples.samples import Samples, View

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


#: Chosen on the stretch from 80 to 90 % of Tiny Shakespeare, see `docs/log.md`; those from 1,800 s on by judgement.
_SIZES = (
    _Size(0, 2, 128, 2, 0.0, 4, 0.0, 1536, 0.04),
    _Size(60, 3, 128, 2, 0.0, 4, 0.0, 1536, 0.04),
    _Size(240, 4, 128, 2, 0.0, 3, 0.5, 1536, 0.04),
    _Size(600, 4, 192, 3, 0.1, 1, 0.0, 2048, 0.03),
    _Size(1800, 5, 256, 4, 0.2, 1, 0.0, 2048, 0.02),
)
_BUCKETS = 16384
_COUNTED = 7
#: Tokens that are counted and that are asked about at most, how many are trained on for each that is asked about, and
#: the windows that are read at once.
_MOST_TOKENS, _MOST_ASIDE, _TRAINED_PER_ASIDE, _WINDOWS_AT_ONCE = 8_000_000, 100_000, 20, 1024


def writing_networks(spec: PassageSpec) -> Sequence[NetworkKind]:
    """The networks for text in this form, the default first."""
    summary = "a causal Transformer beside counted n-grams"
    own = NetworkKind(
        "transformer", LanguageModelSettings, _build, _recipe, summary, conclude=count_beside, features=_origin
    )
    return (own,)


def _build(spec: PassageSpec, settings: LanguageModelSettings) -> nn.Module:
    return LanguageModel(spec.tokenizer.size, spec.longest, settings, spec.tokenizer.begin)


def _origin(settings: LanguageModelSettings) -> str:
    return "learned from this data" + (", with counts of its n-grams beside" if settings.counted else "")


def count_beside(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Count the training text, of a very long one the beginning; the validation side says how far to trust it."""
    model: Any = network
    spec, aside = samples.spec, samples.view(VALIDATION)
    room = min(_MOST_ASIDE, plan.steps * plan.batch_size * spec.longest // _TRAINED_PER_ASIDE)
    aside = samples.view_of(aside.units[: _units_within(aside, room)])
    if not model.counts.order or not len(aside.windows):
        return

    def asked() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for batch in aside.batches(plan.batch_size):
            inputs, targets, real = shifted(batch, spec)
            yield inputs, targets, scored(batch, real)

    train = samples.view(TRAIN)
    train = samples.view_of(train.units[: _units_within(train, _MOST_TOKENS)])
    model.count(_tokens(train), _tokens(aside), asked())


def _units_within(view: View, tokens: int) -> int:
    """How many of a view's first units hold about so many tokens; at least one of them, if there are any."""
    lengths = np.bincount(view.samples.unit[view.windows], view.array("scored"), len(view.samples.side))[view.units]
    return max(min(1, len(view)), int(np.searchsorted(np.cumsum(lengths), tokens, side="right")))


def _tokens(view: View) -> list[np.ndarray[Any, Any]]:
    """The tokens of each unit of a view, without the mark before them."""
    found: dict[int, list[np.ndarray[Any, Any]]] = {}
    for start in range(0, len(view.windows), _WINDOWS_AT_ONCE):
        windows = view.windows[start : start + _WINDOWS_AT_ONCE]
        held = (
            view.samples.unit[windows],
            view.samples.field("tokens", windows),
            view.samples.field("scored", windows),
        )
        for unit, ids, foretold in zip(*held, strict=True):
            found.setdefault(int(unit), []).append(ids[len(ids) - foretold :])
    return [np.concatenate(pieces) for pieces in found.values()]


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
