"""Recordings that are to be answered as clips of a command: no long ones, of which a clip's answer would say little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from assay.arrow import pa, pc
from assay.errors import DataError
from assay.sources.recordings import read_recordings_inputs
from assay.sources.records import ProblemLog, Records
from assay.sources.source import Source

_HINT = "Hear the commands in it, however long it is: assay listen RUN --wav FILE."


def read_clip_inputs(source: Source, longest_s: float) -> Records:
    """The recordings of a file, a folder or an archive, for prediction; longer ones are skipped and noted.

    Args:
        source: where they are.
        longest_s: seconds that a clip may have. A recording whose header does not say how long it is, is kept.

    Raises:
        DataError: no recordings, none that can be used, or none that is so short.
    """
    records = read_recordings_inputs(source)
    log = ProblemLog()
    log.extend(records.problems)
    short = longest = 0.0
    for batch in records.batches():
        seconds = pc.fill_null(batch.column("seconds"), float("nan")).to_pylist()
        for name, value in zip(batch.column("id").to_pylist(), seconds, strict=True):
            if value > longest_s:
                log.add("long-recording", "skipped", name)
                longest = max(longest, value)
            else:
                short += 1
    if not short:
        told = f"{longest / 60:.0f} minutes are no clip of a command, which takes up to {longest_s:g} s."
        raise DataError(told, _HINT, file=source.label)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in records.batches():
            yield batch.filter(pc.invert(pc.fill_null(pc.greater(batch.column("seconds"), longest_s), False)))

    return replace(records, batches=batches, problems=log.problems()) if longest else records
