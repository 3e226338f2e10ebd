"""Connections whose requests begin in good time and with a head of bounded size; uvicorn bounds neither."""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

MOST_HEAD_BYTES = 65_536


def bounded(seconds: float) -> Any:
    """A protocol for uvicorn with httptools, or the name of its slower one where that is not installed.

    Args:
        seconds: until the head of a request has to be there, from its first byte, and for the first one from the
            beginning of the connection.
    """
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return "h11"  # which bounds the size of heads itself

    class Bounded(HttpToolsProtocol):
        """Closes a connection whose head is too large or too slow; nobody reads an answer there."""

        _timer: TimerHandle | None = None
        _in_head = True
        _head = 0

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._arrived()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_head:
                self._head += len(data)
                if self._head > MOST_HEAD_BYTES:
                    self.transport.abort()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_head, self._head = True, 0
            self._wait()

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._arrived()
            super().on_headers_complete()

        def _wait(self) -> None:
            self._arrived()
            self._timer = self.loop.call_later(seconds, self.transport.abort)

        def _arrived(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Bounded
