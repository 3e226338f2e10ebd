"""Tables with a class or a number to predict: CSV, TSV and the like, Parquet, data frames, lists of rows, arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._columns import Column, holds_media, keep_all, profile
from assay.sources._digest import Fingerprint, row_digests
from assay.sources._frames import is_frame, is_pair
from assay.sources._held import hold
from assay.sources._image_header import is_image_name
from assay.sources._rows import Rows, open_rows, table_names
from assay.sources._splits import as_sides, side_column
from assay.sources._table_target import Target, choose_target
from assay.sources._values import as_category, as_class, as_date, as_number
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

#: Before the name of every feature column.
FEATURE = "x:"

#: Converted rows are kept in memory up to this size, and read again from the file beyond it.
HELD_BYTES = 256 * 1024 * 1024

_DROPPED = {
    "id": "id-column",
    "text": "text-column",
    "constant": "constant-column",
    "missing": "empty-column",
    "nested": "nested-column",
    "ambiguous": "ambiguous-number",
}


def recognise_table(source: Source) -> Recognition | None:
    """How well the source looks like one table; a table of image paths looks less like it. None where it does not."""
    if source.path is None:
        return Recognition(0.9, "a table in memory") if is_frame(source.value) else None
    names = source.store.names
    tables = table_names(names)
    images = sum(map(is_image_name, names))
    if len(tables) != 1 or images > 2:
        return None
    try:
        rows = open_rows(source)
        batch = next((batch for batch, _ in rows.batches(None)), None)
    except AssayError:
        return Recognition(0.3, f"a file named as a table, {tables[0]}")
    if batch is None or batch.num_columns < 2:
        return None
    if any(map(holds_media, batch.slice(0, 100).columns)):
        return Recognition(0.2, f"a table, {tables[0]}, whose rows point at files")
    return Recognition(0.7, f"a table of {batch.num_columns} columns, {tables[0]}")


def read_table(source: Source, options: DataOptions, trained: Sequence[Mapping[str, Any]] | None = None) -> Records:
    """A table with the column to predict.

    The types of all columns come from a first pass over the rows; a second one converts them. Memory stays bounded: a
    table that is small once converted is kept, a larger one is read again whenever `batches` is called.

    Args:
        source: a table in a file or in memory.
        options: `target`, `group`, `split` and, in `extra`, `target_kind` and `encoding`.
        trained: `facts["columns"]` of the data that a network was trained on, where it is to be judged by these rows:
            the features are read as then, and a target with one value alone is as good as any.

    Returns:
        Records with `id` ("FILE:ROW"), `target` (text for a class, double for a number), `digest`, where there are
        such columns `group` and `split`, and each feature as `x:NAME`: double (number), text (category) or timestamp
        in microseconds (date), null where missing. `facts["columns"]` and `facts["target"]` say how columns are read.

    Raises:
        DataError: no table, no usable column or row, or a target from which nothing can be learnt.
        SettingError: `--target`, `--group` or `--split` names a column that does not exist.
    """
    rows = open_rows(source, options.extra.get("encoding"))
    log = ProblemLog()
    columns = profile(rows, log)
    if not columns or not columns[0].rows:
        raise DataError(
            "the table has no rows.", "Save the table with a header and a row for each sample.", file=rows.file
        )
    side, drop_side = side_column(rows, options)
    if options.group is not None and options.group not in rows.names:
        raise SettingError(f"{rows.file} has no column {options.group!r}.", did_you_mean(options.group, rows.names))
    others = {name for name in (options.group, side or drop_side) if name is not None}
    pair = source.path is None and is_pair(source.value)
    if pair and options.target is None:
        options = replace(options, target=rows.names[-1])
    choices, learnable = (columns, True) if trained is None else (keep_all(columns), False)
    target = choose_target(choices, options, others, rows.file, learnable)
    if trained is not None:
        return _records(_Plan(rows, _trained_features(rows, trained), target, options.group, side), [], log)
    columns = [column for column in columns if column.name not in others | {target.column.name}]
    if pair:
        columns = keep_all(columns)
    plan = _Plan(rows, tuple(column for column in columns if column.used), target, options.group, side)
    _note_columns(rows, columns, log)
    if not plan.features:
        raise DataError(
            "no column is left to learn from.", "See `assay inspect` for what was left out.", file=rows.file
        )
    return _records(plan, columns, log)


def read_table_inputs(source: Source, columns: Sequence[Mapping[str, Any]]) -> Records:
    """A table to predict, read with the columns of training; other columns are ignored.

    Args:
        source: as `read_table` takes it; an array (N, D), a dict-like row list or a data frame, too.
        columns: `facts["columns"]` of the training data; those that are no features are passed over.

    Raises:
        DataError: a feature column of training is missing.
    """
    rows = open_rows(source)
    features = _trained_features(rows, columns)
    log = ProblemLog()
    _note_header(rows, log)
    return _records(_Plan(rows, features, None, None, None, log), [], log)


def _trained_features(rows: Rows, columns: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The features of training, which must all be there."""
    features = tuple(column for column in map(Column.from_fact, columns) if column.used)
    missing = [column.name for column in features if column.name not in rows.names]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"the column {missing[0]!r} is missing{more}.", did_you_mean(missing[0], rows.names),
                        file=rows.file)  # fmt: skip
    return features


