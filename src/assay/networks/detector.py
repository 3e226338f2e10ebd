"""A one-stage detector without anchor boxes: at each place of three maps a class and the distances to a box's edges.

Sources: FCOS (Tian et al. 2019) for the distances; a feature pyramid after Lin et al. 2017, with a way back up after
PANet (Liu et al. 2018); a head whose kernels all levels share, each with its own normalisation, after RTMDet (Lyu et
al. 2022).

Shapes: B pictures, A places of all maps, K classes, H height and W width in pixels of the field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.activations import activation
from assay.networks.convnet import ConvUnit
from assay.networks.detector_backbones import LEVELS

#: Before the first step each place says with so much probability that it shows an object (Lin et al. 2017).
_PRIOR = 0.01
#: Before the first step a box reaches so many strides to each side.
_REACH = 2.5


class Pyramid(nn.Module):
    """Three maps of a backbone to three of `width` channels that all know of the coarse and of the fine."""

    def __init__(self, channels: Sequence[int], width: int, name: str) -> None:
        super().__init__()
        self.lateral = nn.ModuleList([ConvUnit1(wide, width, name) for wide in channels])
        self.down = nn.ModuleList([ConvUnit(width, width, 3, 1, name) for _ in channels[1:]])
        self.halve = nn.ModuleList([ConvUnit(width, width, 3, 2, name) for _ in channels[1:]])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """See the class."""
        found = [lateral(one) for lateral, one in zip(self.lateral, maps, strict=True)]
        for level in range(len(found) - 2, -1, -1):
            above = functional.interpolate(found[level + 1], size=found[level].shape[2:], mode="nearest")
            found[level] = self.down[level](found[level] + above)
        for level in range(1, len(found)):
            found[level] = found[level] + self.halve[level - 1](found[level - 1])
        return found


class ConvUnit1(nn.Sequential):
    """A 1x1 convolution, normalisation, activation."""

    def __init__(self, inputs: int, outputs: int, name: str) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), activation(name))


class Tower(nn.Module):
    """A few 3x3 convolutions whose kernels all levels share, with normalisation of their own."""

    def __init__(self, width: int, depth: int, name: str) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(depth)])
        self.norms = nn.ModuleList(
            [nn.ModuleList([nn.BatchNorm2d(width) for _ in range(depth)]) for _ in range(LEVELS)]
        )
        self.activation = activation(name)

    def forward(self, x: Tensor, level: int) -> Tensor:
        """(B, width, h, w) to the same shape."""
        norms: Any = self.norms[level]
        for convolution, norm in zip(self.convolutions, norms, strict=True):
            x = self.activation(norm(convolution(x)))
        return x


class Head(nn.Module):
    """Maps (B, width, h, w) of each level to logits (B, A, K) and distances (B, A, 4) in strides."""

    def __init__(self, width: int, depth: int, classes: int, name: str) -> None:
        super().__init__()
        self.class_tower, self.box_tower = Tower(width, depth, name), Tower(width, depth, name)
        self.logits, self.distances = nn.Conv2d(width, classes, 3, padding=1), nn.Conv2d(width, 4, 1)
        self.scale = nn.Parameter(torch.ones(LEVELS))
        for layer in (self.logits, self.distances):
            nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(self.logits.bias, -math.log((1 - _PRIOR) / _PRIOR))  # type: ignore[arg-type]
        nn.init.constant_(self.distances.bias, math.log(math.expm1(_REACH)))  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """See the class."""
        logits, distances = [], []
        for level, one in enumerate(maps):
            logits.append(self.logits(self.class_tower(one, level)).flatten(2))
            found = self.distances(self.box_tower(one, level)).flatten(2)
            distances.append(functional.softplus(found.float() * self.scale[level]))
        return torch.cat(logits, 2).transpose(1, 2).float(), torch.cat(distances, 2).transpose(1, 2)


class Detector(nn.Module):
    """Pixel values (B, C, H, W) to (B, A, 4 + K): boxes in pixels of the field, then a logit for each class.

    A box need not lie within the field. The score of a class is the sigmoid of its logit minus `threshold`, so that one
    half and more counts as found; `threshold` is what `set_threshold` sets once the network is trained.

    Args:
        pixels: standardises pixel values.
        backbone: gives three maps and says in `channels` how many channels each has.
        classes: K.
        finest: the stride of the first map.
        width: channels of the pyramid and the head.
        depth: convolutions of the head before its last layer.
        activation_name: see `ConvNetSettings`.
    """

    threshold: Tensor

    def __init__(
        self,
        pixels: nn.Module,
        backbone: Any,
        classes: int,
        finest: int,
        width: int = 64,
        depth: int = 2,
        activation_name: str = "relu",
    ) -> None:
        super().__init__()
        self.pixels, self.backbone, self.finest = pixels, backbone, finest
        self.pyramid = Pyramid(backbone.channels, width, activation_name)
        self.head = Head(width, depth, classes, activation_name)
        self.register_buffer("threshold", torch.zeros(()))

    def features(self, image: Tensor) -> Tensor:
        """(B, F) the coarsest map of the backbone, averaged over the picture."""
        maps: list[Tensor] = self.backbone(self.pixels(image))
        return maps[-1].float().mean(dim=(2, 3))

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        maps = self.pyramid(self.backbone(self.pixels(image)))
        logits, distances = self.head(maps)
        centres, strides = places([one.shape[2:] for one in maps], self.finest)
        reach = distances * strides[:, None]
        boxes = torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=2)
        return torch.cat([boxes, logits], dim=2)

    def set_threshold(self, threshold: float) -> None:
        """Let a score of one half stand where the logit is `threshold`."""
        self.threshold.fill_(threshold)


def places(shapes: Sequence[Sequence[int]], finest: int) -> tuple[Tensor, Tensor]:
    """The centres (A, 2) of all places, x and y in pixels of the field, and their strides (A,).

    >>> places([(1, 2), (1, 1)], 8)[0].tolist()
    [[4.0, 4.0], [12.0, 4.0], [8.0, 8.0]]
    """
    centres, strides = [], []
    for level, (high, wide) in enumerate(shapes):
        stride = float(finest << level)
        rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
        centres.append((torch.stack([columns, rows], dim=2).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((high * wide,), stride))
    return torch.cat(centres), torch.cat(strides)


def field_places(height: int, width: int, finest: int) -> tuple[Tensor, Tensor]:
    """The places of a field of height and width pixels; see `places`."""
    return places(
        [(-(-height // (finest << level)), -(-width // (finest << level))) for level in range(LEVELS)], finest
    )
