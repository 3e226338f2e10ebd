"""Pretrained encoders of text that find the answer to a question in a text.

Shapes: B pairs of a question and a text, T tokens of both with their marks, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.networks.dropout import Dropout
from assay.networks.hf_loading import HfBodySettings
from assay.networks.hf_networks import HfBody
from assay.networks.question_words import QuestionWords
from assay.networks.spans import SpanHead, SpanScores
from assay.samples.question_windows import CONTEXT, QUESTION
from assay.training.ranges import SHARE, searched


@dataclass(frozen=True)
class HfSpanSettings(HfBodySettings):
    """Hyper-parameters of a pretrained encoder that finds answers.

    Attributes:
        dropout: before the head.
    """

    dropout: float = searched(0.1, SHARE)


class HfSpanReader(nn.Module):
    """Tokens (B, T) of a question and a text to scores of spans.

    Args:
        body: the network.
        end: the mark after a text, where no answer stands.
        settings: the hyper-parameters.
    """

    def __init__(self, body: Any, end: int, settings: HfSpanSettings) -> None:
        super().__init__()
        self.encoder, self.end = HfBody(body, settings.pretrained and settings.freeze), end
        self.dropout, self.words = Dropout(settings.dropout), QuestionWords()
        self.head = SpanHead(self.encoder.width, self.words.features)

    def vectors(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, W): what stands for each token before anything looks at it."""
        return self.encoder.vectors(tokens)

    def from_vectors(
        self, vectors: Tensor, tokens: Tensor, segments: Tensor, looks: Tensor, mask: Tensor | None = None
    ) -> SpanScores:
        """As `forward`, from the tokens' vectors (B, T, W); attributions follow its gradient."""
        real = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        context = (segments == CONTEXT) & real & (tokens != self.end)
        known = self.words(tokens, (segments == QUESTION) & real, context, looks)
        scores: SpanScores = self.head(self.dropout(self.encoder(vectors, mask, segments)), known, context)
        return scores

    def forward(self, tokens: Tensor, segments: Tensor, looks: Tensor, mask: Tensor | None = None) -> SpanScores:
        """Scores of spans; see `SpanReader.forward`."""
        return self.from_vectors(self.vectors(tokens), tokens, segments, looks, mask)
