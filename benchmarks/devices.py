"""Two processes against one with the same steps: the loss of each step, the time, and a worker that is killed.

Losses are compared over the first 50 steps of whole trainings by the command: a perceptron with dropout (no batch
normalisation) and GELU, and one with ReLU, whose kink a rounding may cross; filters over words with dropout and
padding; and a convnet whose batch normalisation is shared by the processes, or each one's own. The time of a step is
read from the history, from the tenth step on. The training whose worker is killed, again and again, is compared with
the same training undisturbed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from _command import ASSAY, environment, run_assay
from _common import Bench, Json, Target, data_root, open_bench
from _data import Images, grey_images, write_idx
from kill_resume import digest

_COMPARED, _WANTED = 50, 1e-5
_KILLS = 3
_MLP = ("--network", "mlp", "--set", "normalise=false", "--set", "dropout=0.2")
#: In all digits: sums in bfloat16 differ in the third one, whatever their order.
_CONVNET = ("--network", "convnet", "--set", "precision=float32")
#: What is trained: the data, the network with its settings, and whether the issue's number is about it.
CASES: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "mlp": ("images", (*_MLP, "--set", "activation=gelu"), True),
    "mlp-relu": ("images", _MLP, True),
    "textconv": ("texts", ("--network", "textconv"), True),
    "convnet-shared": ("images", (*_CONVNET, "--set", "batch_norm=shared"), False),
    "convnet-each": ("images", (*_CONVNET, "--set", "batch_norm=each"), False),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join(CASES), help="which networks, separated by commas")
    parser.add_argument("--kills", type=int, default=_KILLS, help="how often a worker is killed")
    parser.add_argument("--seed", default="0", help="of the trainings")


def source_of(bench: Bench, kind: str) -> Path:
    """Fashion-MNIST's images, or text messages with their kind."""
    if kind == "images":
        folder = bench.work / "images"
        if not folder.exists():
            data = grey_images(bench.smoke)
            few = Images(data.images[:12000], data.labels[:12000], data.test_images[:2000], data.test_labels[:2000])
            write_idx(folder, few)
        return folder
    if not bench.smoke:
        return data_root() / "sms_spam" / "sms.tsv"
    file = bench.work / "texts.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = [(f"{word} {'so ' * (number % 7)}{number}", word) for number in range(60) for word in ("yes", "no")]
        csv.writer(stream).writerows([("text", "label"), *rows])
    return file


def options_of(bench: Bench, name: str, epochs: float) -> list[object]:
    """The command of a training without its folder and processes."""
    kind, how, _ = CASES[name]
    batch = () if kind == "texts" else ("--set", "batch_size=16" if bench.smoke else "batch_size=128")
    plan = ("--epochs", epochs, "--seed", bench.options.seed, "--evidence", "none", "--json")
    return ["train", source_of(bench, kind), *how, *batch, *plan]


def trained(bench: Bench, name: str, devices: int, epochs: float) -> Json:
    """One training by so many processes: the loss of each step and the time."""
    run = bench.work / f"{name}-{devices}"
    shutil.rmtree(run, ignore_errors=True)
    done = run_assay(*options_of(bench, name, epochs), "--devices", devices, "--out", run, cache=bench.work / "cache")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "train_loss" in line]
    # One line at a time: checks lie between some of them. The history tells whole milliseconds.
    late = [(b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in pairwise(steps)]
    plan = json.loads((run / "plan.json").read_text())
    return {
        "losses": [line["train_loss"] for line in steps],
        "every": steps[0]["step"],
        "first_step_s": steps[0]["seconds"],
        "step_ms": 1000 * statistics.median(late[10:] or late),
        "fit_s": done.json["seconds"],
        "wall_s": done.wall_s,
        "steps": steps[-1]["step"],
        "batch_size": plan["plan"]["batch_size"],
        "threads": plan["machine"]["threads"],
    }


def compared(bench: Bench, name: str) -> Json:
    """One process and two, over a little less than 200 steps, so that the history has a line a step."""
    rows = {"images": 9600 / 128, "texts": 4459 / 32}[CASES[name][0]]
    epochs = 1.0 if bench.smoke else 150 / rows
    one, two = (trained(bench, name, devices, epochs) for devices in (1, 2))
    pairs = list(zip(one["losses"], two["losses"], strict=True))[:_COMPARED]
    apart = [abs(a - b) / max(abs(a), 1e-12) for a, b in pairs]
    # Where the history has a line every few steps, the steps between are not compared: then nothing is claimed.
    known = one["every"] == two["every"] == 1 and (bench.smoke or len(apart) == _COMPARED)
    return {
        "most_apart": max(apart) if known else None,
        "compared": len(apart),
        "every": one["every"],
        "one": one,
        "two": two,
    }


# Killed ---------------------------------------------------------------------------------------------------------------


def killed(bench: Bench, kills: int) -> Json:
    """A training by two processes, one of which is killed now and then, against the same one undisturbed."""
    words = options_of(bench, *(("mlp", 1.0) if bench.smoke else ("convnet-shared", 8.0)))
    runs = {name: bench.work / f"killing-{name}" for name in ("whole", "killed")}
    for run in runs.values():
        shutil.rmtree(run, ignore_errors=True)
    whole = run_assay(*words, "--devices", 2, "--out", runs["whole"], cache=bench.work / "cache")
    log = (bench.work / "killed.log").open("w")
    command = [*ASSAY, *map(str, words), "--devices", "2", "--out", str(runs["killed"])]
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(bench.work / "cache"))
    begun = time.perf_counter()
    seen = [_kill(process, runs["killed"], random.Random(number), bench.smoke) for number in range(kills)]
    code, wall_s = process.wait(), time.perf_counter() - begun
    log.close()
    if code:
        raise SystemExit(f"assay train ended with {code}: see {log.name}")
    made = [one for one in seen if one is not None]
    for one, event in zip(made, lost_at(runs["killed"]), strict=True):
        one["went_on_from"] = event
    return {"kills": made, "equal": digest(runs["whole"]) == digest(runs["killed"]),
            "whole_wall_s": whole.wall_s, "killed_wall_s": wall_s}  # fmt: skip


