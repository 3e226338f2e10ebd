"""The server itself: its port, its start and its end."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assay.errors import MissingExtraError, SettingError
from assay.serving.http.hosted import named_runs
from assay.serving.http.limits import Limits
from assay.serving.http.tokens import Tokens, check_address, is_loopback

_KEPT_ALIVE_S = 15
_BACKLOG = 2048
_LAST_PORT = 65535
_TAKEN = (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE))
#: A video that turns out to be a playlist makes FFmpeg open nothing but files.
_VIDEO_SETTING = ("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises `SettingError` where the port is taken or the address not this machine's."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise SettingError(f"--host {host} is no address of this machine", "Use 127.0.0.1, or leave it out.") from error
    opened = socket.socket(family, kind, number)
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno in _TAKEN:
            other = port + 1 if port < _LAST_PORT else port - 1
            raise SettingError(f"port {port} is in use", f"Choose another one, such as --port {other}.") from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise SettingError(f"port {port} is kept for the system", "Choose one from 1024 on with --port.") from error
        raise SettingError(
            f"{host}, port {port} cannot be served ({error.strerror or error})", "Choose another --host."
        ) from error
    opened.setblocking(False)
    return opened


def serve(
    runs: Sequence[Path],
    load: Callable[[Path], Any],
    host: str,
    port: int,
    tokens: Tokens,
    limits: Limits,
    origins: tuple[str, ...] = (),
    say: Callable[[str], object] = lambda text: None,
) -> None:
    """Answer until a signal ends it; requests that are being answered then are finished.

    Raises:
        RunError: a run cannot be served.
        SettingError: the address cannot be served, or others could reach it without a token.
        MissingExtraError: FastAPI is not installed.
    """
    hosted = named_runs(runs)
    check_address(host, tokens)
    opened = listening(host, port)
    try:
        from assay.serving.http.app import make_app
    except ImportError as error:
        opened.close()
        raise MissingExtraError("assay serve", "serve") from error

    def make(fatal: Callable[[Exception], None]) -> Any:
        return make_app(hosted, load, limits=limits, tokens=tokens, local=is_loopback(host), origins=origins,
                        fatal=fatal)  # fmt: skip

    run(make, opened, limits, say)


def run(
    make: Callable[[Callable[[Exception], None]], Any],
    opened: socket.socket,
    limits: Limits,
    say: Callable[[str], object],
) -> None:
    """Run an application on a socket until a signal ends it, and close the socket.

    Args:
        make: gives the application; it is given what ends the server with an error, which is raised here.
        opened: listens.
        limits: of the server.
        say: is told the address.
    """
    import uvicorn

    from assay.serving.http.connections import bounded

    os.environ.setdefault(*_VIDEO_SETTING)
    failures: list[Exception] = []

    def fatal(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    config = uvicorn.Config(
        make(fatal), http=bounded(limits.time_s), log_config=None,
        access_log=False, server_header=False, proxy_headers=False, lifespan="on", ws="none",
        timeout_keep_alive=_KEPT_ALIVE_S, timeout_graceful_shutdown=int(limits.time_s) + 1, backlog=_BACKLOG,
    )  # fmt: skip
    server = uvicorn.Server(config)
    shown, number = opened.getsockname()[:2]
    say(f"http://{f'[{shown}]' if ':' in shown else shown}:{number}")
    try:
        server.run(sockets=[opened])
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again once it has ended in good order
    finally:
        opened.close()
        sys.stderr.flush()
    if failures:
        raise failures[0]
