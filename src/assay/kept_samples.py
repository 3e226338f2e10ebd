"""The samples of a complete run, found again where its data is now: all of them, or those that are left.

A sample is the same where its content is (`digest` in `samples.parquet`), whatever its file or row is called by now;
where no content was written down, where its id is. It stands on the side that it had in the training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import RunError
from assay.progress import Progress
from assay.run import RunFolder, reading
from assay.samples.split import SIDES, TEST, TRAIN
from assay.sources.privacy import found_source
from assay.sources.records import Records, those
from assay.sources.source import ADDRESSES, DataOptions, open_source

if TYPE_CHECKING:
    from assay.arrow import pa
    from assay.samples.samples import Samples
    from assay.task import Spec, Task

_WHERE = "Name the place where the run's data is now: --source."


@dataclass(frozen=True)
class Kept:
    """What was found again.

    Attributes:
        samples: in the form that the network learned from.
        test: how many test samples the run had.
        there: how many of them are in the data.
    """

    samples: Samples
    test: int
    there: int


@dataclass(frozen=True)
class _Known:
    """The samples of a run: the content (None where unknown) and the side of each id, and the side of each content."""

    by_id: Mapping[str, tuple[str | None, int]]
    by_digest: Mapping[str, int]

    @property
    def test(self) -> int:
        """How many test samples there were."""
        return sum(side == TEST for _, side in self.by_id.values())

    def is_same(self, name: str, digest: str | None) -> bool:
        """Whether a sample of this id and content is the run's of this id."""
        return name in self.by_id and (digest is None or self.by_id[name][0] in (digest, None))

    def sides(self, index: pa.Table) -> np.ndarray[Any, Any]:
        """(N,) the side of each row of an index, -1 where it is none of the run's samples."""
        rows = zip(index.column("id").to_pylist(), short_digests(index), strict=True)
        found = [self.by_id[name][1] if self.is_same(name, digest) else self.by_digest.get(digest or "", -1)
                 for name, digest in rows]  # fmt: skip
        return np.asarray(found, np.int8)


def short_digests(index: pa.Table) -> list[str | None]:
    """What `samples.parquet` says of the content of each row of an index: 16 hexadecimal digits, None where unknown."""
    if "digest" not in index.column_names:
        return [None] * index.num_rows
    return [None if text is None else hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
            for text in index.column("digest").to_pylist()]  # fmt: skip


def kept_samples(run: RunFolder, task: Task, spec: Spec, source: str | None, progress: Progress) -> Kept:
    """The samples of a complete run, of which some may be gone, and others may have come to its data.

    Args:
        run: the run.
        task: its application.
        spec: what a sample is.
        source: where its data is now; None for where it was.
        progress: is told how far it is.

    Raises:
        RunError: the data is gone, or holds none of the run's test samples.
        DataError: it cannot be read.
    """
    from assay.flow import read
    from assay.samples.samples import build_samples

    plan = run.read(run.plan, "source", "data", "task", "fingerprint")
    with reading(run.plan):
        options = replace(DataOptions(**plan["data"]), task=plan["task"])
    place = source or _place(run, plan["source"])
    progress.stage("Reading the data")
    records, known = read(task, open_source(place), options), _known(run)
    side = known.sides(records.index())
    test = known.test
    if test and not (side == TEST).any():
        raise RunError(f"none of the {test:,} test samples of this run is in {place}", _WHERE)
    if records.fingerprint == plan["fingerprint"]:
        # All of them are there; what is none of the run's could not be decoded, and is left out again.
        side = np.where(side < 0, TRAIN, side).astype(np.int8)
        there = test
    else:
        records, side = _only(records, side)
        there = min(test, int((side == TEST).sum()))
    progress.stage("Decoding the samples", len(side))
    return Kept(build_samples(task, records, spec, side, progress=progress), test, there)


def unchanged_ids(run: RunFolder, records: Records) -> set[str]:
    """The ids under which records hold what a run learned from, or was judged by, under the same ids."""
    known, index = _known(run), records.index()
    rows = zip(index.column("id").to_pylist(), short_digests(index), strict=True)
    return {name for name, digest in rows if known.is_same(name, digest)}


def _place(run: RunFolder, named: str | None) -> str:
    """Where the data of a run was; raises `RunError` where nothing is there."""
    if named is None:
        hint = "Save the data to a file, such as images and labels with numpy.savez, and name that: --source."
        raise RunError(f"{run.path} was made from data in memory, which is gone", hint)
    place = found_source(named)
    here = not place.startswith(ADDRESSES) and "://" not in place and not place.startswith("demo:")
    if here and not Path(place).exists():
        raise RunError(f"the data of this run is not in {place} any more", _WHERE)
    return place


def _known(run: RunFolder) -> _Known:
    from assay.arrow import pq

    with reading(run.samples):
        table = pq.read_table(run.samples)
        sides = [SIDES.index(name) for name in table.column("split").to_pylist()]
        digests = table.column("digest").to_pylist() if "digest" in table.column_names else [None] * len(sides)
        names = table.column("id").to_pylist()
    by_digest = {digest: side for digest, side in zip(digests, sides, strict=True) if digest is not None}
    return _Known(dict(zip(names, zip(digests, sides, strict=True), strict=True)), by_digest)


def _only(records: Records, side: np.ndarray[Any, Any]) -> tuple[Records, np.ndarray[Any, Any]]:
    """The rows that have a side, under a fingerprint of their own, since decoded samples are kept by it."""
    ids = records.index().column("id").to_pylist()
    wanted = {name for name, one in zip(ids, side, strict=True) if one >= 0}
    text = "\x1f".join((records.fingerprint, *sorted(wanted)))
    own = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    # Blocks are told by the rows' places, which are others now: read in any order.
    found = replace(those(records, wanted.__contains__), fingerprint=own, storage=None)
    return found, side[side >= 0]
