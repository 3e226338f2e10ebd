r"""Text files line by line: only \n and \r\n end a line, and a line of any length takes no more than its own memory."""

from __future__ import annotations

from collections.abc import Iterator

from assay.errors import AssayError
from assay.sources._decoding import text_blocks
from assay.sources.store import Store

#: What a text file is called; `.gz` of these, too.
TEXT_SUFFIXES = (".txt", ".text", ".md", ".rst")

#: Files about the data, which are no part of it.
_ABOUT = ("readme", "license", "licence", "copying", "changelog", "citation", "notice", "authors", "source_readme")


def is_text_name(name: str) -> bool:
    """Whether a file is text by its ending."""
    return name.lower().removesuffix(".gz").endswith(TEXT_SUFFIXES)


def is_about(name: str) -> bool:
    """Whether a file tells about the data (README, LICENSE, …) rather than being part of it."""
    base = name.rsplit("/", 1)[-1].lower()
    return base.split(".", 1)[0] in _ABOUT


def lines_of(store: Store, name: str, encoding: str | None = None, longest: int | None = None) -> Iterator[str | None]:
    """The lines of a text file, without their ends; the end of the last line may be missing.

    Args:
        store: holds the file.
        name: the file, compressed with gzip or not.
        encoding: as `text_blocks` takes it.
        longest: characters; None stands in the place of a line that is longer, whose text is not kept.

    Raises:
        DataError: as `text_blocks` does.
    """
    pieces: list[str] = []
    length = 0
    for block in text_blocks(store, name, encoding):
        *whole, rest = block.split("\n")
        for line in whole:
            if pieces:
                line, pieces, length = "".join([*pieces, line]), [], length + len(line)
            else:
                length = len(line)
            yield line.removesuffix("\r") if longest is None or length <= longest else None
            length = 0
        if rest:
            length += len(rest)
            pieces = [""] if longest is not None and length > longest else [*pieces, rest]
    if pieces:
        yield "".join(pieces) if longest is None or length <= longest else None


def whole_text(store: Store, name: str, encoding: str | None = None, longest: int | None = None) -> str | None:
    """The whole text of a file; None where it has more than `longest` characters. Raises as `text_blocks` does."""
    pieces: list[str] = []
    length = 0
    for block in text_blocks(store, name, encoding):
        pieces.append(block)
        length += len(block)
        if longest is not None and length > longest:
            return None
    return "".join(pieces)


def begins_as_prose(store: Store, name: str) -> bool:
    """Whether a file begins with letters rather than numbers; in no matter which encoding."""
    for encoding in (None, "latin-1"):
        try:
            head = "".join(next(text_blocks(store, name, encoding), "")[:4096].split())
        except AssayError:
            continue
        return not head or sum(map(str.isalpha, head)) >= 0.5 * len(head)
    return False
