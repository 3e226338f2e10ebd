"""The linear layers of a Transformer and their first weights."""

from __future__ import annotations

from torch import nn


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer without a bias, drawn so that it keeps the size of what goes through."""
    made = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(made.weight, std=inputs**-0.5)
    return made


def closed(layer: nn.Linear) -> nn.Linear:
    """The last layer of a branch, zero at first: a block then begins as the identity, however deep the network."""
    nn.init.zeros_(layer.weight)
    return layer
