"""Sentence pairs in aligned files, a sentence a line: `train.en` and `train.de`, in a folder or an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._languages import ROLES, choose_languages, is_language
from assay.sources._lines import is_about, lines_of
from assay.sources._pair_records import pair_facts, pair_shape
from assay.sources._splits import given_sides, side_of_name
from assay.sources._text_records import Sample, text_records
from assay.sources._text_values import LONGEST
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store


@dataclass(frozen=True)
class _Set:
    """Files that are translations of one another: what their names share, and each by its language."""

    stem: str
    files: dict[str, str]

    @property
    def side(self) -> str | None:
        """The side that the name speaks of."""
        return side_of_name(self.stem)


def recognise(source: Source) -> Recognition | None:
    """0.95 where most files come in languages; None where none does."""
    sets = _sets(source)
    if not sets:
        return None
    languages = sorted({language for one in sets for language in one.files})
    return Recognition(0.95, f"aligned files in {', '.join(languages)}: {', '.join(one.stem for one in sets[:5])}")


def read(source: Source, options: DataOptions) -> Records:
    """The lines of both files, pair by pair; see `read_sentence_pairs`.

    Raises:
        DataError: files of unequal length.
        SettingError: more than two languages and none asked for, or an unknown test set.
    """
    sets = _sets(source)
    languages = sorted({language for one in sets for language in one.files})
    sides = ", ".join(one.stem for one in sets)
    left, right, chosen = choose_languages(
        languages, options.extra.get("languages"), source.label, facts=f" The files are {sides}."
    )
    both = [one for one in sets if left in one.files and right in one.files]
    if not both:
        raise DataError(f"no two files hold {left} and {right} of the same text.", f"There are {sides}.",
                        file=source.label)  # fmt: skip
    log = ProblemLog()
    used, facts = _one_test_set(both, options.extra.get("test_set"), log)
    given = given_sides([one.stem for one in used], options)
    encoding = options.extra.get("encoding")

    def samples(noted: ProblemLog | None) -> Iterator[Sample]:
        for one in used:
            names = (one.files[left], one.files[right])
            yield from _pairs(source.store, names, encoding, given[one.stem] if given else None, noted)

    shape = pair_shape(source.label, split=given is not None)
    return text_records(samples, shape, log, {**pair_facts(left, right, chosen), **facts})


def _one_test_set(sets: list[_Set], asked: str | None, log: ProblemLog) -> tuple[list[_Set], dict[str, object]]:
    """The sets without all test sets but one: the one asked for, else the first by its name."""
    tests = [one for one in sets if one.side == "test"]
    if not tests:
        if asked is not None:
            raise SettingError(f"there is no test set {asked!r}.", did_you_mean(asked, [one.stem for one in sets]))
        return sets, {}
    stems = {one.stem: one for one in tests} | {one.stem.rsplit("/", 1)[-1]: one for one in tests}
    if asked is not None and asked not in stems:
        raise SettingError(f"there is no test set {asked!r}.", did_you_mean(asked, [one.stem for one in tests]))
    kept = tests[0] if asked is None else stems[asked]
    others = [one for one in tests if one is not kept]
    for one in others:
        log.add("other-test-set", "skipped", one.stem)
    facts: dict[str, object] = {"test_set": kept.stem}
    if others:
        facts["other_test_sets"] = [one.stem for one in others]
    return [one for one in sets if one not in others], facts


def _pairs(
    store: Store, names: tuple[str, str], encoding: str | None, side: str | None, log: ProblemLog | None
) -> Iterator[Sample]:
    """The lines of two files side by side; raises `DataError` where one ends before the other."""
    ended = object()
    both = zip_longest(*(lines_of(store, name, encoding, LONGEST) for name in names), fillvalue=ended)
    for number, (left, right) in enumerate(both, 1):
        if left is ended or right is ended:
            short, long = names if left is ended else names[::-1]
            lines = number + sum(1 for _ in both)
            raise DataError(
                f"it ends at line {number - 1}, but {long} has {lines} lines.",
                "Line N of one file must be the translation of line N of the other; find where they part.",
                file=short,
                row=number - 1,
            )
        if isinstance(left, str) and isinstance(right, str):
            yield Sample(f"{names[0]}:{number}", (left, right), names[0], number, side=side)
        elif log is not None:
            log.add("overlong-text", "skipped", names[0 if left is None else 1], number)


def _sets(source: Source) -> list[_Set]:
    """Files whose names differ in a language at their end, in the order of their names; empty where most do not."""
    if source.path is None:
        return []
    names = [name for name in source.store.names if not is_about(name)]
    found: dict[str, dict[str, str]] = {}
    for name in names:
        bare = name.removesuffix(".gz").removesuffix(".txt")
        stem, dot, language = bare.rpartition(".")
        if dot and stem and (is_language(language) or language.lower() in ROLES):
            found.setdefault(stem, {})[language] = name
    sets = [_Set(stem, files) for stem, files in sorted(found.items()) if len(files) > 1]
    return sets if sum(len(one.files) for one in sets) >= 0.5 * len(names) else []
