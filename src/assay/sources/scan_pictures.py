"""Scans as ordinary pictures: npz in the layout of MedMNIST, a folder a class, arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence

from assay.sources._scan_records import Piece, scan_records
from assay.sources.decode import decode_values
from assay.sources.images import read_images, read_unlabelled_images, recognise_images
from assay.sources.records import Records
from assay.sources.scan import Scan
from assay.sources.source import DataOptions, Recognition, Source


def recognise(source: Source) -> Recognition | None:
    """Pictures with labels are more likely photographs: `--task scan-diagnosis` says that they are scans."""
    found = recognise_images(source)
    return None if found is None else Recognition(0.4 * found.score, f"{found.why}, which may be scans")


def read(source: Source, options: DataOptions) -> Records:
    """The pictures of a source; those of one patient and class, where a column says so, are one unit."""
    return _records(source, read_images(source, options), merged=options.group is not None)


def read_inputs(source: Source, window: str = "") -> Records:
    """The pictures without their labels, each a unit."""
    return _records(source, read_unlabelled_images(source), merged=False)


def _records(source: Source, records: Records, merged: bool) -> Records:
    index, load = records.index(), records.loader
    named = {name: index.column(name).to_pylist() for name in index.column_names}
    nothing: list[None] = [None] * index.num_rows
    patients = named.get("group", nothing) if merged else nothing
    pieces = [
        Piece(name, patient, patient if patient is not None else name, target, side, digest)
        for name, patient, target, side, digest in zip(
            named["id"], patients, named.get("target", nothing), named.get("split", nothing), named["digest"],
            strict=True,
        )
    ]  # fmt: skip
    where = dict(zip(named["id"], named["location"], strict=True))

    def open_unit(names: Sequence[str]) -> Scan:
        return Scan(tuple(decode_values(load(where[name])) for name in names))

    return scan_records(source, pieces, open_unit, records.problems, dict(records.facts))
