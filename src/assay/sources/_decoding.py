"""From bytes to text: the encoding found out, and the first byte named that does not fit it."""

from __future__ import annotations

import codecs
import lzma
import zipfile
import zlib
from collections.abc import Iterator

from assay.errors import DataError, SettingError
from assay.sources._rows import open_bytes
from assay.sources.store import Store

_BLOCK_BYTES = 1 << 20
_OTHER = "Save the file as UTF-8. What trains can also be read by its encoding's name, such as --encoding cp1252."

#: What reading a damaged compressed file raises.
DAMAGED = (EOFError, OSError, zlib.error, zipfile.BadZipFile, lzma.LZMAError)


def encoding_of(head: bytes) -> str:
    """UTF-16 where a byte order mark says so, else UTF-8."""
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def is_encoding(name: str) -> bool:
    """Whether there is a text encoding of this name."""
    try:
        "a".encode(name)
    except (LookupError, UnicodeError):
        return False
    return True


def is_utf8(encoding: str) -> bool:
    """Whether a name, such as `UTF8`, is that of UTF-8."""
    return codecs.lookup(encoding).name == "utf-8"


def check_encoding(encoding: str) -> None:
    """Raise `SettingError` where there is no such text encoding."""
    if not is_encoding(encoding):
        raise SettingError(f"there is no encoding {encoding!r}.", "Known are utf-8, utf-16, latin-1, cp1252, ….")


def text_blocks(store: Store, name: str, encoding: str | None = None) -> Iterator[str]:
    """A text file as consecutive pieces of about a megabyte, decompressed where it is gzip.

    Args:
        store: holds the file.
        name: the file.
        encoding: overrides what the byte order mark says (UTF-8 where there is none).

    Raises:
        DataError: a damaged file, another encoding (with the place of the byte), or zero bytes.
        SettingError: there is no such encoding.
    """
    if encoding is not None:
        check_encoding(encoding)
    decoder, first = None, True
    try:
        with open_bytes(store, name) as stream:
            while block := stream.read(_BLOCK_BYTES):
                encoding = encoding or encoding_of(block)
                decoder = decoder or codecs.getincrementaldecoder(encoding)()
                text = decoder.decode(block)
                if first and text:
                    text, first = text.removeprefix("\ufeff"), False
                if "\0" in text:
                    raise not_text(name, encoding)
                yield text
        if decoder is not None:
            decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise undecodable(store, name, encoding or "utf-8") from error
    except DAMAGED as error:
        raise damaged(name, error) from error


def not_text(name: str, encoding: str) -> DataError:
    """The error for a file that holds zero bytes."""
    hint = "Give a text file in UTF-8; UTF-16 without a byte order mark needs --encoding utf-16-le."
    return DataError(f"this is not text in {encoding.upper()} (it holds zero bytes).", hint, file=name)


def damaged(name: str, error: BaseException) -> DataError:
    """The error for a compressed file that ends too early, or that is none."""
    return DataError(f"the compressed file is damaged ({error})", "Download or pack it again.", file=name)


def undecodable(store: Store, name: str, encoding: str) -> DataError:
    """An error that names the first byte which is no text in this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    start, row, ended = 0, 1, False
    with open_bytes(store, name) as stream:
        while not ended:
            block = stream.read(_BLOCK_BYTES)
            ended = not block
            state = decoder.getstate()[0]
            pending = state if isinstance(state, bytes) else b""
            try:
                row += decoder.decode(block, final=ended).count("\n")
            except UnicodeDecodeError as error:
                place = start - len(pending) + error.start
                row += (pending + block)[: error.start].count(b"\n")
                message = f"byte {place + 1} ({error.object[error.start]:#04x}) is no {encoding.upper()} text."
                return DataError(message, _OTHER, file=name, row=row)
            except UnicodeError:
                break
            start += len(block)
    return DataError(f"the text is not {encoding.upper()}, or ends too early.", _OTHER, file=name)
