"""Who may ask the studio: its own page alone. A page elsewhere can make a browser send requests to this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from assay.serving.http.guard import ALWAYS
from assay.serving.http.refusals import Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

#: Set by the page on what changes something. Another site's page would have to ask before it sets it, and is refused.
MARK = b"x-assay"
#: Scripts, styles, pictures and sounds come from here; nothing is evaluated, framed by others or sent elsewhere.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = (
    *ALWAYS,
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(self), geolocation=()"),
    (b"content-security-policy", POLICY.encode()),
)


class OwnPage:
    """An ASGI application around another one: what changes something has to come from the page that it gave out.

    Args:
        inner: answers requests that may pass.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """See ASGI; raises `Refused`."""
        if scope["type"] == "http":
            _check(scope)
        await self._inner(scope, receive, send)


def _check(scope: Scope) -> None:
    headers = dict(scope["headers"])
    site, origin = headers.get(b"sec-fetch-site", b"none"), headers.get(b"origin")
    own = origin is None or _place(origin) == headers.get(b"host", b"").lower()
    refused = Refused(403, "only the studio's own page may do this", "Use the page that assay studio opens.")
    if scope["method"] in ("GET", "HEAD"):
        navigating = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
        if not own or (site not in (b"same-origin", b"none") and not navigating):
            raise refused
    elif not own or site not in (b"same-origin", b"none") or MARK not in headers:
        raise refused


def _place(origin: bytes) -> bytes:
    """Host and port of an origin; empty for one that is opaque, or none of the web."""
    scheme, _, place = origin.lower().partition(b"://")
    return place if scheme in (b"http", b"https") else b""
