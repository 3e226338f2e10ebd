"""Sentences with their translations: aligned files, tables, translation memories, gettext catalogues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType

from assay.errors import DataError
from assay.sources import pairs_aligned, pairs_gettext, pairs_table, pairs_tmx, text_table
from assay.sources._lines import is_about, lines_of
from assay.sources._text_records import Sample, Shape, text_records
from assay.sources._text_tables import has_tables, table_files
from assay.sources._text_values import LONGEST
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

#: Every reader has `recognise(source)` and `read(source, options)`.
READERS: tuple[ModuleType, ...] = (pairs_aligned, pairs_tmx, pairs_gettext, pairs_table)

_EXPECTED = "Expected: aligned files such as train.en and train.de, a table of two columns, TMX, or PO files."


def recognise_sentence_pairs(source: Source) -> Recognition | None:
    """How well the source looks like sentence pairs, and why; None where it does not.

    The scores: 0.95 for aligned files, TMX and PO; for tables 0.92 (0.98 in memory) where columns are called source and
    target or after languages, 0.85 (0.97) where there are just two columns of text.
    """
    found = _best(source)
    return None if found is None else found[0]


def read_sentence_pairs(source: Source, options: DataOptions) -> Records:
    """The sentence pairs of a source, through the reader that fits best.

    Args:
        source: files, or in memory a list of pairs, a pair of lists, a data frame.
        options: `split`; `group`, for tables; in `extra`: `languages` (`en-de`, source first), `test_set` (which of
            several test sets is used; the first by name where none is named), `encoding`; for tables `text` and
            `target` name the columns of source and target.

    Returns:
        Records with `id` ("train.en:17"; the number of the unit in TMX), `source`, `target`, where there are such
        `group` and `split`, and `digest`. Pairs with an empty side are skipped and counted. `facts["languages"]` is
        such as "en-de".

    Raises:
        DataError: nothing that a reader knows, files of unequal length, or no usable pair.
        SettingError: more than two languages and none asked for; an option names what is not there.
    """
    found = _best(source)
    if found is None:
        if source.path is not None and not table_files(source, options.extra.get("encoding")):
            raise DataError("there are no sentence pairs.", _EXPECTED, file=source.label)
        return pairs_table.read(source, options)
    records: Records = found[1].read(source, options)
    return records


def read_sentence_pairs_inputs(
    source: Source, text: Sequence[str] | None = None, encoding: str | None = None, language: str = ""
) -> Records:
    """Sentences to be translated: text files, a sentence a line; a table; a list of strings.

    Args:
        source: files or data in memory.
        text: the column of a table that holds the sentences; None to find it.
        encoding: of the files.
        language: of the sentences; of a table with a column of that name, this one is taken.

    Returns:
        Records with `id` ("FILE:LINE"), `source` and `digest`. An empty line is kept, so that answers stay in line.

    Raises:
        DataError: there is no text.
    """
    names = [] if source.path is None else source.store.names
    if source.path is None or has_tables(names):
        return text_table.read_inputs(source, text, encoding, "source", language)
    files = [name for name in names if not is_about(name)] or names
    store = source.store

    def samples(log: ProblemLog | None) -> Iterator[Sample]:
        for name in files:
            for number, line in enumerate(lines_of(store, name, encoding, LONGEST), 1):
                if line is not None:
                    yield Sample(f"{name}:{number}", (line,), name, number)
                elif log is not None:
                    log.add("overlong-text", "skipped", name, number)

    return text_records(samples, Shape(("source",), empty="kept", label=source.label), ProblemLog())


def _best(source: Source) -> tuple[Recognition, ModuleType] | None:
    found = [(recognition, reader) for reader in READERS if (recognition := reader.recognise(source)) is not None]
    return max(found, key=lambda pair: pair[0].score) if found else None
