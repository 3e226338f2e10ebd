"""Work on Ray: what one worker costs, and three machines of which one is killed in a training and one in a search.

The three machines are three Ray nodes on this one, a core each; one is killed as a whole (SIGKILL) while a process that
trains, or a trial, runs on it. What comes of it is compared with the same training, and with a search by the same plan,
that nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from _command import ASSAY, environment, run_assay
from _common import Bench, Json, Target, interleaved, open_bench, spread
from _data import Images, grey_images, write_idx
from _server import free_port
from devices import checkpoint_step, last_step, lines_of, lost_at, pid_of
from kill_resume import digest

_ROUNDS, _MOST_COST = 3, 0.05
_NODES, _TRIALS = 3, 8
_IMAGES = 12000
#: Hyper-parameters that do not change how long a step takes: all trials have the same number of steps.
_ALIKE = ("learning_rate", "dropout", "label_smoothing")
#: How Optuna's journal writes that a trial gets an attribute, and that its state changes; finished states.
_SET_ATTRIBUTE, _SET_STATE, _FINISHED = 8, 6, (1, 2, 3)
_PATIENCE_S = 1800.0


def source_of(bench: Bench) -> Path:
    """Part of Fashion-MNIST."""
    folder = bench.work / "images"
    if not folder.exists():
        data = grey_images(bench.smoke)
        count = 140 if bench.smoke else _IMAGES
        few = Images(data.images[:count], data.labels[:count], data.test_images[:2000], data.test_labels[:2000])
        write_idx(folder, few)
    return folder


def training(bench: Bench, epochs: float) -> list[object]:
    """The command of a training without its folder and processes."""
    how = ("--network", "mlp", "--set", "batch_size=16") if bench.smoke else ("--network", "convnet")
    return ["train", source_of(bench), *how, "--epochs", epochs, "--evidence", "none", "--json"]


# One worker -----------------------------------------------------------------------------------------------------------


def trained(bench: Bench, arm: str, number: int) -> Json:
    """One training, in its own process or by one worker of a Ray of its own."""
    run = bench.work / f"{arm}-{number}"
    shutil.rmtree(run, ignore_errors=True)
    through = ("--cluster", "local") if arm == "ray" else ()
    words = training(bench, 1 if bench.smoke else bench.options.epochs)
    done = run_assay(*words, *through, "--out", run, cache=bench.work / "cache")
    lines = lines_of(run)
    steps = [line for line in lines if "train_loss" in line]
    late = [(b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in pairwise(steps)]
    fit_s = next(line["fit_seconds"] for line in lines if "fit_seconds" in line)
    return {"fit_s": fit_s, "wall_s": done.wall_s, "step_ms": 1000 * statistics.median(late[10:] or late),
            "first_step_s": steps[0]["seconds"], "steps": steps[-1]["step"], "digest": digest(run)}  # fmt: skip


def costs(rounds: list[dict[str, Json]]) -> Json:
    """What the worker costs: of all rounds, each with a training of both kinds."""

    def share(name: str) -> Json:
        return spread([one["ray"][name] / one["plain"][name] - 1 for one in rounds])

    return {"fit": share("fit_s"), "step": share("step_ms"), "wall": share("wall_s"),
            "begin_s": spread([one["ray"]["first_step_s"] - one["plain"]["first_step_s"] for one in rounds]),
            "steps": rounds[0]["plain"]["steps"],
            "equal": all(one["ray"]["digest"] == one["plain"]["digest"] for one in rounds)}  # fmt: skip


# Three machines -------------------------------------------------------------------------------------------------------


class Nodes:
    """Ray nodes on this machine, a core and a `ray start` each; on the first, the head, the commands run."""

    def __init__(self) -> None:
        from ray.util import get_node_ip_address

        port = free_port()
        self.address = f"{get_node_ip_address()}:{port}"
        self._begun = [_node("--head", f"--port={port}", "--include-dashboard=false")]
        self._wait()
        while len(self._begun) < _NODES:
            self._begun.append(_node(f"--address={self.address}"))
            self._wait()

    def _wait(self) -> None:
        """Until all nodes that were begun know of each other."""
        from assay.cluster.connection import ray_at
        from assay.errors import SettingError

        end = time.monotonic() + 120
        while time.monotonic() < end and all(node.poll() is None for node in self._begun):
            with suppress(SettingError), ray_at(self.address) as ray:
                if sum(node["Alive"] for node in ray.nodes()) == len(self._begun):
                    return
            time.sleep(1)
        self.close()
        raise SystemExit("the nodes of Ray do not find each other: look into the files of /tmp/ray/session_latest/logs")

    def kill(self, pids: Callable[[], list[int]], over: Callable[[], bool]) -> int | None:
        """Kill a node, not the head, on which one of some processes runs: its number; None where all is over before."""
        while not over():
            wanted = set(pids())
            for number, node in enumerate(self._begun[1:], 1):
                if wanted & {one.pid for one in _family(node)}:
                    _end(self._begun.pop(number))
                    return number
            time.sleep(0.1)
        return None

    def close(self) -> None:
        for node in reversed(self._begun):
            _end(node)


def _node(*words: str) -> subprocess.Popen[bytes]:
    """`ray start`, with a core; it lives as long as its node."""
    own = ("--num-cpus=1", "--block", "--disable-usage-stats", "--min-worker-port=0", "--max-worker-port=0",
           "--dashboard-agent-listen-port=0")  # fmt: skip
    ray = Path(sys.executable).with_name("ray")
    return subprocess.Popen([ray, "start", *words, *own], stdout=subprocess.DEVNULL)


def _family(node: subprocess.Popen[bytes]) -> list[Any]:
    """All processes of a node, `ray start` first."""
    import psutil

    try:
        first = psutil.Process(node.pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _end(node: subprocess.Popen[bytes]) -> None:
    """SIGKILL for all processes of a node."""
    import psutil

    for one in _family(node):
        with suppress(psutil.Error):
            one.kill()
    node.wait()


@contextmanager
def nodes() -> Iterator[Nodes]:
    """Three nodes, for a while."""
    found = Nodes()
    try:
        yield found
    finally:
        found.close()


@contextmanager
def begun(bench: Bench, name: str, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs beside; stops where it fails or takes for ever."""
    log = bench.work / f"{name}.log"
    with log.open("w") as out:
        process = subprocess.Popen([*ASSAY, *map(str, words)], stdout=out, stderr=out,
                                   env=environment(bench.work / "cache"))  # fmt: skip
        try:
            yield process
            code = process.wait(_PATIENCE_S)
        finally:
            process.kill()
    if code:
        raise SystemExit(f"assay {words[0]} ended with {code}:\n{log.read_text()[-2000:]}")


