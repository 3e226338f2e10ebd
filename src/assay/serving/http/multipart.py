"""A form with files (`multipart/form-data`) out of the bytes of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from assay.serving.http.limits import Limits
from assay.serving.http.refusals import Refused

_MOST_FIELDS = 16
_MOST_HEADER = 8192
_LONGEST_FIELD = 65536


@dataclass
class Part:
    """One part of a form: a file where it has a file's name."""

    name: str = ""
    filename: str | None = None
    content: bytearray = field(default_factory=bytearray)


class _Reader:
    """Takes what the parser finds."""

    def __init__(self, limits: Limits) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._limits = limits
        self._header = b""
        self._value = b""
        self._size = 0
        self._part = Part()
        self._disposition = b""

    def on_part_begin(self) -> None:
        self._part, self._disposition, self._size = Part(), b"", 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._part.content += data[start:end]
        if self._part.filename is None and len(self._part.content) > _LONGEST_FIELD:
            raise Refused(413, "a field of the form is too long", "Send inputs as files.")

    def on_part_end(self) -> None:
        self.parts.append(self._part)
        files = sum(part.filename is not None for part in self.parts)
        if files > self._limits.files:
            raise Refused(413, f"the form has more than {self._limits.files} files", "Send fewer, or a zip of them.")
        if len(self.parts) - files > _MOST_FIELDS:
            raise Refused(413, f"the form has more than {_MOST_FIELDS} fields", "Send model, options and files.")

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._grown(end - start)

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._grown(end - start)

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._disposition)
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if (filename := options.get(b"filename")) is not None:
            self._part.filename = filename.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.ended = True

    def _grown(self, size: int) -> None:
        self._size += size
        if self._size > _MOST_HEADER:
            raise Refused(400, "the header of a part is too long", "Give files short names.")


def read_form(content_type: str, body: bytes, limits: Limits) -> list[Part]:
    """The parts of a form; raises `Refused` where it is damaged, cut off, or has too many."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Refused(400, "the form names no boundary", "Let the client make the header Content-Type.")
    reader = _Reader(limits)
    names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "headers_finished")
    try:
        found: Any = {f"on_{name}": getattr(reader, f"on_{name}") for name in (*names, "end")}
        parser = MultipartParser(boundary, found)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, "the form is damaged", "Send it as multipart/form-data, such as with curl -F.") from error
    if not reader.ended:
        raise Refused(400, "the form is cut off", "Send it again as a whole.")
    return reader.parts
