"""The linear layers of a Transformer and their first weights."""

from __future__ import annotations

from torch import nn


def linear(inputs: int, outputs: int, rows: int | None = None, columns: int | None = None) -> nn.Linear:
    """A linear layer without a bias, drawn so that it keeps the size of what goes through.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        rows: of each matrix of a head, where heads stand one below the other (see `build_optimizer`).
        columns: of each matrix of a head, where heads stand side by side.
    """
    made = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(made.weight, std=inputs**-0.5)
    if rows or columns:
        made.weight.block = (rows or outputs, columns or inputs)  # type: ignore[attr-defined]
    return made


def closed(layer: nn.Linear) -> nn.Linear:
    """The last layer of a branch, zero at first: a block then begins as the identity, however deep the network."""
    nn.init.zeros_(layer.weight)
    return layer
