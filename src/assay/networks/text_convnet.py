"""A convolutional network for texts: learned embeddings, filters over a few tokens, what fires most anywhere.

A text is padded at both ends by one token less than the longest filter sees, so that a filter can tell where it begins.

Source: Y. Kim, "Convolutional neural networks for sentence classification", EMNLP 2014; leaving out whole tokens at
random: M. Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification", ACL 2015.

Shapes: B windows, T tokens, E width of an embedding, F filters of a width, O outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.activations import activation


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
    """

    width: int = 192
    filters: int = 128
    longest: int = 4
    depth: int = 0
    activation: str = "relu"
    dropout: float = 0.5
    token_dropout: float = 0.1


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
        self.head = nn.Linear(pooled, outputs)

    def features(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, longest F): the most that each filter found, after the hidden layers."""
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
        return hidden

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, T), and which of them are there (B, T) bool, to (B, O)."""
        logits: Tensor = self.head(self.features(tokens, mask))
        return logits
