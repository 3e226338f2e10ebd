"""Time to .90 on validation on Fashion-MNIST: the shortest schedule of Assay and of its peers that reaches it.

Each contestant walks a geometric grid of schedules from a first guess: shorter while it reaches the goal, longer while
it does not. A schedule reaches it where the median accuracy of three seeds does. Assay walks it with each network that
its recipe chooses from for short times; a fastai contestant's learning rate is chosen for it first, the best of four.
Then the peers take turns with repetitions of Assay's shortest schedule, which give its time. Each training has a
process of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from _common import Bench, Json, Target, numbers, open_bench, say

GOAL = 0.90
#: Epochs, each 1.41 times the one before.
GRID = (0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
_RATE_EPOCHS = 0.5
#: Which networks of the recipe's ladder, from the smallest, and about how many epochs each may need.
_NETWORKS = ((0, 1.0), (1, 0.7), (2, 0.5))
_REPETITIONS = 3

Ask = tuple[str, Json]  # the piece's key, and what the contestant is asked
Search = Generator[Ask, Json, Json]


@dataclass(frozen=True)
class Rules:
    """What the search is run with; another set under --smoke."""

    goal: float
    grid: Sequence[float]
    rates: Sequence[float]
    rate_epochs: float
    keras_epochs: int
    seeds: Sequence[int]
    networks: Sequence[tuple[int, float]]
    repetitions: int
    smoke: bool


def ask(rules: Rules, key: str, epochs: float, seed: int, **more: Any) -> Ask:
    return key, {"epochs": epochs, "seed": seed, "smoke": rules.smoke, "goal": rules.goal, **more}


def best_rate(name: str, rules: Rules, more: Json) -> Generator[Ask, Json, float]:
    """The learning rate with the best validation accuracy after a short schedule."""
    if len(rules.rates) == 1:
        return rules.rates[0]
    found = {}
    for rate in rules.rates:
        run = yield ask(rules, f"{name}-rate-{rate:g}", rules.rate_epochs, rules.seeds[0], rate=rate, **more)
        found[rate] = run["accuracy"]
    return max(found, key=lambda rate: found[rate])


def reaches(name: str, epochs: float, rules: Rules, more: Json) -> Generator[Ask, Json, list[Json] | None]:
    """The runs of all seeds with a schedule; None as soon as their median cannot reach the goal."""
    runs: list[Json] = []
    missed = 0
    for seed in rules.seeds:
        run = yield ask(rules, f"{name}-{epochs:g}-epochs-seed-{seed}", epochs, seed, **more)
        runs.append({**run, "seed": seed})
        missed += run["accuracy"] < rules.goal
        if 2 * missed > len(rules.seeds):
            return None
    return runs if statistics.median(run["accuracy"] for run in runs) >= rules.goal else None


def shortest(name: str, start: float, rules: Rules, *, tune: bool, **more: Any) -> Search:
    """Walk the grid to the shortest schedule that reaches the goal while the one below it does not."""
    if tune:
        more["rate"] = yield from best_rate(name, rules, more)
    place = min(range(len(rules.grid)), key=lambda number: abs(rules.grid[number] - start))
    good: tuple[float, list[Json]] | None = None
    missed: list[float] = []
    while 0 <= place < len(rules.grid):
        epochs = rules.grid[place]
        runs = yield from reaches(name, epochs, rules, more)
        if runs is None:
            missed.append(epochs)
        else:
            good = (epochs, runs)
        if good and missed:
            break
        place += 1 if runs is None else -1
    return outcome(good, missed=missed, **more)


def assay_search(rules: Rules) -> Search:
    """The shortest schedule over the networks of Assay's recipe."""
    from assay.networks.convnet_recipe import LADDER

    found = []
    for place, start in rules.networks:
        network = {"width": LADDER[place][0].width, "depth": LADDER[place][0].depth}
        name = f"assay-width-{network['width']}-depth-{network['depth']}"
        found.append((yield from shortest(name, start, rules, tune=False, network=network)))
    reached = [one for one in found if one["reached"]]
    best = min(reached, key=lambda one: one["train_s"], default=found[-1])
    kept = ("network", "epochs", "train_s", "accuracy")
    return {**best, "networks": [{key: one.get(key) for key in kept} for one in found]}


def again(first: Json, rules: Rules) -> Search:
    """Repetitions of Assay's shortest schedule, between the trainings of its peers; their times are what counts."""
    runs = []
    for number in range(rules.repetitions if first["reached"] else 0):
        for seed in rules.seeds:
            key = f"assay-again-{number}-seed-{seed}"
            run = yield ask(rules, key, first["epochs"], seed, network=first["network"])
            runs.append({**run, "seed": seed})
    return {**first, **outcome((first["epochs"], runs) if runs else None)}


def every_seed(name: str, epochs: int, seeds: Sequence[int], rules: Rules) -> Search:
    """One run a seed, which stops by itself."""
    runs = []
    for seed in seeds:
        run = yield ask(rules, f"{name}-seed-{seed}", epochs, seed)
        runs.append({**run, "seed": seed})
    epochs_taken = statistics.median(run.get("epochs", epochs) for run in runs)
    return outcome((epochs_taken, runs), reached=statistics.median(run["accuracy"] for run in runs) >= rules.goal)


