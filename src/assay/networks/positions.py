"""How a Transformer knows where a token stands.

Shapes: B texts, T tokens, H heads, D channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.networks.exporting import exporting


class Rotary(nn.Module):
    """Turns pairs of channels by angles that grow with the place, so that products depend on distances alone.

    Source: J. Su et al., "RoFormer: Enhanced transformer with rotary position embedding", 2021. A pair of neighbouring
    channels is taken as a complex number and multiplied with one of length one: a single pass over the memory, a fourth
    of the time that the same takes in real numbers on a CPU.

    Args:
        width: channels of a head, D, an even number.
        base: the slowest pair turns once in about `base` tokens.

    Raises:
        ValueError: `width` is odd.
    """

    def __init__(self, width: int, base: float = 10_000.0) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"rotary positions need an even number of channels a head, not {width}")
        self.speeds = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        self._table = torch.zeros(0, width // 2, dtype=torch.complex64)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Queries or keys (B, T, ..., D) whose first token stands at `start`, turned."""
        if exporting():
            return _turned(x, *self._waves(x, start))
        turns = self._turns(start + x.shape[1], x.device)[start : start + x.shape[1]]
        turns = turns.view(x.shape[1], *[1] * (x.dim() - 3), -1)
        if torch.compiler.is_compiling():
            return _turned(x, turns.real, turns.imag)
        return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * turns).flatten(-2)

    def _waves(self, x: Tensor, start: int | Tensor) -> tuple[Tensor, Tensor]:
        """The turns' real and imaginary parts, (T, 1..., D / 2), computed where needed: a graph has no table."""
        places = torch.arange(x.shape[1], dtype=torch.float64) + start
        angles = (places[:, None] * self.speeds).view(x.shape[1], *[1] * (x.dim() - 3), -1)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)

    def _turns(self, length: int, device: torch.device) -> Tensor:
        """(at least `length`, D / 2) complex, grown in powers of two."""
        if len(self._table) < length or self._table.device != device:
            with torch.inference_mode(False):  # a table made while predicting also serves a later training
                places = torch.arange(1 << max(6, (length - 1).bit_length()), dtype=torch.float64)
                angles = places[:, None] * self.speeds
                self._table = torch.polar(torch.ones_like(angles), angles).to(device, torch.complex64)
        return self._table


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """The same in real numbers, for exports: their formats know no complex ones."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)


class LearnedPositions(nn.Module):
    """Adds a learned vector for each place: (B, T, width) to the same shape.

    Args:
        longest: places that there are.
        width: channels.
    """

    def __init__(self, longest: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(longest, width))

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """See the class; `start` is the place of the first token. Raises `ValueError` beyond the longest place."""
        if exporting():
            return x + self.table[torch.arange(x.shape[1]) + start]
        end = start + x.shape[1]
        if end > len(self.table):
            raise ValueError(f"{end} tokens are more than the {len(self.table)} that the network has places for")
        return x + self.table[start:end]
