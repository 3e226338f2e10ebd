"""A listener that is given sound as fast as a microphone would, and what it does, by the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def acted_on(session: Any, sound: Array, block_s: float, folder: Path) -> list[tuple[str, float]]:
    """The commands whose URL was called, each with the seconds from the sound's beginning to the call.

    Args:
        session: a fresh listener.
        sound: (T,) float32 at its rate.
        block_s: seconds of a block; it is given when a microphone would have recorded it.
        folder: where the actions.toml is written.
    """
    with _acting(folder, session.commands) as (runner, called):
        size, begun = round(block_s * session.rate_hz), time.monotonic()
        for number, start in enumerate(range(0, len(sound), size)):
            time.sleep(max(0.0, begun + (number + 1) * block_s - time.monotonic()))
            for answer in session.push(sound[start : start + size]):
                runner.follow(answer)
        for answer in session.close():
            runner.follow(answer)
    return [(command, at - begun) for command, at in called]


@contextmanager
def _acting(folder: Path, commands: Sequence[str]) -> Iterator[tuple[Any, list[tuple[str, float]]]]:
    """What calls a server of ours, a URL a command; and which was called when, in monotonic seconds."""
    from assay.serving.action_runner import ActionRunner
    from assay.serving.actions import read_actions

    called: list[tuple[str, float]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            called.append((commands[int(self.path.removeprefix("/"))], time.monotonic()))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file, url = folder / "actions.toml", f"http://127.0.0.1:{server.server_port}"
    tables = (f'[actions.a{number}]\ncommand = "{name}"\nmost_per_minute = 600\nurl = "{url}/{number}"\n'
              for number, name in enumerate(commands))  # fmt: skip
    file.write_text("".join(tables), encoding="utf-8")
    runner = ActionRunner(read_actions(file), commands, lambda _: None)
    runner.start()
    try:
        yield runner, called
        runner.close()
    finally:
        server.shutdown()
        server.server_close()
