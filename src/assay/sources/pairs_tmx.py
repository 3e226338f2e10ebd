"""Sentence pairs in translation memories: TMX 1.4, of two languages or more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from assay.errors import DataError
from assay.sources._languages import choose_languages
from assay.sources._lines import is_about
from assay.sources._pair_records import pair_facts, pair_shape
from assay.sources._safe_xml import xml_events
from assay.sources._splits import given_sides
from assay.sources._text_records import Sample, text_records
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

#: Elements inside a segment whose content is mark-up of the original's format, not text.
_CODES = ("bpt", "ept", "it", "ph", "ut")


@dataclass
class Unit:
    """One translation unit: its number in the file from 1, its line, and its segments by language."""

    number: int
    line: int
    segments: dict[str, str] = field(default_factory=dict)


def recognise(source: Source) -> Recognition | None:
    """0.95 where most files are translation memories; None where there is none."""
    names = _files(source)
    if not names:
        return None
    return Recognition(0.95, f"a translation memory, {names[0]}" if len(names) == 1 else f"{len(names)} TMX files")


def read(source: Source, options: DataOptions) -> Records:
    """The units that have both languages; see `read_sentence_pairs`."""
    names, encoding = _files(source), options.extra.get("encoding")
    store = source.store
    languages: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name in names:
        for unit in tmx_units(store, name, encoding, first):
            languages.update(unit.segments)
    if not languages:
        raise DataError(
            "there is no translation unit.", "Export the memory again, with its units (<tu>).", file=names[0]
        )
    asked = options.extra.get("languages")
    spoken = next((language for language in languages if language.lower() == first.get("srclang", "").lower()), None)
    left, right, chosen = choose_languages(sorted(languages), asked, source.label, spoken)
    sides = given_sides(names, options)

    def samples(log: ProblemLog | None) -> Iterator[Sample]:
        for name in names:
            side = sides[name] if sides else None
            for unit in tmx_units(store, name, encoding):
                pair = (unit.segments.get(left), unit.segments.get(right))
                if None not in pair:
                    yield Sample(f"{name}:{unit.number}", pair, name, unit.line, side=side)
                elif log is not None:
                    log.add("missing-language", "skipped", name, unit.line)

    shape = pair_shape(source.label, split=sides is not None)
    return text_records(samples, shape, ProblemLog(), pair_facts(left, right, chosen))


def tmx_units(
    store: Store, name: str, encoding: str | None = None, header: dict[str, str] | None = None
) -> Iterator[Unit]:
    """The translation units of a file in their order; of several segments in a language the first counts.

    Args:
        store: holds the file.
        name: the file.
        encoding: overrides what the document says.
        header: takes the attributes of the file's header.

    Raises:
        DataError: the file is no well-formed TMX.
    """
    unit, language, pieces, codes = Unit(0, 0), "", None, 0  # type: Unit, str, list[str] | None, int
    root = ""
    for kind, element, attributes, line in xml_events(store, name, encoding):
        if kind == "text":
            if pieces is not None and not codes:
                pieces.append(element)
            continue
        root = root or element
        if root != "tmx":
            raise DataError(f"this is no TMX: its root is <{root}>.", "Export it as TMX.", file=name, row=line)
        started = kind == "start"
        if element in _CODES:
            codes += 1 if started else -1
        elif element == "header" and started and header is not None:
            header.update(attributes)
        elif element == "tu" and started:
            unit = Unit(unit.number + 1, line)
        elif element == "tu":
            yield unit
        elif element == "tuv" and started:
            language = _code(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif element == "seg" and started:
            pieces = []
        elif element == "seg":
            if language:
                unit.segments.setdefault(language, "".join(pieces or ()))
            pieces = None


def _code(language: str) -> str:
    """A language's code as it is usually written: whether letters are capital says nothing (BCP 47, section 2.1.1)."""
    first, *others = language.replace("_", "-").split("-")
    return "-".join([first.lower(), *(part.upper() if len(part) == 2 else part.title() for part in others)])


def _files(source: Source) -> Sequence[str]:
    """The translation memories, where hardly anything else is there."""
    if source.path is None:
        return []
    names = [name for name in source.store.names if not is_about(name)]
    found = [name for name in names if name.lower().removesuffix(".gz").endswith(".tmx")]
    return found if len(found) >= 0.5 * len(names) else []
