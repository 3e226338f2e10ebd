"""What Assay's training loop costs beside a bare PyTorch loop with the same network and batches; do they agree?

Both start from the same weights and meet the same images in the same order. Assay's loop also gathers its batches from
the cache on disk, writes its history with gradient norms, and keeps checkpoints; the bare loop indexes a tensor in
memory.
"""

from __future__ import annotations

import copy
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import Json, Target, interleaved, open_bench, spread
from _data import grey_images
from torch import Tensor, nn
from torch.nn import functional

_PAIRS = 10
_STEPS = 400


@dataclass(frozen=True)
class Ready:
    """All that both loops need: Assay's parts, and the same as plain tensors."""

    task: Any
    spec: Any
    samples: Any
    plan: Any
    network: nn.Module
    images: Tensor
    labels: Tensor
    batches: list[Tensor]
    rates: list[float]


def make_ready(smoke: bool, folder: Path) -> Ready:
    """Fashion-MNIST in Assay's cache and as tensors, a plan without augmentation, and a fresh convnet."""
    from assay.flow import TrainOptions, prepare
    from assay.planning import choose
    from assay.progress import Progress
    from assay.run import RunFolder
    from assay.samples.samples import TrainStream
    from assay.samples.split import TRAIN, Split
    from assay.sources.source import DataOptions
    from assay.training.plan import Plan, learning_rate_at

    data, options = grey_images(smoke), DataOptions("image-classification")
    prepared = prepare((data.images, data.labels.astype(str)), options)
    prepared = replace(prepared, split=Split(np.full(len(data.images), TRAIN, np.int8), "given"))
    made = choose(
        prepared, options, TrainOptions(epochs=1, network="convnet"), RunFolder.create(folder / "run"), Progress()
    )
    steps, batch_size = (6, 16) if smoke else (_STEPS, 128)
    plan = Plan(steps=steps, batch_size=batch_size, learning_rate=2e-3, weight_decay=0.05, checks=1)
    stream = TrainStream(made.samples.view(TRAIN), plan.batch_size, plan.seed)
    batches = [torch.from_numpy(np.asarray(stream.windows(step)[1], np.int64)) for step in range(plan.steps)]
    images = torch.from_numpy(np.array(data.images)).unsqueeze(1)
    labels = torch.from_numpy(np.asarray(made.samples.view(TRAIN).array("target"), np.int64))
    rates = [learning_rate_at((step + 0.5) / plan.steps, plan) for step in range(plan.steps)]
    return Ready(made.task, made.spec, made.samples, plan, made.build(), images, labels, batches, rates)


def in_assay(ready: Ready, network: nn.Module) -> None:
    from assay.run import RunFolder
    from assay.training.loop import Job, fit

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        fit(
            network,
            Job(ready.task, ready.spec, ready.samples, ready.plan, run.checkpoint, run.record, snapshot_every=100),
        )


def bare(ready: Ready, network: nn.Module) -> None:
    """The loop as it stands in PyTorch's tutorials."""
    plan = ready.plan
    groups = [
        {"params": [value for value in network.parameters() if value.dim() >= 2], "weight_decay": plan.weight_decay},
        {"params": [value for value in network.parameters() if value.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(plan.momentum, 0.99), fused=True)
    network.train()
    for rows, rate in zip(ready.batches, ready.rates, strict=True):
        loss = functional.cross_entropy(
            network(ready.images[rows].float()), ready.labels[rows], reduction="none"
        ).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    network.eval()


LOOPS: dict[str, Callable[[Ready, nn.Module], None]] = {"assay": in_assay, "bare": bare}


def timed(ready: Ready, names: list[str]) -> Json:
    """Both loops once, in that order."""
    seconds, weights = {}, {}
    for name in names:
        network = copy.deepcopy(ready.network)
        begun, processor = time.perf_counter(), time.process_time()
        LOOPS[name](ready, network)
        seconds[name] = {"wall_s": time.perf_counter() - begun, "processor_s": time.process_time() - processor}
        weights[name] = network.state_dict()
    equal = all(torch.equal(value, weights["bare"][name]) for name, value in weights["assay"].items())
    return {"first": names[0], "equal": equal, **seconds}


def main() -> None:
    bench = open_bench("loop_overhead", __doc__)
    os.environ["ASSAY_CACHE"] = str(bench.work / "cache")
    pairs = 2 if bench.smoke else _PAIRS
    orders: dict[int, list[str]] = {}
    for number, name in interleaved(["assay", "bare"], pairs):
        orders.setdefault(number, []).append(name)
    with tempfile.TemporaryDirectory() as folder:
        ready = make_ready(bench.smoke, Path(folder))
        timed(replace_steps(ready, 5), ["assay", "bare"])  # the first steps of a process are slower
        runs = [bench.piece(f"pair-{number}", partial(timed, ready, names)) for number, names in orders.items()]
    shares = {kind: spread([run["assay"][kind] / run["bare"][kind] - 1 for run in runs])
              for kind in ("wall_s", "processor_s")}  # fmt: skip
    equal = all(run["equal"] for run in runs)
    per_step = {name: spread([1000 * run[name]["wall_s"] / ready.plan.steps for run in runs]) for name in LOOPS}
    targets = [Target("median share that the loop adds", shares["wall_s"]["median"], "<=", 0.03),
               Target("weights equal bit for bit", equal, "==", True)]  # fmt: skip
    bench.settings = {
        "network": "convnet, its recipe's settings",
        "steps": ready.plan.steps,
        "batch_size": ready.plan.batch_size,
        "threads": torch.get_num_threads(),
        "augmentation": "none",
        "validation": "none",
    }
    summary = {
        "overhead": shares["wall_s"],
        "overhead in processor time": shares["processor_s"],
        "ms_per_step": per_step,
        "equal": equal,
    }
    bench.finish(summary, targets, seeds=[ready.plan.seed])


def replace_steps(ready: Ready, steps: int) -> Ready:
    """The same for a few steps."""
    plan = replace(ready.plan, steps=steps)
    return replace(ready, plan=plan, batches=ready.batches[:steps], rates=ready.rates[:steps])


if __name__ == "__main__":
    main()
