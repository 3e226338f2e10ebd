"""A convolutional network for texts: learned embeddings, filters over a few tokens, what fires most anywhere.

Beside the filters stands a bag of n-grams: few texts teach filters little, but which words and phrases there are says
much, as it does to a linear model.

A text is padded at both ends by one token less than the longest filter sees, so that a filter can tell where it begins.

Source: Y. Kim, "Convolutional neural networks for sentence classification", EMNLP 2014; leaving out whole tokens at
random: M. Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification", ACL 2015; the
bag: A. Joulin et al., "Bag of tricks for efficient text classification", EACL 2017.

Shapes: B windows, T tokens, E width of an embedding, F filters of a width, O outputs, G
channels of the bag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.activations import activation
from assay.networks.token_embedding import ngram_buckets, shifted
from assay.training.ranges import SHARE, WIDTH, Range, searched

#: Spread of an n-gram's first vector.
_BAG_STD = 0.05


@dataclass(frozen=True)
class TextConvNetSettings:
    """Hyper-parameters of `TextConvNet`.

    Attributes:
        width: numbers that a token becomes.
        filters: filters of each length.
        longest: the filters look at 1, 2, … this many tokens.
        depth: layers between the pooled filters and the logits.
        activation: `relu`, `gelu`, `silu`, `mish`, `selu`, `tanh`, `leaky-relu`.
        dropout: the share of numbers silenced at each training step, of embeddings and of pooled filters.
        token_dropout: the share of tokens left out at each training step.
        bag: numbers that an n-gram of up to three tokens becomes; 0 for no bag.
        buckets: vectors that all n-grams share.
    """

    width: int = searched(192, WIDTH)
    filters: int = searched(128, WIDTH)
    longest: int = 4
    depth: int = 0
    activation: str = "relu"
    dropout: float = searched(0.5, Range(0.1, 0.8))
    token_dropout: float = searched(0.1, SHARE)
    bag: int = 64
    buckets: int = 16384


class TextConvNet(nn.Module):
    """Tokens (B, T) to logits (B, O)."""

    def __init__(self, vocabulary: int, pad: int, outputs: int, settings: TextConvNetSettings) -> None:
        super().__init__()
        self.token_dropout, self.reach = settings.token_dropout, settings.longest
        self.embed = nn.Embedding(vocabulary, settings.width, padding_idx=pad)
        nn.init.normal_(self.embed.weight, std=settings.width**-0.5)
        lengths = range(1, settings.longest + 1)
        self.filters = nn.ModuleList(nn.Linear(settings.width * length, settings.filters) for length in lengths)
        self.activation = activation(settings.activation)
        self.dropout = nn.Dropout(settings.dropout)
        pooled = settings.filters * settings.longest
        layers: list[nn.Module] = []
        for _ in range(settings.depth):
            layers += [nn.Linear(pooled, pooled), activation(settings.activation), nn.Dropout(settings.dropout)]
        self.hidden = nn.Sequential(*layers)
        self.bag = NgramBag(settings.bag, settings.buckets) if settings.bag else None
        self.head = nn.Linear(pooled + settings.bag, outputs)

    def features(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, longest F + G): the most that each filter found, after the hidden layers, and the bag."""
        whole = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        if self.training and self.token_dropout:
            whole = whole & (torch.rand(tokens.shape, device=tokens.device) >= self.token_dropout)
        beyond = self.reach - 1
        x = nn.functional.pad(self.dropout(self.embed(tokens)) * whole[..., None], (0, 0, beyond, beyond))
        there = nn.functional.pad(whole, (beyond, beyond))
        places = tokens.shape[1] + beyond
        found = []
        for size, filters in enumerate(self.filters, 1):
            seen = torch.cat([x[:, place : place + places] for place in range(size)], dim=2)
            some = torch.stack([there[:, place : place + places] for place in range(size)]).any(dim=0)
            fired = self.activation(filters(seen)).masked_fill(~some[..., None], -math.inf)
            most = fired.amax(dim=1)
            found.append(most.masked_fill(most == -math.inf, 0.0))  # of a text without a token that is left
        hidden: Tensor = self.hidden(self.dropout(torch.cat(found, dim=1)))
        if self.bag is None:
            return hidden
        return torch.cat([hidden, self.dropout(self.bag(tokens, whole))], dim=1)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, T), and which of them are there (B, T) bool, to (B, O)."""
        logits: Tensor = self.head(self.features(tokens, mask))
        return logits


class NgramBag(nn.Module):
    """Tokens (B, T) to the sum (B, G) of vectors of their n-grams, over the root of how many there are.

    A text's first tokens also make n-grams with its beginning.

    Args:
        width: G.
        buckets: vectors that the n-grams share by a hash (see `token_embedding.ngram_buckets`).
        longest: tokens of the longest n-gram.
    """

    def __init__(self, width: int, buckets: int, longest: int = 3) -> None:
        super().__init__()
        self.longest = longest
        self.vectors = nn.Parameter(torch.empty(buckets, width))
        self.vectors.table = True  # type: ignore[attr-defined]
        nn.init.normal_(self.vectors, std=_BAG_STD)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, T), and which of them are there (B, T) bool."""
        tokens = nn.functional.pad(tokens, (1, 0))
        there = nn.functional.pad(mask, (1, 0), value=True)
        found: list[tuple[Tensor, Tensor]] = []
        whole = there
        for length in range(1, self.longest + 1):
            whole = whole & shifted(there, length - 1)
            found.append((ngram_buckets(tokens, length, len(self.vectors))[:, 1:], whole[:, 1:]))
        buckets, real = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
        said = nn.functional.embedding(buckets, self.vectors) * real[..., None]
        return said.sum(dim=1) / real.sum(dim=1, keepdim=True).clamp_min(1).sqrt()
