"""`assay tune` on pictures, sentences and a table: against the defaults, against random search, and killed ten times.

Gain: the tuned run and the defaults, trained for the same time, on the test side that no trial saw. Path: random search
that stops no trial begins with the same plan (`tuning.json`), so that its trials are as long and its time for them is
the same; told is when the search had a trial as good as random search's best, as a share of all of random search's time
and of that until its best. The latter is luck: what a third trial found cannot be had in half of the time. Random
search ends with its trials: none of its trainings in full is compared. `--arms random,random-pruned,tpe` tells pruning
and TPE apart. Kills: a search is killed with SIGKILL at random moments and resumed by `assay resume` alone; its journal
is compared with that of one that was never stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _command import ASSAY, environment, run_assay
from _common import Bench, Json, Target, mean_interval, numbers, open_bench
from _data import Images, grey_images, write_idx

DATA = ("fashion", "trec", "table")
#: Other searches: the name, sampler and pruning. `tuned` itself is the search of the gain; `random` is always compared.
_ARMS = {"random": ("random", False), "random-pruned": ("random", True), "tpe": ("tpe", False)}
#: What a search that is only looked at while it searches has for all, as a share of the time for trials: its trainings
#: in full, which nobody looks at, get the least share of that.
_ONLY_SEARCH = 0.05
_KILLS = 10
#: Of random search's time, in which the search is meant to be as far.
_HALF = 0.5
_IMAGES = 6000
#: Finished states of a trial, and what an operation that sets one is called in Optuna's journal.
_FINISHED, _SET_STATE = (1, 2, 3), 6
#: Hyper-parameters that do not change how long a step takes: the searches that are compared do the same trials.
_ALIKE = ("learning_rate", "dropout", "label_smoothing")


def source_of(bench: Bench, name: str) -> tuple[Path, list[str]]:
    """The data, and what says how to read it."""
    if name == "fashion":
        folder = bench.work / "images"
        if not folder.exists():
            data = grey_images(bench.smoke)
            few = Images(data.images[:_IMAGES], data.labels[:_IMAGES], data.test_images, data.test_labels)
            write_idx(folder, few)
        return folder, ["--task", "image-classification"]
    if name == "trec":
        from sentences import source_of as sentences

        return sentences(bench, "trec"), ["--target", "label", "--task", "text-classification"]
    small = ["--network", "mlp", "--set", "width=16", "--trials", "3"] if bench.smoke else []
    file = bench.work / "table.csv"
    if not file.exists():
        from pyarrow import csv
        from tables import table

        csv.write_csv(table("wine" if bench.smoke else bench.options.table), file)
    return file, ["--target", "target", "--task", "table", *small]


def tuned(bench: Bench, name: str, seed: int) -> Json:
    """One `assay tune`, what its finding says, and the path of its trials."""
    run = _folder(bench, name, seed, "tuned")
    source, how = source_of(bench, name)
    moved = ["--split-seed", seed] if name == "table" else []
    begun = time.perf_counter()
    summary = _finished(run, bench, ["tune", source, *how, *moved, "--budget", bench.options.budget, "--seed", seed,
                                     "--evidence", "quick"])  # fmt: skip
    told = summary["findings"]["tuning"]
    kept = json.loads((run / "tuning" / "kept.json").read_text())
    gain = told["numbers"]["gain over the defaults"]
    return {
        "metric": summary["metric"]["name"],
        "found minus defaults": gain,
        # Where the defaults are not beaten on the validation side they are the run, and nothing is gained or lost.
        "run minus defaults": gain if kept["kept"] == "found" else {"value": 0.0, "low": 0.0, "high": 0.0},
        "kept": kept["kept"],
        "tuned": told["numbers"]["tuned"],
        "defaults": told["numbers"]["defaults"],
        "verdict": told["verdict"],
        "importance": {key.removeprefix("importance of "): value["value"] for key, value in told["numbers"].items()
                       if key.startswith("importance of ")},
        "wall_s": time.perf_counter() - begun,
        **path_of(run),
    }  # fmt: skip


def compared(bench: Bench, name: str, seed: int, arm: str) -> Json:
    """Another search by the plan of the tuned one."""
    run, model = _folder(bench, name, seed, arm), _folder(bench, name, seed, "tuned")
    sampler, pruning = _ARMS[arm]
    _copy_plan(model, run, only_search=True, sampler=sampler, pruning=pruning, evidence="none")
    _finished(run, bench, [])
    return path_of(run)


def path_of(run: Path) -> Json:
    """When each trial ended, in seconds of search, and how good the best was by then."""
    trials = trials_of(run)
    seconds, best, path = 0.0, None, []
    for trial in trials:
        seconds += trial.user_attrs.get("seconds", 0.0)
        if trial.state.name == "COMPLETE":
            best = trial.value if best is None else min(best, trial.value)
        path.append([round(seconds, 3), best])
    states = Counter(trial.state.name.lower() for trial in trials)
    return {"path": path, "best": best, "states": dict(states)}


def time_to(path: Sequence[Sequence[float | None]], value: float) -> float | None:
    """The seconds of search after which a trial was that good; None where none was."""
    return next((seconds for seconds, best in path if best is not None and best <= value), None)


def trials_of(run: Path) -> list[Any]:
    """The trials in a run's journal."""
    import optuna

    from assay.tuning.storage import open_storage

    file = run / "tuning" / "journal.jsonl"
    return list(optuna.load_study(study_name=None, storage=open_storage(str(file), file)).trials)


