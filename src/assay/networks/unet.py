"""A U-Net: one answer for each pixel of an image (Ronneberger, Fischer and Brox 2015), over any encoder.

An encoder gives maps of falling resolution; the decoder doubles the resolution step by step and joins the encoder's
map of the same size each time. What is normalised here is normalised in groups of channels of one image (Wu and He
2018), so that a batch of one image trains like any other, unless another `normalisation` is asked for.

Shapes: B images, C channels, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.activations import activation
from assay.networks.exporting import exporting
from assay.networks.quick_convolutions import quicken
from assay.networks.timm_networks import create_timm, normalise_by_statistics, train_gently, unwarned
from assay.networks.views import VIEWS

_GROUP = 8
#: `group`: by the statistics of the image itself; `batch`: by those of the training (Ioffe and Szegedy 2015), so that
#: in evaluation an answer depends on its surroundings alone, and a picture can be answered tile by tile.
Normalisation = Literal["group", "batch"]


class UNet(nn.Module):
    """Standardised images (B, C, H, W) to logits (B, outputs, ceil(H / stride), ceil(W / stride)).

    Args:
        encoder: has `channels` and `reductions` (ascending, each a divisor of the next) and gives as many maps
            (B, channels[i], H / reductions[i], W / reductions[i]): `SmallEncoder` or `TimmEncoder`.
        inputs: C.
        widths: channels of each step of the decoder, from the coarsest; each doubles the resolution. With as many as
            the encoder has maps, the last step sees the image itself; with fewer, the logits are taken at a coarser
            resolution and enlarged bilinearly, which is cheaper and smoother.
        outputs: logits of a pixel.
        stride: pixels of the image to one of the answer, along each side.
        activation_name: as in `ConvNetSettings`.
        dropout: the share of channels of the coarsest map silenced at each training step.
        normalisation: of the decoder.
        views: in evaluation, how many mirrored and turned copies of an image are answered and their logits averaged: 1,
            2 (left and right), 4 (also upside down) or 8 (also transposed).

    An image whose sides are no multiples of the encoder's last reduction is padded at its right and lower edge, and the
    answer cut back.

    Example:
        >>> network = UNet(SmallEncoder(3, (8, 16, 32)), inputs=3, widths=(16, 8), outputs=2)
        >>> network(torch.zeros(1, 3, 50, 70)).shape
        torch.Size([1, 2, 50, 70])
    """

    def __init__(
        self,
        encoder: SmallEncoder | TimmEncoder,
        inputs: int,
        widths: Sequence[int],
        outputs: int,
        *,
        stride: int = 1,
        activation_name: str = "relu",
        dropout: float = 0.0,
        normalisation: Normalisation = "group",
        views: int = 1,
    ) -> None:
        super().__init__()
        skips = [inputs, *encoder.channels]
        levels = [1, *encoder.reductions]
        if not 0 < len(widths) < len(levels):
            raise ValueError(f"the decoder has from 1 to {len(levels) - 1} steps over this encoder, not {len(widths)}")
        if views not in VIEWS:
            raise ValueError(f"an image has {VIEWS} views, not {views}")
        self.encoder, self.stride, self.multiple, self.views = encoder, stride, levels[-1], views
        self.steps = nn.ModuleList()
        wide = skips[-1]
        for step, width in enumerate(widths):
            skip = skips[-2 - step]
            enlarge = levels[-1 - step] // levels[-2 - step]
            self.steps.append(_Step(wide, skip, width, enlarge, activation_name, normalisation))
            wide = width
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(wide, outputs, 1)

    def features(self, x: Tensor) -> Tensor:
        """(B, F): the encoder's coarsest map, averaged over the image."""
        maps: Tensor = self.encoder(_padded(x, self.multiple))[-1]
        return maps.mean(dim=(2, 3))

    def decoded(self, x: Tensor) -> Tensor:
        """(B, widths[-1], h, w): what the last step of the decoder gives for an image of fitting size."""
        maps = [x, *self.encoder(x)]
        wide: Tensor = self.dropout(maps[-1])
        for step, skip in zip(self.steps, reversed(maps[:-1]), strict=False):
            wide = step(wide, skip)
        return wide

    def forward(self, x: Tensor, views: int | None = None) -> Tensor:
        """See the class; `views` stands in for the network's own."""
        height, width = x.shape[2:]
        padded = _padded(x, self.multiple)
        views = 1 if self.training else self.views if views is None else views
        if exporting() and (views <= 4 or padded.shape[2] == padded.shape[3]):
            logits = self._together(padded, views)  # a graph that held each layer for each view would be larger
        else:
            logits = self._logits(padded)
            for view in range(1, views):
                logits = logits + _put_back(self._logits(_turned(padded, view)), view)
            logits = logits / views if views > 1 else logits
        return logits[:, :, : -(-height // self.stride), : -(-width // self.stride)]

    def _together(self, padded: Tensor, views: int) -> Tensor:
        """The mean over views that go through the network as one batch."""
        found = self._logits(torch.cat([_turned(padded, view) for view in range(views)]))
        parts = found.reshape(views, padded.shape[0], *found.shape[1:])
        return torch.stack([_put_back(parts[view], view) for view in range(views)]).mean(dim=0)

    def _logits(self, padded: Tensor) -> Tensor:
        """(B, outputs, H / stride, W / stride) of an image of fitting size."""
        logits: Tensor = self.head(self.decoded(padded))
        size = (padded.shape[2] // self.stride, padded.shape[3] // self.stride)
        if logits.shape[2:] != size:
            logits = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
        return logits


class SmallEncoder(nn.Module):
    """An encoder of ours, learned from scratch: each map has half the resolution of the one before.

    Args:
        inputs: channels of an image.
        widths: channels of each map, from a half of the image's resolution on; multiples of 8.
        depth: convolutions in each map beside the one that halves the resolution, each with a residual connection.
        activation_name: as in `ConvNetSettings`.
        normalisation: of all convolutions.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        depth: int = 1,
        activation_name: str = "relu",
        normalisation: Normalisation = "group",
    ) -> None:
        super().__init__()
        self.channels = list(widths)
        self.reductions = [2 ** (place + 1) for place in range(len(widths))]
        self.stages = nn.ModuleList()
        for before, width in zip([inputs, *widths], widths, strict=False):
            units: list[nn.Module] = [Unit(before, width, activation_name, 2, normalisation)]
            units += [_Residual(Unit(width, width, activation_name, 1, normalisation)) for _ in range(depth)]
            self.stages.append(nn.Sequential(*units))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, inputs, H, W) to the maps, the finest first."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class TimmEncoder(nn.Module):
    """The feature maps of a network of timm's.

    Args:
        architecture: a name of timm's, or a folder (see `timm_networks`).
        pretrained: with trained weights, of the folder or the hub.
        inputs: channels of an image.
        learning_rate_scale: the learning rate of pretrained weights as a share of the plan's.
        keep_statistics: keep the means and variances of pretrained batch normalisation, which few images would blur.
        stochastic_depth: the share of blocks skipped at each training step, where the network knows it.

    Attributes:
        config: timm's `pretrained_cfg`, whose mean and deviation `timm_networks.wanted_scale` reads.
    """

    def __init__(
        self,
        architecture: str,
        pretrained: bool,
        inputs: int,
        *,
        learning_rate_scale: float = 1.0,
        keep_statistics: bool = True,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"features_only": True}
        if stochastic_depth:
            options["drop_path_rate"] = stochastic_depth
        with unwarned():
            model, self.config = create_timm(architecture, pretrained, inputs, options)
        self.model: Any = model
        self.channels: list[int] = list(model.feature_info.channels())
        self.reductions: list[int] = list(model.feature_info.reduction())
        self.keep_statistics = pretrained and keep_statistics
        quicken(model, inputs, self.keep_statistics)
        if pretrained:
            train_gently(model.parameters(), learning_rate_scale)

    def train(self, mode: bool = True) -> TimmEncoder:
        """As in PyTorch; normalisation whose statistics are kept stays as in evaluation."""
        super().train(mode)
        if self.keep_statistics:
            normalise_by_statistics(self.model)
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, inputs, H, W) to the maps, the finest first."""
        if self.training and not self.keep_statistics and x.shape[0] * x.shape[2] * x.shape[3] < 2 * self._area:
            # A channel of the coarsest map would have a single value, which has no variance.
            normalise_by_statistics(self.model)
            maps = list(self.model(x))
            self.train()
            return maps
        return list(self.model(x))

    @property
    def _area(self) -> int:
        return self.reductions[-1] ** 2


class Unit(nn.Sequential):
    """3x3 convolution, normalisation, activation: (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation_name: str,
        stride: int = 1,
        normalisation: Normalisation = "group",
    ) -> None:
        groups = outputs // _GROUP if outputs % _GROUP == 0 else 1
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.GroupNorm(groups, outputs) if normalisation == "group" else nn.BatchNorm2d(outputs),
            activation(activation_name),
        )


class _Residual(nn.Module):
    """x + unit(x), of x's shape."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        added: Tensor = x + self.unit(x)
        return added


class _Step(nn.Module):
    """One step of the decoder: enlarge, join the encoder's map, two convolutions."""

    def __init__(
        self, inputs: int, skip: int, width: int, enlarge: int, activation_name: str, normalisation: Normalisation
    ) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.units = nn.Sequential(
            Unit(inputs + skip, width, activation_name, 1, normalisation),
            _Residual(Unit(width, width, activation_name, 1, normalisation)),
        )

    def forward(self, wide: Tensor, skip: Tensor) -> Tensor:
        """(B, inputs, h, w) and (B, skip, H, W) to (B, width, H, W)."""
        larger = functional.interpolate(wide, scale_factor=self.enlarge, mode="nearest")
        joined: Tensor = self.units(torch.cat([larger, skip], dim=1))
        return joined


def _turned(x: Tensor, view: int) -> Tensor:
    """Images (B, C, H, W): transposed if `view` has the bit 4, then mirrored if 1, and turned upside down if 2."""
    x = x.transpose(2, 3) if view & 4 else x
    return _mirrored(x, view)


def _put_back(x: Tensor, view: int) -> Tensor:
    """The inverse of `_turned`."""
    x = _mirrored(x, view)
    return x.transpose(2, 3) if view & 4 else x


def _mirrored(x: Tensor, view: int) -> Tensor:
    sides = [side for bit, side in ((1, 3), (2, 2)) if view & bit]
    return x.flip(sides) if sides else x


def _padded(x: Tensor, multiple: int) -> Tensor:
    """Images (B, C, H, W) whose last rows and columns are repeated until the sides are multiples of `multiple`."""
    down, right = -x.shape[2] % multiple, -x.shape[3] % multiple
    return functional.pad(x, (0, right, 0, down), mode="replicate") if down or right else x