def lost_in_training(bench: Bench) -> Json:
    """A training by two processes on three nodes, one of which is killed, against the same undisturbed."""
    words = training(bench, 12 if bench.smoke else bench.options.epochs)
    whole, cut = bench.work / "train-whole", bench.work / "train-cut"
    for run in (whole, cut):
        shutil.rmtree(run, ignore_errors=True)
    with nodes() as machines:
        run_assay(*words, "--devices", 2, "--cluster", machines.address, "--out", whole, cache=bench.work / "cache")
        about: Json = {}

        def training_pids() -> list[int]:
            found = [pid for pid in (pid_of(cut, rank) for rank in (0, 1)) if pid is not None]
            ready = checkpoint_step(cut) or (bench.smoke and last_step(cut))
            return found if ready else []

        more = ("--devices", 2, "--cluster", machines.address, "--out", cut)
        with begun(bench, "train-cut", *words, *more) as process:
            node = machines.kill(training_pids, lambda: process.poll() is not None)
            about |= {"killed": node is not None, "checkpoint_step": checkpoint_step(cut), "reached": last_step(cut)}
    steps = Counter(line["step"] for line in lines_of(cut) if "train_loss" in line)
    pairs = [([line["train_loss"] for line in lines_of(run) if "train_loss" in line]) for run in (whole, cut)]
    return {**about, "went_on_from": lost_at(cut), "equal_losses": pairs[0] == pairs[1], "lines": len(pairs[0]),
            "equal_weights": digest(whole) == digest(cut), "each_once": max(steps.values()) == 1}  # fmt: skip


def lost_in_search(bench: Bench) -> Json:
    """A search on three nodes, one of which is killed, against one by the same plan that nobody disturbed."""
    whole, cut = bench.work / "tune-whole", bench.work / "tune-cut"
    for run in (whole, cut):
        shutil.rmtree(run, ignore_errors=True)
    search = [word for one in _ALIKE for word in ("--search", one)]
    network = ("--network", "mlp", "--set", "width=16") if bench.smoke else ("--network", "convnet")
    trials = 4 if bench.smoke else _TRIALS
    # The first eight trials are drawn by lot, whatever others have come to; nothing is stopped early.
    words = ["tune", source_of(bench), *network, *search, "--no-pruning", "--trials", trials, "--budget",
             "60s" if bench.smoke else bench.options.budget, "--evidence", "none", "--json"]  # fmt: skip
    with nodes() as machines:
        through = ("--cluster", machines.address)
        run_assay(*words, *through, "--out", whole, cache=bench.work / "cache")
        _same_plan(whole, cut)
        with begun(bench, "tune-cut", "resume", cut, *through, "--json") as process:
            node = machines.kill(partial(_trial_pids, cut), lambda: process.poll() is not None)
    first, second = _trials(whole), _trials(cut)
    told = Counter(line["trial_id"] for line in _journal(cut)
                   if line["op_code"] == _SET_STATE and line.get("state") in _FINISHED)  # fmt: skip
    return {"killed": node is not None, "trials": len(second), "same": first == second,
            "told_once": len(told) == len(second) and max(told.values()) == 1,
            "begun": {str(number): count for number, count in sorted(_attempts(cut).items())}}  # fmt: skip


