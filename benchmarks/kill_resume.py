"""A training killed with SIGKILL at random moments and resumed each time, against one that was never stopped.

The run that was never stopped is made by `assay train`; the others begin with a copy of its `plan.json` and go on by
`assay resume` alone. A kill falls anywhere between the start of a process and some seconds of training; none is asked
for politely.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from _command import ASSAY, environment, run_assay
from _common import Bench, Json, Target, open_bench
from _data import Images, grey_images, write_idx

_KILLS = 20
#: A kill comes at most so many seconds after training can have begun.
_LATEST_S = 25.0


@dataclass
class Seen:
    """What was seen of a run's checkpoints while its process ran: (step, seconds of training) of each."""

    checkpoints: list[tuple[int, float]] = field(default_factory=list)
    _stamp: int = 0

    def look(self, run: Path) -> None:
        file = run / "checkpoint" / "state.safetensors"
        try:
            stamp = file.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if stamp != self._stamp:
            self._stamp = stamp
            self.checkpoints.append(position(run))


def position(run: Path) -> tuple[int, float]:
    """The step and the seconds of training of a run's checkpoint; zeros where there is none."""
    from assay.training.state import Snapshot

    saved = Snapshot.read(run / "checkpoint")
    return (saved.facts["position"]["step"], saved.facts["position"]["seconds"]) if saved else (0, 0.0)


def last_line(run: Path) -> tuple[int, float]:
    """The last step in a run's history, and its seconds of training."""
    file = run / "metrics.jsonl"
    lines = []
    for text in file.read_text().splitlines() if file.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    steps = [(line["step"], line.get("seconds", 0.0)) for line in lines if "seconds" in line]
    return steps[-1] if steps else (0, 0.0)


def digest(run: Path) -> str:
    """A hash of a run's final weights, by name, type, shape and bytes."""
    from safetensors.numpy import load_file

    found = hashlib.sha256()
    for name, value in sorted(load_file(run / "model" / "model.safetensors").items()):
        found.update(f"{name} {value.dtype} {value.shape}".encode())
        found.update(value.tobytes())
    return found.hexdigest()


def source_of(bench: Bench) -> Path:
    """Part of the images, so that reading them again after each kill is short; the same files for all runs."""
    folder = bench.work / "images"
    if not folder.exists():
        data = grey_images(bench.smoke)
        write_idx(
            folder, Images(data.images[:12000], data.labels[:12000], data.test_images[:2000], data.test_labels[:2000])
        )
    return folder


def reference(source: Path, folder: Path, budget: str) -> Json:
    """The training that nobody stops; its plan is what the others repeat."""
    shutil.rmtree(folder, ignore_errors=True)
    how = ("--budget", budget, "--network", "convnet", "--evidence", "none")
    done = run_assay("train", source, *how, "--json", "--out", folder, cache=folder.parent / "cache")
    begun = next((second for stage, second in done.stages.items() if stage.startswith("Training")), 5.0)
    return {"digest": digest(folder), "wall_s": done.wall_s, "fit_s": done.json["seconds"], "startup_s": begun,
            "plan": json.loads((folder / "plan.json").read_text())["plan"]}  # fmt: skip


def chain(plan: Path, run: Path, kills: int, latest_s: float, seed: int) -> Json:
    """Resume a run until it is complete, killing it up to `kills` times."""
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    shutil.copy(plan, run / "plan.json")
    moments = random.Random(seed)
    killed: list[Json] = []
    longest = (0, 0.0)
    while True:
        wait_s = moments.uniform(0, latest_s) if len(killed) < kills else None
        begin, seen = position(run), Seen()
        complete = attempt(run, wait_s, seen)
        longest = _longest([begin, *seen.checkpoints], longest)
        if complete:
            break
        killed.append(_described(run, wait_s or 0.0))
    return {"digest": digest(run), "kills": killed, "longest_interval_steps": longest[0],
            "longest_interval_s": longest[1]}  # fmt: skip


