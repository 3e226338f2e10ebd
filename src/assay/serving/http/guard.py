"""What every request passes first and last: tokens, whose page asks, how large it is, headers, the log, the metrics."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from assay.serving.http.limits import Limits
from assay.serving.http.refusals import Refused
from assay.serving.http.telling import Log, Metrics, where
from assay.serving.http.tokens import Tokens

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: The paths that are logged and counted by name; any other may hold what somebody else should not read.
PATHS = ("/predict", "/explain", "/models", "/health", "/ready", "/metrics", "/openapi.json", "/docs")
_METHODS = ("GET", "POST", "HEAD", "OPTIONS")
_LOCAL = ("localhost", "127.0.0.1", "::1", "")
#: What every answer says beside its own, in the studio, too.
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
HEADERS = (
    *ALWAYS,
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)


class Guard:
    """An ASGI application around another one.

    Args:
        inner: answers requests that may pass.
        tokens: who may ask.
        limits: of the server.
        metrics: counts.
        log: gets a line a request.
        local: the server is for this machine alone, so that a name that is not this machine's (DNS rebinding) is
            refused.
        origins: the sites whose pages may ask; none by default.
        headers: of every answer, but for those that it names itself.
        paths: those that are logged and counted by name.
    """

    def __init__(
        self,
        inner: Any,
        tokens: Tokens,
        limits: Limits,
        metrics: Metrics,
        log: Log,
        local: bool,
        origins: tuple[str, ...],
        headers: tuple[tuple[bytes, bytes], ...] = HEADERS,
        paths: tuple[str, ...] = PATHS,
    ) -> None:
        self._inner, self._tokens, self._limits, self._metrics, self._log = inner, tokens, limits, metrics, log
        self._local, self._origins = local, origins
        self._headers, self._paths = headers, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, number = time.monotonic(), secrets.token_hex(8)
        facts = scope.setdefault("state", {})
        said = {"status": 0, "bytes": 0}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                said["status"] = message["status"]
                own = list(message.get("headers", ()))
                named = {name.lower() for name, _ in own}
                ours = [header for header in self._headers if header[0] not in named]
                message["headers"] = [*own, *ours, (b"x-request-id", number.encode())]
            elif message["type"] == "http.response.body":
                said["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            self._check(scope)
            await self._inner(scope, receive, sending)
        except Refused as error:
            facts["reason"] = error.reason
            await _refuse(sending, error)
        except Exception as error:
            facts["unexpected"] = where(error)
            if not said["status"]:
                await _refuse(sending, Refused(500, "something went wrong here", f"The log has more: {number}"))
        finally:
            self._tell(scope, facts, said, number, time.monotonic() - begun)

    def _check(self, scope: Scope) -> None:
        """Raise `Refused` for who may not ask, whatever is asked for, and then for what is too large."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["method"] == "OPTIONS" and origin in self._origins:
            return  # a browser asks whether it may ask, which it does without a token
        if not self._tokens.allow(headers.get(b"authorization")):
            raise Refused(401, "the token is missing or wrong", "Send the header Authorization: Bearer TOKEN.")
        if self._local and not self._tokens and _host(headers.get(b"host", b"")) not in _LOCAL:
            raise Refused(403, "this name is not served", "Ask 127.0.0.1 or localhost.")
        if headers.get(b"sec-fetch-site") == b"cross-site" and origin not in self._origins:
            raise Refused(403, "pages of other sites may not ask", "Allow the site with --allow-origin.")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise Refused(400, "the header Content-Length is no number", "Let the client make it.")
        if int(length[:20]) > self._limits.body_bytes:
            raise too_large(self._limits)

    def _tell(self, scope: Scope, facts: dict[str, Any], said: dict[str, int], number: str, seconds: float) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._metrics.requests.labels(path, str(said["status"])).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        if said["status"] >= 400:
            self._metrics.refused.labels(facts.get("reason", str(said["status"]))).inc()
        self._log.line(
            "request", id=number, method=scope["method"] if scope["method"] in _METHODS else "other", path=path,
            status=said["status"], ms=round(1000 * seconds, 1), bytes_out=said["bytes"],
            **{name: facts.get(name) for name in ("bytes_in", "model", "inputs", "together", "reason", "unexpected")},
        )  # fmt: skip


def too_large(limits: Limits) -> Refused:
    """The refusal of a request that is too large."""
    return Refused(
        413, f"the request has more than {limits.body_bytes >> 20} MiB", "Send less at once.", reason="large"
    )


def _host(header: bytes) -> str:
    """The name of `Host` without its port."""
    text = header.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


async def _refuse(send: Send, error: Refused) -> None:
    body = json.dumps(error.body(), ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in error.headers().items()]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
