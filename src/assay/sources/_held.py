"""Batches that are made once and kept while they are few, and made again beyond that."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from assay.arrow import pa
from assay.sources.records import ProblemLog


def hold(
    make: Callable[[ProblemLog | None], Iterator[pa.RecordBatch]],
    log: ProblemLog,
    held_bytes: int,
    see: Callable[[pa.RecordBatch], None],
) -> Callable[[], Iterator[pa.RecordBatch]]:
    """Make all batches once, and give what iterates over them again.

    Args:
        make: gives the batches from the start; it notes problems where it is given a log.
        log: takes the problems of this first pass.
        held_bytes: batches that take no more than this together are kept in memory.
        see: is shown every batch of the first pass.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in make(log):
        see(batch)
        size += batch.nbytes
        if size <= held_bytes:
            held.append(batch)
        else:
            held.clear()
    return (lambda: iter(held)) if size <= held_bytes else (lambda: make(None))
