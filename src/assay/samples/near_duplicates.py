"""Copies that a task finds among its records, as the split takes them and `assay inspect` tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa, pc
from assay.progress import Progress
from assay.samples.lookalikes import groups_of
from assay.sources.records import ProblemLog, Records

if TYPE_CHECKING:
    from assay.task import Task

Array = np.ndarray[Any, Any]
#: A group of copies with more than this share of all rows is a film or a series, which no split by sample can divide.
_MOST = 0.2
_FEW_ROWS = 20


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs (P, 2) of rows that are copies though their digests differ, and how many groups they make."""

    pairs: Array
    groups: int


def find_near_duplicates(
    task: Task, records: Records, index: pa.Table, log: ProblemLog, progress: Progress
) -> NearDuplicates | None:
    """Ask a task for copies among its records; None where it cannot tell, or where nearly all look alike.

    Args:
        task: the application.
        records: the samples.
        index: `records.index()`.
        log: takes a note of the rows that are copies.
        progress: is told how far it is.
    """
    pairs = task.copied_rows(records, progress)
    if pairs is None:
        return None
    pairs = pairs[_different(index, pairs)]
    if not len(pairs):
        return NearDuplicates(pairs, 0)
    groups, sizes = np.unique(groups_of(pairs, index.num_rows), return_inverse=True, return_counts=True)[1:]
    copies = np.flatnonzero(sizes[groups] > 1)
    many = index.num_rows > _FEW_ROWS and sizes.max() > _MOST * index.num_rows
    kind = "near-duplicates-throughout" if many else "near-duplicate"
    ids = index.column("id")
    for row in copies[:5]:
        log.add(kind, "kept", ids[int(row)].as_py())
    if len(copies) > 5:
        log.add(kind, "kept", ids[int(copies[5])].as_py(), count=len(copies) - 5)
    return None if many else NearDuplicates(pairs, int((sizes > 1).sum()))


def _different(index: pa.Table, pairs: Array) -> Array:
    """(P,) whether the content of two rows differs at all."""
    if "digest" not in index.column_names:
        return np.ones(len(pairs), bool)
    digest = index.column("digest")
    first, second = (digest.take(pa.array(column)) for column in pairs.T)
    return np.asarray(pc.fill_null(pc.not_equal(first, second), True).to_numpy())
