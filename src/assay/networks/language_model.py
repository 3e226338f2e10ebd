"""A language model: what follows, token by token.

Shapes: B texts, T tokens, V tokens of the vocabulary, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, logsigmoid

from assay.networks.counted_ngrams import CountedNgrams
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
        counted: tokens of the longest n-gram whose counts have a say beside the Transformer; 0 for no counts.
    """

    ngrams: int = 3
    buckets: int = 8192
    neighbours: int = 2
    ngram_dropout: float = 0.0
    counted: int = 0


class LanguageModel(nn.Module):
    """Tokens (B, T) to the logits (B, T, V) of what follows each.

    Where n-grams were counted (`counts`), a token's probability is a mixture of the Transformer's and theirs, in shares
    that the Transformer chooses at each place. So it need not learn by heart what counting tells, and a small network
    after a short training is no worse than its classical rival. Sources: T. Mikolov et al., "Empirical evaluation and
    combination of advanced language modeling techniques", Interspeech 2011; for shares that the network chooses,
    S. Merity et al., "Pointer sentinel mixture models", ICLR 2017.

    Args:
        size: of the vocabulary, V.
        longest: tokens of a text at most.
        settings: the hyper-parameters.
        begin: the token that stands before a text.

    Example:
        >>> network = LanguageModel(100, 16, LanguageModelSettings(depth=1, width=32))
        >>> network(torch.zeros(2, 16, dtype=torch.int64)).shape
        torch.Size([2, 16, 100])
    """

    def __init__(self, size: int, longest: int, settings: LanguageModelSettings, begin: int = 0) -> None:
        super().__init__()
        self.longest = longest
        self.embedding = TokenEmbedding(
            size, settings.width, settings.ngrams, settings.buckets, settings.neighbours, settings.ngram_dropout
        )
        self.transformer = Transformer(settings, longest, causal=True)
        self.counts = CountedNgrams(size, begin, settings.counted)
        if settings.counted:
            self.trust = nn.Parameter(torch.zeros(settings.width))
            self.trust_by_length = nn.Parameter(torch.zeros(settings.counted + 1))

    def features(self, tokens: Tensor) -> Tensor:
        """(B, T, W): what the last layer says of each token."""
        said: Tensor = self.transformer(self.embedding(tokens))
        return said

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        return self._following(self.features(tokens), tokens)

    def losses(self, tokens: Tensor, targets: Tensor, mask: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy in nats of each token's target: (B, T), or (N,) of the N real ones where there is a mask.

        In training each place is left out of the counts that it is asked about.

        Args:
            tokens: (B, T).
            targets: (B, T), what follows each.
            mask: (B, T) bool, True where a target counts; what is padded comes last.
            smoothing: the share of a target's weight that is spread over the vocabulary, in what the Transformer says.
        """
        real = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
        said = self.features(tokens)[real]
        losses = token_losses(said, self.embedding.table, targets[real].long(), smoothing)
        if not self.counts.empty:
            with torch.no_grad():
                counted, longest = self.counts.probabilities(tokens, targets, leaves_out=self.training)
            counting, own = self._shares(said, longest[real])
            losses = -torch.logaddexp(own - losses, counting + counted[real].log())
        return losses if mask is not None else losses.view(targets.shape)

    def decoding(self, rows: int, longest: int | None = None) -> TransformerDecoding:
        """Begin to write so many rows of at most `longest` tokens."""
        looks_back = max(self.embedding.looks_back, self.counts.order - 1)
        return TransformerDecoding(
            self.embedding, self.transformer, rows, longest or self.longest, None, self._following, looks_back
        )

    def _following(self, said: Tensor, tokens: Tensor) -> Tensor:
        """Logits of what follows each of the last places of `tokens` that features (B, T', W) are given of."""
        logits = linear(said, self.embedding.table)
        if self.counts.empty:
            return logits
        counted, longest = self.counts.distribution(tokens, last=said.shape[1] == 1)
        counting, own = self._shares(said, longest)
        return torch.logaddexp(own[..., None] + logits.float().log_softmax(-1), counting[..., None] + counted.log())

    def _shares(self, said: Tensor, longest: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithms of the shares of the counts and of the Transformer, each of the shape of `longest`."""
        trust = said.float() @ self.trust + self.trust_by_length[longest]
        return logsigmoid(trust), logsigmoid(-trust)
