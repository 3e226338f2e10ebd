"""The two layers that each token goes through by itself.

Shapes: B texts, T tokens, W channels.
"""

from __future__ import annotations

from torch import Tensor, nn

from assay.networks.activations import activation
from assay.networks.projections import closed, linear


class FeedForward(nn.Module):
    """(B, T, W) to the same shape: wider, an activation, and back.

    Args:
        width: channels, W.
        hidden: neurons between.
        activation_name: as in `activations.py`; `relu2` is the square of `relu` (So et al., "Primer", 2021).
        gated: a second product decides how much of each neuron goes on (N. Shazeer, "GLU variants improve
            transformer", 2020; with `silu` it is SwiGLU).
    """

    def __init__(self, width: int, hidden: int, activation_name: str, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        self.widen = linear(width, 2 * hidden if gated else hidden)
        self.activation = activation(activation_name)
        self.narrow = closed(linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        wide: Tensor = self.widen(x)
        if self.gated:
            gate, wide = wide.chunk(2, dim=-1)
            wide = self.activation(gate) * wide
        else:
            wide = self.activation(wide)
        narrow: Tensor = self.narrow(wide)
        return narrow
