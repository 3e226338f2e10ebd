"""What requests to the studio hold, read within limits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import IO, Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from assay.errors import AssayError, MissingExtraError
from assay.run import is_full, to_json
from assay.serving.http.limits import Limits
from assay.serving.http.multipart import read_form
from assay.serving.http.refusals import Refused

_MIB = 1 << 20
#: The page sends files in forms of about 16 MiB each, and zips by themselves.
FORMS = Limits(body_bytes=256 * _MIB, files=2000, unpacked_bytes=8192 * _MIB, members=500_000)
#: The largest request of all.
ZIPS = Limits(body_bytes=4096 * _MIB, unpacked_bytes=8192 * _MIB, members=500_000)
_MOST_JSON = 8 * _MIB
_IN_MEMORY = 32 * _MIB


class Json(JSONResponse):
    """JSON with what `to_json` leaves, also names that are no Unicode."""

    def render(self, content: Any) -> bytes:
        """See Starlette."""
        text = json.dumps(to_json(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


async def body_of(request: Request, most: int) -> bytes:
    """All of a request's body; raises `Refused`."""
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise Refused(413, f"this is more than {most // _MIB} MiB", "Send it as a zip, or in parts.")
            parts.append(chunk)
    except ClientDisconnect:
        raise Refused(400, "the upload was cut off", "Send it again.") from None
    return b"".join(parts)


async def said(request: Request, **expected: type | tuple[type, ...]) -> Mapping[str, Any]:
    """The object in a request's body, with the values that are expected, each of its type; raises `Refused`."""
    try:
        found = json.loads(await body_of(request, _MOST_JSON) or b"{}")
    except (ValueError, RecursionError):
        raise Refused(422, "the request is no JSON", "Load the page again.") from None
    if not isinstance(found, dict):
        raise Refused(422, "the request is no JSON object", "Load the page again.")
    for name, kind in expected.items():
        if not isinstance(found.get(name), kind):
            raise Refused(422, f"the request lacks {name}", "Load the page again.")
    return found


def names_in(found: Mapping[str, Any], name: str = "ids") -> list[str]:
    """A list of texts in a request; raises `Refused`."""
    values = found.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refused(422, f"the request lacks {name}", "Load the page again.")
    return values


async def files_in(request: Request) -> list[tuple[str, bytes]]:
    """The files of a form: paths as they were sent, and contents; raises `Refused`."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise Refused(415, "files are sent as a form", "Load the page again.")
    body = await body_of(request, FORMS.body_bytes)
    parts = read_form(kind, body, FORMS)
    found = [(part.filename, bytes(part.content)) for part in parts if part.filename]
    if not found:
        raise Refused(422, "there is no file in it", "Choose some.")
    return found


async def spooled(request: Request) -> IO[bytes]:
    """A request's body as a file that goes when it is closed; raises `Refused`."""
    stored: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > ZIPS.body_bytes:
                raise Refused(413, f"this is more than {ZIPS.body_bytes // _MIB} MiB", "Unpack it, and send folders.")
            stored.write(chunk)
    except ClientDisconnect:
        stored.close()
        raise Refused(400, "the upload was cut off", "Send it again.") from None
    except BaseException:
        stored.close()
        raise
    stored.seek(0)
    return stored


def told(error: Exception) -> Refused | None:
    """What a browser is told of an error: one that is the user's, or the system's; None for a bug."""
    if isinstance(error, AssayError):
        return Refused(503 if isinstance(error, MissingExtraError) else 422, error.message, error.hint)
    if is_full(error):
        return Refused(507, "no space is left on the disk", "Free some, and try again.")
    if isinstance(error, OSError) and error.strerror:
        return Refused(500, f"the system refuses ({error.strerror})", "Check the studio's folder and its permissions.")
    return None
