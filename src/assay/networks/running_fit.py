"""A layer that fits a small linear model to everything it has heard so far, at each moment anew, and hands it on.

At each step it gets rows of a regression: features, a wanted value, and how much the row counts. What it gives is the
coefficients that fit all rows up to a while ago best, under a prior, with what is not known of them; older rows count
less, for each of several rates of forgetting. Rows are summed up in frames; a step sees the frames before its own. All
of it can be learned through: what the rows are, how much they count, the prior, and the forgetting.

Closed-form adaptation inside a network is Harrison, Sharma and Pavone's ("Meta-learning priors for efficient online
Bayesian regression", WAFR 2018) and Bertinetto et al.'s ("Meta-learning with differentiable closed-form solvers", ICLR
2019); with forgetting it is recursive least squares.

Shapes: B windows, T steps, F frames, R rows a step, K coefficients, M rates of forgetting.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.exporting import inverse

#: Frames that are summed up in one product.
_CHUNK = 128


@dataclass(frozen=True)
class Sums:
    """What is left of all frames so far.

    Attributes:
        values: (B, M, S) the sums, older frames faded.
    """

    values: Tensor


class FadingSums(nn.Module):
    """Sums over all frames before each frame, where older ones count less.

    Args:
        seconds: (M,) after which a frame counts 1/e, to begin with; infinite for never.
        frame_s: seconds of a frame.
    """

    def __init__(self, seconds: tuple[float, ...], frame_s: float) -> None:
        super().__init__()
        rates = torch.tensor([frame_s / one for one in seconds])
        self.finite = nn.Parameter(rates[rates > 0].log())
        self.forever = int((rates == 0).sum())

    @property
    def rates(self) -> int:
        """How many rates of forgetting there are."""
        return len(self.finite) + self.forever

    def keeps(self) -> Tensor:
        """(M,) the share that is left after a frame."""
        return torch.cat([(-self.finite.exp()).exp(), torch.ones(self.forever, device=self.finite.device)])

    def forward(self, frames: Tensor, before: Sums | None) -> tuple[Tensor, Sums]:
        """(B, F, S) frames to (B, F, M, S), the sums before each of them, and what is left after the last."""
        keep = self.keeps()
        left = before.values if before is not None else frames.new_zeros(len(frames), len(keep), frames.shape[2])
        found = []
        for start in range(0, frames.shape[1], _CHUNK):
            part = frames[:, start : start + _CHUNK]
            count = part.shape[1]
            at = torch.arange(count, device=frames.device)
            apart = (at[:, None] - at[None] - 1).clamp_min(0)
            fades = torch.where(at[:, None] > at[None], keep[:, None, None] ** apart, torch.zeros(()))  # (M, F, F)
            carried = keep[None, None] ** at[None, :, None]  # (1, F, M)
            found.append(torch.einsum("mft,bts->bfms", fades, part) + carried[..., None] * left[:, None])
            ahead = keep[:, None] ** (count - 1 - at)[None]  # (M, F)
            left = torch.einsum("mt,bts->bms", ahead, part) + (keep**count)[None, :, None] * left
        return torch.cat(found, 1) if found else frames.new_zeros(len(frames), 0, *left.shape[1:]), Sums(left)


class RunningFit(nn.Module):
    """See the module.

    Args:
        precision: (K,) of the prior, to begin with: one over the variance of each coefficient.
        seconds: (M,) see `FadingSums`.
        frame_s: seconds of a frame.
    """

    def __init__(self, precision: tuple[float, ...], seconds: tuple[float, ...], frame_s: float) -> None:
        super().__init__()
        self.size = len(precision)
        self.log_precision = nn.Parameter(torch.tensor(precision).log())
        self.sums = FadingSums(seconds, frame_s)

    @property
    def outputs(self) -> int:
        """Coefficients and their variances, for all rates of forgetting."""
        return 2 * self.size * self.sums.rates

    def forward(self, rows: Tensor, wanted: Tensor, weight: Tensor, before: Sums | None) -> tuple[Tensor, Tensor, Sums]:
        """The fit before each frame.

        Args:
            rows: (B, F, N, K) the features of all rows of a frame.
            wanted: (B, F, N).
            weight: (B, F, N) not negative.
            before: what an earlier call left.

        Returns:
            (B, F, M, K) coefficients, (B, F, M, K) variances, and what is left for a later call.
        """
        weighted = rows * weight[..., None]
        squares = torch.einsum("bfnk,bfnj->bfkj", weighted, rows).flatten(2)
        products = torch.einsum("bfnk,bfn->bfk", weighted, wanted)
        summed, left = self.sums(torch.cat([squares, products], 2), before)
        size = self.size
        matrix = summed[..., : size * size].unflatten(-1, (size, size)) + torch.diag(self.log_precision.exp())
        inverted = inverse(matrix.double())
        found = (inverted @ summed[..., size * size :, None].double())[..., 0]
        return found.to(rows.dtype), torch.diagonal(inverted, dim1=-2, dim2=-1).to(rows.dtype), left
