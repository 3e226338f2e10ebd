"""Texts with a class, labels or a number in a table: CSV, TSV, JSON lines, Parquet, or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._columns import profile
from assay.sources._languages import find_language
from assay.sources._splits import as_sides, side_column
from assay.sources._table_target import TARGET_NAMES, choose_name
from assay.sources._text_columns import TEXT_NAMES, WORDS, Look, has_header, look, named_columns, select
from assay.sources._text_records import Sample, Shape, text_records
from assay.sources._text_tables import Part, chained, first_rows, is_text_list, is_text_pair, open_parts
from assay.sources._text_targets import choose_text_target, text_targets
from assay.sources._values import as_category, as_text, is_text
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

#: Beside a text, more columns than this from which something can be learnt make a table of it.
FEW_FEATURES = 2
_TARGET_TYPES = {"class": pa.string(), "labels": pa.list_(pa.string()), "number": pa.float64()}


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like texts with something to predict; None where it does not.

    0.8 (0.97 in memory) for a text column with few others beside the target, 0.75 (0.93) for several text columns,
    0.45 where other columns are so many that it is rather a table.
    """
    rows = first_rows(source, has_header)
    pair = source.path is None and is_text_pair(source.value)
    found = look(rows, 1.5 if pair else WORDS) if rows is not None else None
    texts = _free_texts(found) if found is not None else ()
    if rows is None or found is None or not texts:
        return None
    useful = [column for column in found.others if column.used or column.type == "nested"]
    usual = choose_name([column.name for column in found.others], None, rows.file)
    features = [column.name for column in useful if column.name.lower() != "split"]
    features = [name for name in features if name != (usual or features[-1])]
    if not useful and usual is None:
        return None
    memory = source.path is None
    where = "in memory" if memory else rows.file
    named = ", ".join(map(repr, texts))
    if len(features) > FEW_FEATURES:
        return Recognition(0.45, f"a table, {where}, with text in {named} among {len(features)} other columns")
    if len(texts) > 1:
        return Recognition(0.93 if memory else 0.75, f"a table, {where}, with several columns of text: {named}")
    return Recognition(0.97 if memory else 0.8, f"a table, {where}, with text in column {named}")


def read(source: Source, options: DataOptions, learnable: bool = True) -> Records:
    """The texts of a table with their targets; see `read_texts`."""
    parts = open_parts(source, options, has_header)
    log = ProblemLog()
    plan = _plan(parts, options, log, learnable)
    target = {"name": plan.target, "kind": plan.kind, "chosen": plan.target_chosen, "missing": plan.targets.null_count}
    facts = {"target": target, "text": {"columns": list(plan.texts), "chosen": plan.texts_chosen}}
    shape = Shape(
        ("text",),
        _TARGET_TYPES[plan.kind],
        group=options.group is not None,
        split=plan.side is not None or plan.parts[0].side is not None,
        labelled=True,
        label=source.label,
    )
    return text_records(plan.samples, shape, log, facts)


def read_inputs(
    source: Source, text: Sequence[str] | None, encoding: str | None, payload: str = "text", language: str = ""
) -> Records:
    """The texts of a table without targets, in a column called `payload`; see `read_texts_inputs`.

    Where `text` names no column, that of the `language` is taken, if there is one.
    """
    wanted = tuple(text or ())

    def header(rows: list[list[str]]) -> bool:
        first = {cell.strip() for row in rows[:1] for cell in row}
        return bool(first & set(wanted)) or has_header(rows)

    extra = {} if encoding is None else {"encoding": encoding}
    log = ProblemLog()
    parts = open_parts(source, DataOptions(extra=extra), header)
    named = find_language(language, list(parts[0].rows.names)) if language and not wanted else None
    texts = (named,) if named else _input_columns(parts[0], wanted, is_text_list(source.value))
    plan = _Plan(tuple(parts), texts, log_rows=True)
    return text_records(plan.samples, Shape((payload,), empty="kept", label=source.label), log)


@dataclass(frozen=True)
class _Plan:
    """How the rows of tables become samples."""

    parts: tuple[Part, ...]
    texts: tuple[str, ...]
    texts_chosen: str = ""
    target: str = ""
    target_chosen: str = ""
    targets: Any = None  # (rows of all parts,) pa.Array; None for inputs
    kind: str = ""
    group: str | None = None
    side: str | None = None
    log_rows: bool = False  # rows that cannot be read are not noted yet

    def samples(self, log: ProblemLog | None) -> Iterator[Sample]:
        """Every row, from the start."""
        place = 0
        for part in self.parts:
            file = part.rows.file
            for batch, numbers in part.rows.batches(log if self.log_rows else None):
                count = batch.num_rows
                columns = [as_text(batch.column(name), name, file).to_pylist() for name in self.texts]
                targets = [None] * count if self.targets is None else self.targets.slice(place, count).to_pylist()
                groups = [None] * count if self.group is None else as_category(batch.column(self.group)).to_pylist()
                sides = [part.side] * count
                if self.side is not None:
                    sides = as_sides(batch.column(self.side), file).to_pylist()
                rows = zip(numbers.tolist(), zip(*columns, strict=True), targets, groups, sides, strict=True)
                for number, cells, target, group, side in rows:
                    name = f"{file}:{number}"
                    yield Sample(name, (_joined(cells),), file, number, target, group or name, side)
                place += count