def killed(bench: Bench, name: str, kills: int) -> Json:
    """A search killed at random moments and resumed, against one that was not."""
    whole, run = bench.work / "kill-whole", bench.work / "kill-cut"
    shutil.rmtree(run, ignore_errors=True)
    source, how = source_of(bench, name)
    search = [word for one in _ALIKE for word in ("--search", one)]
    budget = "60s" if bench.smoke else bench.options.kill_budget
    count = () if bench.smoke else ("--trials", 20)
    begun = time.perf_counter()
    _finished(whole, bench, ["tune", source, *how, *search, *count, "--budget", budget,
                             "--evidence", "none"])  # fmt: skip
    whole_s = time.perf_counter() - begun
    _copy_plan(whole, run)
    moments, done, killed_in = random.Random(0), 0, Counter[str]()
    while done < kills:
        wait_s = moments.uniform(0.2, 1.0) * whole_s / kills
        if _resumed(run, wait_s):
            break
        done += 1
        killed_in["search" if not (run / "tuning" / "kept.json").exists() else "afterwards"] += 1
    _finished(run, bench, [])
    told = _endings(run)
    first, second = trials_of(whole), trials_of(run)
    same = sum(one.params == other.params and one.value == other.value and one.state == other.state
               for one, other in zip(first, second, strict=False))  # fmt: skip
    return {"kills": done, "killed in": dict(killed_in), "trials": len(second), "trials of the whole one": len(first),
            "endings told": sum(told.values()), "told once": all(count == 1 for count in told.values()),
            "all finished": all(one.state.is_finished() for one in second),
            "numbers": [one.number for one in second] == list(range(len(second))), "same as whole": same}  # fmt: skip


def _endings(run: Path) -> Counter[int]:
    """How often the journal says that a trial has ended, by the trial."""
    lines = [json.loads(line) for line in (run / "tuning" / "journal.jsonl").read_text().splitlines()]
    return Counter(line["trial_id"] for line in lines
                   if line["op_code"] == _SET_STATE and line.get("state") in _FINISHED)  # fmt: skip


def _resumed(run: Path, wait_s: float) -> bool:
    """One `assay resume`, killed after so many seconds; True where it ended by itself before."""
    with (run.parent / "killed.log").open("a") as log:
        process = subprocess.Popen([*ASSAY, "resume", str(run)], stdout=log, stderr=log,
                                   env=environment(run.parent / "cache"))  # fmt: skip
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return False
    if process.returncode:
        raise SystemExit(f"assay resume ended with {process.returncode}: see {log.name}")
    return True


def _copy_plan(model: Path, run: Path, only_search: bool = False, **changed: Any) -> None:
    """A new search with the plan and the time for trials of another one; one that is there already is left."""
    file = run / "tuning" / "tuning.json"
    if file.exists():
        return
    written = json.loads((model / "tuning" / "tuning.json").read_text())
    written["options"].update(changed)
    if only_search:
        written["times"]["total_s"] = _ONLY_SEARCH * written["times"]["search_s"]
    written["owner"] = f"{run.name}-{random.Random(run.as_posix()).getrandbits(64):x}"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(written))


def _finished(run: Path, bench: Bench, words: Sequence[object]) -> Json:
    """The summary of a search: begun, or gone on with where it is there."""
    if (run / "tuning" / "tuning.json").exists():
        return run_assay("resume", run, "--json", cache=bench.work / "cache").json
    return run_assay(*words, "--json", "--out", run, cache=bench.work / "cache").json


def _folder(bench: Bench, name: str, seed: int, arm: str) -> Path:
    return bench.work / f"{name}-{seed}-{arm}"


