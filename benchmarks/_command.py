"""Assay's commands, run as a user runs them, with the time and the memory that they take."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ASSAY = (sys.executable, "-m", "assay")
_KINDS = ("RssAnon", "RssFile", "RssShmem", "VmRSS")


@dataclass(frozen=True)
class Finished:
    """A command that has ended well.

    Attributes:
        wall_s: from its start to its end, imports included.
        out: its standard output.
        stages: the seconds since the start at which it announced each stage.
        peaks: by stage, the largest memory in bytes of each kind; empty where it was not watched.
    """

    wall_s: float
    out: str
    stages: Mapping[str, float]
    peaks: Mapping[str, Mapping[str, int]]

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on its standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def named(network: Mapping[str, Any]) -> dict[str, Any]:
    """A summary's network without the folder that it came from."""
    from assay.stored_network import public_name

    return {**network, "name": public_name({"network": network})}


def asked_in_turn(run: Path, questions: Sequence[Any]) -> dict[str, float]:
    """Milliseconds of one question after the other, as a program asks that has loaded the network once."""
    import assay

    begun = time.perf_counter()
    model = assay.load(run)
    loaded_s = time.perf_counter() - begun
    taken: list[float] = []
    for question in questions:
        begun = time.perf_counter()
        model.predict([question])
        taken.append(1000 * (time.perf_counter() - begun))
    settled = taken[1:]
    return {"load_s": loaded_s, "first_ms": taken[0], "median_ms": statistics.median(settled), "most_ms": max(settled)}


def train_or_resume(run: Path, *how: object, cache: Path | None = None) -> tuple[Finished, float | None]:
    """One `assay train` into a folder, or its end where it was stopped; and how long it took, None of a resumed one.

    The time of fitting of what was stopped counts on.
    """
    if (run / "plan.json").exists():
        return run_assay("resume", run, "--json", cache=cache), None
    done = run_assay("train", *how, "--out", run, "--json", cache=cache)
    return done, done.wall_s


def stages_of(done: Finished) -> dict[str, float]:
    """When each stage began, without the folder that a network came from."""
    return {re.sub(r" [a-z]+//.*", "", stage.split(" hf/")[0]): at for stage, at in done.stages.items()}


class _Listener(threading.Thread):
    """Reads standard error line by line: a line that is not indented names the stage that begins."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self._stream, self._begun = stream, time.perf_counter()
        self.stage, self.stages = "Starting", {"Starting": 0.0}
        self.lines: list[str] = []

    def run(self) -> None:
        for line in self._stream:
            text = line.rstrip()
            self.lines.append(text)
            if text and not text.startswith(" "):
                self.stage = text
                self.stages.setdefault(text, round(time.perf_counter() - self._begun, 3))


def environment(cache: Path | None = None) -> dict[str, str]:
    """The environment of a command; `cache` is where it keeps decoded samples (an empty one makes it decode)."""
    given = dict(os.environ)
    if cache is not None:
        given["ASSAY_CACHE"] = str(cache)
    return given


def run_assay(
    *arguments: object, cache: Path | None = None, watch: bool = False, program: Sequence[str] = ASSAY
) -> Finished:
    """Run a command to its end and stop where it fails.

    Args:
        arguments: of the command.
        cache: see `environment`.
        watch: sample its memory (Linux only).
        program: what is run.
    """
    command = [*program, *map(str, arguments)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
                               env=environment(cache))  # fmt: skip
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("no pipes")
    listener = _Listener(process.stderr)
    listener.start()
    peaks: dict[str, dict[str, int]] = {}
    watcher = threading.Thread(target=_watch, args=(process, listener, peaks), daemon=True)
    if watch:
        watcher.start()
    out = process.stdout.read()
    process.wait()
    wall_s = time.perf_counter() - begun
    listener.join(5)
    if process.returncode:
        told = "\n".join(listener.lines[-15:])
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{told}")
    return Finished(wall_s, out, dict(listener.stages), peaks)


def memory_of(pid: int) -> dict[str, int]:
    """A process' resident memory in bytes, by kind; empty where the system does not say.

    RssAnon is memory that only this process holds, RssFile are pages of files that the system may drop at any time.
    """
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in _KINDS:
            found[name] = int(value.split()[0]) * 1024
    return found


def _watch(process: subprocess.Popen[str], listener: _Listener, peaks: dict[str, dict[str, int]]) -> None:
    while process.poll() is None:
        stage = peaks.setdefault(listener.stage, {})
        for name, value in memory_of(process.pid).items():
            stage[name] = max(stage.get(name, 0), value)
        time.sleep(0.05)
