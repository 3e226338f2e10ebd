"""Copies among the images of a source: before the split from the files, afterwards from the decoded samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.progress import Progress
from assay.samples._kept_copies import kept_pairs
from assay.samples.lookalikes import Lookalikes, find_copies
from assay.samples.thumbnails import thumbnails_of_records, thumbnails_of_samples
from assay.sources.records import Records

if TYPE_CHECKING:
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: More images than this are split by exact content alone: the work grows with the square of their number.
MOST_IMAGES = 25_000
#: The split takes more pairs for copies than the finding does: to keep two on one side costs little, and what the
#: finding calls a copy, from smaller pictures, must not lie across the sides.
_CAUTION = 1.5
_VERSION = "1"


def copied_image_rows(records: Records, progress: Progress) -> Array | None:
    """(P, 2) int64: rows of images that are copies of one another, changed a little; None where there are too many.

    What was found is kept in the cache folder, under the data's fingerprint.

    Args:
        records: rows whose `location` tells `load` where an image lies.
        progress: is told how many images were looked at.
    """
    rows = records.index().num_rows
    if rows > MOST_IMAGES:
        return None

    def find() -> Array:
        progress.stage("Looking for near-duplicates", rows)
        return find_copies(thumbnails_of_records(records, progress), tolerance=_CAUTION).pairs

    return kept_pairs(records, _VERSION, find)


def image_lookalikes(samples: Samples, asked: Array, budget_s: float, field: str = "image") -> Lookalikes:
    """Copies of units whose images are a field (N, C, H, W) of the samples, a window a unit: see `Task.lookalikes`."""
    return find_copies(thumbnails_of_samples(samples, field), asked, budget_s)
