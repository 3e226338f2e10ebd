"""A network that gives a text's class, labels or number, for little data: n-grams, a convolution, and attention.

Sources: A. Joulin et al., "Bag of tricks for efficient text classification", EACL 2017, for n-grams; Y. Kim,
"Convolutional neural networks for sentence classification", EMNLP 2014; dropping words: M. Iyyer et al., "Deep
unordered composition rivals syntactic methods for text classification", ACL 2015.

Shapes: B texts, T tokens, W channels, O outputs, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.dropout import Dropout
from assay.networks.pooling import largest_of, mean_of
from assay.networks.token_embedding import TokenEmbedding
from assay.networks.transformer import Transformer, TransformerSettings


@dataclass(frozen=True)
class TextClassifierSettings(TransformerSettings):
    """Hyper-parameters of `TextClassifier`, beside those of its Transformer; `depth` may be 0.

    Attributes:
        ngrams: tokens of the longest n-gram that has vectors of its own; 1 for none beyond the token itself.
        buckets: vectors that the n-grams of each length share.
        filters: patterns of three, four and five tokens that are looked for, so many of each; 0 for none.
        word_dropout: the share of tokens left out at each training step.
        head_dropout: the share of features silenced at each training step.
    """

    depth: int = 1
    dropout: float = 0.1
    ngrams: int = 2
    buckets: int = 8192
    filters: int = 64
    word_dropout: float = 0.2
    head_dropout: float = 0.3


class TextClassifier(nn.Module):
    """Tokens (B, T) to logits (B, O).

    Args:
        size: of the vocabulary.
        longest: tokens of a text at most.
        outputs: logits of a text, O.
        settings: the hyper-parameters.

    Raises:
        ValueError: a share is none.

    Example:
        >>> network = TextClassifier(100, 16, 3, TextClassifierSettings(width=32))
        >>> network(torch.zeros(2, 16, dtype=torch.int64)).shape
        torch.Size([2, 3])
    """

    def __init__(self, size: int, longest: int, outputs: int, settings: TextClassifierSettings) -> None:
        super().__init__()
        if not 0 <= settings.word_dropout < 1:
            raise ValueError(f"word_dropout is a share from 0 to below 1, not {settings.word_dropout:g}")
        self.word_dropout = settings.word_dropout
        self.embedding = TokenEmbedding(size, settings.width, settings.ngrams, settings.buckets)
        self.transformer = Transformer(settings, longest) if settings.depth else None
        self.patterns = Patterns(settings.width, settings.filters) if settings.filters else None
        self.dropout = Dropout(settings.head_dropout)
        patterns = 0 if self.patterns is None else self.patterns.outputs
        self.head = nn.Linear(2 * settings.width + patterns, outputs)

    def vectors(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, W): what stands for each token before anything looks at it."""
        embedded: Tensor = self.embedding(tokens)
        return embedded

    def features_of(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, W) to (B, F): what the last layer before the logits says."""
        if self.training and self.word_dropout:
            kept = torch.rand(vectors.shape[:2], device=vectors.device) >= self.word_dropout
            vectors = vectors * kept[:, :, None]
        said = vectors if self.transformer is None else self.transformer(vectors, mask)
        pooled = [mean_of(said, mask), largest_of(said, mask)]
        if self.patterns is not None:
            pooled.append(self.patterns(vectors, mask))
        return torch.cat(pooled, dim=1)

    def features(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T) with its mask (B, T) to (B, F)."""
        return self.features_of(self.vectors(tokens), mask)

    def from_vectors(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, W) to logits (B, O); attributions follow its gradient."""
        logits: Tensor = self.head(self.dropout(self.features_of(vectors, mask)))
        return logits

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """See the class; the mask (B, T) is True where a token is real, None where nothing is padded."""
        return self.from_vectors(self.vectors(tokens), mask)


class Patterns(nn.Module):
    """How well a text matches patterns of neighbouring tokens at its best place: (B, T, W) to (B, outputs).

    Args:
        width: channels, W.
        filters: patterns of each length.
    """

    LENGTHS = (3, 4, 5)

    def __init__(self, width: int, filters: int) -> None:
        super().__init__()
        self.outputs = filters * len(self.LENGTHS)
        self.layers = nn.ModuleList(nn.Linear(length * width, filters) for length in self.LENGTHS)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See the class; what is padded counts as zeros."""
        if mask is not None:
            x = x * mask[:, :, None]
        found = []
        for length, layer in zip(self.LENGTHS, self.layers, strict=True):
            padded = nn.functional.pad(x, (0, 0, length - 1, length - 1))
            windows = padded.unfold(1, length, 1).transpose(2, 3).flatten(2)  # (B, T + length - 1, length * W)
            found.append(layer(windows).relu().amax(dim=1))
        return torch.cat(found, dim=1)
