"""A network that finds the answer to a question in a text, for training without pretrained weights.

Beside what stands where, each token of the text is told whether it occurs in the question, see `question_words.py`.

Shapes: B pairs of a question and a text, T tokens of both with their marks, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.dropout import drop_tokens
from assay.networks.question_words import QuestionWords
from assay.networks.spans import SpanHead, SpanScores
from assay.networks.token_embedding import TokenEmbedding
from assay.networks.transformer import Transformer, TransformerSettings
from assay.samples.question_windows import CONTEXT, QUESTION
from assay.training.ranges import DEPTH, HALVES, SHARE, searched


@dataclass(frozen=True)
class SpanReaderSettings(TransformerSettings):
    """Hyper-parameters of `SpanReader`, beside those of its Transformer.

    Attributes:
        ngrams: tokens of the longest n-gram that has vectors of its own; 1 for none beyond the token itself.
        buckets: vectors that the n-grams of each length share.
        word_dropout: the share of tokens left out at each training step.
    """

    depth: int = searched(4, DEPTH)
    width: int = searched(192, HALVES)
    heads: int = 3
    dropout: float = searched(0.1, SHARE)
    ngrams: int = 2
    buckets: int = 8192
    word_dropout: float = searched(0.1, SHARE)


class SpanReader(nn.Module):
    """Tokens (B, T) of a question and a text to scores of spans.

    Args:
        size: of the vocabulary.
        longest: tokens of a question and a text at most, marks counted.
        end: the mark after a text, where no answer stands.
        settings: the hyper-parameters.
    """

    def __init__(self, size: int, longest: int, end: int, settings: SpanReaderSettings) -> None:
        super().__init__()
        self.word_dropout, self.end = settings.word_dropout, end
        self.embedding = TokenEmbedding(size, settings.width, settings.ngrams, settings.buckets)
        self.parts = nn.Parameter(0.02 * torch.randn(4, settings.width))
        self.transformer = Transformer(settings, longest)
        self.words = QuestionWords()
        self.head = SpanHead(settings.width, self.words.features)

    def vectors(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, W): what stands for each token before anything looks at it."""
        embedded: Tensor = self.embedding(tokens)
        return embedded

    def from_vectors(
        self, vectors: Tensor, tokens: Tensor, segments: Tensor, looks: Tensor, mask: Tensor | None = None
    ) -> SpanScores:
        """As `forward`, from the tokens' vectors (B, T, W); attributions follow its gradient."""
        real = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        context = (segments == CONTEXT) & real & (tokens != self.end)
        known = self.words(tokens, (segments == QUESTION) & real, context, looks)
        vectors = drop_tokens(vectors, self.word_dropout) if self.training else vectors
        said = self.transformer(vectors + self.parts[segments.long() + 2 * known[:, :, 0].long()], mask)
        scores: SpanScores = self.head(said, known, context)
        return scores

    def forward(self, tokens: Tensor, segments: Tensor, looks: Tensor, mask: Tensor | None = None) -> SpanScores:
        """Scores of spans.

        Args:
            tokens: (B, T), as `Tokenizer.join` puts a question and a text.
            segments: (B, T), 0 for the question, 1 for the text.
            looks: (B, T), what each token's word looks like, see `question_words.py`.
            mask: (B, T) bool, True where a token is real; None where nothing is padded.
        """
        return self.from_vectors(self.vectors(tokens), tokens, segments, looks, mask)
