"""The networks that find cells: a U-Net of ours, or one over an encoder of timm's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from assay.errors import SettingError
from assay.evaluation.cell_matching import AS_GOOD, best_threshold, matched
from assay.evaluation.cells import Cells, covers
from assay.networks.cell_counting import LEAST, fit_counting, least_counted
from assay.networks.cell_neighbours import best_weight, reach_of
from assay.networks.cell_network import CellNetwork
from assay.networks.image_networks import Pixels
from assay.networks.timm_networks import portable, timm_features, wanted_scale
from assay.networks.unet import UNet
from assay.networks.unet_settings import OwnEncoderSettings, TimmEncoderSettings
from assay.networks.views import VIEWS
from assay.samples.cell_spec import CellSpec
from assay.samples.cell_tiles import Tile
from assay.task import NetworkKind, Situation
from assay.training.plan import Plan
from assay.training.precision import multiplies_bfloat16
from assay.training.ranges import SHARE, SKIPPED, WIDTH, searched

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: Thresholds that are tried on the validation side, and how many of its windows are looked at.
_THRESHOLDS, _MOST_WINDOWS = np.linspace(LEAST, 0.7, 25), 128
#: Of a tile: the cells found that it answers for, the true ones (N, 3: x, y, class), and all cells that it sees.
_Judged = tuple[Cells, Array, Cells]
#: How often each pixel is looked at, at most: enough for any budget that is usual.
_MOST_PASSES = 300


@dataclass(frozen=True)
class CellUNetSettings(OwnEncoderSettings):
    """Hyper-parameters of a U-Net of ours: see `OwnEncoderSettings`.

    Attributes:
        stride: pixels to a place of the answer, along each side: 1, 2 or 4.
        zoom: pictures are enlarged so many times first, 1 or 2, where cells are a few pixels wide.
        views: mirrored and turned copies of a picture whose answers are averaged: 1, 2, 4 or 8; each costs as much
            time as the first.
    """

    stride: int = 2
    zoom: int = 1
    views: int = 4


@dataclass(frozen=True)
class CellTimmSettings(TimmEncoderSettings):
    """Hyper-parameters of a U-Net over an encoder of timm's: see `TimmEncoderSettings`.

    Attributes:
        width: channels of the decoder's last step; each coarser one has twice as many, up to eight times.
        stride: pixels to a place of the answer, along each side: 1, 2 or 4.
        zoom: pictures are enlarged so many times first, 1 or 2, where cells are a few pixels wide.
        views: mirrored and turned copies of a picture whose answers are averaged: 1, 2, 4 or 8; each costs as much
            time as the first.
    """

    width: int = searched(24, WIDTH)
    stride: int = 2
    zoom: int = 1
    dropout: float = searched(0.2, SHARE)
    stochastic_depth: float = searched(0.1, SKIPPED)
    views: int = 4


def cell_networks(spec: CellSpec) -> Sequence[NetworkKind]:
    """The networks for pictures of this form, the default first."""
    own = NetworkKind(
        "unet", CellUNetSettings, _own, _own_recipe, "a U-Net of ours, learned from these pictures alone",
        conclude=fit_answers,
    )  # fmt: skip
    timm = NetworkKind(
        "timm/", CellTimmSettings, _timm, _timm_recipe, "a U-Net over any encoder of timm's, pretrained (timm/NAME)",
        conclude=fit_answers, portable=portable, features=timm_features,
    )  # fmt: skip
    return (own, timm)


def _outputs(spec: CellSpec) -> int:
    return 1 + spec.kinds + 2 * spec.outlined


def _own(spec: CellSpec, settings: CellUNetSettings) -> nn.Module:
    encoder = settings.encoder("batch")
    stride = _stride(settings)
    wanted = _steps(encoder.reductions, stride)
    body = UNet(
        encoder, 3, settings.decoder_widths()[:wanted], _outputs(spec), stride=stride,
        activation_name=settings.activation, dropout=settings.dropout, normalisation="batch", views=_views(settings),
    )  # fmt: skip
    return _wrap(spec, body, settings.zoom, spec.mean, spec.deviation)


def _timm(spec: CellSpec, settings: CellTimmSettings) -> nn.Module:
    encoder = settings.encoder()
    stride = _stride(settings)
    wanted = _steps(encoder.reductions, stride)
    widths = [settings.width * min(8, 2 ** (wanted - 1 - step)) for step in range(wanted)]
    body = UNet(
        encoder, 3, widths, _outputs(spec), stride=stride, dropout=settings.dropout, normalisation="batch",
        views=_views(settings),
    )  # fmt: skip
    return _wrap(spec, body, settings.zoom, *wanted_scale(encoder.config, 3, 255.0))


def _stride(settings: CellUNetSettings | CellTimmSettings) -> int:
    """Enlarged pixels to a place; raises `SettingError` where the settings are not possible."""
    if settings.stride not in (1, 2, 4):
        raise SettingError(f"stride={settings.stride} is not possible", "Give 1, 2 or 4.")
    if settings.zoom not in (1, 2):
        raise SettingError(f"zoom={settings.zoom} is not possible", "Give 1 or 2.")
    return settings.stride * settings.zoom


def _views(settings: CellUNetSettings | CellTimmSettings) -> int:
    """As asked for; raises `SettingError` where that is not possible."""
    if settings.views not in VIEWS:
        raise SettingError(f"views={settings.views} is not possible", "Give 1, 2, 4 or 8.")
    return settings.views


def _steps(reductions: Sequence[int], stride: int) -> int:
    """How many steps of the decoder lead from the coarsest map to one place in `stride` pixels."""
    return max(1, sum(reduction > stride for reduction in reductions))


def _wrap(spec: CellSpec, body: UNet, zoom: int, mean: Sequence[float], deviation: Sequence[float]) -> nn.Module:
    network: nn.Module = CellNetwork(Pixels(mean, deviation), body, spec.kinds, spec.outlined, zoom)
    return network.to(memory_format=torch.channels_last)


def _plan(situation: Situation, rate: float) -> Plan:
    """Gentle averaging of weights, and every picture turned, scaled and stained anew each time."""
    spec: CellSpec = situation.spec
    crop = 256 if spec.tile > 256 else 0
    batch = 8 if (crop or spec.tile) >= 192 else 16
    epochs = _MOST_PASSES * (spec.tile / crop) ** 2 if crop else _MOST_PASSES  # a crop is a part of its tile
    return Plan(
        batch_size=batch,
        optimizer="adamw",
        learning_rate=rate,
        weight_decay=0.02,
        schedule="cosine",
        warmup=0.1,
        averaging=0.99,
        gradient_clip=5.0,
        augment={"crop": float(crop), "flip": 1.0, "scale": 0.25, "stain": 0.4, "jitter": 0.15},
        steps=round(epochs * max(1, situation.samples // batch)),
        checks=8,
        precision="bfloat16" if multiplies_bfloat16() else "float32",
    )


def _own_recipe(situation: Situation) -> tuple[CellUNetSettings, Plan]:
    return CellUNetSettings(), _plan(situation, 2e-3)


def _timm_recipe(situation: Situation) -> tuple[CellTimmSettings, Plan]:
    return CellTimmSettings(), _plan(situation, 1e-3)


@torch.no_grad()
def fit_answers(network: nn.Module, samples: Samples, plan: Plan) -> None:
    """Set by the validation side which peaks are cells, and how much a cell's neighbours tell of its class.

    The threshold is that of the best F1 of finding, and of those as good the one that counts best; where
    `cell_counting` finds as well and counts better, it decides.
    """
    from assay.samples.split import VALIDATION

    found: Any = network
    spec: CellSpec = samples.spec
    view = samples.view(VALIDATION)
    if not len(view.windows):
        return
    network.eval()
    radius = max(spec.radius, spec.size) if spec.outlined else spec.radius
    tiles = [tile for batch in view.sample(_MOST_WINDOWS).batches(8) for tile in _judged(found, batch, spec)]
    by_threshold = [[own.only(own.probability >= one) for own, _, _ in tiles] for one in _THRESHOLDS]
    judged = np.asarray([_finding(kept, tiles, radius) for kept in by_threshold])
    threshold = best_threshold(_THRESHOLDS, *judged.T)
    found.threshold.fill_(threshold)
    chosen = judged[list(_THRESHOLDS).index(threshold)]
    for name, value in zip(("count_slope", "count_offset"), _counting(tiles, radius, chosen), strict=True):
        getattr(found, name).fill_(value)
    if spec.kinds:
        classed = [_classed(cells.only(cells.probability >= threshold), known, radius) for _, known, cells in tiles]
        found.neighbours.fill_(best_weight(classed, reach_of(spec.size, spec.margin)))


def _finding(kept: Sequence[Cells], tiles: Sequence[_Judged], radius: float) -> tuple[float, int]:
    """The F1 of the cells that are kept of each tile, and by how many their counts are off."""
    right, all_of_them, miscounted = 0, 0, 0
    for cells, (_, known, _) in zip(kept, tiles, strict=True):
        right += len(matched(cells.places, known[:, :2], radius))
        all_of_them += len(cells) + len(known)
        miscounted += abs(len(cells) - len(known))
    return 2 * right / max(all_of_them, 1), miscounted


def _counting(tiles: Sequence[_Judged], radius: float, by_threshold: Array) -> tuple[float, float]:
    """What `cell_counting` needs where it finds as well as the threshold (F1, miscounted) and counts better; else 0, 0.

    Each half of the tiles is counted by what the other half taught, so that it is not judged on what it has learned.
    """
    told = []
    for own, known, _ in tiles:
        right = np.zeros(len(own), bool)
        right[matched(own.places, known[:, :2], radius)[:, 0]] = True
        told.append((own.probability, right, len(known)))
    fitted, halves = fit_counting(told), [fit_counting(told[1::2]), fit_counting(told[::2])]
    if fitted is None or halves[0] is None or halves[1] is None:
        return 0.0, 0.0
    by_halves = [halves[place % 2] or fitted for place in range(len(tiles))]
    cuts = [least_counted(own.probability, *taught) for (own, _, _), taught in zip(tiles, by_halves, strict=True)]
    kept = [own.only(own.probability >= cut) for (own, _, _), cut in zip(tiles, cuts, strict=True)]
    score, miscounted = _finding(kept, tiles, radius)
    return fitted if score >= by_threshold[0] - AS_GOOD and miscounted < by_threshold[1] else (0.0, 0.0)


def _judged(network: Any, batch: Any, spec: CellSpec) -> Iterator[_Judged]:
    """What is found in each tile of a batch, but for where nobody could tell, and what is there."""
    from assay.networks.cell_decoding import cells_of

    candidates = cells_of(network.maps(batch.image), LEAST, spec.apart, spec.size)
    ignored = [None] * len(candidates) if batch.ignored is None else batch.ignored.numpy()
    for cells, true, numbers, nowhere in zip(candidates, batch.cells, batch.place, ignored, strict=True):
        tile = Tile.of(numbers.tolist())
        known = true[true[:, 2] > -2][:, :3].double().numpy()
        known = known[tile.answers_for(known[:, 0] + tile.left, known[:, 1] + tile.top)]
        own = tile.answers_for(cells.x + tile.left, cells.y + tile.top)
        if nowhere is not None:
            own &= ~covers(nowhere, cells.x, cells.y)
        yield cells.only(own), known, cells


def _classed(cells: Cells, true: Array, radius: float) -> tuple[Cells, Array, Array]:
    """The cells, the positions of those that are true cells of a known class, and these classes."""
    of_class = true[true[:, 2] >= 0]
    pairs = matched(cells.places, of_class[:, :2], radius)
    return cells, pairs[:, 0], of_class[pairs[:, 1], 2].astype(np.int64)
