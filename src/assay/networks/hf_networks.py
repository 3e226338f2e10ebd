"""Pretrained encoders of text with a head of ours, by `transformers` (see `hf_loading.py`).

Shapes: B windows, T tokens, W channels, F features, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from assay.networks.bert_layers import bert_features, is_plain_bert
from assay.networks.dropout import Dropout
from assay.networks.head import set_head
from assay.networks.hf_loading import (
    PREFIX,
    HfBodySettings,
    check_vocabulary,
    context_of,
    load_body,
    origin_of_features,
    portable,
)
from assay.networks.pooling import mean_of
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.ranges import SHARE, Choice, searched

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.samples.text_spec import TextSpec

_HEAD_SAMPLES = 20_000
_MOST_EPOCHS = 4


@dataclass(frozen=True)
class HfSettings(HfBodySettings):
    """Hyper-parameters of a pretrained encoder with a head of ours.

    Attributes:
        pooling: the features of a text are the `mean` over its tokens, or what stands at the `first` mark.
        dropout: before the head.
    """

    pooling: Literal["mean", "first"] = searched("mean", Choice(("mean", "first")))
    dropout: float = searched(0.1, SHARE)


class HfBody(nn.Module):
    """A network of transformers': what its last layer says of each token.

    Args:
        body: the network.
        frozen: it stays as it is, in training as in evaluation.
    """

    def __init__(self, body: Any, frozen: bool) -> None:
        super().__init__()
        self.body: Any = body
        self.frozen = frozen
        self.width = int(body.config.hidden_size)
        self._segments = int(getattr(body.config, "type_vocab_size", 0) or 0) > 1
        self._plain = is_plain_bert(body)

    def train(self, mode: bool = True) -> HfBody:
        """As in PyTorch; a frozen body stays as in evaluation."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def vectors(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, W): what stands for each token before anything looks at it."""
        found: Tensor = self.body.get_input_embeddings()(tokens.long())
        return found

    def forward(self, vectors: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """Vectors (B, T, W), their mask (B, T) and, of two texts, 0 and 1 (B, T), to (B, T, W)."""
        if self._plain and not self.body.training:
            return bert_features(self.body, vectors, mask, segments)
        options: dict[str, Any] = {} if mask is None else {"attention_mask": mask.long()}
        if segments is not None and self._segments:
            options["token_type_ids"] = segments.long()
        said: Tensor = self.body(inputs_embeds=vectors, **options).last_hidden_state
        return said


class HfEncoder(nn.Module):
    """Tokens (B, T) to logits (B, O)."""

    def __init__(self, body: Any, outputs: int, settings: HfSettings) -> None:
        super().__init__()
        self.encoder = HfBody(body, settings.pretrained and settings.freeze)
        self.pooling, self.pretrained = settings.pooling, settings.pretrained
        self.dropout = Dropout(settings.dropout)
        self.head = nn.Linear(self.encoder.width, outputs)

    def vectors(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, W): what stands for each token before anything looks at it."""
        return self.encoder.vectors(tokens)

    def features_of(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, F) out of the tokens' vectors (B, T, W)."""
        said: Tensor = self.encoder(vectors, mask)
        return said[:, 0] if self.pooling == "first" else mean_of(said, mask)

    def features(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, F) of each window."""
        return self.features_of(self.vectors(tokens), mask)

    def from_vectors(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, W) to logits (B, O); attributions follow its gradient."""
        logits: Tensor = self.head(self.dropout(self.features_of(vectors, mask)))
        return logits

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, T), and which of them are there (B, T) bool, to (B, O)."""
        return self.from_vectors(self.vectors(tokens), mask)


def hf_kind() -> NetworkKind:
    """The entry `hf/`, whose rest names the model or folder."""
    summary = "a pretrained encoder of transformers' (hf/NAME or hf/FOLDER)"
    return NetworkKind(PREFIX, HfSettings, _build, _recipe, summary, fit_head, None, portable, origin_of_features)


@torch.no_grad()
def fit_head(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Start the head from a logistic regression on the body's features; targets that are no class keep a fresh one."""
    from assay.samples.split import TRAIN

    if not isinstance(network, HfEncoder) or not network.pretrained or samples.spec.target.kind != "class":
        return
    network.eval()
    view = samples.view(TRAIN).sample(_HEAD_SAMPLES, plan.seed)
    batches: list[Any] = list(view.batches(64, view.by_length()))
    features = torch.cat([network.features(batch.tokens, batch.mask) for batch in batches]).double().numpy()
    set_head(network.head, features, torch.cat([batch.target for batch in batches]).numpy())


def _build(spec: TextSpec, settings: HfSettings) -> nn.Module:
    body = load_body(settings)
    check_vocabulary(body, spec.tokenizer.size, settings.model)
    return HfEncoder(body, spec.target.outputs, settings)


def _recipe(situation: Situation) -> tuple[HfSettings, Plan]:
    """Gentle steps from good weights, a few passes at most."""
    batch = 32
    plan = Plan(
        batch_size=batch,
        learning_rate=1e-3,
        weight_decay=0.01,
        warmup=0.1,
        steps=_MOST_EPOCHS * max(1, situation.samples // batch),
        checks=8,
        keep="best",
        gradient_clip=1.0,
    )
    return HfSettings(), plan


__all__ = ["PREFIX", "HfBody", "HfEncoder", "HfSettings", "context_of", "fit_head", "hf_kind"]