def outcome(good: tuple[float, list[Json]] | None, **more: Any) -> Json:
    """A schedule with the medians over its runs, and each run's figures."""
    if good is None:
        return {"reached": False, **more}
    epochs, runs = good
    each = {key: [run[key] for run in runs] for key in ("seed", "train_s", "prepare_s", "accuracy")}
    middle = {key: statistics.median(each[key]) for key in ("train_s", "prepare_s", "accuracy")}
    middle["all_s"] = statistics.median(run["train_s"] + run["prepare_s"] for run in runs)
    return {"reached": True, "epochs": epochs, **middle, "runs": each, **more}


def peers(first: Json, rules: Rules) -> dict[str, Search]:
    return {
        "assay": again(first, rules),
        "fastai-resnet18": shortest("fastai-resnet18", 1.0, rules, tune=True),
        "fastai-assay-convnet": shortest("fastai-assay-convnet", 1.0, rules, tune=True, network=first["network"]),
        "keras-convnet": every_seed("keras-convnet", rules.keras_epochs, rules.seeds, rules),
        "hist-gradient-boosting": every_seed("hist-gradient-boosting", 1, rules.seeds[:1], rules),
    }


def take_turns(running: dict[str, Search], answer: Callable[[str, Ask], Json]) -> dict[str, Json]:
    """Let each search have one training a round, until all are done."""
    asked: dict[str, Ask | None] = dict.fromkeys(running)
    done: dict[str, Json] = {}
    while asked:
        for name, request in list(asked.items()):
            try:
                asked[name] = next(running[name]) if request is None else running[name].send(answer(name, request))
            except StopIteration as end:
                done[name] = end.value
                del asked[name]
                say(f"  {name}: {told(end.value)}")
    return done


def told(found: Json) -> str:
    if "train_s" not in found:
        return "never reached the goal"
    return f"{found['epochs']:g} epochs, {found['train_s']:.1f} s of training, accuracy {found['accuracy']:.4f}"


def train(bench: Bench, name: str, request: Ask) -> Json:
    key, asked = request
    return bench.piece(key, partial(here if bench.smoke else in_process, name, asked))


def require_peers() -> None:
    missing = [name for name in ("fastai", "keras") if importlib.util.find_spec(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} cannot be imported: pip install -e '.[all,bench]'")


def here(name: str, asked: Json) -> Json:
    """One training in this process: quicker, as imports are shared, and no time to believe."""
    from _contestants import CONTESTANTS

    return CONTESTANTS[name](asked)


def in_process(name: str, asked: Json) -> Json:
    """One training, in a process of its own."""
    program = Path(__file__).with_name("_contestants.py")
    command = [sys.executable, str(program), name, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    answer: Json = json.loads(done.stdout.strip().splitlines()[-1])
    return {**answer, "asked": asked}


def ratio(found: dict[str, Json], other: str, key: str) -> float | None:
    """How many times longer another contestant takes than Assay; where it has stopped short of the goal, at least."""
    pair = [found[other].get(key), found["assay"].get(key) if found["assay"]["reached"] else None]
    return pair[0] / pair[1] if pair[0] and pair[1] else None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2", help="three seeds")


def main() -> None:
    require_peers()
    bench = open_bench("time_to_90", __doc__, add_options)
    seeds = numbers(bench.options.seeds)
    rules = Rules(GOAL, GRID, RATES, _RATE_EPOCHS, 15, seeds, _NETWORKS, _REPETITIONS, False)
    if bench.smoke:
        rules = Rules(0.0, (1.0,), (3e-3,), 1.0, 1, [0], _NETWORKS[:1], 1, True)
    answer = partial(train, bench)
    first = take_turns({"assay": assay_search(rules)}, answer)["assay"]
    found = take_turns(peers(first, rules), answer)
    ratios = {name: {"train_s": ratio(found, name, "train_s"), "all_s": ratio(found, name, "all_s")}
              for name in found if name != "assay"}  # fmt: skip
    wanted = (("fastai-resnet18", ">=", 8.0), ("fastai-assay-convnet", ">=", 3.0), ("keras-convnet", ">", 1.0))
    targets = [Target(f"training time of {name} over Assay's", ratios[name]["train_s"], sign, least)
               for name, sign, least in wanted]  # fmt: skip
    bench.settings = {
        "goal": rules.goal,
        "grid_epochs": list(rules.grid),
        "rates": list(rules.rates),
        "validation": "the last 6,000 of the 60,000 training images; the other 54,000 to train",
        "assay": "the network and schedule of the shortest training; batch, optimiser and learning rate by its recipe",
        "train_s": "from before the first batch to behind the last, no validation",
        "prepare_s": "from arrays in memory to before the first batch",
        "fastai": "tensors in memory instead of image files, its default optimiser, weight decay and batch size of 64; "
        "resnet18 with one input channel; learning rate the best of `rates`",
        "keras": "Simple MNIST convnet, Adam, batch 128, torch backend; the first epoch that reaches the goal",
    }
    packages = ["torchvision", "fastai", "keras", "scikit-learn"]
    bench.finish({"contestants": found, "ratios": ratios}, targets, seeds=seeds, packages=packages)


if __name__ == "__main__":
    main()
