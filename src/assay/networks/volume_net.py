"""A compact residual network for volumes, shaped for training on a CPU.

Residual connections after He et al. 2016, in three dimensions as for video and scans (Tran et al. 2018; Chen, Ma and
Zheng, "Med3D", 2019). A finding may fill a few voxels of thousands: the largest value of each channel is pooled beside
the mean.

Shapes: B volumes, D slices, H rows, W columns, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from assay.networks.activations import activation
from assay.networks.stochastic_depth import skipped_branch
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.ranges import DEPTH, SHARE, WIDTH, searched

if TYPE_CHECKING:
    from assay.samples.scan_spec import ScanSpec

_SMALLEST, _MOST_STAGES = 4, 4
_MOST_EPOCHS = 60
_FEW = 400


@dataclass(frozen=True)
class VolumeNetSettings:
    """Hyper-parameters of `VolumeNet`.

    Attributes:
        depth: residual blocks in each stage.
        width: channels of the first stage; each further stage has twice as many.
        activation: as in `ConvNetSettings`.
        dropout: the share of pooled features silenced at each training step.
        stochastic_depth: the share of samples for which the last block is skipped at each training step, the others in
            proportion to their depth.
    """

    depth: int = searched(1, DEPTH)
    width: int = searched(16, WIDTH)
    activation: str = "relu"
    dropout: float = searched(0.0, SHARE)
    stochastic_depth: float = 0.0


class VolumeNet(nn.Module):
    """Voxel values (B, D, H, W) to logits (B, outputs).

    Each stage halves every side that has more than four voxels left; there are as many as it takes, at most four.

    Args:
        spec: the grid, and mean and deviation of its values.
        settings: hyper-parameters.

    Raises:
        ValueError: `stochastic_depth` is not from 0 to below 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, spec: ScanSpec, settings: VolumeNetSettings) -> None:
        super().__init__()
        if not 0 <= settings.stochastic_depth < 1:
            raise ValueError(f"stochastic_depth is a share from 0 to below 1, not {settings.stochastic_depth:g}")
        self.register_buffer("mean", torch.tensor(spec.image.mean[0], dtype=torch.float32))
        self.register_buffer("scale", 1 / torch.tensor(spec.image.deviation[0], dtype=torch.float32))
        strides = _strides((spec.depth, spec.image.height, spec.image.width))
        blocks = max(1, (len(strides) - 1) * settings.depth)
        wide = settings.width
        layers: list[nn.Module] = [_unit(1, wide, strides[0], settings.activation)]
        for stage, stride in enumerate(strides[1:]):
            if stage:
                layers.append(_unit(wide, 2 * wide, stride, settings.activation))
                wide *= 2
            for number in range(stage * settings.depth, (stage + 1) * settings.depth):
                skipped = settings.stochastic_depth * (number + 1) / blocks
                layers.append(VolumeBlock(wide, settings.activation, skipped))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(2 * wide, spec.target.outputs)

    def features(self, image: Tensor) -> Tensor:
        """(B, F) mean and largest value of each of the last stage's channels."""
        values = (image.to(torch.float32) - self.mean) * self.scale
        maps: Tensor = self.body(values[:, None])  # (B, F / 2, d, h, w)
        return torch.cat([maps.mean(dim=(2, 3, 4)), maps.amax(dim=(2, 3, 4))], dim=1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, D, H, W) voxel values of any type to (B, outputs)."""
        logits: Tensor = self.head(self.dropout(self.features(image)))
        return logits


class VolumeBlock(nn.Module):
    """A residual block of one convolution: x + unit(x), of x's shape.

    Args:
        channels: of the input and the output.
        activation_name: as in `VolumeNetSettings`.
        skipped: the share of samples for which the branch is left out at a training step, below 1.
    """

    def __init__(self, channels: int, activation_name: str, skipped: float = 0.0) -> None:
        super().__init__()
        self.unit = _unit(channels, channels, (1, 1, 1), activation_name)
        self.skipped = skipped

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, D, H, W) to the same shape."""
        return x + skipped_branch(self.unit(x), self.skipped, self.training)


def _unit(inputs: int, outputs: int, stride: tuple[int, int, int], activation_name: str) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        activation(activation_name),
    )


def _strides(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """The strides of the stem and of the first layer of each stage (of the first stage the stem's counts)."""
    sides, found = list(shape), []
    for _ in range(_MOST_STAGES):
        stride = [2 if side > _SMALLEST else 1 for side in sides]
        sides = [-(-side // step) for side, step in zip(sides, stride, strict=True)]
        found.append((stride[0], stride[1], stride[2]))
        if max(stride) == 1:
            break
    return [found[0], *found]  # the stem reduces; its own stage then has no other reduction


def volume_kind() -> NetworkKind:
    """The network for volumes."""
    return NetworkKind(
        "volume-net", VolumeNetSettings, _build, _recipe, "a compact residual network for volumes, of ours"
    )


def _build(spec: ScanSpec, settings: VolumeNetSettings) -> nn.Module:
    return VolumeNet(spec, settings)


def _recipe(situation: Situation) -> tuple[VolumeNetSettings, Plan]:
    """Few volumes are seen often, moved and turned; their light changes a little."""
    batch = 8 if situation.samples < _FEW else 16
    plan = Plan(
        batch_size=batch,
        optimizer="adamw",
        learning_rate=2e-3,
        weight_decay=0.02,
        schedule="one-cycle",
        warmup=0.2,
        augment={"flip": 0.0, "shift": 0.08, "crop": 0.8, "turn": 10.0, "jitter": 0.3, "erase": 0.0},
        averaging=0.95,
        checks=10,
        steps=_MOST_EPOCHS * max(1, situation.samples // batch),
    )
    return VolumeNetSettings(), plan