@dataclass(frozen=True)
class _Plan:
    """How the rows of a table become records."""

    rows: Rows
    features: tuple[Column, ...]
    target: Target | None
    group: str | None
    side: str | None
    ragged: ProblemLog | None = None  # where rows are read for the first time

    def batches(self, log: ProblemLog | None = None) -> Iterator[pa.RecordBatch]:
        """The record batches; problems of values are noted in `log`."""
        for batch, numbers in self.rows.batches(self.ragged if log is not None else None):
            done = self._convert(batch, numbers, log)
            if done.num_rows:
                yield done

    def _convert(self, batch: pa.RecordBatch, numbers: np.ndarray[Any, Any], log: ProblemLog | None) -> pa.RecordBatch:
        file = self.rows.file
        ids = pc.binary_join_element_wise(file, pa.array(numbers).cast(pa.string()), ":")
        about: dict[str, pa.Array] = {"id": ids}
        if self.target is not None:
            about["target"] = _target_values(self.target, batch, numbers, file, log)
        if self.group is not None:
            about["group"] = pc.coalesce(as_category(batch.column(self.group)), ids)
        if self.side is not None:
            about["split"] = as_sides(batch.column(self.side), file)
        features = {FEATURE + column.name: _feature(column, batch, numbers, file, log) for column in self.features}
        about["digest"] = row_digests(list(features.values()), batch.num_rows)
        done = pa.RecordBatch.from_pydict({**about, **features})
        if self.target is None or done["target"].null_count == 0:
            return done
        _note_rows(
            pc.is_null(done["target"]).to_numpy(zero_copy_only=False), numbers, "missing-target", "skipped", file, log
        )
        return done.filter(pc.is_valid(done["target"]))


def _target_values(
    target: Target, batch: pa.RecordBatch, numbers: np.ndarray[Any, Any], file: str, log: ProblemLog | None
) -> pa.Array:
    column = batch.column(target.column.name)
    if target.kind == "number":
        return _feature(target.column, batch, numbers, file, log)
    if target.column.type == "number" and target.column.words == 0:
        return as_class(column, target.column.format or "plain")
    return as_category(column)


def _feature(
    column: Column, batch: pa.RecordBatch, numbers: np.ndarray[Any, Any], file: str, log: ProblemLog | None
) -> pa.Array:
    """The values of one feature; values that do not fit its type become missing and are noted.

    Raises:
        DataError: the column is of a type of its own that can be read as no such values, such as lists.
    """
    given = batch.column(column.name)
    try:
        return _converted(given, column, numbers, file, log)
    except pa.ArrowNotImplementedError:
        message = f"the column {column.name!r} holds {given.type}, and a {column.type} is wanted."
        raise DataError(message, "Give a value a row, as in the training.", file=file) from None


def _converted(
    given: pa.Array, column: Column, numbers: np.ndarray[Any, Any], file: str, log: ProblemLog | None
) -> pa.Array:
    if column.type == "category":
        return as_category(given)
    if column.type == "date":
        dates = as_date(given, column.format)
        wrong = pc.is_valid(as_category(given)).to_numpy(zero_copy_only=False) & pc.is_null(dates).to_numpy(
            zero_copy_only=False
        )
        _note_rows(wrong, numbers, "not-a-date", "repaired", file, log)
        return dates
    values, wrong = as_number(given, column.format or "plain")
    _note_rows(wrong, numbers, "not-a-number", "repaired", file, log)
    return values


def _note_rows(
    wrong: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    kind: str,
    action: Any,
    file: str,
    log: ProblemLog | None,
) -> None:
    if log is not None:
        places = numbers[wrong]
        for number in places[:5]:
            log.add(kind, action, file, int(number))
        if len(places) > 5:
            log.add(kind, action, file, int(places[5]), count=len(places) - 5)


def _note_header(rows: Rows, log: ProblemLog) -> None:
    for kind, count in rows.repaired:
        log.add(kind, "repaired", rows.file, 1, count)


def _note_columns(rows: Rows, columns: Sequence[Column], log: ProblemLog) -> None:
    _note_header(rows, log)
    for column in columns:
        if not column.used:
            log.add(_DROPPED[column.type], "skipped", f"{rows.file}, column {column.name!r}")


def _records(plan: _Plan, columns: Sequence[Column], log: ProblemLog) -> Records:
    """Convert once, to count the problems and to take the fingerprint; keep the rows where they are few."""
    fingerprint = Fingerprint()
    counts: Counter[str] = Counter()
    samples = 0

    def see(batch: pa.RecordBatch) -> None:
        nonlocal samples
        fingerprint.add(batch)
        samples += batch.num_rows
        if plan.target is not None and plan.target.kind == "class":
            pairs = pc.value_counts(batch["target"]).to_pylist()
            counts.update({pair["values"]: pair["counts"] for pair in pairs})

    batches = hold(plan.batches, log, HELD_BYTES, see)
    if not samples:
        raise DataError(
            "the table has no rows that can be used.", "See the problems that assay inspect lists.", file=plan.rows.file
        )
    facts: dict[str, Any] = {"samples": samples, "columns": [column.fact() for column in columns]}
    if plan.target is not None:
        name, kind = plan.target.column.name, plan.target.kind
        facts["target"] = {
            "name": name,
            "kind": kind,
            "chosen": plan.target.chosen,
            "missing": plan.target.column.missing,
        }
    if counts:
        facts.update(classes=len(counts), class_counts=dict(sorted(counts.items())))
    return Records(batches, fingerprint.value(), log.problems(), facts=facts)
