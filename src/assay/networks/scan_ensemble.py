"""Several small residual networks for pictures of scans that are trained side by side and answer together.

A single network of a few thousand scans is a matter of luck; the mean of several is better than nearly each of them
and knows better how sure it is (Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty
estimation using deep ensembles", NeurIPS 2017). An answer is also the mean over the picture and a few moved by a pixel.

Shapes: M members, V views, B pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from assay.networks.convnet import Block, ConvUnit, stem_stride
from assay.networks.exporting import exporting
from assay.networks.image_networks import Pixels
from assay.samples.scan_spec import ScanSpec
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.precision import multiplies_bfloat16
from assay.training.ranges import DEPTH, SHARE, WIDTH, searched

_SMALLEST, _MOST_STAGES = 4, 5
_MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class ScanEnsembleSettings:
    """Hyper-parameters of `ScanEnsemble`.

    Attributes:
        members: networks.
        depth: residual blocks in each stage of each.
        width: channels of the first stage; each further stage has twice as many, at most eight times.
        activation: as in `ConvNetSettings`.
        dropout: the share of pooled features silenced at each training step.
        stochastic_depth: the share of samples for which the last block is skipped at each training step, the others in
            proportion to their depth.
        moved: answers are means over the picture and four that are moved by a pixel.
    """

    members: int = 3
    depth: int = searched(1, DEPTH)
    width: int = searched(16, WIDTH)
    activation: str = "relu"
    dropout: float = searched(0.2, SHARE)
    stochastic_depth: float = 0.0
    moved: bool = True


class ScanMember(nn.Module):
    """Standardised pictures (B, C, H, W) to logits (B, outputs)."""

    def __init__(self, channels: int, side: int, outputs: int, settings: ScanEnsembleSettings) -> None:
        super().__init__()
        stride = stem_stride(side)
        left, stages = -(-side // stride), 1
        while left > _SMALLEST and stages < _MOST_STAGES:
            left, stages = -(-left // 2), stages + 1
        blocks, wide = max(1, stages * settings.depth), settings.width
        layers: list[nn.Module] = [ConvUnit(channels, wide, stride + 2, stride, settings.activation)]
        for stage in range(stages):
            if stage:
                wider = min(2 * wide, 8 * settings.width)
                layers.append(ConvUnit(wide, wider, 3, 2, settings.activation))
                wide = wider
            for number in range(stage * settings.depth, (stage + 1) * settings.depth):
                layers.append(Block(wide, settings.activation, settings.stochastic_depth * (number + 1) / blocks))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(wide, outputs)

    def features(self, x: Tensor) -> Tensor:
        """(B, F): the last stage's channels, averaged over the picture."""
        maps: Tensor = self.body(x)
        return maps.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits


class ScanEnsemble(nn.Module):
    """Pixel values (B, C, H, W) to logits: (M, B, outputs) while it is trained, (B, outputs) of all members otherwise.

    Args:
        spec: size, channels and scale of a picture.
        settings: hyper-parameters.

    Raises:
        ValueError: a setting is out of its range.
    """

    def __init__(self, spec: ScanSpec, settings: ScanEnsembleSettings) -> None:
        super().__init__()
        if not 0 <= settings.stochastic_depth < 1 or settings.members < 1:
            raise ValueError("stochastic_depth is a share from 0 to below 1, members are one at least")
        image = spec.image
        side = min(image.height, image.width)
        self.pixels = Pixels(image.mean, image.deviation)
        self.members = nn.ModuleList(
            ScanMember(image.channels, side, spec.target.outputs, settings) for _ in range(settings.members)
        )
        self.moved = settings.moved

    def features(self, image: Tensor) -> Tensor:
        """(B, F) the features of all members."""
        values = self.pixels(image)
        return torch.cat([member.features(values) for member in self.members], dim=1)  # type: ignore[operator]

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        values = self.pixels(image)
        if self.training:
            return torch.stack([member(values) for member in self.members])
        views = moved_views(values) if self.moved else [values]
        if exporting():  # all views at once: a graph that held each layer for each view would be as many times larger
            together = torch.cat(list(views))
            shape = (len(views), values.shape[0], -1)
            logits = torch.cat([member(together).view(shape) for member in self.members])
        else:
            logits = torch.stack([member(view) for view in views for member in self.members])
        found: Tensor = logits.float().log_softmax(dim=2).logsumexp(dim=0)
        return found


def moved_views(values: Tensor) -> Sequence[Tensor]:
    """The pictures themselves, and moved by a pixel to each side; the border is repeated."""
    height, width = values.shape[2:]
    framed = pad(values, (1, 1, 1, 1), mode="replicate")
    return [framed[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width] for down, right in _MOVES]


def ensemble_kind() -> NetworkKind:
    """The default network for pictures of scans."""
    summary = "several compact residual networks, of ours, that answer together"
    return NetworkKind("ensemble", ScanEnsembleSettings, _build, _recipe, summary)


def _build(spec: ScanSpec, settings: ScanEnsembleSettings) -> nn.Module:
    return ScanEnsemble(spec, settings).to(memory_format=torch.channels_last)


def _recipe(situation: Situation) -> tuple[ScanEnsembleSettings, Plan]:
    settings = ScanEnsembleSettings()
    batch = 64
    plan = Plan(
        batch_size=batch,
        optimizer="adamw",
        learning_rate=2e-3,
        weight_decay=0.05,
        schedule="one-cycle",
        warmup=0.2,
        label_smoothing=0.05,
        augment={"flip": 0.0, "shift": 0.08, "crop": 0.7, "turn": 10.0, "jitter": 0.3, "erase": 0.0},
        averaging=0.99,
        checks=10,
        steps=max(40 * situation.samples // batch, 1000),
        precision="bfloat16" if multiplies_bfloat16() else "float32",
    )
    return settings, plan
