"""The entries of gettext's PO files, as the gettext manual describes the format ("The Format of PO Files")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.errors import DataError
from assay.sources._decoding import DAMAGED, damaged, is_encoding
from assay.sources._lines import lines_of
from assay.sources._rows import open_bytes
from assay.sources.store import Store

_HEAD_BYTES = 1 << 16
_FIELD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d{1,3})\])?\s*"(.*)"\s*')
_MORE = re.compile(r'"(.*)"\s*')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class Entry:
    """One message.

    Attributes:
        line: where its `msgid` stands.
        message: what the program says.
        context: tells equal messages apart.
        plural: what it says of several; None where it does not count.
        plural_line: where that stands.
        translations: by the number of the form; the only one is 0. Empty ones are not translated yet.
        fuzzy: the translation is a guess that nobody has looked at.
        obsolete: the program no longer says it.
    """

    line: int = 0
    message: str = ""
    context: str = ""
    plural: str | None = None
    plural_line: int = 0
    translations: dict[int, str] = field(default_factory=dict)
    fuzzy: bool = False
    obsolete: bool = False


def charset_of(store: Store, name: str) -> str | None:
    """The encoding that a catalogue's header names; None where it names none that there is."""
    try:
        with open_bytes(store, name) as stream:
            head = stream.read(_HEAD_BYTES)
    except DAMAGED as error:
        raise damaged(name, error) from error
    found = re.search(rb"charset=([\w.-]+)", head)
    if found is None:
        return None
    charset = found[1].decode("ascii")
    return charset if is_encoding(charset) else None


def entries_of(store: Store, name: str, encoding: str | None) -> Iterator[Entry]:
    """The entries of a catalogue in their order, the header (whose message is empty) first.

    Raises:
        DataError: a line that is no part of a catalogue, or as `text_blocks` does.
    """
    entry, place = Entry(), ("", 0)
    for number, line in enumerate(lines_of(store, name, encoding), 1):
        text = (line or "").strip()
        obsolete = text.startswith("#~") and not text.startswith("#~|")
        if obsolete:
            text = text[2:].strip()
        found = _FIELD.fullmatch(text)
        begins = text.startswith("#") or (found is not None and found[1] in ("msgctxt", "msgid"))
        if entry.translations and (not text or begins):
            yield entry
            entry, place = Entry(), ("", 0)
        if not text or text.startswith(("#", "|")):  # "#~|" tells what an obsolete message was before
            entry.fuzzy = entry.fuzzy or (text.startswith("#,") and "fuzzy" in text)
            continue
        more = _MORE.fullmatch(text) if found is None else None
        if found is not None:
            place = (found[1], int(found[2] or 0))
        elif more is None or not place[0]:
            raise DataError(f"this is no line of a catalogue: {text[:60]!r}.", 'Expected msgid "…" and msgstr "…".',
                            file=name, row=number)  # fmt: skip
        entry.obsolete = entry.obsolete or obsolete
        _put(entry, place, _unescaped(found[3] if found is not None else more[1] if more else ""), number)
    if entry.translations:
        yield entry


def _put(entry: Entry, place: tuple[str, int], text: str, line: int) -> None:
    """Add a piece of text to a field."""
    name, form = place
    if name == "msgid":
        entry.line = entry.line or line
        entry.message += text
    elif name == "msgctxt":
        entry.context += text
    elif name == "msgid_plural":
        entry.plural_line = entry.plural_line or line
        entry.plural = (entry.plural or "") + text
    else:
        entry.translations[form] = entry.translations.get(form, "") + text


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code[0] in "01234567":
            return chr(int(code, 8))
        return _ESCAPED.get(code, code)

    return _ESCAPE.sub(one, text) if "\\" in text else text
