"""What turns a picture into maps of features at three strides: a small network of ours, or one of timm's.

Shapes: B pictures, C channels, H height and W width in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from assay.errors import SettingError
from assay.networks.convnet import Block, ConvUnit
from assay.networks.quick_convolutions import quicken
from assay.networks.timm_networks import create_timm, normalise_by_statistics, train_gently, unwarned

#: The maps of a detector, each at twice the stride of the one before.
LEVELS = 3


class SmallBackbone(nn.Module):
    """Standardised pictures (B, C, H, W) to three maps, of strides s, 2s and 4s.

    As in our convnet the stem reduces the resolution at once, and all other layers are dense 3x3 convolutions.

    Args:
        channels: of a picture.
        width: channels of the map before the first; each halving of the resolution doubles them.
        depth: residual blocks of a stage.
        finest: the stride s of the first map, 4 or 8.
        activation_name: see `ConvNetSettings`.
    """

    def __init__(self, channels: int, width: int, depth: int, finest: int, activation_name: str) -> None:
        super().__init__()
        stride = finest // 2
        self.stem = nn.Sequential(
            ConvUnit(channels, width, stride + 2, stride, activation_name), Block(width, activation_name)
        )
        self.stages = nn.ModuleList()
        self.channels = tuple(width << (level + 1) for level in range(LEVELS))
        for wide in self.channels:
            blocks = [Block(wide, activation_name) for _ in range(depth)]
            self.stages.append(nn.Sequential(ConvUnit(wide // 2, wide, 3, 2, activation_name), *blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        maps: list[Tensor] = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class TimmBackbone(nn.Module):
    """The maps of a network of timm's at strides s, 2s and 4s.

    Args:
        name: of an architecture of timm's, or a folder.
        pretrained: with its trained weights.
        channels: of a picture.
        finest: the stride s.
        body_rate: the learning rate as a share of the rest's, where the weights are pretrained.
        trained: the share of a pretrained network's tensors, counted from the last, that are trained.
        keep_statistics: keep the means and variances of the pretrained batch normalisation.

    Raises:
        SettingError: there is no such network, or none of its maps has such a stride.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool,
        channels: int,
        finest: int,
        body_rate: float = 1.0,
        trained: float = 1.0,
        keep_statistics: bool = True,
    ) -> None:
        super().__init__()
        chosen = _maps_at(name, finest)
        options = {"features_only": True, "out_indices": chosen}
        with unwarned():
            self.model, self.config = create_timm(name, pretrained, channels, options)
        self.channels: tuple[int, ...] = tuple(self.model.feature_info.channels())
        self.keep_statistics = pretrained and keep_statistics
        quicken(self.model, channels, self.keep_statistics)
        if pretrained:
            train_gently(self.model.parameters(), body_rate, trained)

    def train(self, mode: bool = True) -> TimmBackbone:
        """As in PyTorch; pretrained normalisation stays as in evaluation."""
        super().train(mode)
        if self.keep_statistics:
            normalise_by_statistics(self.model)
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        maps: list[Tensor] = self.model(x)
        return maps


def _maps_at(name: str, finest: int) -> Sequence[int]:
    """Which of a network's maps have the strides that a detector takes."""
    try:
        model, _ = create_timm(name, False, 3, {"features_only": True})
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise SettingError(f"{name!r} gives no maps of features ({error})", "Choose a convolutional network.") from None
    strides: list[Any] = model.feature_info.reduction()
    wanted = [finest << level for level in range(LEVELS)]
    if any(stride not in strides for stride in wanted):
        raise SettingError(
            f"{name!r} has maps of strides {', '.join(map(str, strides))}, a detector takes {wanted}",
            "Choose a convolutional network, such as detector/tf_efficientnet_lite0.",
        )
    return [strides.index(stride) for stride in wanted]
