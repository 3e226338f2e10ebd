"""The networks that translate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from assay.networks.hf_loading import PREFIX, check_vocabulary, load_body, origin_of_features, portable
from assay.networks.hf_seq2seq import HfSeq2Seq, HfSeq2SeqSettings
from assay.networks.row_writing import Marks
from assay.networks.seq2seq import Seq2Seq, Seq2SeqSettings
from assay.samples.pair_spec import PairSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan

_FAMILY = "AutoModelForSeq2SeqLM"


@dataclass(frozen=True)
class _Size:
    """A network, and the seconds of training from which on it is worth its time on a laptop's processor."""

    from_s: float
    depth: int
    decoder_depth: int
    width: int
    heads: int
    dropout: float


#: Chosen on the validation side of Multi30k, see `docs/log.md`.
_SIZES = (_Size(0, 4, 2, 128, 2, 0.1), _Size(900, 4, 2, 192, 3, 0.15), _Size(5400, 4, 3, 256, 4, 0.25))
_SMALL_BATCH, _BATCH, _MANY_PAIRS = 64, 128, 200_000


def translation_networks(spec: PairSpec) -> Sequence[NetworkKind]:
    """The networks for pairs in this form, the default first."""
    own = NetworkKind("transformer", Seq2SeqSettings, _build, _recipe, "an encoder and a decoder that share vectors")
    summary = "a pretrained translator of transformers' (hf/NAME or hf/FOLDER)"
    return (
        own,
        NetworkKind(PREFIX, HfSeq2SeqSettings, _build_pretrained, _recipe_pretrained, summary,
                    portable=portable, features=origin_of_features),
    )  # fmt: skip


def _build(spec: PairSpec, settings: Seq2SeqSettings) -> nn.Module:
    tokenizer = spec.tokenizer
    marks = Marks(tokenizer.begin, tokenizer.end, tokenizer.end)
    return Seq2Seq(tokenizer.size, None, spec.longest + 1, marks, settings)


def _recipe(situation: Situation) -> tuple[Seq2SeqSettings, Plan]:
    budget = situation.budget_s if situation.budget_s is not None else 600.0
    size = [size for size in _SIZES if size.from_s <= budget][-1]
    settings = Seq2SeqSettings(
        depth=size.depth, decoder_depth=size.decoder_depth, width=size.width, heads=size.heads, dropout=size.dropout
    )
    batch = _SMALL_BATCH if situation.samples < _MANY_PAIRS else _BATCH
    plan = Plan(
        batch_size=batch,
        optimizer="muon",
        learning_rate=0.03,
        weight_decay=0.1,
        warmup=0.1,
        label_smoothing=0.1,
        steps=60 * max(1, situation.samples // batch),
        checks=12,
        keep="best",
    )
    return settings, plan


def _build_pretrained(spec: PairSpec, settings: HfSeq2SeqSettings) -> nn.Module:
    body = load_body(settings, _FAMILY)
    check_vocabulary(body, spec.tokenizer.size, settings.model)
    before, after = spec.tokenizer.frame()
    return HfSeq2Seq(body, before, after or [spec.tokenizer.end])


def _recipe_pretrained(situation: Situation) -> tuple[HfSeq2SeqSettings, Plan]:
    plan = Plan(
        batch_size=32,
        learning_rate=5e-5,
        weight_decay=0.01,
        warmup=0.1,
        label_smoothing=0.1,
        gradient_clip=1.0,
        steps=6 * max(1, situation.samples // 32),
        checks=6,
        keep="best",
    )
    return HfSeq2SeqSettings(), plan
