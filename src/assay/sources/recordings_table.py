"""Recordings named in tables (CSV, TSV, JSON lines, Parquet) with a label or a transcript: manifests, Common Voice.

Of several tables those are read that are named after the sides of a split (`train.tsv`, `dev.tsv`, `test.tsv`); where
the user asks for shares instead, or there are none such, `validated.tsv`, as Common Voice calls all that was checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.arrow import pa, pc
from assay.errors import AssayError, DataError
from assay.sources._audio_header import is_audio_name
from assay.sources._image_header import is_image_name
from assay.sources._path_tables import Resolve, is_one_file, path_column, table_store, whole_table
from assay.sources._recording_layout import Found, Kind, defaults_of
from assay.sources._rows import JSON_SUFFIXES, TABLE_SUFFIXES, Rows, open_file
from assay.sources._splits import asks_for_shares, side_of_name
from assay.sources._text_values import count_words
from assay.sources._values import as_class, is_text
from assay.sources.records import Place, ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_LOOK_AT, _MOST_TABLES = 200, 50
_ALL_CHECKED = "validated"
#: A column of other values than this many words, or of more different ones than this share of the rows, is no label.
_LABEL_WORDS, _LABEL_DIFFERENT = 3.0, 0.5
_SPLIT = "split"
#: Of recordings that a table names without.
_ENDINGS = (".wav", ".flac", ".mp3", ".ogg")


def recognise(source: Source) -> Mapping[Kind, Recognition]:
    """0.96 for a table of recordings with a column that is called as labels or transcripts are; 0.93 by its values."""
    if source.path is None:
        return {}
    for encoding in (None, "latin-1"):
        try:
            tables = naming_tables(source, encoding)
            chosen = _choose(list(tables), DataOptions()) or list(tables)[:1]
            if not chosen:
                return {}
            rows, column = tables[chosen[0]]
            head = _head(rows)
        except AssayError:
            continue
        return {} if head is None else _recognised(head, column, chosen, source.store.names)
    return {}


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The recordings that the tables name.

    Raises:
        DataError: no table names recordings, or several do that are no sides of one data set.
    """
    tables = naming_tables(source, options.extra.get("encoding"), log)
    chosen = _choose(list(tables), options)
    if not chosen:
        told = (
            f"several tables name recordings: {', '.join(list(tables)[:5])}" if tables else "no table names recordings"
        )
        raise DataError(f"{told}.", "Give one table, or tables named train, validation and test.", file=source.label)
    for name in sorted(set(tables) - set(chosen)):
        log.add("other-table", "skipped", name)
    sides = {name: side_of_name(name) for name in chosen}
    sided = len(chosen) > 1 and not asks_for_shares(options)
    parts = [_part(source, name, *tables[name], sides[name] if sided else None, log) for name in chosen]
    columns = pa.concat_tables([part[2] for part in parts], promote_options="default")
    locations = [where for part in parts for where in part[0]]
    places = [place for part in parts for place in part[1]]
    defaults = _defaults(columns)
    if not is_one_file(source):
        _note_unnamed(source.store.names, locations, log)
    store = table_store(source, chosen[0], is_audio_name, _ENDINGS)[0]
    return Found(list(locations), locations, places, columns, store, defaults)


def naming_tables(
    source: Source, encoding: str | None = None, log: ProblemLog | None = None
) -> dict[str, tuple[Rows, str]]:
    """The tables that name recordings, with the column that does; those that cannot be read are noted in the log.

    Raises:
        DataError: the only table, or with a log each of them, cannot be read.
    """
    store = source.store
    endings = (*TABLE_SUFFIXES, *JSON_SUFFIXES)
    names = [name for name in store.names if name.lower().removesuffix(".gz").endswith(endings)]
    alone = is_one_file(source)
    if len(names) > _MOST_TABLES or (not alone and not any(map(is_audio_name, store.names))):
        return {}
    found: dict[str, tuple[Rows, str]] = {}
    refused: DataError | None = None
    for name in names:
        resolve = table_store(source, name, is_audio_name, _ENDINGS)[1]
        try:
            rows = _open(store, name, encoding, resolve)
            head = _head(rows)
        except DataError as error:
            if len(names) == 1:
                raise
            refused = refused or error
            if log is not None:
                log.add("unreadable-table", "skipped", name)
            continue
        column = None if head is None else path_column(head, resolve, is_audio_name, is_image_name)
        if column is not None:
            found[name] = (rows, column)
    if log is not None and not found and refused is not None:
        raise refused
    return found


def _open(store: Store, name: str, encoding: str | None, resolve: Resolve) -> Rows:
    """A table whose first row is a header unless it names a recording; a word such as "text" can be both."""

    def has_header(rows: list[list[str]]) -> bool:
        first = next((row for row in rows if any(cell.strip() for cell in row)), [])
        cells = [cell.strip() for cell in first if cell.strip()]
        if any(map(is_audio_name, cells)):
            return False
        return bool(defaults_of(cells)) or not any(map(resolve, cells))

    return open_file(store, name, encoding, has_header)


