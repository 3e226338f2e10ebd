"""Sentence pairs in gettext catalogues (PO files): what a program says, and its translation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assay.errors import DataError, SettingError
from assay.sources._gettext import Entry, charset_of, entries_of
from assay.sources._languages import choose_languages, is_language
from assay.sources._lines import is_about
from assay.sources._pair_records import pair_facts, pair_shape
from assay.sources._splits import given_sides
from assay.sources._text_records import Sample, text_records
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

#: Where a catalogue does not say what the program is written in.
_SOURCE = "en"


@dataclass(frozen=True)
class _Catalogue:
    """A PO file: its encoding, and the languages that it translates from and into."""

    name: str
    encoding: str | None
    source: str
    target: str


def recognise(source: Source) -> Recognition | None:
    """0.95 where most files are catalogues; None where there is none."""
    names = _files(source)
    if not names:
        return None
    return Recognition(0.95, f"a gettext catalogue, {names[0]}" if len(names) == 1 else f"{len(names)} PO files")


def read(source: Source, options: DataOptions) -> Records:
    """The translated messages, singular and plural apart; see `read_sentence_pairs`."""
    store = source.store
    catalogues = [_catalogue(store, name, options.extra.get("encoding")) for name in _files(source)]
    chosen, backwards, facts = _chosen(catalogues, options, source.label)
    log = ProblemLog()
    sides = given_sides([catalogue.name for catalogue in chosen], options)

    def samples(noted: ProblemLog | None) -> Iterator[Sample]:
        for catalogue in chosen:
            side = sides[catalogue.name] if sides else None
            for line, message, translation in _pairs(store, catalogue, noted):
                pair = (translation, message) if backwards else (message, translation)
                yield Sample(f"{catalogue.name}:{line}", pair, catalogue.name, line, side=side)

    return text_records(samples, pair_shape(source.label, split=sides is not None), log, facts)


def _chosen(
    catalogues: list[_Catalogue], options: DataOptions, label: str
) -> tuple[list[_Catalogue], bool, dict[str, object]]:
    """The catalogues to read, whether the translations are the source, and the facts about it."""
    written = sorted({catalogue.source for catalogue in catalogues})
    known = sorted({*written, *(catalogue.target for catalogue in catalogues)})
    first = written[0] if len(written) == 1 else None
    left, right, how = choose_languages(known, options.extra.get("languages"), label, first)
    forwards = [item for item in catalogues if (item.source, item.target) == (left, right)]
    backwards = [item for item in catalogues if (item.source, item.target) == (right, left)]
    if not forwards and not backwards:
        raise SettingError(
            f"no catalogue translates between {left} and {right}.", f"They translate from {', '.join(written)}."
        )
    return forwards or backwards, not forwards, pair_facts(left, right, how)


def _pairs(store: Store, catalogue: _Catalogue, log: ProblemLog | None) -> Iterator[tuple[int, str, str]]:
    """The line, the message and the translation of everything that is translated; the rest is noted."""
    for entry in entries_of(store, catalogue.name, catalogue.encoding):
        if not entry.message and not entry.context and not entry.obsolete:
            continue  # the header
        if not all(entry.translations.values()) or not entry.translations:
            reason = "untranslated"
        else:
            reason = "obsolete-translation" if entry.obsolete else "fuzzy-translation" if entry.fuzzy else ""
        if not reason:
            yield from _forms(entry)
        elif log is not None:
            log.add(reason, "skipped", catalogue.name, entry.line)


def _forms(entry: Entry) -> Iterator[tuple[int, str, str]]:
    """The pairs of one entry: a language with one form for any number has it for the plural."""
    last = max(entry.translations)
    if entry.plural is None:
        yield entry.line, entry.message, entry.translations[last]
        return
    if last > 0 and 0 in entry.translations:
        yield entry.line, entry.message, entry.translations[0]
    yield entry.plural_line, entry.plural, entry.translations[last]


def _catalogue(store: Store, name: str, encoding: str | None) -> _Catalogue:
    """What a catalogue's header and path say."""
    encoding = encoding or charset_of(store, name)
    entry = next(iter(entries_of(store, name, encoding)), None)
    if entry is None:
        raise DataError("there is no message in this catalogue.", "Expected msgid and msgstr lines.", file=name)
    header = "" if entry.message else entry.translations.get(0, "")
    fields = dict(re.findall(r"^([\w-]+):[ \t]*(\S.*?)[ \t]*$", header, re.MULTILINE))
    parts = name.split("/")
    stem = parts[-1].lower().removesuffix(".gz").removesuffix(".po")
    folder = parts[parts.index("LC_MESSAGES") - 1] if "LC_MESSAGES" in parts[1:] else ""
    told = (fields.get("Language", ""), folder, stem, re.split(r"[.-]", stem)[-1])
    language = next((word for word in told if word and is_language(word)), "target")
    return _Catalogue(name, encoding, fields.get("X-Source-Language", _SOURCE), language)


def _files(source: Source) -> list[str]:
    """The catalogues, where hardly anything else is there."""
    if source.path is None:
        return []
    names = [name for name in source.store.names if not is_about(name)]
    found = [name for name in names if name.lower().removesuffix(".gz").endswith(".po")]
    return found if len(found) >= 0.5 * len(names) else []
