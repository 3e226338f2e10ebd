"""A small convolutional policy: a few frames in, the controls out, in about a millisecond on one core.

Shaped after the network of M. Bojarski et al., "End to end learning for self-driving cars" (2016): convolutions that
halve the resolution, then layers of neurons on all that is left, since where something lies in the frame is what
decides the wheel.

Shapes: B windows, K frames seen at once, H, W of a frame, A controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.networks.activations import activation
from assay.networks.image_networks import Pixels
from assay.samples.drive_spec import DriveSpec
from assay.training.ranges import SHARE, WIDTH, searched


@dataclass(frozen=True)
class DriveNetSettings:
    """Hyper-parameters of `DriveNet`.

    Attributes:
        width: channels of the first convolution; the following have twice, three times and four times as many.
        hidden: neurons of the layer between convolutions and controls.
        activation: `relu`, `gelu`, `silu`, …
        dropout: the share of what the convolutions give that is silenced at each training step.
    """

    width: int = searched(16, WIDTH)
    hidden: int = searched(128, WIDTH)
    activation: str = "relu"
    dropout: float = searched(0.1, SHARE)


class DriveNet(nn.Module):
    """Pixel values (B, 3K, H, W) to controls (B, A), in the controls' own units.

    Args:
        spec: what a drive is.
        settings: hyper-parameters.

    Raises:
        ValueError: frames too small for the convolutions.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, spec: DriveSpec, settings: DriveNetSettings) -> None:
        super().__init__()
        self.pixels = Pixels(spec.mean, spec.deviation)
        width, height, across = settings.width, spec.height, spec.width
        layers: list[nn.Module] = []
        channels = 3 * spec.frames
        for wide, kernel, stride in _convolutions(min(height, across), width):
            layers += [nn.Conv2d(channels, wide, kernel, stride, bias=False), nn.BatchNorm2d(wide),
                       activation(settings.activation)]  # fmt: skip
            height, across = ((side - kernel) // stride + 1 for side in (height, across))
            channels = wide
        if min(height, across) < 1:
            raise ValueError(f"frames of {spec.height} x {spec.width} pixels are too small")
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(channels * height * across, settings.hidden),
                                  activation(settings.activation))  # fmt: skip
        self.controls = nn.Linear(settings.hidden, len(spec.controls))
        nn.init.zeros_(self.controls.bias)
        self.register_buffer("centre", torch.tensor(spec.centre, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(spec.scale, dtype=torch.float32))

    def features(self, image: Tensor) -> Tensor:
        """(B, hidden) what the last layer before the controls says."""
        found: Tensor = self.head(self.layers(self.pixels(image)))
        return found

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.controls(self.features(image)) * self.scale + self.centre
        return found


def _convolutions(side: int, width: int) -> Sequence[tuple[int, int, int]]:
    """Channels, kernel and stride of each: three that halve the resolution and one that does not, fewer if small."""
    if side >= 48:
        return ((width, 5, 2), (2 * width, 3, 2), (3 * width, 3, 2), (4 * width, 3, 1))
    return ((width, 5, 2), (2 * width, 3, 2)) if side >= 24 else ((width, 3, 2), (2 * width, 3, 1))
