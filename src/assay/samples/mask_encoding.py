"""Pictures with masks as the cache holds them: decoded, shrunk and cut into windows.

Shapes: W windows, S the side of a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError
from assay.samples.mask_spec import MaskSpec
from assay.samples.mask_windows import cut
from assay.samples.pixel_values import DEEPER
from assay.sources._parallel import ordered_map
from assay.sources.label_mask import LabelMask
from assay.task import Encoded

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import ProblemLog, Records

Array = np.ndarray[Any, Any]


def encoded_masks(batch: pa.RecordBatch, records: Records, spec: MaskSpec, log: ProblemLog) -> Encoded:
    """See `Task.encode`: a picture that cannot be decoded is skipped.

    Fields: `image` (W, 3, S, S) uint8; `place` (W, 6) int32, see `WindowShares`; where there are masks `target`
    (W, S, S) uint8.
    """
    names, locations = (batch.column(name).to_pylist() for name in ("id", "location"))
    labelled = "target" in batch.schema.names
    masks = [LabelMask.from_text(text) for text in batch.column("target").to_pylist()] if labelled else []
    load = records.loader

    deeper: set[int] = set()

    def windows(row: int) -> tuple[list[Array], list[Array], list[Array]] | None:
        from assay.sources.decode import decode_values

        try:
            image = decode_values(load(locations[row]))
        except AssayError:
            return None
        if not spec.pixels.knows(image.dtype):
            deeper.add(row)
        return cut(image, masks[row] if labelled else None, spec)

    cuts = list(ordered_map(windows, range(len(names)), chunk=4))
    rows = []
    for row, found in enumerate(cuts):
        if found is None:
            log.add("undecodable-image", "skipped", names[row])
            continue
        rows += [row] * len(found[0])
        if row in deeper:
            log.add(DEEPER, "kept", names[row])
        if spec.scale < 1:
            log.add("shrunk-picture", "kept", names[row])
        if len(found[0]) > 1:
            log.add("cut-into-windows", "kept", names[row])
    return Encoded(_fields([found for found in cuts if found is not None], labelled, spec), np.asarray(rows, np.int64))


def _fields(cuts: list[tuple[list[Array], list[Array], list[Array]]], labelled: bool, spec: MaskSpec) -> dict[str, Any]:
    """The windows, masks and places of all pictures, a field each."""
    images, masks, places = ([window for found in cuts for window in found[part]] for part in range(3))
    fields: dict[str, Any] = {"image": _stacked(images, (3, spec.side, spec.side), np.uint8)}
    if labelled:
        fields["target"] = _stacked(masks, (spec.side, spec.side), np.uint8)
    return {**fields, "place": _stacked(places, (6,), np.int32)}


def _stacked(values: list[Array], shape: tuple[int, ...], kind: type[np.generic]) -> Array:
    return np.stack(values) if values else np.zeros((0, *shape), kind)
