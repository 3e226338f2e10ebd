"""Units of scans as the windows that the cache holds, decoded on all cores.

Shapes: N units, W windows, C channels (or D slices), H rows, W columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.pixel_values import DEEPER
from assay.samples.scan_spec import ScanSpec
from assay.samples.scan_windows import load_scan, windows_of
from assay.sources._parallel import ordered_map
from assay.task import Encoded

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import ProblemLog, Records

Array = np.ndarray[Any, Any]


def encoded_scans(
    batch: pa.RecordBatch, records: Records, spec: ScanSpec, log: ProblemLog, targets: tuple[Array, Array] | None
) -> Encoded:
    """See `Task.encode`: a unit that cannot be decoded is skipped.

    Fields: `image` (W, C, H, W) or (W, D, H, W); where there are targets `target` (W,), that of each window's unit.

    Args:
        batch: N units.
        records: all of them.
        spec: size, grid and scale.
        log: takes the units that cannot be decoded.
        targets: (N,) the cached targets, and (N,) whether each is known; None where there are none.
    """
    deeper: set[int] = set()
    locations = batch.column("location").to_pylist()

    def windows(row: int) -> list[Array]:
        scan = load_scan(records, locations[row])
        if scan is not None and not all(spec.image.pixels.knows(picture.dtype) for picture in scan.pictures):
            deeper.add(row)
        return [] if scan is None else windows_of(scan, spec)

    names = batch.column("id").to_pylist()
    found = list(ordered_map(windows, range(len(names)), chunk=4))
    for row_of, of_unit in enumerate(found):
        if not of_unit:
            log.add("undecodable-scan", "skipped", names[row_of])
        elif row_of in deeper:
            log.add(DEEPER, "kept", names[row_of])
    usable = np.ones(len(names), bool) if targets is None else targets[1]
    row = np.asarray([place for place, of_unit in enumerate(found) for _ in of_unit if usable[place]], np.int64)
    kept = [window for place, of_unit in enumerate(found) for window in of_unit if usable[place]]
    shape = (spec.depth or spec.image.channels, spec.image.height, spec.image.width)
    fields: dict[str, Any] = {} if targets is None else {"target": targets[0][row]}
    fields["image"] = np.stack(kept) if kept else np.zeros((0, *shape), np.uint8)
    return Encoded(fields, row)
