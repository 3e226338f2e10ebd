"""A small network that knows spoken words: residual blocks that look along frequency, and along time for all of it.

Source: B. Kim, S. Chang, J. Lee and D. Sung, "Broadcasted residual learning for efficient keyword spotting",
Interspeech 2021 (BC-ResNet), with the stem at half the rate of frames.

Inside, a map is kept by channels, (C, M, N), so that the frames of all sounds stand in one row: most steps are then
matrix products, and normalising copies nothing. An evaluation without gradients goes through `keyword_steps`.

Shapes: B sounds, T values of a waveform, C channels, M bands, F frames, N = B * F frames of all sounds, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.networks.keyword_steps import Folded, banded, fold, judged
from assay.networks.log_mel import LogMel
from assay.training.parts import of_whole
from assay.training.ranges import SHARE, WIDTH, searched

MELS = 40
#: Each of so many ranges of bands is normalised by itself.
SUB_BANDS = 5
#: Of each stage: blocks, channels in widths, by how much it reduces the bands, how far apart its frames are.
_STAGES = ((2, 1.0, 1, 1), (2, 1.5, 2, 2), (4, 2.0, 2, 4), (4, 2.5, 1, 8))
#: Brings the logarithms, once their mean is gone, to about unit deviation.
_SCALE = 3.0


@dataclass(frozen=True)
class KeywordNetSettings:
    """Hyper-parameters of `KeywordNet`.

    Attributes:
        width: channels of the first stage; the others have 1.5, 2 and 2.5 times as many. 32 makes 90,000 parameters,
            16 makes 27,000 and takes about two thirds of the time.
        dropout: the share of channels silenced in each block at each training step.
        stride: frames that the stem takes for one; 1 is the published network, which takes twice the time of 2.
    """

    width: int = searched(32, WIDTH)
    dropout: float = searched(0.1, SHARE)
    stride: int = 2


class KeywordNet(nn.Module):
    """Waveforms (B, T) float32 from -1 to 1 to logits (B, O).

    Args:
        rate: values a second, in hertz.
        outputs: O.
        settings: hyper-parameters.

    Example:
        >>> import torch
        >>> KeywordNet(16000, 12, KeywordNetSettings(width=8))(torch.zeros(2, 16000)).shape
        torch.Size([2, 12])
    """

    def __init__(self, rate: int, outputs: int, settings: KeywordNetSettings) -> None:
        super().__init__()
        if not 0 <= settings.dropout < 1 or settings.stride < 1:
            raise ValueError(f"a dropout of {settings.dropout:g} or a stride of {settings.stride} is not possible")
        width = settings.width
        self.front = LogMel(rate, MELS)
        self.stem = nn.Conv2d(1, 2 * width, 5, (2, settings.stride), padding=2, bias=False)
        self.stem_norm = RangeNorm(2 * width)
        blocks: list[Block] = []
        channels, bands = 2 * width, MELS // 2
        for count, times, reduced, apart in _STAGES:
            wide = round(times * width)
            for number in range(count):
                blocks.append(Block(channels, wide, bands, 1 if number else reduced, apart, settings.dropout))
                channels, bands = wide, blocks[-1].bands
        self.blocks = nn.ModuleList(blocks)
        self.whole = nn.Conv2d(channels, channels, bands, padding=(0, bands // 2), groups=channels, bias=False)
        self.mix = nn.Conv1d(channels, 4 * width, 1, bias=False)
        self.mix_norm = RangeNorm(4 * width)
        self.head = nn.Linear(4 * width, outputs)
        self._folded: Folded | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the folded steps: a copy has weights of its own."""
        return {**self.__dict__, "_folded": None}

    def judge(self, energies: Tensor) -> Tensor:
        """Log-energies (B, M, F), as `front` gives them, to logits (B, O)."""
        head = self.head
        watched = head._forward_hooks or head._forward_pre_hooks  # somebody looks at what the layers give
        if not (self.training or torch.is_grad_enabled() or torch.onnx.is_in_onnx_export() or watched):
            self._folded = fold(self, self._folded)
            return judged(self._folded, normalised(energies))
        return self._learned(normalised(energies))

    def forward(self, sound: Tensor) -> Tensor:
        """See the class."""
        return self.judge(self.front(sound))

    def _learned(self, energies: Tensor) -> Tensor:
        batch = energies.shape[0]  # as an export keeps it open
        x = self.stem(energies[:, None])  # (B, C, M, F)
        frames = x.shape[3]
        x = torch.relu_(self.stem_norm(x.permute(1, 2, 0, 3).reshape(x.shape[1], x.shape[2], batch * frames)))
        for block in self.blocks:
            x = block(x, batch)
        by_sound = x.view(len(x), -1, batch, frames).permute(2, 0, 1, 3)
        x = self.whole(by_sound)[:, :, 0].transpose(0, 1).reshape(len(x), batch * frames)
        x = torch.relu_(self.mix_norm((self.mix.weight[:, :, 0] @ x)[:, None]))
        logits: Tensor = self.head(x.view(-1, batch, frames).mean(dim=2).T)
        return logits


