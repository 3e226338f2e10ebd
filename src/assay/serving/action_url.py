"""A command calls a URL that stands in the file."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from assay.serving._action_tables import Table
from assay.serving.action import COMMON, Action, ActionFailed, Means, common_keys

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_MOST_READ, _POLL_S = 65_536, 0.02
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTENT = {"json": "application/json", "body": "text/plain; charset=utf-8"}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Url(Action):
    """Calls a URL; a status below 400 is success.

    Attributes:
        url: where, http or https.
        method: how.
        headers: by name; those out of the environment are among them.
        body: what is sent.
    """

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def describe(self) -> str:
        """See `Action.describe`."""
        parts = urlsplit(self.url)
        query = "?…" if parts.query else ""
        return f"{self.method} {parts.scheme}://{parts.netloc}{parts.path}{query}"

    def execute(self, means: Means) -> None:
        """See `Action.execute`.

        A redirect to another scheme, host or port is not followed, and none of what was sent to be done: it would
        become a GET without what was sent.
        """
        call = _Call(self)
        threading.Thread(target=call.run, name=f"action {self.name}", daemon=True).start()
        until = time.monotonic() + self.timeout_s
        while not call.done.wait(_POLL_S):
            if means.stop.is_set() or time.monotonic() > until:
                call.give_up()
                raise ActionFailed("stopped" if means.stop.is_set() else f"timed out after {self.timeout_s:g} s")
        if call.error is not None:
            raise call.error


class _Call:
    """One call on a thread of its own: a server that sends a byte now and then is waited for no longer than any other.

    Attributes:
        done: set at its end.
        error: what went wrong, then.
    """

    def __init__(self, action: Url) -> None:
        self.done = threading.Event()
        self.error: BaseException | None = None
        self._action, self._given_up = action, threading.Event()
        self._lines: list[http.client.HTTPConnection] = []

    def run(self) -> None:
        """Call, and read the answer."""
        try:
            self._call()
        except BaseException as error:
            self.error = error
        self.done.set()

    def give_up(self) -> None:
        """Tear the connection, so that the thread ends."""
        self._given_up.set()
        for line in self._lines:
            if line.sock is not None:
                with suppress(OSError):
                    line.sock.shutdown(socket.SHUT_RDWR)

    def _line(self, kind: Callable[..., http.client.HTTPConnection]) -> Any:
        """What makes connections that are kept, and that send nothing once the call was given up."""

        def made(*arguments: Any, **named: Any) -> http.client.HTTPConnection:
            line = kind(*arguments, **named)
            connect = line.connect

            def checked() -> None:
                connect()
                if self._given_up.is_set():
                    line.close()
                    raise OSError("given up")

            line.connect = checked  # type: ignore[method-assign]
            self._lines.append(line)
            return line

        return made

    def _call(self) -> None:
        action = self._action
        request = urllib.request.Request(action.url, action.body or None, dict(action.headers), method=action.method)
        opener = urllib.request.build_opener(_SameHost, _Plain(self._line), _Encrypted(self._line))
        try:
            with opener.open(request, timeout=action.timeout_s) as response:
                most = _MOST_READ
                while most > 0 and not self._given_up.is_set() and (found := response.read1(most)):
                    most -= len(found)
        except urllib.error.HTTPError as error:
            error.close()
            raise ActionFailed(f"status {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ActionFailed(str(getattr(error, "reason", None) or error or type(error).__name__)) from error


class _Plain(urllib.request.HTTPHandler):
    """Connects through `_Call._line`."""

    def __init__(self, line: Callable[..., Any]) -> None:
        super().__init__()
        self._line = line

    def http_open(self, req: urllib.request.Request) -> Any:
        """See `urllib.request.HTTPHandler`."""
        return self.do_open(self._line(http.client.HTTPConnection), req)


class _Encrypted(urllib.request.HTTPSHandler):
    """Likewise; the server's certificate is checked."""

    def __init__(self, line: Callable[..., Any]) -> None:
        super().__init__()
        self._line = line

    def https_open(self, req: urllib.request.Request) -> Any:
        """See `urllib.request.HTTPSHandler`."""
        return self.do_open(self._line(http.client.HTTPSConnection), req)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects of GET and HEAD within one scheme, host and port alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request; raises `ActionFailed` where it would be another one than the file says."""
        if req.get_method() not in ("GET", "HEAD"):
            raise ActionFailed(f"it redirects (status {code}), which is followed with GET and HEAD alone")
        target = urljoin(req.full_url, newurl)
        if _place(urlsplit(target)) != _place(urlsplit(req.full_url)):
            raise ActionFailed(f"it redirects to another host ({urlsplit(target).netloc}), which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _place(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def read_url(name: str, table: Table) -> Url:
    """An action that has the key `url`; raises `DataError`."""
    table.only((*COMMON, "url", "method", "headers", "headers_from", "body", "json"))
    url = table.text("url")
    _check_url(table, url)
    method = table.text("method", "POST").upper()
    if method not in _METHODS:
        raise table.error("method", f"is {method!r}", f"Known: {', '.join(_METHODS)}.")
    kind = next((kind for key, kind in _CONTENT.items() if key in table.values), None)
    headers = {} if kind is None else {"Content-Type": kind}
    headers |= table.named_texts("headers")
    secrets = table.table("headers_from")
    if secrets is not None:
        headers |= {header: secrets.secret(header) or "" for header in secrets.values}
    for header, value in headers.items():
        if not _NAME.fullmatch(header) or re.search(r"[\r\n]", value) or not _is_latin(value):
            place = "headers_from" if secrets is not None and header in secrets.values else "headers"
            raise table.error(f"{place}.{header}", "is no header of a request", "Use plain letters on one line.")
    body = table.content("body", "json")
    return Url(name=name, url=url, method=method, headers=headers, body=body, **vars(common_keys(table)))


def _check_url(table: Table, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise table.error("url", f"is no URL ({error})", "Write it as https://host/path.") from error
    if parts.scheme not in _PORTS or not host:
        raise table.error("url", f"is {url!r}", "Write it as http://host/path or https://host/path.")
    if re.search(r"[\x00-\x20\x7f]", url) or not url.isascii():
        raise table.error("url", "has characters that no URL has", "Write them as %20 and so on.")
    if parts.username is not None or parts.password is not None:
        hint = 'Take it from the environment: headers_from = { Authorization = "VARIABLE" }.'
        raise table.error("url", "holds a user's name or a password", hint)


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