def summarise(runs: Sequence[Mapping[str, Any]], arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> Json:
    """Of one data set, over its seeds."""
    gains = [run["run minus defaults"] for run in runs]
    worse = sum(gain["high"] is not None and gain["high"] < 0 for gain in gains)
    better = sum(gain["low"] is not None and gain["low"] > 0 for gain in gains)
    to_random: Json = {}
    for place, (run, chance) in enumerate(zip(runs, arms["random"], strict=True)):
        goal = chance["best"]
        paths = {"tuned": run["path"], **{arm: found[place]["path"] for arm, found in arms.items()}}
        to_random[str(place)] = {arm: time_to(path, goal) for arm, path in paths.items()}
    ends = [chance["path"][-1][0] for chance in arms["random"]]
    shares = [_share(times["tuned"], end) for times, end in zip(to_random.values(), ends, strict=True)]
    moments = [_share(times["tuned"], times["random"]) for times in to_random.values()]
    return {
        "metric": runs[0]["metric"],
        "gain over the defaults": mean_interval([gain["value"] for gain in gains]),
        "by seed": gains,
        "kept": [run["kept"] for run in runs],
        "worse beyond the interval": worse,
        "better beyond the interval": better,
        "seconds to the best of random search": to_random,
        "seconds of random search": ends,
        "tuned, as a share of random search": shares,
        "tuned, as a share of random search until its best": moments,
    }


def _share(mine: float | None, theirs: float | None) -> float | None:
    return None if mine is None or not theirs else mine / theirs


def _in_half(shares: Sequence[float | None]) -> int:
    """On how many seeds it took half of the time at most."""
    return sum(share is not None and share <= _HALF for share in shares)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="3,4,5", help="of searches and trainings; of the table's split, too")
    parser.add_argument("--budget", default="5m", help="of one search with its two trainings in full")
    parser.add_argument("--kill-budget", default="3m", help="of the search that is killed")
    parser.add_argument("--table", default="digits", help="which of scikit-learn's tables")
    parser.add_argument("--arms", default="random", help=f"searches to compare with, of {', '.join(_ARMS)}")
    parser.add_argument("--data", default=",".join(DATA), help="which data sets, separated by commas")


def targets_of(found: Mapping[str, Json], kill: Json, wanted: int) -> list[Target]:
    """What the search is meant to reach."""
    means = [one["gain over the defaults"]["mean"] for one in found.values()]
    targets = [Target(f"{name}: seeds worse than the defaults beyond the interval", one["worse beyond the interval"],
                      "==", 0) for name, one in found.items()]  # fmt: skip
    targets.append(Target("data sets on which the mean gain is above zero", sum(mean > 0 for mean in means), ">=", 2))
    for name, one in found.items():
        most = len(one["kept"]) // 2 + 1  # so that the median is half of the time, too
        for told in ("", " until its best"):
            seeds = _in_half(one[f"tuned, as a share of random search{told}"])
            what = f"{name}: seeds with random search's best in half of its time{told}"
            targets.append(Target(what, seeds, ">=", most))
    targets.append(Target("kills", kill["kills"], ">=", wanted))
    once = kill["told once"] and kill["all finished"] and kill["numbers"] and kill["endings told"] == kill["trials"]
    targets.append(Target("after the kills each finished trial stands in the journal once", once, "==", True))
    return targets


def main() -> None:
    bench = open_bench("tuning", __doc__, add_options)
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    names = ("table",) if bench.smoke else tuple(bench.options.data.split(","))
    if bench.smoke:
        bench.options.budget = "60s"
    wanted = [arm for arm in _ARMS if arm == "random" or arm in bench.options.arms.split(",")]
    found = {}
    for name in names:
        runs, arms = [], {arm: [] for arm in wanted}
        for seed in seeds:
            runs.append(bench.piece(f"{name}-{seed}-tuned", partial(tuned, bench, name, seed)))
            for arm in wanted:
                arms[arm].append(bench.piece(f"{name}-{seed}-{arm}", partial(compared, bench, name, seed, arm)))
        found[name] = summarise(runs, arms)
    kills = 1 if bench.smoke else _KILLS
    kill = bench.piece("kills", partial(killed, bench, "table", kills))
    bench.settings = {"budget": bench.options.budget, "arms": wanted, "images": _IMAGES, "table": bench.options.table,
                      "kill_budget": bench.options.kill_budget}  # fmt: skip
    summary = {**found, "kills": kill}
    bench.finish(summary, targets_of(found, kill, kills), seeds=seeds, packages=["optuna", "scikit-learn"])


if __name__ == "__main__":
    main()