def _head(rows: Rows) -> pa.RecordBatch | None:
    return next((batch.slice(0, _LOOK_AT) for batch, _ in rows.batches(None) if batch.num_rows), None)


def _choose(names: Sequence[str], options: DataOptions) -> list[str]:
    """The tables that are read; none where it is not clear which."""
    if len(names) < 2:
        return list(names)
    checked = [name for name in names if name.rsplit("/", 1)[-1].split(".")[0].lower() == _ALL_CHECKED]
    if len(checked) == 1 and asks_for_shares(options):
        return checked
    sides = {name: side_of_name(name) for name in names}
    told = {side for side in sides.values() if side is not None}
    if "train" in told and len(told) > 1:
        return sorted((name for name in names if sides[name] is not None), key=lambda name: sides[name] != "train")
    return checked if len(checked) == 1 else []


def _part(
    source: Source, name: str, rows: Rows, column: str, side: str | None, log: ProblemLog
) -> tuple[list[str | None], list[Place], pa.Table]:
    """Location, place and columns of the rows of one table."""
    for kind, count in rows.repaired:
        log.add(kind, "repaired", rows.file, 1, count)
    batch, numbers = whole_table(rows, log)
    resolve = table_store(source, name, is_audio_name, _ENDINGS)[1]
    locations = [resolve(value) if value else None for value in _as_text(batch.column(column)).to_pylist()]
    columns = {}
    for other, values in zip(batch.schema.names, batch.columns, strict=True):
        if other != column and not pa.types.is_nested(values.type):
            columns[other] = _as_text(values)
    if side is not None:
        columns[_SPLIT] = pa.array([side] * batch.num_rows, pa.string())
    return locations, [Place(rows.file, int(number)) for number in numbers], pa.table(columns)


def _as_text(values: pa.Array) -> pa.Array:
    """A column as text; whole numbers without a fraction."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        return as_class(values, "plain")
    return values.cast(pa.string()) if not pa.types.is_binary(values.type) else pa.nulls(len(values), pa.string())


def _defaults(columns: pa.Table) -> dict[str, str]:
    """The columns to take: by their names, or where none is called so, the only one whose values fit."""
    found = defaults_of(columns.column_names)
    if "class" in found or "text" in found:
        return found
    guessed = _guess(columns, {*found.values()})
    return {**found, **({} if guessed is None else {guessed[0]: guessed[1]})}


def _guess(columns: pa.Table, taken: set[str]) -> tuple[Kind, str] | None:
    """The kind and name of the one column that could be a label or a transcript, or of the first that is text.

    None where there is no such column, or where several could be labels.
    """
    free: list[tuple[Kind, str]] = []
    for name in columns.column_names:
        values = [value for value in columns[name].to_pylist() if value and value.strip()]
        if name not in taken and any(any(map(str.isalpha, value)) for value in values):
            words = sum(map(count_words, values)) / len(values)
            label = words <= _LABEL_WORDS and len(set(values)) <= max(2, _LABEL_DIFFERENT * len(values))
            free.append(("class" if label else "text", name))
    told = {kind for kind, _ in free}
    return free[0] if len(free) == 1 or told == {"text"} else None


def _recognised(
    head: pa.RecordBatch, column: str, chosen: Sequence[str], names: Sequence[str]
) -> Mapping[Kind, Recognition]:
    texts = {name: values for name, values in zip(head.schema.names, head.columns, strict=True) if name != column}
    plain = pa.table({name: pc.cast(values, pa.string()) for name, values in texts.items() if is_text(values.type)})
    named = defaults_of(list(texts))
    found = named if "class" in named or "text" in named else {**named, **_defaults(plain)}
    common = _ALL_CHECKED in {name.rsplit("/", 1)[-1].split(".")[0] for name in names} and "clips/" in "".join(names)
    what = "tables of Common Voice" if common else f"tables, {', '.join(chosen)}," if len(chosen) > 1 else ""
    what = what or f"a table, {chosen[0]},"
    kinds: dict[Kind, Recognition] = {}
    told: dict[Kind, str] = {"text": "transcripts", "class": "labels"}
    for kind, noun in told.items():
        if kind in found:
            score = 0.96 if kind in named else 0.93
            if kind == "class" and "text" in found:
                score = 0.9  # what was said is the more telling of the two
            why = f"{what} with recordings in column {column!r} and {noun} in {found[kind]!r}"
            kinds[kind] = Recognition(score, why)
    return kinds


def _note_unnamed(names: Sequence[str], locations: Sequence[str | None], log: ProblemLog) -> None:
    known = set(locations)
    for name in names:
        if is_audio_name(name) and name not in known:
            log.add("recording-not-in-table", "skipped", name)