def _kill(process: subprocess.Popen[bytes], run: Path, moments: random.Random, smoke: bool) -> Json | None:
    """Kill one of the two workers some time after they began; None where the training is over by then."""
    already, who = len(lost_at(run)), moments.choice((0, 1))
    while process.poll() is None and (pid_of(run, who) is None or not last_step(run)):
        time.sleep(0.01)
    wait_s = 0.0 if smoke else moments.uniform(2, 15)
    end = time.monotonic() + wait_s
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    pid, saved = pid_of(run, who), checkpoint_step(run)
    if process.poll() is not None or pid is None:
        return None
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    reached = last_step(run)
    while process.poll() is None and len(lost_at(run)) == already:
        time.sleep(0.02)
    return {"rank": who, "after_s": wait_s, "checkpoint_step": saved, "reached_step": reached}


def pid_of(run: Path, rank: int) -> int | None:
    try:
        return int(json.loads((run / "checkpoint" / "workers" / f"process-{rank}.json").read_text())["pid"])
    except (OSError, ValueError):
        return None


def checkpoint_step(run: Path) -> int:
    from assay.training.state import Snapshot

    saved = Snapshot.read(run / "checkpoint")
    return int(saved.facts["position"]["step"]) if saved else 0


def lines_of(run: Path) -> list[Json]:
    found: list[Json] = []
    file = run / "metrics.jsonl"
    for text in file.read_text().splitlines() if file.exists() else []:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def last_step(run: Path) -> int:
    return max((line["step"] for line in lines_of(run) if "train_loss" in line), default=0)


def lost_at(run: Path) -> list[int]:
    """The steps from which workers went on after one was lost."""
    return [line["step"] for line in lines_of(run) if "was lost" in line.get("event", "")]


def main() -> None:
    bench = open_bench("devices", __doc__, add_options)
    names = ["mlp"] if bench.smoke else bench.options.cases.split(",")
    found = {name: bench.piece(name, partial(compared, bench, name)) for name in names}
    kills = 1 if bench.smoke else bench.options.kills
    lost = bench.piece("killed", partial(killed, bench, kills))
    summary: dict[str, Any] = {
        name: {
            "most_apart": one["most_apart"],
            "steps_compared": one["compared"],
            "step_ms": {"one": one["one"]["step_ms"], "two": one["two"]["step_ms"]},
            "speed_of_two": one["one"]["step_ms"] / one["two"]["step_ms"],
            "first_step_s": {"one": one["one"]["first_step_s"], "two": one["two"]["first_step_s"]},
            "wall_s": {"one": one["one"]["wall_s"], "two": one["two"]["wall_s"]},
        }
        for name, one in found.items()
    }
    again = [one["reached_step"] - one["went_on_from"] for one in lost["kills"]]
    earlier = [one["went_on_from"] - one["checkpoint_step"] for one in lost["kills"]]
    summary["killed"] = {"kills": len(lost["kills"]), "equal": lost["equal"], "most_steps_again": max(again, default=0),
                         "wall_s": {"whole": lost["whole_wall_s"], "killed": lost["killed_wall_s"]}}  # fmt: skip
    targets = [
        Target(f"{name}: most apart in the first {_COMPARED} steps", one["most_apart"], "<=", _WANTED)
        for name, one in found.items()
        if CASES[name][2]
    ]
    targets += [
        Target("kills", len(lost["kills"]), ">=", kills),
        Target("weights equal bit for bit", lost["equal"], "==", True),
        Target("went on from the last checkpoint", min(earlier, default=-1) >= 0, "==", True),
    ]
    bench.settings = {"steps": 150, "images": 12000, "kills": kills}
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["safetensors"])


if __name__ == "__main__":
    main()
