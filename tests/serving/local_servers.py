"""A broker and a web server for actions to use."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/usr/bin")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class LocalBroker:
    """mosquitto on a free port, and somebody who reads all that goes through it."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true\n") -> None:
        self.port, self._folder, self._extra = free_port(), folder, extra
        self.messages: list[Any] = []
        self.start()

    def start(self) -> None:
        config = self._folder / "mosquitto.conf"
        user = "user root\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        config.write_text(f"listener {self.port} 127.0.0.1\n{self._extra}persistence false\n{user}")
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            wait_for(self._answers)
        except AssertionError:
            self.stop()
            raise

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def read(self, user: str | None = None, password: str | None = None) -> None:
        """Subscribe to everything."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._reader = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._reader.username_pw_set(user, password)
        ready = threading.Event()
        self._reader.on_connect = lambda client, *_: client.subscribe("#", 2)
        self._reader.on_subscribe = lambda *_: ready.set()
        self._reader.on_message = lambda client, data, message: self.messages.append(message)
        self._reader.connect("127.0.0.1", self.port)
        self._reader.loop_start()
        assert ready.wait(20)

    def told(self) -> list[tuple[str, str]]:
        return [(message.topic, message.payload.decode()) for message in self.messages]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        if hasattr(self, "_reader"):
            self._reader.disconnect()
            self._reader.loop_stop()
        self.stop()


def wait_for(happened: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return found


def needs_mosquitto() -> None:
    """Skip where there is no broker; fail there, too, where `ASSAY_NEEDS` says that there has to be one."""
    if "mosquitto" in os.environ.get("ASSAY_NEEDS", ""):
        assert MOSQUITTO is not None, "ASSAY_NEEDS names mosquitto, which is not installed"
        return
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")


class LocalWeb:
    """A web server that keeps what it is asked.

    /slow waits, /fail fails, /drip sends a byte now and then, /to/URL redirects there.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked.append((self.command, self.path, dict(self.headers), body))
                if self.path == "/slow":
                    time.sleep(1.5)
                if self.path == "/drip":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    with suppress(OSError):
                        for _ in range(1000):
                            self.wfile.write(b".")
                            time.sleep(0.1)
                    return
                if self.path.startswith("/to/"):
                    self.send_response(302)
                    self.send_header("Location", self.path.removeprefix("/to/"))
                else:
                    self.send_response(500 if self.path == "/fail" else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