def _plan(parts: list[Part], options: DataOptions, log: ProblemLog, learnable: bool) -> _Plan:
    rows = parts[0].rows
    side, dropped = side_column(rows, options) if len(parts) == 1 else (None, None)
    if options.group is not None and options.group not in rows.names:
        raise SettingError(f"{rows.file} has no column {options.group!r}.", did_you_mean(options.group, rows.names))
    taken = {name for name in (options.group, side or dropped) if name is not None}
    if options.target is not None:
        choose_name(rows.names, options.target, rows.file)
        taken.add(options.target)
    if not any(batch.num_rows for batch, _ in rows.batches(None)):
        raise DataError(
            "the table has no rows.", "Save the table with a header and a row for each text.", file=rows.file
        )
    texts, texts_chosen = _text_columns(rows.file, look(rows), options, rows.names, taken)
    if options.target is not None:
        target, chosen = options.target, "as asked"
    else:
        others = profile(select(rows, texts), ProblemLog())
        target, chosen = choose_text_target(others, taken, rows.file)
    if target in texts:
        raise SettingError(f"column {target!r} cannot be text and target at once.", "Name others: --text, --target.")
    parts = _complete_parts(parts, (*texts, target), options.group, log)
    for part in parts:
        for kind, count in part.rows.repaired:
            log.add(kind, "repaired", part.rows.file, 1, count)
    whole = chained([Part(select(part.rows, set(part.rows.names) - {target})) for part in parts])
    profiled = profile(whole, log)[0]
    columns = [batch.column(0) for batch, _ in whole.batches(None)]
    targets, kind = text_targets(_concatenated(columns), profiled, options, rows.file, learnable)
    return _Plan(tuple(parts), texts, texts_chosen, target, chosen, targets, kind, options.group, side)


def _text_columns(
    file: str, found: Look | None, options: DataOptions, names: Sequence[str], taken: set[str]
) -> tuple[tuple[str, ...], str]:
    """The columns of text and how they were chosen."""
    asked = options.extra.get("text")
    if asked is not None:
        return named_columns(str(asked), names, file), "as asked"
    texts = tuple(name for name in (_free_texts(found) if found is not None else ()) if name not in taken)
    if len(texts) > 1:
        told = ", ".join(map(repr, texts))
        raise DataError(
            f"there are several columns of text: {told}.",
            f"Name one, or several to be joined: --text {','.join(texts)}.",
            file=file,
        )
    free = [name for name in names if name not in taken]
    if not texts and len(free) == 1 and options.target is not None:
        return (free[0],), "the only other column"
    usual = [name for name in free if name.lower() in TEXT_NAMES]
    if not texts and len(usual) == 1:
        return (usual[0],), "by its name"
    if not texts:
        raise DataError(
            f"there is no column of text among {', '.join(map(repr, names))}.", "Name it with --text.", file=file
        )
    return texts, "by its words"


def _free_texts(found: Look) -> tuple[str, ...]:
    """Columns of text that are not called as targets are."""
    return tuple(name for name in found.texts if name.lower() not in TARGET_NAMES)


def _complete_parts(parts: list[Part], needed: Sequence[str], group: str | None, log: ProblemLog) -> list[Part]:
    """The parts that have all needed columns; a file without the target is left out, as hidden test sets come."""
    complete = []
    for part in parts:
        missing = [name for name in (*needed, *([] if group is None else [group])) if name not in part.rows.names]
        if not missing:
            complete.append(part)
        elif missing == [needed[-1]] and part is not parts[0]:
            log.add("file-without-target", "skipped", part.rows.file)
        else:
            raise DataError(f"the column {missing[0]!r} is missing.", did_you_mean(missing[0], part.rows.names),
                            file=part.rows.file)  # fmt: skip
    return complete


def _input_columns(part: Part, wanted: tuple[str, ...], only: bool) -> tuple[str, ...]:
    """The columns of text of a table to be predicted."""
    names, file = part.rows.names, part.rows.file
    if wanted and set(wanted) <= set(names):
        return wanted
    if only or len(names) == 1:
        return (names[0],)
    if wanted:
        missing = next(name for name in wanted if name not in names)
        raise DataError(f"the column {missing!r} is missing.", did_you_mean(missing, names), file=file)
    return _text_columns(file, look(part.rows), DataOptions(), names, set())[0]


def _concatenated(columns: list[pa.Array]) -> pa.Array:
    """One array of all; types that differ from file to file become text."""
    plain = [column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
             for column in columns]  # fmt: skip
    if len({column.type for column in plain}) > 1:
        plain = [column.cast(pa.string()) for column in plain]
    elif is_text(plain[0].type):
        plain = [pc.cast(column, pa.string()) for column in plain]
    return pa.concat_arrays(plain)


def _joined(cells: tuple[str | None, ...]) -> str | None:
    """Several texts of a row as one, a line each."""
    return cells[0] if len(cells) == 1 else "\n".join(cell for cell in cells if cell)
