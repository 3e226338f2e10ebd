"""What every benchmark shares: pieces that are kept and skipped when there, the machine's facts, and the result's file.

A benchmark measures its figures one piece at a time. Each finished piece is kept in `results/.partial/NAME/`, so that a
benchmark that was stopped goes on where it was; the folder goes when the result is written.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
#: No piece begins after this long, so that one call stays within the hour; the next call goes on.
LIMIT_S = 52 * 60.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A number that is aimed at: `found` compared with `wanted` by `sign` (`>=`, `>`, `<=`, `<`, `==`)."""

    name: str
    found: float | bool | None
    sign: str
    wanted: float | bool

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None where it was not measured."""
        if self.found is None or (isinstance(self.found, float) and math.isnan(self.found)):
            return None
        a, b = self.found, self.wanted
        return {">=": a >= b, ">": a > b, "<=": a <= b, "<": a < b, "==": a == b}[self.sign]

    def to_json(self) -> Json:
        return {"name": self.name, "found": self.found, "wanted": f"{self.sign} {self.wanted}", "met": self.met}


@dataclass
class Bench:
    """One benchmark's call.

    Attributes:
        name: of its result.
        options: the command line; `smoke` asks for tiny data, to try the program and not the machine.
        work: a folder for data that several pieces share; it goes with the pieces.
        settings: what the figures depend on, for the result.
    """

    name: str
    options: argparse.Namespace
    work: Path
    settings: Json = field(default_factory=dict)
    _pieces: dict[str, Json] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)

    @property
    def smoke(self) -> bool:
        return bool(self.options.smoke)

    def piece(self, key: str, measure: Callable[[], Json], anew: bool = False) -> Json:
        """What `measure` gives, or gave in an earlier call; `anew`: not what the result that is there has."""
        file = self.work.parent / f"{key}.json"
        known = self._known(key, file, anew)
        if known is not None:
            found = known
            if found["commit"] != commit():
                say(f"  {key}: kept from commit {found['commit']}")
        else:
            if time.monotonic() - self._begun > LIMIT_S:
                raise SystemExit(f"{self.name}: {len(self._pieces)} pieces are done; run it again to go on")
            say(f"  {self.name}: {key}")
            load, begun = _load(), time.perf_counter()
            result = measure()
            found = {"date": _now(), "commit": commit(), "load_before": load,
                     "seconds": round(time.perf_counter() - begun, 2), "result": result}  # fmt: skip
            write_json(file, found)
        self._pieces[key] = found
        return dict(found["result"])

    def holds(self, key: str) -> bool:
        """Whether the result that is there has a piece."""
        return self._told(key) is not None

    def _known(self, key: str, file: Path, anew: bool) -> Json | None:
        """A piece of a call that was stopped, or under `--add` of the result that is there; None for neither."""
        if file.exists():
            return dict(json.loads(file.read_text(encoding="utf-8")))
        return self._told(key) if self.options.add and not anew else None

    def _told(self, key: str) -> Json | None:
        """A piece of the result that is there."""
        result = Path(self.options.results) / f"{self.name}.json"
        if not result.exists():
            return None
        piece = json.loads(result.read_text(encoding="utf-8"))["pieces"].get(key)
        return None if piece is None or piece.get("shortened") else dict(piece)

    def finish(
        self,
        summary: Json,
        targets: Sequence[Target] = (),
        *,
        seeds: Sequence[int] = (),
        packages: Sequence[str] = (),
        hidden: Sequence[str] = (),
    ) -> Json:
        """Write the result, drop the pieces, and print the summary; `hidden` keys of a piece stay out."""
        pieces = self._pieces
        if hidden:
            pieces = {key: _shortened(piece, hidden) for key, piece in pieces.items()}
        result = {
            "format": 1,
            "benchmark": self.name,
            "smoke": self.smoke,
            "date": _now(),
            "commit": commit(),
            "machine": machine(),
            "versions": versions(packages),
            "seeds": list(seeds),
            "settings": self.settings,
            "summary": summary,
            "targets": [target.to_json() for target in targets],
            "pieces": pieces,
        }
        file = Path(self.options.results) / f"{self.name}.json"
        write_json(file, result)
        shutil.rmtree(self.work.parent, ignore_errors=True)
        _show(result, file)
        return result


def open_bench(name: str, about: str | None, add: Callable[[argparse.ArgumentParser], None] | None = None) -> Bench:
    """Read the command line of a benchmark; `add` adds options of its own."""
    parser = argparse.ArgumentParser(prog=f"{name}.py", description=(about or "").strip().split("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="tiny data: does the program run?")
    parser.add_argument("--fresh", action="store_true", help="forget the pieces of a call that was stopped")
    parser.add_argument("--add", action="store_true", help="take over the pieces of the result that is there")
    parser.add_argument("--results", default=str(RESULTS), help="the folder of the result")
    if add is not None:
        add(parser)
    options = parser.parse_args()
    partial = Path(options.results) / ".partial" / (f"{name}-smoke" if options.smoke else name)
    if options.fresh or options.smoke:
        shutil.rmtree(partial, ignore_errors=True)
    work = partial / "work"
    work.mkdir(parents=True, exist_ok=True)
    say(f"{name}{' (smoke)' if options.smoke else ''}")
    return Bench(name, options, work)


def seeds_option(default: str) -> Callable[[argparse.ArgumentParser], None]:
    """Adds `--seeds 0,1,2`."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seeds", default=default, help=f"seeds, separated by commas ({default})")

    return add


