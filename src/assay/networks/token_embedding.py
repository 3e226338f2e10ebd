"""The vectors that stand for tokens, and for the few tokens before each.

Shapes: B texts, T tokens, W channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from assay.networks.exporting import exporting
from assay.networks.transformer import token_table

#: Numbers that the tokens of an n-gram are multiplied with, the last token's first, and the prime that the sum is
#: reduced by before the buckets: small enough that nothing overflows.
_FACTORS = (40_503, 60_493, 19_937, 31_607)
_PRIME = 1_000_000_007


class TokenEmbedding(nn.Module):
    """Tokens (B, T) to vectors (B, T, W).

    A token's vector is the sum of its own, of those of the pair, the triple and so on that it ends, and, where
    `neighbours` is set, of shares of the vectors of the tokens before it. Pairs and triples share `buckets` vectors by
    a hash. They cost next to nothing, and a small network does not have to learn attention first to see them.

    Sources: H. Huang et al., "Over-tokenized Transformer", ICML 2025; hashing: D. T. Svenstrup et al., "Hash
    embeddings for efficient word representations", NIPS 2017.

    Args:
        size: of the vocabulary.
        width: channels, W.
        ngrams: tokens of the longest n-gram that has vectors, 1 for none beyond the token itself, up to 4.
        buckets: vectors of each length of n-gram.
        neighbours: how many tokens before each lend it a share of their vectors.
        ngram_dropout: the share of n-grams that are left out at each training step, since a long training learns the
            text's own n-grams by heart.

    Raises:
        ValueError: `ngrams` is not from 1 to 4.
    """

    def __init__(
        self,
        size: int,
        width: int,
        ngrams: int = 1,
        buckets: int = 8192,
        neighbours: int = 0,
        ngram_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= ngrams <= len(_FACTORS):
            raise ValueError(f"ngrams is a number from 1 to {len(_FACTORS)}, not {ngrams}")
        self.table = token_table(size, width)
        self.ngrams = nn.ParameterList([_zeros(buckets, width) for _ in range(ngrams - 1)])
        self.ngram_dropout = ngram_dropout
        self.shares = nn.Parameter(torch.zeros(neighbours, width)) if neighbours else None

    @property
    def looks_back(self) -> int:
        """How many tokens before it change a token's vector."""
        return len(self.ngrams) + (0 if self.shares is None else len(self.shares))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) int64 or int32 to (B, T, W)."""
        vectors = embedding(tokens, self.table)
        for place, table in enumerate(self.ngrams):
            found = embedding(ngram_buckets(tokens, place + 2, len(table)), table)
            if self.training and self.ngram_dropout:
                kept = torch.rand(tokens.shape, device=tokens.device) >= self.ngram_dropout
                found = found * (kept / (1 - self.ngram_dropout))[:, :, None]
            vectors = vectors + found
        if self.shares is None:
            return vectors
        mixed = vectors
        for back, share in enumerate(self.shares, start=1):
            mixed = mixed + shifted(vectors, back) * share
        return mixed


def ngram_buckets(tokens: Tensor, length: int, buckets: int) -> Tensor:
    """(B, T) int64: the bucket of the n-gram that each token ends; before the first token stands token 0."""
    code = torch.zeros_like(tokens, dtype=torch.int64)
    for back in range(length):
        code = code + shifted(tokens, back).long() * (_FACTORS[back] * 1_009**length % _PRIME)
    return code % _PRIME % buckets


def shifted(x: Tensor, back: int) -> Tensor:
    """(B, T, ...) with everything moved `back` places later, zeros before it."""
    if not back:
        return x
    if exporting():  # without a size that is compared with a number
        return pad(x, (*[0, 0] * (x.dim() - 2), back, 0))[:, : x.shape[1]]
    return torch.cat([torch.zeros_like(x[:, :back]), x[:, : max(0, x.shape[1] - back)]], dim=1)


def _zeros(buckets: int, width: int) -> nn.Parameter:
    table = token_table(buckets, width)
    with torch.no_grad():
        table.zero_()
    return table
