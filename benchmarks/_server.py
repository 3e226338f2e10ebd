"""`assay serve` as a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _command import ASSAY, environment, memory_of


@dataclass
class Server:
    """A server that runs.

    Attributes:
        process: its process.
        url: its address.
        healthy_s: from its start until it answered at all.
        ready_s: from its start until its models answered.
        log: what it writes to standard error.
        folder: where it was started, which stays empty.
        temporary: where it may put uploads.
    """

    process: subprocess.Popen[str]
    url: str
    healthy_s: float
    ready_s: float
    log: Path
    folder: Path
    temporary: Path

    @property
    def memory(self) -> int:
        """Bytes that only its process holds; 0 where the system does not say."""
        return memory_of(self.process.pid).get("RssAnon", 0)

    def lines(self) -> list[dict[str, Any]]:
        """Its log, without what is no JSON."""
        text = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in text if line.startswith("{")]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; gives the status."""
        self.process.send_signal(number)
        return self.process.wait(120)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(work: Path, runs: Sequence[Path | str], *words: object) -> Iterator[Server]:
    """A server of some runs; killed at the end where it still runs.

    Args:
        work: a folder for what it writes.
        runs: what it serves.
        words: options of `assay serve`.
    """
    import httpx

    folder, temporary, log = work / "started-here", work / "temporary", work / "server.log"
    folder.mkdir(parents=True, exist_ok=True)
    temporary.mkdir(exist_ok=True)
    given = {**environment(), "TMPDIR": str(temporary.resolve()), "PYTHONUNBUFFERED": "1"}
    given["PYTHONPATH"] = os.pathsep.join(
        str(Path(one).resolve()) for one in given.get("PYTHONPATH", "").split(os.pathsep) if one
    )
    places = [one if isinstance(one, str) else str(one.resolve()) for one in runs]
    command = [*ASSAY, "serve", *places, "--port", "0", "--json", *map(str, words)]
    begun = time.perf_counter()
    with open(log, "w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=given, cwd=folder)
    try:
        if process.stdout is None:
            raise RuntimeError("no pipe")
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server did not start:\n{log.read_text(encoding='utf-8')}")
        url = json.loads(line)["address"]
        client = httpx.Client(base_url=url, timeout=120)
        while client.get("/health").status_code != 200:
            time.sleep(0.01)
        healthy_s = time.perf_counter() - begun
        while client.get("/ready").status_code != 200:
            if process.poll() is not None:
                raise SystemExit(f"the server ended:\n{log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        yield Server(process, url, healthy_s, time.perf_counter() - begun, log, folder, temporary)
    finally:
        process.kill()
        process.wait()