def numbers(text: str) -> list[int]:
    """Whole numbers out of `0,1,2`."""
    return [int(item) for item in text.split(",") if item]


def interleaved(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Every name once a round, the order turned round each time, so that a drift of the machine meets all alike."""
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            yield number, name


def spread(values: Sequence[float]) -> Json:
    """Median, smallest and largest of some figures."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "count": len(values)}


def mean_interval(values: Sequence[float]) -> Json:
    """The mean with its 95 % interval by Student's t; without one for a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return {"mean": mean, "low": None, "high": None, "count": len(values)}
    from scipy.stats import t

    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return {"mean": mean, "low": mean - half, "high": mean + half, "count": len(values)}


def data_root() -> Path:
    """Where the data sets lie: `ASSAY_DATA`."""
    return Path(os.environ.get("ASSAY_DATA", ROOT.parent / "shared" / "data"))


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write a file so that it is there as a whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    work = file.with_name(f"{file.name}.part")
    with open(work, "w", encoding="utf-8", newline="\n") as out:
        out.write(json.dumps(_rounded(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(work, file)


def say(text: str) -> None:
    """A line on standard error, at once."""
    print(text, file=sys.stderr, flush=True)


def machine() -> Json:
    """Processor, cores, memory, system."""
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": usable,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }


def versions(packages: Sequence[str] = ()) -> dict[str, str]:
    """Of Python, Assay and what it stands on, and of `packages`."""
    found = {"python": platform.python_version()}
    for name in ("assay", "torch", "numpy", *packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def commit() -> str:
    """The commit of the code, with a plus where files of the package or the benchmarks were changed since."""
    head = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "src", "benchmarks/*.py") if head else ""
    return f"{head}+" if changed else head or "unknown"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _load() -> float | None:
    """Processes that wanted a core in the last minute: a busy machine spoils a time."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _shortened(piece: Json, hidden: Sequence[str]) -> Json:
    """A piece without what is hidden, marked so: it cannot be taken over."""
    told = {key: value for key, value in piece["result"].items() if key not in hidden}
    return piece if len(told) == len(piece["result"]) else {**piece, "shortened": True, "result": told}


def _rounded(value: Any) -> Any:
    """Floats with six digits, and nothing that JSON cannot hold."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _show(result: Json, file: Path) -> None:
    print(json.dumps(_rounded(result["summary"]), indent=1, ensure_ascii=False))
    for target in result["targets"]:
        word = {True: "met", False: "NOT met", None: "not measured"}[target["met"]]
        print(f"{target['name']}: {_rounded(target['found'])} (wanted {target['wanted']}): {word}")
    print(file)
