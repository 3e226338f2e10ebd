"""The classical way to find cells: separate the stains, look for blobs, tell them apart by their colours.

Stain separation of Ruifrok and Johnston (2001), blobs by the Laplacian of a Gaussian (Lindeberg 1998), and support
vector machines with a Gaussian kernel on colours and blob sizes, one for what is a cell and one for its class.

Shapes: U units, N places, C classes, T a tile's side.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._cell_features import CHANNELS, FEATURES, blob_maps, blobs, channel, features_at
from assay.baselines._cell_machine import Machine, fitted_machine
from assay.baselines._fitting import Clock, require_fitted, require_training
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.evaluation.cell_matching import best_threshold, matched
from assay.evaluation.cells import Cells, covers
from assay.samples.cell_tiles import Tile

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.cell_spec import CellSpec
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_THRESHOLDS = np.linspace(0.05, 0.95, 37)
#: So many places of training, and tiles that are looked at to choose the channel.
_MOST_PLACES, _TILES = 6000, 12


class StainBlobs(Baseline):
    """See the module.

    Args:
        spec: the sample spec.
    """

    name = "stain separation, blobs and a least-squares SVM"
    features = "made by hand"
    reading = "which training cells a blob resembles in colour and size"
    libraries = ("skimage.color", "scipy.ndimage")

    def __init__(self, spec: CellSpec) -> None:
        self.spec = spec
        self._channel, self._threshold, self._level = CHANNELS[0], 0.5, 0.0
        self._cell: Machine | None = None
        self._kind: Machine | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        require_training(len(train.windows))
        windows = np.random.default_rng(seed).permutation(train.windows)
        self._channel = self._best_channel(train, windows[:_TILES])
        rows, labels, used = self._described(train, windows, clock)
        require_training(int((labels > -2).sum()))
        aside, answers, _ = self._described(validation, validation.windows, Clock(max(0.15 * budget_s, 0.5)))
        self._cell = fitted_machine(
            rows,
            (labels > -2).astype(np.int64),
            2,
            aside,
            (answers > -2).astype(np.int64),
            Clock(clock.left_s() * 0.6),
            seed,
        )
        if self.spec.kinds:
            own, other = labels >= 0, answers >= 0
            require_training(int(own.sum()))
            self._kind = fitted_machine(
                rows[own], labels[own], self.spec.kinds, aside[other], answers[other], Clock(clock.left_s()), seed
            )
        self._choose(validation if len(validation.windows) else train, seed)
        return f"{len(rows):,} blobs of {used} of {len(windows)} training tiles, channel {self._channel}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        from assay.networks.cell_decoding import merged_cells
        from assay.serving.predictor import window_bounds

        if not len(view.windows):
            return []
        found = [self._tile_cells(image, Tile.of(place)) for image, place in _tiles(view, view.windows)]
        return [merged_cells(found[first:end], self.spec) for first, end in window_bounds(view)]

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        images = np.rint(np.asarray(batch.image, np.float32)).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        return [
            self._tile_cells(image, Tile.of(place)) for image, place in zip(images, batch.place.tolist(), strict=True)
        ]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        require_fitted(self._cell).save(folder / "cell")
        if self._kind is not None:
            self._kind.save(folder / "kind")
        write_json(
            folder / "blobs.json", {"channel": self._channel, "threshold": self._threshold, "level": self._level}
        )

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "blobs.json"
        facts = read_json(path, channel=str, threshold=float, level=float)
        require(
            facts["channel"] in CHANNELS and bool(np.isfinite([facts["threshold"], facts["level"]]).all()),
            path,
            "a bad value",
        )
        self._channel, self._threshold, self._level = facts["channel"], facts["threshold"], facts["level"]
        self._cell = Machine.load(folder / "cell", FEATURES, 2)
        self._kind = Machine.load(folder / "kind", FEATURES, self.spec.kinds) if self.spec.kinds else None

    def _best_channel(self, view: View, windows: Array) -> str:
        """The channel in which the places of cells stand out most from all others, in deviations."""
        scores = dict.fromkeys(CHANNELS, 0.0)
        for (image, _), cells in zip(_tiles(view, windows), _known(view, windows), strict=True):
            row, column = _places(cells, image.shape[0])
            for name in CHANNELS if len(row) else ():
                maps = blob_maps(channel(image, name), self.spec.size).max(axis=0)
                scores[name] += (maps[row, column].mean() - maps.mean()) / max(float(maps.std()), 1e-6) * len(row)
        return max(scores, key=lambda name: scores[name])

    def _described(self, view: View, windows: Array, clock: Clock) -> tuple[Array, Array, int]:
        """Features (N, P) and labels (N,) of blobs: -2 for none, -1 for a cell of no known class; tiles looked at."""
        rows: list[Array] = [np.zeros((0, FEATURES), np.float32)]
        labels: list[Array] = [np.zeros(0, np.int64)]
        used = 0
        seen = zip(_tiles(view, windows), _known(view, windows), _ignored(view, windows), strict=True)
        for (image, place), cells, ignored in seen:
            tile = Tile.of(place)
            found, features = self._blobs(image, place)
            own = tile.answers_for(found[:, 1] + tile.left, found[:, 0] + tile.top)
            own &= ~covers(ignored, found[:, 1], found[:, 0])
            found, features = found[own], features[own]
            label = np.full(len(found), -2)
            pairs = matched(
                found[:, ::-1].astype(float), cells[:, :2].astype(float), max(self.spec.radius, self.spec.size)
            )
            label[pairs[:, 0]] = cells[pairs[:, 1], 2].astype(int)
            rows.append(features)
            labels.append(label)
            used += 1
            if clock.left_s(0.4) < 0 or sum(map(len, labels)) > _MOST_PLACES:
                break
        return np.concatenate(rows), np.concatenate(labels), used

    def _blobs(self, image: Array, place: Array) -> tuple[Array, Array]:
        """Rows and columns (N, 2) of the blobs of a tile, and their features (N, P)."""
        maps = blob_maps(channel(image, self._channel), self.spec.size)
        found, _ = blobs(maps, self.spec.apart)
        found = found[(found[:, 0] < place[3]) & (found[:, 1] < place[2])]
        return found, features_at(image, maps, found, self.spec.size)

    def _choose(self, view: View, seed: int) -> None:
        """The threshold that finds and counts best, see `best_threshold`; where outlined, the level of cells."""
        view = view.sample(24, seed)
        self._threshold, radius = 0.0, max(self.spec.radius, self.spec.size) if self.spec.outlined else self.spec.radius
        counts, levels = np.zeros((len(_THRESHOLDS), 3)), []
        windows = view.windows
        for (image, place), cells, depth, ignored in zip(
            _tiles(view, windows), _known(view, windows), _depths(view), _ignored(view, windows), strict=True
        ):
            found, features = self._blobs(image, place)
            asked = ~covers(ignored, found[:, 1], found[:, 0])
            found, features = found[asked], features[asked]
            sure = require_fitted(self._cell).shares(features)[:, 1]
            for at, threshold in enumerate(_THRESHOLDS):
                kept = found[sure >= threshold][:, ::-1].astype(float)
                hits = len(matched(kept, cells[:, :2].astype(float), radius))
                counts[at] += hits, len(kept) + len(cells), abs(len(kept) - len(cells))
            if depth is not None and (depth > 0).any():
                levels.append(_level(channel(image, self._channel)[~ignored], depth[~ignored] > 0))
        scores = 2 * counts[:, 0] / np.maximum(counts[:, 1], 1)
        self._threshold = best_threshold(_THRESHOLDS, scores, counts[:, 2])
        self._level = float(np.median(levels)) if levels else 0.0

    def _tile_cells(self, image: Array, tile: Tile) -> Cells:
        found, features = self._blobs(image, tile.numbers)
        sure = require_fitted(self._cell).shares(features)[:, 1].astype(np.float32)
        kept = sure >= self._threshold
        found, features, sure = found[kept], features[kept], sure[kept]
        shares = np.zeros((len(found), 0), np.float32)
        if self._kind is not None:
            shares = self._kind.shares(features).astype(np.float32)
        label = shares.argmax(axis=1) if shares.shape[1] else np.zeros(len(found), np.int64)
        x, y = found[:, 1].astype(np.float32), found[:, 0].astype(np.float32)
        outlines = self._outlines(image, found) if self.spec.outlined else (np.zeros((0, 3), np.int32),) * len(found)
        size = (tile.picture_width, tile.picture_height)
        cells = Cells(x, y, label, sure, shares, outlines, self.spec.outlined, *size).moved(tile.left, tile.top)
        return cells.only(tile.answers_for(cells.x, cells.y))

    def _outlines(self, image: Array, found: Array) -> tuple[Array, ...]:
        """What is above the level around each blob, divided by distance to the edge."""
        from scipy.ndimage import distance_transform_edt, gaussian_filter

        from assay.networks.cell_decoding import outlines_around

        inside = gaussian_filter(channel(image, self._channel), 1.0) >= self._level
        return outlines_around(found[:, ::-1], inside, distance_transform_edt(inside))


class CellFloor(Baseline):
    """Cells at the points of a grid, as many as there usually are, all of the commonest class.

    Args:
        spec: the sample spec.
    """

    name = "a regular grid of cells"
    features = "none"
    reading = "how many cells there usually are, and which class is the commonest"
    floor = True

    def __init__(self, spec: CellSpec) -> None:
        self.spec = spec

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        require_training(len(train.windows))
        return f"{1e6 * self.spec.density:.0f} cells on a million pixels, as in the training images"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        places = np.asarray(view.samples.field("place", view.windows)) if len(view.windows) else np.zeros((0, 10))
        unit = view.samples.unit[view.windows]
        sizes = {int(one): (int(place[8]), int(place[9])) for one, place in zip(unit, places, strict=True)}
        return [self._grid(*sizes[int(one)]) for one in view.units]

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        tiles = [Tile.of(place) for place in batch.place.tolist()]
        grids = [self._grid(tile.picture_width, tile.picture_height) for tile in tiles]
        return [grid.only(tile.answers_for(grid.x, grid.y)) for grid, tile in zip(grids, tiles, strict=True)]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "grid.json", {"density": self.spec.density})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        read_json(folder / "grid.json", density=float)

    def _grid(self, width: int, height: int) -> Cells:
        step = 1 / np.sqrt(self.spec.density)
        x, y = (
            axis.ravel().astype(np.float32)
            for axis in np.meshgrid(np.arange(step / 2, width, step), np.arange(step / 2, height, step))
        )
        count, size = len(x), max(1, round(self.spec.size))
        outlines: tuple[Array, ...] = (np.zeros((0, 3), np.int32),) * count
        if self.spec.outlined:
            outlines = tuple(_square(float(a), float(b), size, width, height) for a, b in zip(x, y, strict=True))
        sure = np.full(count, 0.5, np.float32)
        shares = np.full((count, self.spec.kinds), 1 / max(self.spec.kinds, 1), np.float32)
        return Cells(x, y, np.zeros(count, np.int64), sure, shares, outlines, self.spec.outlined, width, height)


def _square(x: float, y: float, size: int, width: int, height: int) -> Array:
    rows = np.arange(max(0, int(y) - size), min(height, int(y) + size + 1))
    edges = np.asarray([max(0, int(x) - size), min(width, int(x) + size + 1)])
    return np.column_stack([rows, np.broadcast_to(edges, (len(rows), 2))]).astype(np.int32)


def _tiles(view: View, windows: Array) -> Any:
    """Image (T, T, 3) uint8 and place (10,) of each window, one at a time."""
    for start in range(0, len(windows), 16):
        part = windows[start : start + 16]
        images, places = (np.asarray(view.samples.field(name, part)) for name in ("image", "place"))
        yield from zip(images.transpose(0, 2, 3, 1), places, strict=True)


def _known(view: View, windows: Array) -> Any:
    """(N, 4) the cells of each window."""
    for window in windows:
        cells = np.asarray(view.samples.field("cells", np.asarray([window])))[0]
        yield cells[cells[:, 2] > -2]


def _depths(view: View) -> Any:
    """(T, T) how deep in a cell each pixel of each window is; None where no outlines are known."""
    outlined = view.samples.spec.outlined
    for window in view.windows:
        yield np.asarray(view.samples.field("depth", np.asarray([window])))[0] if outlined else None


def _ignored(view: View, windows: Array) -> Any:
    """(T, T) bool, where in each window nobody could tell what is a cell."""
    side, known = view.samples.spec.tile, view.samples.holds("ignored")
    for window in windows:
        yield (
            np.asarray(view.samples.field("ignored", np.asarray([window])))[0]
            if known
            else np.zeros((side, side), bool)
        )


def _places(cells: Array, side: int) -> tuple[Array, Array]:
    """Rows and columns of cells (N, 4)."""
    x, y = (np.clip(np.rint(cells[:, axis]).astype(int), 0, side - 1) for axis in (0, 1))
    return y, x


def _level(values: Array, inside: Array) -> float:
    """The level of a channel's values above which they agree best with what is cell (Dice)."""
    tried = np.quantile(values, np.linspace(0.05, 0.95, 19))
    dice = [2 * (inside & (values >= level)).sum() / max(inside.sum() + (values >= level).sum(), 1) for level in tried]
    return float(tried[int(np.argmax(dice))])