def attempt(run: Path, wait_s: float | None, seen: Seen) -> bool:
    """One `assay resume`; True where it ended by itself, False where it was killed."""
    log = (run.parent / f"{run.name}.log").open("a")
    process = subprocess.Popen([*ASSAY, "resume", str(run)], stdout=log, stderr=log,
                               env=environment(run.parent / "cache"))  # fmt: skip
    begun = time.monotonic()
    while process.poll() is None:
        seen.look(run)
        if wait_s is not None and time.monotonic() - begun > wait_s:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            break
        time.sleep(0.02)
    log.close()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"assay resume ended with {process.returncode}: see {log.name}")
    return process.returncode == 0


def _described(run: Path, wait_s: float) -> Json:
    """What a kill cost: the steps between the checkpoint and the last line of the history are computed again.

    The history has about two hundred lines, so this is true to half a per cent of the training.
    """
    step, seconds = position(run)
    reached, reached_s = last_line(run)
    trained = (run / "model" / "model.json").exists()
    again = (0, 0.0) if trained else (max(0, reached - step), max(0.0, reached_s - seconds))
    return {"after_s": wait_s, "checkpoint_step": step, "reached_step": reached, "trained": trained,
            "steps_again": again[0], "seconds_again": again[1]}  # fmt: skip


def _longest(marks: list[tuple[int, float]], longest: tuple[int, float]) -> tuple[int, float]:
    """The longest way between one checkpoint and the next, in steps and in seconds."""
    for (step, second), (later, later_second) in pairwise(marks):
        longest = (max(longest[0], later - step), max(longest[1], later_second - second))
    return longest


def run_all(bench: Bench, wanted: int, latest_s: float, base: Json, kept: Path) -> list[Json]:
    """Chains until enough kills were made; one chain, unless the training ends before them all."""
    chains: list[Json] = []
    made = 0
    while made < wanted:
        number = len(chains)
        run = bench.work / f"killed-{number}"
        late = latest_s + base["startup_s"]
        found = bench.piece(f"chain-{number}", partial(chain, kept, run, wanted - made, late, number))
        chains.append(found)
        made += len(found["kills"])
        if number > 3 * wanted:
            raise SystemExit("the training ends before it can be killed: give it a longer --budget")
    return chains


def add_options(parser: Any) -> None:
    parser.add_argument("--budget", default="180s", help="of the training")


def main() -> None:
    bench = open_bench("kill_resume", __doc__, add_options)
    wanted, budget, latest_s = (1, "1s", 0.0) if bench.smoke else (_KILLS, bench.options.budget, _LATEST_S)
    source, whole = source_of(bench), bench.work / "never-stopped"
    base = bench.piece("never-stopped", partial(reference, source, whole, budget))
    chains = run_all(bench, wanted, latest_s, base, whole / "plan.json")
    kills = [kill for one in chains for kill in one["kills"]]
    equal = all(one["digest"] == base["digest"] for one in chains)
    again, interval = (max(kill["steps_again"] for kill in kills), max(one["longest_interval_steps"] for one in chains))
    summary = {
        "kills": len(kills),
        "runs": len(chains),
        "equal": equal,
        "most_steps_again": again,
        "most_seconds_again": max(kill["seconds_again"] for kill in kills),
        "longest_interval_steps": interval,
        "longest_interval_s": max(one["longest_interval_s"] for one in chains),
        "kills_before_training": sum(kill["reached_step"] == 0 for kill in kills),
        "kills_behind_training": sum(kill["trained"] for kill in kills),
    }
    targets = [Target("kills", len(kills), ">=", wanted), Target("final weights equal bit for bit", equal, "==", True),
               Target("most steps again over the longest interval", again - interval, "<=", 0),
               Target("longest interval in seconds", summary["longest_interval_s"], "<=", 30.0)]  # fmt: skip
    bench.settings = {"budget": budget, "latest_s": latest_s + base["startup_s"], "images": 12000}
    bench.finish(summary, targets, seeds=list(range(len(chains))), packages=["safetensors"])


if __name__ == "__main__":
    main()
