"""What many workers and much data would cost, modelled from steps, gradients, all-reduces and reading measured here.

Measured: the step of three networks on one core, by windows a step; the bytes of their gradients and their noise scale;
gloo's all-reduce by two processes on this machine; real trainings by one and by two processes, a core each; shards of
SYNTHETIC photos, written, looked through, read and decoded. Modelled from it (`_scaling.py`): 1, 8, 64 and 1,024
workers, and 10^3 to 10^9 samples. The model is checked where it can be: on the two real trainings.

`--write-docs` puts the figures of the result that is there into docs/scale.md, and measures nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import Bench, Json, Target, open_bench
from _scale_page import write_docs
from _scale_reading import reading
from _scaling import (
    ASSUMED,
    WORKERS,
    Links,
    Measured,
    data_costs,
    grown_batch,
    line,
    links_of,
    noise_scale,
    same_batch,
    simulated,
    slowest_of,
)
from devices import CASES, source_of, trained

_NETWORKS = ("mlp", "textconv", "convnet-shared")
_STEPS, _REPEATS, _DRAWS = 80, 40, 16
_BYTES = (4_096, 65_536, 1_048_576, 8_388_608, 33_554_432)
_PHOTOS = (500, 2_000, 8_000)
#: Of DistributedDataParallel, in bytes.
_FIRST_BUCKET, _BUCKET = 1 << 20, 25 << 20
_COUNTS = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
#: The model may be so far from the real trainings, as a share.
_NEAR = 0.25


# Measured -------------------------------------------------------------------------------------------------------------


def planned(bench: Bench, name: str) -> Any:
    """A training as `assay train` would plan it."""
    from assay.flow import TrainOptions, prepare
    from assay.planning import choose
    from assay.progress import Progress
    from assay.run import RunFolder
    from assay.sources.source import DataOptions

    kind, how, _ = CASES[name]
    network, settings = how[how.index("--network") + 1], {}
    for word in how:
        key, equals, value = word.partition("=")
        if equals:
            settings[key] = value
    if bench.smoke:
        settings["batch_size"] = "16"
    elif kind == "images":
        settings["batch_size"] = "128"
    folder = bench.work / f"plan-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    data, options = DataOptions(), TrainOptions(epochs=1, network=network, settings=settings)
    decoded = bench.work / f"decoded-{name}"
    shutil.rmtree(decoded, ignore_errors=True)
    return choose(prepare(source_of(bench, kind), data), data, options, RunFolder.create(folder), Progress(), decoded)


def step_times(bench: Bench, name: str) -> Json:
    """The seconds of one worker's part of a step on one core, by its windows, and what goes over the wire in a step."""
    from torch.nn.modules.batchnorm import _BatchNorm

    made = planned(bench, name)
    size = min(made.plan.batch_size, len(made.samples.view(0).windows))
    shares = sorted({min(share, size) for share in (1, 2, 4, 8)})
    with alone(bench):
        found = {str(size // share): timed_steps(made, size, share, 6 if bench.smoke else _STEPS) for share in shares}
    network = made.build()
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    size_bytes = sum(one.numel() * one.element_size() for one in weights)
    norms = sum(isinstance(one, _BatchNorm) for one in network.modules()) if made.plan.batch_norm == "shared" else 0
    # The loss, which weights were used, a bucket or more of gradients; and forth and back for each normalisation.
    buckets = 1 + max(0, math.ceil((size_bytes - _FIRST_BUCKET) / _BUCKET))
    return {"network": made.network, "batch_size": size, "seconds": found, "messages": 2 + buckets + 2 * norms,
            "parameters": sum(one.numel() for one in weights), "gradient_bytes": size_bytes}  # fmt: skip


@contextmanager
def alone(bench: Bench) -> Iterator[None]:
    """Sums over processes that have no others: a worker's part of a step takes its own time only."""
    from torch import distributed

    meeting = bench.work / "alone"
    meeting.unlink(missing_ok=True)
    distributed.init_process_group("gloo", init_method=f"file://{meeting.resolve()}", rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def begun(made: Any, windows: int, share: int = 1) -> tuple[Any, Any, Any]:
    """A training of steps of so many windows, as the first of so many workers does it; its step, and its stream."""
    from assay.samples.samples import TrainStream
    from assay.samples.split import TRAIN
    from assay.training.loop import Job
    from assay.training.optimisers import build_optimizer
    from assay.training.ranks import Ranks
    from assay.training.state import Position, State
    from assay.training.step import Step

    network = made.build()
    plan = dataclasses.replace(made.plan, batch_size=windows, steps=1000)
    job = Job(made.task, made.spec, made.samples, plan, ranks=Ranks(0, share))
    state = State(network, build_optimizer(network, plan), position=Position(end=1000))
    network.train()
    return job, Step(state, job), TrainStream(made.samples.view(TRAIN), windows, plan.seed)


def timed_steps(made: Any, windows: int, share: int, count: int) -> list[float]:
    """Seconds of one worker's part of each of so many steps, the first few left out."""
    _, step, stream = begun(made, windows, share)
    taken = []
    for number in range(count + 3):
        start = time.perf_counter()
        step(stream)
        step.state.position.step += 1
        if number > 2:
            taken.append(time.perf_counter() - start)
    return taken


def noise(bench: Bench, name: str) -> Json:
    """The simple noise scale in the midst of a training, out of gradients of an eighth of a batch and of many such."""
    import torch

    made = planned(bench, name)
    size = min(made.plan.batch_size, len(made.samples.view(0).windows))
    job, step, stream = begun(made, size)
    network, small = step.state.network, max(1, size // 8)
    found = []
    for _ in range(1 if bench.smoke else 3):
        for _ in range(3 if bench.smoke else 60):
            step(stream)
            step.state.position.step += 1
        windows = np.concatenate([stream.windows(step.state.position.step + ahead)[1] for ahead in range(_DRAWS // 8)])
        parts = np.array_split(windows[: len(windows) // small * small], len(windows) // small)
        squares, total = [], [torch.zeros_like(one) for one in network.parameters()]
        for part in parts:
            network.zero_grad()
            made.task.objective(network, job.samples.batch(part), job.plan, job.spec).mean().backward()
            gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in network.parameters()]
            squares.append(sum(float(one.double().square().sum()) for one in gradients))
            torch._foreach_add_(total, gradients)
        large = sum(float((one.double() / len(parts)).square().sum()) for one in total)
        found.append(noise_scale(statistics.fmean(squares), large, small, small * len(parts)))
    known = [one for one in found if one is not None]
    return {"scales": found, "scale": statistics.median(known) if known else None, "small": small,
            "large": small * len(parts)}  # fmt: skip


def all_reduce(bench: Bench) -> Json:
    """Seconds of gloo's all-reduce by two processes on this machine, by bytes."""
    meeting = bench.work / "meeting"
    meeting.unlink(missing_ok=True)
    sizes = _BYTES[:2] if bench.smoke else _BYTES
    program = Path(__file__).with_name("_all_reduce.py")
    words = [str(meeting), str(3 if bench.smoke else _REPEATS), *map(str, sizes)]
    # Where the two are not there at once, the later of them alone tells what the sum takes.
    both = [subprocess.Popen([sys.executable, str(program), str(rank), "2", *words], stdout=subprocess.PIPE, text=True)
            for rank in (0, 1)]  # fmt: skip
    told = [one.communicate(timeout=900)[0] for one in both]
    if any(one.returncode for one in both):
        raise SystemExit("the processes that sum gradients failed")
    first, second = map(json.loads, told)
    return {"seconds": {size: [min(pair) for pair in zip(first[size], second[size], strict=True)] for size in first}}


def real(bench: Bench, name: str) -> Json:
    """The step of real trainings by one and by two processes, a core each."""
    rows = {"images": 9600 / 128, "texts": 4459 / 32}[CASES[name][0]]
    epochs = 1.0 if bench.smoke else 100 / rows
    found = {devices: trained(bench, name, devices, epochs) for devices in (1, 2)}
    return {str(devices): {"step_s": one["step_ms"] / 1000, "batch_size": one["batch_size"], "steps": one["steps"]}
            for devices, one in found.items()}  # fmt: skip


# Modelled -------------------------------------------------------------------------------------------------------------


def measured_of(steps: Json, scale: Json) -> Measured:
    """What the model takes of a network's measured steps."""
    seconds = {int(windows): taken for windows, taken in steps["seconds"].items()}
    middle = {windows: statistics.median(taken) for windows, taken in seconds.items()}
    fixed, each = line(list(map(float, middle)), list(middle.values()))
    ratios = [one / middle[windows] for windows, taken in seconds.items() for one in taken]
    return Measured(steps["batch_size"], steps["gradient_bytes"], fixed, each, ratios, scale["scale"],
                    steps["messages"])  # fmt: skip


def checked(one: Measured, links: Links, found: Json) -> Json:
    """The model beside real trainings by one and two processes."""
    rows = {}
    for workers in (1, 2):
        wanted = found[str(workers)]["step_s"]
        told = simulated(one, workers, found[str(workers)]["batch_size"] / workers, links)["step_s"]
        rows[str(workers)] = {"real_s": wanted, "model_s": told, "apart": told / wanted - 1}
    exact = {str(workers): slowest_of(one.ratios, workers) for workers in WORKERS}
    return {"steps": rows, "slowest_of": exact}


def reading_of(found: Sequence[Json]) -> dict[str, float]:
    """What a sample costs, from several numbers of samples."""
    counts = [float(one["samples"]) for one in found]
    inspect = line(counts, [one["inspect_s"] for one in found])
    memory = line(counts, [float(max(1, one["peak_bytes"])) for one in found])
    last = found[-1]
    return {
        "sample_bytes": (last["tar_bytes"] + last["index_bytes"]) / last["samples"],
        "index_bytes": last["index_bytes"] / last["samples"],
        "decoded_bytes": last["decoded_bytes"] / last["samples"],
        "memory_fixed": memory[0],
        "memory_each": memory[1],
        "inspect_fixed_s": inspect[0],
        "inspect_each_s": inspect[1],
        "bytes_per_s": last["tar_bytes"] / last["read_s"],
        "decoded_per_s": last["samples"] / last["decode_s"],
    }


def summary_of(steps: Json, scales: Json, reals: Json, summed: Json, read: Sequence[Json]) -> Json:
    """All that follows from what was measured."""
    here = links_of({int(size): statistics.median(taken) for size, taken in summed["seconds"].items()})
    links = {"this machine": here, **ASSUMED}
    found: Json = {"links": {name: dataclasses.asdict(one) for name, one in links.items()}, "networks": {}}
    for name in steps:
        one = measured_of(steps[name], scales[name])
        spread = np.quantile(np.asarray(one.ratios), (0.05, 0.5, 0.95)).tolist()
        found["networks"][name] = {
            "batch_size": one.batch_size,
            "parameters": steps[name]["parameters"],
            "gradient_bytes": one.gradient_bytes,
            "messages": one.messages,
            "fixed_s": one.fixed_s,
            "window_s": one.window_s,
            "spread": spread,
            "noise_scale": one.noise_scale,
            "checked": checked(one, here, reals[name]),
            "same_batch": {kind: same_batch(one, where) for kind, where in links.items()},
            "grown_batch": {kind: grown_batch(one, where) for kind, where in links.items()},
        }
    per_sample = reading_of(read)
    return {**found, "reading": per_sample, "data": data_costs(per_sample, _COUNTS)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--write-docs", action="store_true", help="put the result's figures into docs/scale.md")


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # a worker is a core
    bench = open_bench("scale", __doc__, add_options)
    if bench.options.write_docs:
        write_docs(Path(bench.options.results))
        return
    import torch

    torch.set_num_threads(1)
    names = _NETWORKS[:1] if bench.smoke else _NETWORKS
    steps = {name: bench.piece(f"steps-{name}", partial(step_times, bench, name)) for name in names}
    scales = {name: bench.piece(f"noise-{name}", partial(noise, bench, name)) for name in names}
    summed = bench.piece("all-reduce", partial(all_reduce, bench))
    reals = {name: bench.piece(f"real-{name}", partial(real, bench, name)) for name in names}
    photos = (150, 250) if bench.smoke else _PHOTOS
    read = [bench.piece(f"photos-{count}", partial(reading, bench, count)) for count in photos]
    summary = summary_of(steps, scales, reals, summed, read)
    targets = [
        Target(f"{name}: the model beside {workers} real process(es)", abs(row["apart"]), "<=", _NEAR)
        for name, one in summary["networks"].items()
        for workers, row in one["checked"]["steps"].items()
    ]
    bench.settings = {"workers": list(WORKERS), "samples": list(_COUNTS), "photos": list(photos), "steps": _STEPS}
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["numpy", "pyarrow"])


if __name__ == "__main__":
    main()
