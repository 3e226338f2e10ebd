"""Plain text to learn to go on with: one file or several, cut into passages at line ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from assay.arrow import pa
from assay.errors import DataError
from assay.samples.split import DEFAULT, parse_shares
from assay.sources._decoding import text_blocks
from assay.sources._lines import begins_as_prose, is_about, is_text_name
from assay.sources._splits import given_sides
from assay.sources._text_records import Sample, Shape, text_records
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store
from assay.sources.texts import read_texts_inputs

#: UTF-8 bytes of a passage, at most: it ends with the last line that fits, else with the last word.
PASSAGE_BYTES = 4096
#: A short text is cut into about so many passages instead, each of no fewer bytes than this.
_FEWEST_PASSAGES, _SHORTEST_BYTES = 40, 256
#: With as many files, each stays on one side as a whole; fewer are cut into sides, each by itself.
MANY_FILES = 10
_MISSING_SHARE = 0.1
_LENGTH = pa.struct([("bytes", pa.int64()), ("characters", pa.int64())])


def recognise_plain_text(source: Source) -> Recognition | None:
    """0.5 for text files of which hardly anything else stands by; None for other files, and for numbers as text."""
    if source.path is None:
        return None
    everything = [name for name in source.store.names if not is_about(name)] or source.store.names
    names = _files(source.store)
    if not names or len(names) < 0.9 * len(everything) or not begins_as_prose(source.store, names[0]):
        return None
    told = f"a text file, {names[0]}" if len(names) == 1 else f"{len(names)} text files"
    return Recognition(0.5, told)


def read_plain_text(source: Source, options: DataOptions, cut: bool = True) -> Records:
    """The text of a source in passages of at most about 4 kB, in their order.

    A text is cut into three stretches: the first trains, the next is for validation, the last for the test, by the
    shares of `--split` (80/10/10). Files named after the sides give them; a side that none is named after is cut from
    the end of the training files. Of many files (`MANY_FILES`) each is a group instead, which stays on one side.

    Args:
        source: a text file, or a folder or archive of them.
        options: `split`, and `extra["encoding"]`.
        cut: cut sides where no names of files give them.

    Returns:
        Records with `id` ("FILE:START-END", in characters of the decoded text), `text`, `target` (how many `bytes` the
        text has in UTF-8, and how many `characters`), `split` or `group`, and `digest`. The texts of a file are all of
        it, in their order.

    Raises:
        DataError: there is no text.
        SettingError: `--split` gives no shares.
    """
    store, encoding = source.store, options.extra.get("encoding")
    names = _files(store) or (store.names if len(store.names) == 1 else [])
    if not names:
        raise DataError("there is no text file.", "Expected files that end in .txt or .md.", file=source.label)
    sizes = {name: _size(store, name, encoding) for name in names}
    total = sum(size.bytes for size in sizes.values())
    limit = max(_SHORTEST_BYTES, min(PASSAGE_BYTES, total // _FEWEST_PASSAGES))
    sides = given_sides(names, options)
    grouped = sides is None and len(names) >= MANY_FILES
    sided = sides is not None or (cut and not grouped)
    shares = {name: _shares(sides, name, options) for name in names}

    def samples(log: ProblemLog | None) -> Iterator[Sample]:
        for name in names:
            done = 0
            for start, end, text, size in _passages(store, name, encoding, limit):
                side = None if not sided else _side((done + size / 2) / sizes[name].bytes, shares[name])
                length = {"bytes": size, "characters": end - start}
                yield Sample(f"{name}:{start}-{end}", (text,), name, None, length, name, side)
                done += size

    shape = Shape(("text",), _LENGTH, grouped, sided, True, "kept", source.label, "passages")
    facts = {
        "files": len(names),
        "bytes": total,
        "characters": sum(size.characters for size in sizes.values()),
    }
    return replace(text_records(samples, shape, ProblemLog(), facts), sides_cut=sided)


def read_plain_text_inputs(source: Source, encoding: str | None = None) -> Records:
    """Prompts: a text file each, as it stands to its last line end; a table's column of text; a list of strings.

    Returns:
        Records with `id`, `text` and `digest`; a prompt may be empty.

    Raises:
        DataError: there is none.
    """
    return read_texts_inputs(source, None, encoding)


@dataclass(frozen=True)
class _Size:
    """How much text a file holds."""

    characters: int
    bytes: int


def _size(store: Store, name: str, encoding: str | None) -> _Size:
    characters = size = 0
    for block in text_blocks(store, name, encoding):
        characters += len(block)
        size += len(block.encode())
    return _Size(characters, size)


def _passages(store: Store, name: str, encoding: str | None, limit: int) -> Iterator[tuple[int, int, str, int]]:
    """The passages of a file: first character, character behind the last, text, bytes in UTF-8."""
    waiting, start = b"", 0
    for block in text_blocks(store, name, encoding):
        waiting += block.encode()
        place = 0
        while len(waiting) - place > limit:
            end = _cut(waiting, place, limit)
            text = waiting[place:end].decode()
            yield start, start + len(text), text, end - place
            place, start = end, start + len(text)
        waiting = waiting[place:]
    if waiting:
        text = waiting.decode()
        yield start, start + len(text), text, len(waiting)


def _cut(text: bytes, place: int, limit: int) -> int:
    """Where the passage from `place` on ends: behind a line, else behind a word, else between two characters."""
    for mark in (b"\n", b" "):
        if (found := text.rfind(mark, place, place + limit)) > place:
            return found + 1
    end = place + limit
    while text[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _shares(sides: dict[str, str] | None, name: str, options: DataOptions) -> tuple[float, float]:
    """Where in a file the training stretch ends, and where the one for validation does."""
    if sides is None:
        train, validation, _ = parse_shares(options.split) or DEFAULT
        return train, train + validation
    if sides[name] != "train":
        return (0.0, 1.0) if sides[name] == "validation" else (0.0, 0.0)
    missing = {"validation", "test"} - set(sides.values())
    train = 1.0 - _MISSING_SHARE * len(missing)
    return train, train + _MISSING_SHARE * ("validation" in missing)


def _side(middle: float, shares: tuple[float, float]) -> str:
    """The side of a passage whose middle is at this share of its file."""
    return "train" if middle < shares[0] else "validation" if middle < shares[1] else "test"


def _files(store: Store) -> list[str]:
    return [name for name in store.names if is_text_name(name) and (len(store.names) == 1 or not is_about(name))]