def normalised(energies: Tensor) -> Tensor:
    """Log-energies (B, M, F) without each band's mean over a clip, and with it without loudness and microphone."""
    return (energies - energies.mean(dim=2, keepdim=True)) / _SCALE


class RangeNorm(nn.BatchNorm1d):
    """Batch normalisation of a map (C, M, N): of each channel, or of each of several ranges of its bands by itself.

    Source: S. Chang et al., "SubSpectral normalization for neural audio data processing", ICASSP 2021.

    Args:
        channels: C.
        ranges: of bands; M is a multiple of it.
    """

    def __init__(self, channels: int, ranges: int = 1) -> None:
        super().__init__(channels * ranges)

    def forward(self, x: Tensor) -> Tensor:
        """To the same shape."""
        return super().forward(x.reshape(1, self.num_features, -1)).view(x.shape)


class Block(nn.Module):
    """(inputs, M, N) to (channels, M / reduced, N): what it hears along frequency, and over time for all bands.

    Args:
        inputs: channels that come in.
        channels: that go out.
        bands: M.
        reduced: bands that become one.
        apart: how many frames lie between those that the branch over time looks at.
        dropout: the share of that branch's channels silenced at each training step.
    """

    spread: Tensor

    def __init__(self, inputs: int, channels: int, bands: int, reduced: int, apart: int, dropout: float) -> None:
        super().__init__()
        self.same = inputs == channels and reduced == 1
        self.bands, self.dropout = bands // reduced, dropout
        if not self.same:
            self.widen = nn.Conv1d(inputs, channels, 1, bias=False)
            self.widen_norm = RangeNorm(channels)
        self.along = nn.Conv1d(channels, channels, 3, groups=channels, bias=False)
        self.along_norm = RangeNorm(channels, SUB_BANDS)
        self.over = nn.Conv2d(channels, channels, (1, 3), padding=(0, apart), dilation=(1, apart), groups=channels,
                              bias=False)  # fmt: skip
        self.over_norm = RangeNorm(channels)
        self.mix = nn.Conv1d(channels, channels, 1, bias=False)
        self.register_buffer("spread", banded(bands, reduced), persistent=False)

    def forward(self, x: Tensor, batch: int) -> Tensor:
        """See the class; `batch` is B."""
        wide = x
        if not self.same:
            mixed = self.widen.weight[:, :, 0] @ x.view(len(x), -1)
            wide = torch.relu_(self.widen_norm(mixed.view(len(mixed), *x.shape[1:])))
        kernels = torch.tensordot(self.along.weight[:, 0], self.spread, 1)  # (C, M', M)
        along = self.along_norm(kernels @ wide)
        over = self.over(along.mean(dim=1).view(1, len(along), batch, -1))
        over = nn.functional.silu(self.over_norm(over[0]))
        over = self.mix.weight[:, :, 0] @ over.view(len(along), -1)
        if self.training and self.dropout:
            whole, own = of_whole(batch)
            kept = torch.empty(len(along), whole, 1).bernoulli_(1 - self.dropout).div_(1 - self.dropout)[:, own]
            over = (over.view(len(along), batch, -1) * kept).view(over.shape)
        over = over[:, None]  # the same for all bands
        return torch.relu_((x + along if self.same else along) + over)
