"""A network that finds cells: for each place how near the middle of a cell is, of which class, and how deep in a cell.

The middles are peaks of a map, as in CenterNet (Zhou et al. 2019) and in the distance maps of cell detection (Xie et
al. 2018); where outlines are known, the depth in a cell (the distance to its edge) cuts cells that touch, as in the
deep watershed of Bai and Urtasun (2017).

Shapes: B pictures, C classes, H and W pixels, h and w places of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.cell_decoding import CellReadings
from assay.networks.image_networks import Pixels
from assay.networks.unet import UNet

#: Before anything was learned, a place is a middle with a probability of one in twenty, and cell with one in five.
_FIRST_BIAS, _FIRST_INSIDE = -3.0, -1.5


@dataclass(frozen=True)
class CellMaps:
    """What the network says about places (h, w) of pictures, as logits.

    Attributes:
        middle: (B, h, w) whether a cell's middle is near.
        kind: (B, C, h, w) the classes, averaged over the neighbouring places; None where there are none.
        inside: (B, h, w) whether it is a cell; None where no outlines are known.
        depth: (B, h, w) how deep in a cell, see `samples.cell_tiles.depth_map`; None likewise.
        stride: pixels of the picture to a place.
    """

    middle: Tensor
    kind: Tensor | None
    inside: Tensor | None
    depth: Tensor | None
    stride: int


def readings_of(maps: CellMaps) -> CellReadings:
    """The maps ready to be looked through; operations that graphs know, so that an export holds them."""
    middle = maps.middle.sigmoid()
    peak = middle == functional.max_pool2d(middle[:, None], 3, 1, 1)[:, 0]
    shares = None if maps.kind is None else maps.kind.softmax(dim=1)
    if maps.inside is None or maps.depth is None:
        return CellReadings(middle, peak, shares, stride=maps.stride)
    both = torch.stack([maps.inside, maps.depth], dim=1)
    if maps.stride > 1:
        both = functional.interpolate(both, scale_factor=maps.stride, mode="bilinear", align_corners=False)
    return CellReadings(middle, peak, shares, both[:, 0] > 0, both[:, 1].sigmoid(), maps.stride)


class CellNetwork(nn.Module):
    """Pixel values (B, 3, H, W) to logits (B, outputs, h, w); `maps` names them.

    Args:
        pixels: standardises.
        body: the U-Net, with 1 + C outputs, and 2 more for outlines; its stride is in enlarged pixels.
        kinds: C.
        outlined: whether cells are outlined.
        zoom: pictures are enlarged so many times before the body sees them.

    Attributes:
        threshold: the probability from which a peak is a cell; chosen on the validation side.
        neighbours: how much the classes of cells about a cell count, see `cell_neighbours`; learned there, too.
        count_slope: of what counts cells in the threshold's place, see `cell_counting`; 0 where the threshold decides.
        count_offset: likewise.
    """

    threshold: Tensor
    neighbours: Tensor
    count_slope: Tensor
    count_offset: Tensor

    def __init__(self, pixels: Pixels, body: UNet, kinds: int, outlined: bool, zoom: int = 1) -> None:
        super().__init__()
        self.pixels, self.body, self.kinds, self.outlined, self.zoom = pixels, body, kinds, outlined, zoom
        self.register_buffer("threshold", torch.tensor(0.3))
        for name in ("neighbours", "count_slope", "count_offset"):
            self.register_buffer(name, torch.tensor(0.0))
        with torch.no_grad():
            bias: Any = body.head.bias
            bias.zero_()
            bias[0] = _FIRST_BIAS
            if outlined:
                bias[-2:] = _FIRST_INSIDE

    @property
    def stride(self) -> int:
        """Pixels of the picture to a place of the answer."""
        return self.body.stride // self.zoom

    @property
    def views(self) -> int:
        """How many views of a picture are averaged in an answer."""
        return self.body.views

    def features(self, image: Tensor) -> Tensor:
        """(B, F): the encoder's coarsest map, averaged over the picture."""
        return self.body.features(self._seen(image))

    def forward(self, image: Tensor, views: int | None = None) -> Tensor:
        """See the class; `views` as in `UNet`."""
        logits: Tensor = self.body(self._seen(image), views)
        return logits

    def maps(self, image: Tensor, views: int | None = None) -> CellMaps:
        """The logits by name."""
        logits = self(image, views).float()
        kind = logits[:, 1 : 1 + self.kinds] if self.kinds else None
        if kind is not None:
            kind = functional.avg_pool2d(kind, 3, 1, 1, count_include_pad=False)
        inside, depth = (logits[:, -2], logits[:, -1]) if self.outlined else (None, None)
        return CellMaps(logits[:, 0], kind, inside, depth, self.stride)

    def readings(self, image: Tensor, views: int | None = None) -> CellReadings:
        """The maps, ready to be looked through."""
        return readings_of(self.maps(image, views))

    def _seen(self, image: Tensor) -> Tensor:
        values: Tensor = self.pixels(image)
        if self.zoom == 1:
            return values
        larger: Tensor = functional.interpolate(values, scale_factor=self.zoom, mode="bilinear", align_corners=False)
        return larger
