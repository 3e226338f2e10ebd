"""Sentence pairs in tables with two columns of text: TSV, CSV, JSON lines, Parquet, or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.arrow import pa
from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._languages import ROLES, asked_languages, find_language, is_language
from assay.sources._pair_records import pair_facts, pair_shape
from assay.sources._splits import as_sides, side_column
from assay.sources._text_columns import Look, look, names_columns
from assay.sources._text_records import Sample, text_records
from assay.sources._text_tables import Part, first_rows, open_parts, strings
from assay.sources._values import as_category, as_text
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

#: Mean words from which a column may be a side of the pairs: "Go." and "Geh." are.
_LEAST_WORDS = 1.2


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like a table of sentence pairs; None where it does not.

    0.92 (0.98 in memory) where columns are called source and target or after languages; 0.85 (0.97) where there are
    just two columns of text, beside none from which something could be learnt.
    """
    source = in_columns(source)
    rows = first_rows(source, names_columns)
    found = look(rows, _LEAST_WORDS) if rows is not None else None
    if rows is None or found is None:
        return None
    memory = source.path is None
    where = "in memory" if memory else rows.file
    named = [name for name in _named(found.texts) if name in found.texts]
    if len(named) >= 2 and len(found.useful()) <= 1:
        return Recognition(0.98 if memory else 0.92, f"a table, {where}, with {' and '.join(map(repr, named))}")
    if len(found.texts) == 2 and not found.useful(["split"]):
        told = " and ".join(map(repr, found.texts))
        return Recognition(0.97 if memory else 0.85, f"a table, {where}, with two columns of text, {told}")
    return None


def read(source: Source, options: DataOptions) -> Records:
    """The pairs of a table; see `read_sentence_pairs`.

    Raises:
        DataError: it is not clear which columns are meant.
        SettingError: an option names a column or a language that is not there.
    """
    source = in_columns(source)
    parts = open_parts(source, options, names_columns)
    rows = parts[0].rows
    log = ProblemLog()
    for part in parts:
        for kind, count in part.rows.repaired:
            log.add(kind, "repaired", part.rows.file, 1, count)
    side = side_column(rows, options)[0] if len(parts) == 1 else None
    if options.group is not None and options.group not in rows.names:
        raise SettingError(f"{rows.file} has no column {options.group!r}.", did_you_mean(options.group, rows.names))
    left, right, chosen = _columns(rows.names, look(rows, _LEAST_WORDS), options, rows.file)
    for part in parts:
        missing = [name for name in (left, right, options.group) if name is not None and name not in part.rows.names]
        if missing:
            raise DataError(f"the column {missing[0]!r} is missing.", did_you_mean(missing[0], part.rows.names),
                            file=part.rows.file)  # fmt: skip

    def samples(noted: ProblemLog | None) -> Iterator[Sample]:
        for part in parts:
            yield from _samples(part, left, right, side, options.group, noted)

    shape = pair_shape(source.label, split=side is not None or parts[0].side is not None,
                       group=options.group is not None)  # fmt: skip
    languages = [name.rsplit(".", 1)[-1] for name in (left, right)]
    return text_records(samples, shape, log, pair_facts(languages[0], languages[1], chosen))


def in_columns(source: Source) -> Source:
    """A list of pairs of strings in memory as a table; any other source as it is."""
    value = source.value
    pairs = isinstance(value, list) and len(value) > 0 and all(_is_pair(item) for item in value)
    if source.path is not None or not pairs:
        return source
    left, right = zip(*value, strict=True)
    table = pa.table({"source": strings(left), "target": strings(right)})
    return Source(value=table)


def _samples(
    part: Part, left: str, right: str, side: str | None, group: str | None, log: ProblemLog | None
) -> Iterator[Sample]:
    file = part.rows.file
    for batch, numbers in part.rows.batches(log):
        count = batch.num_rows
        texts = [as_text(batch.column(name), name, file).to_pylist() for name in (left, right)]
        sides = [part.side] * count if side is None else as_sides(batch.column(side), file).to_pylist()
        groups = [None] * count if group is None else as_category(batch.column(group)).to_pylist()
        for number, pair, where, member in zip(numbers.tolist(), zip(*texts, strict=True), sides, groups, strict=True):
            name = f"{file}:{number}"
            yield Sample(name, pair, file, number, None, member or name, where)


def _columns(names: Sequence[str], found: Look | None, options: DataOptions, file: str) -> tuple[str, str, str]:
    """The columns of source and target, and how they were chosen."""
    hint = "Name them: --languages en-de where columns are called so, else --text SOURCE --target TARGET."
    told = ", ".join(map(repr, names))
    if (asked := options.extra.get("languages")) is not None:
        return *_by_language(names, str(asked), file), "as asked"
    text, target = options.extra.get("text"), options.target
    for name in (text, target):
        if name is not None and name not in names:
            raise SettingError(f"{file} has no column {name!r}.", did_you_mean(name, names))
    texts = [name for name in (found.texts if found is not None else names) if name not in (text, target)]
    if text is not None and target is not None:
        return text, target, "as asked"
    if text is not None or target is not None:
        if len(texts) != 1:
            raise DataError(f"it is not clear which columns are the pairs; the columns are {told}.", hint, file=file)
        return text or texts[0], target or texts[0], "as asked"
    named = _named(texts)
    everything = [name for name in names if name.lower() != "split"]
    candidates = ((named, "by their names"), (_named(names), "by their names"), (texts, "by their order"),
                  (everything, "by their order"))  # fmt: skip
    pair, chosen = next(((columns, how) for columns, how in candidates if len(columns) == 2), ([], ""))
    if not pair or len(named) > 2:
        raise DataError(f"it is not clear which columns are the pairs; the columns are {told}.", hint, file=file)
    return pair[0], pair[1], chosen


def _by_language(names: Sequence[str], asked: str, file: str) -> tuple[str, str]:
    """The columns that are called after two languages."""
    last = {name.rsplit(".", 1)[-1]: name for name in names}
    columns = []
    for language in asked_languages(asked):
        found = find_language(language, list(last))
        if found is None:
            raise SettingError(
                f"{file} has no column for the language {language!r}; its columns are {', '.join(map(repr, names))}.",
                "Name the columns: --text SOURCE --target TARGET.",
            )
        columns.append(last[found])
    return columns[0], columns[1]


def _named(names: Sequence[str]) -> list[str]:
    """Columns called source and target, in this order; else those called after languages, in theirs."""
    last = {name: name.rsplit(".", 1)[-1].lower() for name in names}
    roles = sorted((name for name in names if last[name] in ROLES), key=lambda name: ROLES[last[name]])
    if len(roles) == 2 and ROLES[last[roles[0]]] != ROLES[last[roles[1]]]:
        return roles
    return [name for name in names if is_language(last[name])]


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple | list) and len(item) == 2 and all(isinstance(text, str) for text in item)
