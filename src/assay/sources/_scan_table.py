"""A table of paths, labels and patients beside scans; a path may be a folder with the slices of a series."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from assay.arrow import pa
from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._image_header import is_image_name
from assay.sources._path_tables import is_one_file, path_column, resolver, whole_table
from assay.sources._rows import open_file, table_names
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name
from assay.sources._table_target import choose_name
from assay.sources._values import as_category
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store, open_store

if TYPE_CHECKING:
    from assay.sources.scan_files import Labelled

_LOOK_AT = 200
_LABELS = ("label", "diagnosis", "class", "target", "finding")
#: What columns are called that say what is answered together, and whose scan a row is.
_EXAMS = ("exam", "exam_id", "study", "study_id", "visit", "session", "accession")
_PATIENTS = ("patient", "patient_id", "patientid", "subject", "subject_id", "subjectid", "case", "case_id")


def recognise_scan_table(source: Source) -> Recognition | None:
    """A table of pictures with a column of patients is one of scans; None for any other."""
    tables = table_names(source.store.names)
    if len(tables) != 1:
        return None
    try:
        rows = open_file(source.store, tables[0])
        store = _files(source)
        head = next((batch.slice(0, _LOOK_AT) for batch, _ in rows.batches(None) if batch.num_rows), None)
        patient = patient_column(rows.names)
        if head is None or patient is None or _paths(head, store, tables[0]) is None:
            return None
    except AssayError:
        return None
    score = (
        0.96 if patient.strip().lower().startswith("patient") else 0.5
    )  # subjects and cases are of other fields, too
    return Recognition(score, f"a table, {tables[0]}, of scans, whose patients stand in column {patient!r}")


def patient_column(names: Any) -> str | None:
    """The first of some columns whose name says that it tells patients apart."""
    return _named(names, _PATIENTS)


def _named(names: Any, known: tuple[str, ...]) -> str | None:
    return next((name for name in names if name.strip().lower().replace(" ", "_") in known), None)


def read_scan_table(
    source: Source, table: str, options: DataOptions | None, log: ProblemLog
) -> tuple[Store, list[Labelled]]:
    """The files that a table names, with their labels and patients.

    Args:
        source: the table by itself, or what holds it.
        table: its name.
        options: the columns that the user names; None where labels are not wanted.
        log: takes what is missing.

    Raises:
        DataError: no column of paths or labels, or no file exists.
        SettingError: an option names a column that does not exist.
    """
    from assay.sources.scan_files import Labelled

    rows = open_file(source.store, table)
    batch, numbers = whole_table(rows, log)
    store = _files(source)
    paths = _paths(batch.slice(0, _LOOK_AT), store, table)
    if paths is None:
        raise DataError(
            f"no column of paths among {', '.join(rows.names)}.",
            "Name a column path, or file, that names each scan's file.",
            file=rows.file,
        )
    whose = (options.group if options else None) or patient_column(rows.names)
    if whose is not None and whose not in rows.names:
        raise SettingError(f"the table has no column {whose!r}.", did_you_mean(whose, rows.names))
    side = split_column_name(options, rows.names) if options else None
    if side is not None and options and (asks_for_shares(options) or not are_sides(batch[side])):
        side = None
    exam = _named(rows.names, _EXAMS)
    label = _label(batch, (paths, whose, exam, side), options, rows.file) if options else None
    text = {name: as_category(batch[name]).to_pylist() for name in (paths, whose, exam, label) if name is not None}
    sides = as_sides(batch[side], rows.file).to_pylist() if side else [None] * batch.num_rows
    find = _finder(store, table)
    files: list[Labelled] = []
    for row, path in enumerate(text[paths]):
        target = text[label][row] if label else None
        names = find(path) if path else []
        if not names or (label and target is None):
            log.add("missing-file" if not names else "missing-target", "skipped", rows.file, int(numbers[row]))
            continue
        patient = text[whose][row] if whose else None
        visit = text[exam][row] if exam else None
        files += [Labelled(name, target, patient, sides[row], visit) for name in names]
    if not files:
        raise DataError("none of the files in the table exists.", "Give the folder that holds them.", file=rows.file)
    return store, list({file.name: file for file in files}.values())


def _files(source: Source) -> Store:
    """The files beside a table; those of its folder, where it was given by itself."""
    if source.path is not None and is_one_file(source):
        return open_store(source.path.resolve().parent)
    return source.store


def _paths(head: pa.RecordBatch, store: Store, table: str) -> str | None:
    find = _finder(store, table)
    return path_column(head, lambda value: next(iter(find(value)), None), is_image_name, lambda name: False)


def _finder(store: Store, table: str) -> Any:
    """What gives the files that a path means: one, or all below a folder."""
    one = resolver(store.names, table, lambda name: True)
    folder = table.rpartition("/")[0]
    below: dict[str, list[str]] = {}
    for name in store.names:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            below.setdefault("/".join(parts[:depth]), []).append(name)

    def find(value: str) -> list[str]:
        found = one(value)
        if found is not None:
            return [found]
        tidy = os.path.normpath(value.strip()).replace("\\", "/")
        return below.get(f"{folder}/{tidy}" if folder else tidy) or below.get(tidy) or []

    return find


def _label(batch: pa.RecordBatch, others: tuple[str | None, ...], options: DataOptions, file: str) -> str:
    names = [name for name in batch.schema.names if name not in others]
    chosen = choose_name(batch.schema.names if options.target else names, options.target, file)
    if chosen is not None:
        return str(chosen)
    named = [name for name in names if name.strip().lower() in _LABELS]
    if len(named) == 1 or len(names) == 1:
        return str((named or names)[0])
    told = ", ".join(map(repr, batch.schema.names))
    raise DataError(
        f"the column of diagnoses is not clear; the columns are {told}.", "Name it with --target.", file=file
    )
