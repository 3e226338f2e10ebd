"""A compact residual convolutional network, shaped for training on a CPU.

What makes it fast, measured on two cores with AVX-512 (`docs/log.md`): the stem reduces the resolution at once, so that
no layer works at full size with many channels, where memory and not arithmetic is the limit; every other layer is a
dense 3x3 convolution, which reaches several times the operations per second of a depthwise one; a residual branch is
one convolution, its normalisation and its activation; widths are multiples of 16, the lanes of AVX-512.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from assay.networks.activations import activation
from assay.networks.stochastic_depth import skipped_branch
from assay.training.ranges import DEPTH, SHARE, WIDTH, searched

_SMALLEST_SIDE = 4
_MOST_STAGES = 4


@dataclass(frozen=True)
class ConvNetSettings:
    """Hyper-parameters of `ConvNet`.

    Attributes:
        depth: residual blocks in each stage; 0 leaves the stem and the convolutions that halve the resolution.
        width: channels of the first stage; each further stage has twice as many. Multiples of 16 are fastest.
        activation: `relu` (fastest), `gelu`, `silu`, `mish`, `selu`, `tanh`, `leaky-relu`.
        dropout: the share of pooled features silenced at each training step (Srivastava et al. 2014).
        stochastic_depth: the share of samples for which the last block is skipped at each training step; the blocks
            before it are skipped in proportion to their depth (Huang et al. 2016).
    """

    depth: int = searched(1, DEPTH)
    width: int = searched(32, WIDTH)
    activation: str = "relu"
    dropout: float = searched(0.0, SHARE)
    stochastic_depth: float = 0.0


class ConvNet(nn.Module):
    """Standardised images (B, C, H, W) to logits (B, outputs).

    The number of stages follows from the image: 8 px takes 2, 28 and 64 px take 3, 128 px and more take 4. Residual
    connections after He et al. 2016, batch normalisation after Ioffe and Szegedy 2015, global average pooling after
    Lin et al. 2014.

    Args:
        channels: of an image, C; any number.
        height: of an image, in pixels, from 8 on.
        width: of an image, in pixels, from 8 on.
        outputs: logits of an image.
        settings: hyper-parameters.

    Raises:
        ValueError: `stochastic_depth` is not from 0 to below 1.

    Example:
        >>> network = ConvNet(channels=1, height=28, width=28, outputs=10, settings=ConvNetSettings(width=16))
        >>> network(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(self, channels: int, height: int, width: int, outputs: int, settings: ConvNetSettings) -> None:
        super().__init__()
        if not 0 <= settings.stochastic_depth < 1:
            raise ValueError(f"stochastic_depth is a share from 0 to below 1, not {settings.stochastic_depth:g}")
        side = min(height, width)
        stride = stem_stride(side)
        stages = stage_count(side)
        blocks = max(1, stages * settings.depth)
        layers: list[nn.Module] = [ConvUnit(channels, settings.width, stride + 2, stride, settings.activation)]
        wide = settings.width
        for stage in range(stages):
            if stage:
                layers.append(ConvUnit(wide, 2 * wide, 3, 2, settings.activation))
                wide *= 2
            for number in range(stage * settings.depth, (stage + 1) * settings.depth):
                skipped = settings.stochastic_depth * (number + 1) / blocks
                layers.append(Block(wide, settings.activation, skipped))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(wide, outputs)

    def features(self, x: Tensor) -> Tensor:
        """(B, F): the last stage's channels, averaged over the image."""
        maps: Tensor = self.body(x)  # (B, F, h, w)
        return maps.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, outputs)."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits


class ConvUnit(nn.Sequential):
    """Convolution, batch normalisation, activation: (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, activation_name: str) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            activation(activation_name),
        )


class Block(nn.Module):
    """A residual block of one convolution: x + unit(x), of x's shape.

    Args:
        channels: of the input and the output.
        activation_name: as in `ConvNetSettings`.
        skipped: the share of samples for which the branch is left out at a training step, below 1.
    """

    def __init__(self, channels: int, activation_name: str, skipped: float = 0.0) -> None:
        super().__init__()
        self.unit = ConvUnit(channels, channels, 3, 1, activation_name)
        self.skipped = skipped

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        return x + skipped_branch(self.unit(x), self.skipped, self.training)


def stem_stride(side: int) -> int:
    """By how much the first convolution reduces the resolution of an image whose shorter side is `side` pixels."""
    if side < 16:
        return 1
    return 2 if side < 48 else 4


def stage_count(side: int) -> int:
    """Stages until the shorter side of the maps is about four pixels, at least one and at most four."""
    count, left = 1, -(-side // stem_stride(side))
    while left > _SMALLEST_SIDE and count < _MOST_STAGES:
        count, left = count + 1, -(-left // 2)
    return count
