"""A language model: what follows, token by token.

Shapes: B texts, T tokens, V tokens of the vocabulary, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import linear

from assay.networks.decoding import TransformerDecoding
from assay.networks.token_embedding import TokenEmbedding
from assay.networks.token_loss import token_losses
from assay.networks.transformer import Transformer, TransformerSettings


@dataclass(frozen=True)
class LanguageModelSettings(TransformerSettings):
    """Hyper-parameters of `LanguageModel`, beside those of its Transformer.

    Attributes:
        ngrams: tokens of the longest n-gram that has vectors of its own; 1 for none beyond the token itself.
        buckets: vectors that the n-grams of each length share.
        neighbours: how many tokens before each lend it a share of their vectors.
        ngram_dropout: the share of n-grams that are left out at each training step.
    """

    ngrams: int = 3
    buckets: int = 8192
    neighbours: int = 2
    ngram_dropout: float = 0.0


class LanguageModel(nn.Module):
    """Tokens (B, T) to the logits (B, T, V) of what follows each.

    Args:
        size: of the vocabulary, V.
        longest: tokens of a text at most.
        settings: the hyper-parameters.

    Example:
        >>> network = LanguageModel(100, 16, LanguageModelSettings(depth=1, width=32))
        >>> network(torch.zeros(2, 16, dtype=torch.int64)).shape
        torch.Size([2, 16, 100])
    """

    def __init__(self, size: int, longest: int, settings: LanguageModelSettings) -> None:
        super().__init__()
        self.longest = longest
        self.embedding = TokenEmbedding(
            size, settings.width, settings.ngrams, settings.buckets, settings.neighbours, settings.ngram_dropout
        )
        self.transformer = Transformer(settings, longest, causal=True)

    def features(self, tokens: Tensor) -> Tensor:
        """(B, T, W): what the last layer says of each token."""
        said: Tensor = self.transformer(self.embedding(tokens))
        return said

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        return linear(self.features(tokens), self.embedding.table)

    def losses(self, tokens: Tensor, targets: Tensor, mask: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy in nats of each token's target: (B, T), or (N,) of the N real ones where there is a mask.

        Args:
            tokens: (B, T).
            targets: (B, T), what follows each.
            mask: (B, T) bool, True where a target counts; what is padded comes last.
            smoothing: the share of a target's weight that is spread over the vocabulary.
        """
        said, table = self.features(tokens), self.embedding.table
        if mask is not None:
            return token_losses(said[mask], table, targets[mask].long(), smoothing)
        return token_losses(said.flatten(0, 1), table, targets.flatten().long(), smoothing).view(targets.shape)

    def decoding(self, rows: int, longest: int | None = None) -> TransformerDecoding:
        """Begin to write so many rows of at most `longest` tokens."""
        return TransformerDecoding(self.embedding, self.transformer, rows, longest or self.longest)
