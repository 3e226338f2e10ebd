"""From the pieces that a reader found (pictures, series, volumes) to `Records` of units, without anybody's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._digest import fingerprint_of
from assay.sources._listing import target_facts
from assay.sources.privacy import privacy_key, pseudonym, remember_files
from assay.sources.records import Place, Problem, ProblemLog, Records, records_from_table
from assay.sources.scan import Scan
from assay.sources.source import Source

_NAMED = 5


@dataclass(frozen=True)
class Piece:
    """A picture, a series or a volume, by the names that its source has for it; these stay in memory.

    Attributes:
        name: the file, member, row or series.
        patient: whose it is; None where that is not known.
        exam: what is answered together with it; pieces of one exam and of different targets fall apart.
        target: its label; None where there is none.
        side: of a split that comes with the data.
        digest: a hash of its pixels; "" where these tell nothing, as where all are alike.
        files: the files that it lies in; its name where empty.
        digests: of its parts, such as slices: what two patients have in common shows that they are one.
    """

    name: str
    patient: str | None
    exam: str
    target: str | None
    side: str | None
    digest: str
    files: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass
class _Unit:
    pieces: list[Piece]
    patient: str | None


def scan_records(
    source: Source,
    pieces: Sequence[Piece],
    open_unit: Callable[[Sequence[str]], Scan],
    problems: Sequence[Problem],
    facts: Mapping[str, Any],
) -> Records:
    """Records of units; `load(id)` gives a `Scan`.

    Ids and groups are keyed hashes, places of problems, too (see `assay.sources.privacy`).

    Args:
        source: where they come from.
        pieces: all that can be used.
        open_unit: gives the pixels of pieces by their names.
        problems: what was found on the way, by the source's own names.
        facts: for `assay inspect`.

    Raises:
        DataError: there is no piece.
    """
    if not pieces:
        raise DataError("there is no scan that can be used.", "assay inspect lists why.", file=source.label)
    key, log = privacy_key(), ProblemLog()
    log.extend(_nameless(problems, key))
    hidden = {scan_id(key, place.file): [place.file] for one in problems for place in one.examples}
    units = _units(pieces, key, log)
    owner = _owners(units, key, log)
    names = {unit: [piece.name for piece in found.pieces] for unit, found in units.items()}
    columns: dict[str, list[Any]] = {"id": list(units), "location": list(units)}
    for column, values in (
        ("target", [found.pieces[0].target for found in units.values()]),
        ("group", [owner.get(unit) for unit in units]),
        ("split", [found.pieces[0].side for found in units.values()]),
    ):
        if any(value is not None for value in values):
            columns[column] = values
    columns["digest"] = [_digest(found, unit, key) for unit, found in units.items()]
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    if source.path is not None:
        meant = {unit: [file for piece in found.pieces for file in (piece.files or (piece.name,))]
                 for unit, found in units.items()}  # fmt: skip
        remember_files(source.path, {**hidden, **meant})
    target = dict(facts.get("target") or {"name": "", "kind": "class" if "target" in columns else "none"})
    about = {**facts, "samples": len(units), **target_facts(table, target), "scans": len(pieces)}
    if "group" in columns:
        about["patients"] = len(set(owner.values()))
    return records_from_table(
        table,
        fingerprint_of(table.to_batches()),
        problems=log.problems(),
        load=lambda unit: open_unit(names[unit]),
        facts=about,
    )


def scan_id(key: bytes, *names: str) -> str:
    """What a scan is called in a run."""
    return pseudonym(key, "scan", *names)


def _nameless(problems: Sequence[Problem], key: bytes) -> list[Problem]:
    """Problems whose places are hashes: the names of files are often those of patients."""
    found = []
    for one in problems:
        places = tuple(Place(scan_id(key, place.file), place.row) for place in one.examples)
        found.append(Problem(one.kind, one.count, one.action, places))
    return found


def _units(pieces: Sequence[Piece], key: bytes, log: ProblemLog) -> dict[str, _Unit]:
    """Pieces of an exam together, in their order; where an exam has several targets, each of these by itself."""
    exams: dict[tuple[str, str], list[Piece]] = {}
    for piece in pieces:
        exams.setdefault((piece.patient or "", piece.exam), []).append(piece)
    units: dict[str, _Unit] = {}
    for (patient, exam), found in exams.items():
        parts: dict[tuple[str | None, str | None], list[Piece]] = {}
        for piece in found:
            parts.setdefault((piece.target, piece.side), []).append(piece)
        for number, part in enumerate(parts.values()):
            names = (patient, exam) if not number else (patient, exam, str(number))
            units[scan_id(key, *names)] = _Unit(part, found[0].patient)
        if len({piece.target for piece in found}) > 1:
            log.add("patient-with-several-labels", "kept", scan_id(key, patient, exam))
    return units


def _owners(units: Mapping[str, _Unit], key: bytes, log: ProblemLog) -> dict[str, str]:
    """The group of each unit whose patient is known; patients who have pixels in common are one."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    owner = {unit: pseudonym(key, "patient", found.patient)
             for unit, found in units.items() if found.patient is not None}  # fmt: skip
    first: dict[str, str] = {}
    for unit, group in owner.items():
        for piece in units[unit].pieces:
            for digest in piece.digests or (piece.digest,):
                if digest and (one := root(first.setdefault(digest, group))) != root(group):
                    log.add("one-patient-under-two-ids", "kept", unit)
                    low, high = sorted((one, root(group)))
                    parent[high] = low
    return {unit: root(group) for unit, group in owner.items()}


def _digest(unit: _Unit, name: str, key: bytes) -> str:
    """A keyed hash of the pixels of a unit."""
    known = sorted(piece.digest for piece in unit.pieces if piece.digest)
    return pseudonym(key, "pixels", *(known or (name,)))
