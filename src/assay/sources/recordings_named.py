"""Recordings whose names say what is spoken, and by whom.

Two rules are known; a pattern of the user's own (`--file-names`) goes before them.

* `LABEL_SPEAKER_NUMBER`, as in the Free Spoken Digit Dataset: `7_jackson_32.wav` is the word "7", by "jackson".
* `0_0_1_1_0_1_0_1`, as in the yesno corpus (OpenSLR 1): each 1 is a "yes", each 0 a "no", in the order of the words.

A pattern is a path without its ending, in which `{label}`, `{text}`, `{speaker}`, `{split}` or any other name in braces
stands for a part without slashes, and `{}` for one that is of no interest: `{speaker}/{label}_{}`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from assay.errors import DataError, SettingError
from assay.sources._audio_header import is_audio_name
from assay.sources._class_folders import class_folders
from assay.sources._recording_layout import Found, Kind, defaults_of, is_audio_source, text_table
from assay.sources.records import Place, ProblemLog
from assay.sources.source import DataOptions, Recognition, Source

_MOST_OTHERS = 0.05
_LABEL_SPEAKER_NUMBER = re.compile(r"(?P<label>[^_/]+)_(?P<speaker>[^_/]*[^\W\d_][^_/]*)_(?P<number>\d+)")
_YES_NO = re.compile(r"(?P<text>[01](?:_[01]){2,})")
_YES_NO_WORDS = {"0": "no", "1": "yes"}


@dataclass(frozen=True)
class _Match:
    """What a rule reads from names: a row each, None for a name that it does not fit."""

    rows: list[dict[str, str | None] | None]
    names: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether nearly all names were read."""
        return sum(row is None for row in self.rows) <= _MOST_OTHERS * len(self.rows)


def recognise(source: Source) -> Mapping[Kind, Recognition]:
    """0.92 where nearly all names follow one of the known rules."""
    if not is_audio_source(source, is_audio_name):
        return {}
    names = list(filter(is_audio_name, source.store.names))
    digits = _digits(names)
    if digits is not None and not _contradicted(names, digits):
        return {"class": Recognition(0.92, f"{len(names)} recordings whose names are LABEL_SPEAKER_NUMBER")}
    if _yes_no(names) is not None:
        return {"text": Recognition(0.92, f"{len(names)} recordings named by 1 (yes) and 0 (no) for each word")}
    return {}


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The recordings whose names can be read; others are noted as `unreadable-name`.

    Raises:
        DataError: no name follows the rule.
        SettingError: the pattern is none.
    """
    names = list(filter(is_audio_name, source.store.names))
    pattern = options.extra.get("file_names")
    match = _by_pattern(names, str(pattern)) if pattern is not None else _digits(names) or _yes_no(names)
    if match is None or all(row is None for row in match.rows):
        what = f"--file-names {pattern}" if pattern is not None else "a rule that is known"
        first = f"; the first of them is {names[0]}" if names else ""
        raise DataError(
            f"no name of {len(names)} recordings follows {what}{first}.",
            "Give a pattern such as --file-names '{label}_{speaker}_{}'.",
            file=source.label,
        )
    kept = [name for name, row in zip(names, match.rows, strict=True) if row is not None]
    for name in sorted(set(names) - set(kept)):
        log.add("unreadable-name", "skipped", name)
    for name in source.store.names:
        if not is_audio_name(name):
            log.add("stray-file", "skipped", name)
    rows = [row for row in match.rows if row is not None]
    where: list[str | None] = list(kept)
    table = text_table(rows, match.names)
    return Found(where, where, [Place(name) for name in kept], table, source.store, defaults_of(match.names))


def _digits(names: list[str]) -> _Match | None:
    """`LABEL_SPEAKER_NUMBER`, where labels come again and again, and from more than one of them by one speaker."""
    match = _matched(names, _LABEL_SPEAKER_NUMBER, ("label", "speaker"), last=True)
    rows = [row for row in match.rows if row is not None]
    labels = Counter(row["label"] for row in rows)
    pairs = {(row["label"], row["speaker"]) for row in rows}
    repeated = len(labels) > 1 and 2 * len(labels) <= len(rows)
    crossed = len(pairs) > max(len(labels), len({speaker for _, speaker in pairs}))
    one_speaker = len({speaker for _, speaker in pairs}) == 1
    return match if match.fits and repeated and (crossed or one_speaker) else None


def _yes_no(names: list[str]) -> _Match | None:
    match = _matched(names, _YES_NO, ("text",), last=True)
    if not names or not match.fits:
        return None
    for row in match.rows:
        if row is not None:
            row["text"] = " ".join(_YES_NO_WORDS[digit] for digit in str(row["text"]).split("_"))
    return match


def _contradicted(names: list[str], match: _Match) -> bool:
    """Whether the files lie in folders of classes that say something else than their names."""
    layout = class_folders(names, is_audio_name)
    if len(set(layout.classes)) < 2:
        return False
    labels = {name: row["label"] for name, row in zip(names, match.rows, strict=True) if row is not None}
    agreeing = sum(labels.get(name) == kind for name, kind in zip(layout.names, layout.classes, strict=True))
    return agreeing < (1 - _MOST_OTHERS) * len(layout.names)


def _by_pattern(names: list[str], pattern: str) -> _Match:
    pieces = re.split(r"\{([^{}]*)\}", pattern)
    fields = [field.strip() for field in pieces[1::2]]
    named = [field for field in fields if field]
    if not named or len(set(named)) < len(named):
        raise SettingError(
            f"--file-names {pattern!r} names no part, or one twice.", "Write it as '{label}_{speaker}_{}'."
        )
    expression = "".join(_pieces(pieces, named))
    match = _matched(names, re.compile(expression), tuple(f"part{place}" for place in range(len(named))), last=False)
    if all(row is None for row in match.rows):  # written for names alone, or for paths below the folder that wraps all
        match = _matched(names, re.compile(f"(?:.*/)?{expression}"), match.names, last=False)
    rows = [None if row is None else dict(zip(named, row.values(), strict=True)) for row in match.rows]
    return _Match(rows, tuple(named))


def _pieces(pieces: list[str], named: list[str]) -> Iterator[str]:
    """A pattern as a regular expression: literal text and fields take turns."""
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            yield re.escape(piece)
        elif piece.strip():
            yield f"(?P<part{named.index(piece.strip())}>[^/]+?)"
        else:
            yield "[^/]*?"


def _matched(names: list[str], expression: re.Pattern[str], fields: tuple[str, ...], *, last: bool) -> _Match:
    rows: list[dict[str, str | None] | None] = []
    for name in names:
        stem = (name.rsplit("/", 1)[-1] if last else name).rpartition(".")[0]
        found = expression.fullmatch(stem)
        rows.append(None if found is None else {field: found[field] for field in fields})
    return _Match(rows, fields)
