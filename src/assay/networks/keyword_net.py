"""A small network that knows spoken words: residual blocks that look along frequency, and along time for all of it.

Source: B. Kim, S. Chang, J. Lee and D. Sung, "Broadcasted residual learning for efficient keyword spotting",
Interspeech 2021 (BC-ResNet), with the stem at half the rate of frames.

Shapes: B sounds, T values of a waveform, C channels, M bands, F frames, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from assay.networks.log_mel import LogMel

MELS = 40
#: Each of so many ranges of bands is normalised by itself.
_SUB_BANDS = 5
#: Of each stage: blocks, channels in widths, by how much it reduces the bands, how far apart its frames are.
_STAGES = ((2, 1.0, 1, 1), (2, 1.5, 2, 2), (4, 2.0, 2, 4), (4, 2.5, 1, 8))
#: Brings the logarithms, once their mean is gone, to about unit deviation.
_SCALE = 3.0


@dataclass(frozen=True)
class KeywordNetSettings:
    """Hyper-parameters of `KeywordNet`.

    Attributes:
        width: channels of the first stage; the others have 1.5, 2 and 2.5 times as many. 16 makes 27,000 parameters,
            32 makes 90,000.
        dropout: the share of channels silenced in each block at each training step.
        stride: frames that the stem takes for one; 1 is the published network, which takes twice the time of 2.
    """

    width: int = 16
    dropout: float = 0.1
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
        width = settings.width
        self.front = LogMel(rate, MELS)
        self.stem = nn.Sequential(
            nn.Conv2d(1, 2 * width, 5, (2, settings.stride), padding=2, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        channels = 2 * width
        for count, times, reduced, apart in _STAGES:
            wide = round(times * width)
            for number in range(count):
                blocks.append(Block(channels, wide, 1 if number else reduced, apart, settings.dropout))
                channels = wide
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=(0, 2), groups=channels, bias=False),
            nn.Conv2d(channels, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
        )
        self.head = nn.Linear(4 * width, outputs)

    def judge(self, energies: Tensor) -> Tensor:
        """Log-energies (B, M, F), as `front` gives them, to logits (B, O)."""
        logits: Tensor = self.head(self._features(energies))
        return logits

    def forward(self, sound: Tensor) -> Tensor:
        """See the class."""
        return self.judge(self.front(sound))

    def _features(self, energies: Tensor) -> Tensor:
        maps: Tensor = self.last(self.blocks(self.stem(normalised(energies)[:, None])))
        return maps.mean(dim=(2, 3))


def normalised(energies: Tensor) -> Tensor:
    """Log-energies (B, M, F) without each band's mean over a clip, and with it without loudness and microphone."""
    return (energies - energies.mean(dim=2, keepdim=True)) / _SCALE


class SubSpectralNorm(nn.Module):
    """Batch normalisation (B, C, M, F) of each of `_SUB_BANDS` ranges of bands by itself; M is a multiple of these.

    Source: S. Chang et al., "SubSpectral normalization for neural audio data processing", ICASSP 2021.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * _SUB_BANDS)

    def forward(self, x: Tensor) -> Tensor:
        """To the same shape."""
        batch, channels, bands, frames = x.shape
        divided = x.reshape(batch, channels * _SUB_BANDS, bands // _SUB_BANDS, frames)
        found: Tensor = self.norm(divided)
        return found.reshape(batch, channels, bands, frames)


class Block(nn.Module):
    """(B, inputs, M, F) to (B, channels, M / reduced, F): what it hears along frequency, and over time for all bands.

    Args:
        inputs: channels that come in.
        channels: that go out.
        reduced: bands that become one.
        apart: how many frames lie between those that the branch over time looks at.
        dropout: the share of that branch's channels silenced at each training step.
    """

    def __init__(self, inputs: int, channels: int, reduced: int, apart: int, dropout: float) -> None:
        super().__init__()
        self.same = inputs == channels and reduced == 1
        widen = (nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        self.along = nn.Sequential(
            *(() if self.same else widen),
            nn.Conv2d(channels, channels, (3, 1), (reduced, 1), (1, 0), groups=channels, bias=False),
            SubSpectralNorm(channels),
        )
        self.over = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=apart, dilation=apart, groups=channels, bias=False),
            nn.BatchNorm1d(channels),
            nn.SiLU(),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.Dropout1d(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        along = self.along(x)
        over = self.over(along.mean(dim=2))[:, :, None]  # (B, C, 1, F): the same for all bands
        return nn.functional.relu((x + along if self.same else along) + over)
