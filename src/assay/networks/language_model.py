"""A language model: what follows, token by token.

Shapes: B texts, T tokens, V tokens of the vocabulary, W channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, logsigmoid, one_hot

from assay.networks.counted_ngrams import CountedNgrams
from assay.networks.decoding import TransformerDecoding
from assay.networks.token_embedding import TokenEmbedding
from assay.networks.token_loss import token_losses
from assay.networks.transformer import Transformer, TransformerSettings
from assay.training.ranges import SHARE, searched

#: Rounds of the search for how far to trust counts, and its penalty.
_ROUNDS, _PENALTY = 100, 1e-4


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
    ngram_dropout: float = searched(0.0, SHARE)
    counted: int = 0


class LanguageModel(nn.Module):
    """Tokens (B, T) to the logits (B, T, V) of what follows each.

    Where n-grams were counted (`count`), a token's probability is a mixture of the Transformer's and theirs, in shares
    that depend on what the Transformer says of the place. Short trainings of small networks know more of a text's
    ways, counts more of its words. Sources: T. Mikolov et al., "Empirical evaluation and combination of advanced
    language modeling techniques", Interspeech 2011; for shares that depend on the place, S. Merity et al., "Pointer
    sentinel mixture models", ICLR 2017.

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
            self.register_buffer("trust", torch.zeros(settings.width))
            self.register_buffer("trust_by_length", torch.zeros(settings.counted + 1))

    def features(self, tokens: Tensor) -> Tensor:
        """(B, T, W): what the last layer says of each token."""
        said: Tensor = self.transformer(self.embedding(tokens))
        return said

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class."""
        return self._following(self.features(tokens), tokens)

    def losses(
        self,
        tokens: Tensor,
        targets: Tensor,
        mask: Tensor | None = None,
        smoothing: float = 0.0,
        leaves_out: bool = False,
    ) -> Tensor:
        """Cross-entropy in nats of each token's target: (B, T), or (N,) of the N real ones where there is a mask.

        In training it is the Transformer's alone: the counts hold the answers of the text that they were made of.

        Args:
            tokens: (B, T).
            targets: (B, T), what follows each.
            mask: (B, T) bool, True where a target counts; what is padded comes last.
            smoothing: the share of a target's weight that is spread over the vocabulary.
            leaves_out: the texts were counted, and each place is asked about as if it had not been.
        """
        real = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
        said = self.features(tokens)[real]
        losses = token_losses(said, self.embedding.table, targets[real].long(), smoothing)
        if not self.training and not self.counts.empty:
            counted, longest = self.counts.probabilities(tokens, targets, leaves_out)
            counting, own = self._shares(said, longest[real])
            losses = -torch.logaddexp(own - losses, counting + counted[real].log())
        return losses if mask is not None else losses.view(targets.shape)

    @torch.no_grad()
    def count(self, texts: Sequence[Any], aside: Sequence[Any], asked: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Count the training text, and choose on text that is set aside how far to trust the counts at each place.

        Args:
            texts: of tokens (T_i,), which are counted.
            aside: the same of other text, to choose by.
            asked: batches of that text: tokens (B, T), what follows each, and (B, T) bool, which are asked about.
        """
        self.counts.count(texts, aside)
        self.eval()
        places: list[tuple[Tensor, ...]] = []
        for tokens, targets, mask in asked:
            said, wanted = self.features(tokens)[mask], targets[mask].long()
            counted, longest = self.counts.probabilities(tokens, targets)
            own = -token_losses(said, self.embedding.table, wanted)
            places.append((said, longest[mask], counted[mask].log(), own))
        said, longest, counted, own = (torch.cat(parts) for parts in zip(*places, strict=True))
        self.trust, self.trust_by_length = fit_trust(said.float(), longest, counted, own, self.counts.order)

    def decoding(self, rows: int, longest: int | None = None) -> TransformerDecoding:
        """Begin to write so many rows of at most `longest` tokens."""
        return TransformerDecoding(
            self.embedding, self.transformer, rows, longest or self.longest, None, self._following, self.looks_back
        )

    @property
    def size(self) -> int:
        """Of the vocabulary."""
        return len(self.embedding.table)

    @property
    def looks_back(self) -> int:
        """How many tokens before it change what is said of a token, beside what the Transformer sees."""
        return max(self.embedding.looks_back, self.counts.order - 1)

    def _following(self, said: Tensor, tokens: Tensor) -> Tensor:
        """Logits of what follows each of the last places of `tokens` that features (B, T', W) are given of."""
        logits = linear(said, self.embedding.table)
        if self.counts.empty:
            return logits
        counted, longest = self.counts.distribution(tokens, last=said.shape[1] == 1)
        counting, own = self._shares(said, longest)
        return torch.logaddexp(own[..., None] + logits.float().log_softmax(-1), counting[..., None] + counted.log())

    def trusted(self, said: Tensor) -> Tensor:
        """(...,) what features (..., W) say for the counts: the log-odds of their share without the n-gram's length."""
        return said.float() @ self.trust

    def _shares(self, said: Tensor, longest: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithms of the shares of the counts and of the Transformer, each of the shape of `longest`."""
        trust = self.trusted(said) + self.trust_by_length[longest]
        return logsigmoid(trust), logsigmoid(-trust)


def fit_trust(said: Tensor, longest: Tensor, counted: Tensor, own: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Weights (W,) of features and (K + 1,) of n-grams' lengths, whose sum is the log-odds of the counts' share.

    They are those under which the mixture foretells the N places best, with a penalty on large ones.

    Args:
        said: (N, W), features of each place.
        longest: (N,) int64, the longest n-gram that counted there, up to K.
        counted: (N,), the logarithm of the probability that the counts give what followed.
        own: (N,), that of the Transformer.
        order: K.
    """
    scale = said.std(dim=0).clamp_min(1e-6)
    inputs = torch.cat([said / scale, one_hot(longest, order + 1).float()], dim=1)
    with torch.enable_grad():
        weights = torch.zeros(inputs.shape[1], requires_grad=True)
        search = torch.optim.LBFGS([weights], max_iter=_ROUNDS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            search.zero_grad()
            trust = inputs @ weights
            mixed = torch.logaddexp(logsigmoid(-trust) + own, logsigmoid(trust) + counted)
            found = _PENALTY * weights.square().sum() - mixed.mean()
            found.backward()
            return found

        search.step(loss)
    found = weights.detach()
    return found[: said.shape[1]] / scale, found[said.shape[1] :].clone()