def _same_plan(model: Path, run: Path) -> None:
    """A search that is about to begin by the plan of another one."""
    written = json.loads((model / "tuning" / "tuning.json").read_text())
    file = run / "tuning" / "tuning.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**written, "owner": f"{run.name}-of-its-own"}))


def _journal(run: Path) -> list[Json]:
    file = run / "tuning" / "journal.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")] if file.exists() else []


def _attempts(run: Path) -> Counter[int]:
    """How often each trial was begun: a process that does one writes its owner, after the main process did."""
    lines = _journal(run)
    owned = Counter(line["trial_id"] for line in lines
                    if line["op_code"] == _SET_ATTRIBUTE and "owner" in line.get("user_attr", {}))  # fmt: skip
    return Counter({number: count - 1 for number, count in owned.items()})


def _trial_pids(run: Path) -> list[int]:
    """The processes that do trials, once one trial has ended and another was begun."""
    import psutil

    lines = _journal(run)
    ended = sum(line["op_code"] == _SET_STATE and line.get("state") in _FINISHED for line in lines)
    if not ended:
        return []
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if words and words[0].startswith("ray::") and "do_trial" in words[0]:
            found.append(process.info["pid"])
    return found


def _trials(run: Path) -> list[Any]:
    """What a search did: of each trial its hyper-parameters, how it ended, and the value."""
    import optuna

    from assay.tuning.storage import open_storage

    file = run / "tuning" / "journal.jsonl"
    found = optuna.load_study(study_name=None, storage=open_storage(str(file), file)).trials
    return sorted((one.number, sorted(one.params.items()), one.state.name, one.value) for one in found)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=float, default=12.0, help="of the trainings that are compared")
    parser.add_argument("--budget", default="6m", help="of the search")


def main() -> None:
    bench = open_bench("cluster", __doc__, add_options)
    rounds: list[dict[str, Json]] = [{} for _ in range(1 if bench.smoke else _ROUNDS)]
    for number, arm in interleaved(["plain", "ray"], len(rounds)):
        rounds[number][arm] = bench.piece(f"{arm}-{number}", partial(trained, bench, arm, number))
    cost = costs(rounds)
    train = bench.piece("lost-in-training", partial(lost_in_training, bench))
    search = bench.piece("lost-in-search", partial(lost_in_search, bench))
    went_on = min(train["went_on_from"], default=-1)
    summary = {"one_worker_costs": cost, "lost_in_training": train, "lost_in_search": search,
               "steps_again": train["reached"] - went_on}  # fmt: skip
    again = sum(count - 1 for count in search["begun"].values())
    targets = [
        Target("one worker through Ray costs more, share of fitting", cost["fit"]["median"], "<=", _MOST_COST),
        Target(
            "one worker through Ray costs more, share of the whole command", cost["wall"]["median"], "<=", _MOST_COST
        ),
        Target("one worker through Ray, the same weights", cost["equal"], "==", True),
        Target("a node was killed in the training", train["killed"], "==", True),
        Target("training: losses and weights equal", train["equal_losses"] and train["equal_weights"], "==", True),
        Target("training: went on from the last checkpoint", went_on >= train["checkpoint_step"], "==", True),
        Target("a node was killed in the search", search["killed"], "==", True),
        Target("search: the same trials", search["same"], "==", True),
        Target("search: each finished trial told once", search["told_once"], "==", True),
        Target("search: trials begun again, of the one that a node does", again, "<=", 1),
    ]
    bench.settings = {"epochs": bench.options.epochs, "images": _IMAGES, "nodes": _NODES, "trials": _TRIALS,
                      "budget": bench.options.budget}  # fmt: skip
    bench.finish(summary, targets, seeds=[0], packages=["ray", "optuna", "pandas"])


if __name__ == "__main__":
    main()
