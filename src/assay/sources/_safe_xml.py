"""XML from strangers: read as a stream, without entities of its own and without anything from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

from assay.errors import DataError
from assay.sources._decoding import DAMAGED, check_encoding, damaged
from assay.sources._rows import open_bytes
from assay.sources.store import Store

_BLOCK_BYTES = 1 << 18


class Event(NamedTuple):
    """What stands at one place of a document.

    Attributes:
        kind: "start", "end" or "text".
        name: the element; the text itself.
        attributes: of a start, by name.
        line: where it stands.
    """

    kind: str
    name: str
    attributes: dict[str, str]
    line: int


class _Refused(Exception):
    """An entity is declared or asked for from outside."""


def xml_events(store: Store, name: str, encoding: str | None = None) -> Iterator[Event]:
    """The elements and texts of a document in their order.

    Entities that a document declares can grow without bounds, or read other files; a document with any is refused. A
    reference to an unknown one stays in the text.

    Args:
        store: holds the file.
        name: the file, compressed with gzip or not.
        encoding: overrides what the document says.

    Raises:
        DataError: a document that is not well-formed, damaged, or that declares entities.
        SettingError: there is no such encoding.
    """
    if encoding is not None:
        check_encoding(encoding)
    parser = expat.ParserCreate(encoding)
    events: list[Event] = []
    _listen(parser, events)
    try:
        with open_bytes(store, name) as stream:
            while block := stream.read(_BLOCK_BYTES):
                parser.Parse(block, False)
                yield from events
                events.clear()
            parser.Parse(b"", True)
            yield from events
    except expat.ExpatError as error:
        raise DataError(
            f"this is no well-formed XML ({expat.ErrorString(error.code)} at byte {parser.ErrorByteIndex + 1}).",
            "Write it again with the program that made it, in UTF-8.",
            file=name,
            row=error.lineno,
        ) from error
    except _Refused as error:
        hint = "Write it again without a DTD of its own."
        raise DataError(f"the document {error}, which is refused.", hint, file=name,
                        row=parser.CurrentLineNumber) from error  # fmt: skip
    except DAMAGED as error:
        raise damaged(name, error) from error
    except (ValueError, LookupError) as error:  # an encoding that the parser cannot read
        raise DataError(f"the document cannot be read ({error}).", "Save it in UTF-8.", file=name) from error


def _listen(parser: expat.XMLParserType, events: list[Event]) -> None:
    """Collect what the parser meets."""
    parser.buffer_text = True

    def start(element: str, attributes: dict[str, str]) -> None:
        events.append(Event("start", element, attributes, parser.CurrentLineNumber))

    def end(element: str) -> None:
        events.append(Event("end", element, {}, parser.CurrentLineNumber))

    def text(content: str) -> None:
        events.append(Event("text", content, {}, parser.CurrentLineNumber))

    def unknown(entity: str, is_parameter: bool) -> None:
        if not is_parameter:
            text(f"&{entity};")

    def declared(entity: str, *others: object) -> None:
        raise _Refused(f"declares an entity, {entity!r}")

    def outside(*others: object) -> int:
        raise _Refused("asks for another file")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.SkippedEntityHandler, parser.EntityDeclHandler, parser.ExternalEntityRefHandler = unknown, declared, outside
