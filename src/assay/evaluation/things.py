"""Labelled boxes, cells and areas of masks as things that can be covered: where each lies, and whether it is found.

Shapes: B inputs, H and W of one, n things of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.box_matching import overlaps
from assay.evaluation.box_metrics import found_boxes
from assay.evaluation.cell_matching import matched
from assay.samples.box_frames import into_frame
from assay.samples.cell_tiles import Tile
from assay.sources.label_mask import VOID
from assay.task_parts import Things

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.box_spec import BoxSpec
    from assay.samples.cell_spec import CellSpec
    from assay.samples.mask_spec import MaskSpec

Array = np.ndarray[Any, Any]
#: A box is found where one of its class overlaps it by so much; an area where more than so much is answered right.
_FOUND = 0.5
#: Areas of fewer pixels are slips of the pen.
_PIXELS = 12
#: Radii of a usual cell that its pixels lie from a point at most, where outlines are known and where they are not.
_OUTLINED, _ROUND = 4.0, 1.3


class BoxThings(Things):
    """Labelled objects but for hard ones, in the field; of two that overlap the smaller one lies above."""

    def __init__(self, spec: BoxSpec) -> None:
        self.spec = spec

    def places(self, batch: Any) -> Array:
        """See `Things.places`."""
        found = np.zeros((len(batch.image), self.spec.height, self.spec.width), np.int32)
        for canvas, objects in zip(found, self._objects(batch), strict=True):
            sides = np.rint(objects[:, :4]).astype(int)
            area = (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])
            for number in np.argsort(-area, kind="stable"):
                x0, y0, x1, y1 = sides[number].clip(0)
                canvas[y0:y1, x0:x1] = number + 1
        return found

    def names(self, batch: Any) -> list[list[str]]:
        """See `Things.names`."""
        return [[self.spec.classes[int(one[4])] for one in objects] for objects in self._objects(batch)]

    def found(self, batch: Any, outputs: Values) -> list[Array]:
        """See `Things.found`."""
        hits = []
        for objects, output, frame in zip(self._objects(batch), outputs, batch.frame.numpy(), strict=True):
            told = into_frame(found_boxes(output), frame, self.spec)
            same = objects[:, 4, None] == told[None, :, 5]
            hits.append(((overlaps(objects, told) >= _FOUND) & same).any(axis=1))
        return hits

    def sizes(self, batch: Any) -> list[str]:
        """See `Things.sizes`."""
        return [f"{high} x {wide}" for high, wide in batch.frame.tolist()]

    def _objects(self, batch: Any) -> list[Array]:
        """B arrays (n, 6)."""
        both = zip(batch.objects.numpy(), batch.objects_mask.numpy(), strict=True)
        kept = [objects[real] for objects, real in both]
        return [objects[objects[:, 5] == 0] for objects in kept]


class MaskThings(Things):
    """Connected areas of the classes but the background."""

    def __init__(self, spec: MaskSpec) -> None:
        self.spec = spec

    def places(self, batch: Any) -> Array:
        """See `Things.places`."""
        return np.stack([self._numbered(target)[0] for target in batch.target.numpy()])

    def names(self, batch: Any) -> list[list[str]]:
        """See `Things.names`."""
        return [[self.spec.classes[label] for label in self._numbered(target)[1]] for target in batch.target.numpy()]

    def found(self, batch: Any, outputs: Values) -> list[Array]:
        """See `Things.found`."""
        hits = []
        for target, output in zip(batch.target.numpy(), outputs, strict=True):
            numbers, labels = self._numbered(target)
            right = np.asarray(output.shares).argmax(axis=0) == target
            area = np.bincount(numbers.ravel(), minlength=len(labels) + 1)[1:]
            hits.append(np.bincount(numbers[right], minlength=len(labels) + 1)[1:] > _FOUND * area)
        return hits

    def sizes(self, batch: Any) -> list[str]:
        """See `Things.sizes`."""
        return [f"{place[0]} x {place[1]}" for place in batch.place.tolist()]

    def _numbered(self, target: Array) -> tuple[Array, list[int]]:
        """(H, W) int32 the number of the thing at each pixel, and the class of each thing."""
        from scipy.ndimage import label

        numbers, labels = np.zeros(target.shape, np.int32), list[int]()
        for kind in np.unique(target):
            if kind in (self.spec.background, VOID):
                continue
            pieces, count = label(target == kind)
            large = 1 + np.flatnonzero(np.bincount(pieces.ravel(), minlength=count + 1)[1:] >= _PIXELS)
            order = np.zeros(count + 1, np.int32)
            order[large] = len(labels) + 1 + np.arange(len(large))
            numbers = np.where(order[pieces] > 0, order[pieces], numbers)
            labels += [int(kind)] * len(large)
        return numbers, labels


class CellThings(Things):
    """Marked cells: what is outlined around each, or a disk where no outlines are known."""

    def __init__(self, spec: CellSpec) -> None:
        self.spec = spec

    def places(self, batch: Any) -> Array:
        """See `Things.places`."""
        from scipy.spatial import cKDTree

        side, size = batch.image.shape[-1], self.spec.size
        found = np.zeros((len(batch.image), side, side), np.int32)
        for row, cells in enumerate(self._cells(batch)):
            if not len(cells):
                continue
            inside = np.ones((side, side), bool) if batch.depth is None else batch.depth[row].numpy() > 0
            pixels = np.argwhere(inside)
            reach = size * (_ROUND if batch.depth is None else _OUTLINED)
            apart, nearest = cKDTree(cells[:, 1::-1]).query(pixels, distance_upper_bound=reach)
            near = pixels[np.isfinite(apart)]
            found[row, near[:, 0], near[:, 1]] = nearest[np.isfinite(apart)] + 1
        return found

    def names(self, batch: Any) -> list[list[str]]:
        """See `Things.names`."""
        classes = self.spec.classes
        return [[classes[int(one[2])] if 0 <= one[2] < len(classes) else "a cell" for one in cells]
                for cells in self._cells(batch)]  # fmt: skip

    def found(self, batch: Any, outputs: Values) -> list[Array]:
        """See `Things.found`."""
        radius = max(self.spec.radius, self.spec.size) if self.spec.outlined else self.spec.radius
        hits = []
        for cells, told, numbers in zip(self._cells(batch), outputs, batch.place.tolist(), strict=True):
            tile = Tile.of(numbers)
            pairs = matched(told.places - (tile.left, tile.top), cells[:, :2], radius)
            label = cells[pairs[:, 1], 2]
            right = (label < 0) | (told.label[pairs[:, 0]] == label) if self.spec.kinds else np.ones(len(pairs), bool)
            hit = np.zeros(len(cells), bool)
            hit[pairs[right, 1]] = True
            hits.append(hit)
        return hits

    def sizes(self, batch: Any) -> list[str]:
        """See `Things.sizes`."""
        tiles = [Tile.of(numbers) for numbers in batch.place.tolist()]
        return [f"{tile.picture_height} x {tile.picture_width}" for tile in tiles]

    def _cells(self, batch: Any) -> list[Array]:
        """B arrays (n, 4) x, y, class, radius."""
        return [cells[cells[:, 2] > -2].astype(np.float64) for cells in batch.cells.numpy()]
