"""One of several processes that train a network together: `python -m assay.worker FOLDER`, started by `assay.devices`.

`joined` and `train` are what such a process does, whoever started it. It takes what is to be trained from the folder,
and goes on from the run's last checkpoint where there is one, which is how a training survives that a worker is killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, RunError, SettingError, told
from assay.progress import Progress
from assay.run import RunFolder, write_bytes, writing

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from assay.samples.samples import Samples
    from assay.task import Spec, Task
    from assay.training.loop import Job
    from assay.training.ranks import Ranks

    Array = np.ndarray[Any, Any]

_LOOKED_EVERY_S = 0.5
#: How long a process waits for the others.
WAITING_MINUTES = 30


class StopFile(threading.Event):
    """Set where a file is there."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def is_set(self) -> bool:
        """See the class."""
        return self._file.exists()


class Told(Progress):
    """Writes reports into a file, a line each, for the main process to pass on."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def _tell(self, *words: Any) -> None:
        with writing(self._file), open(self._file, "a", encoding="utf-8") as file:
            file.write(json.dumps(words) + "\n")

    def advance(self, done: float, note: str = "") -> None:
        """See `Progress.advance`."""
        self._tell("advance", done, note)

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        self._tell("say", text)


def main(folder: Path) -> int:
    """Train to the end; gives the exit status. Why it failed stands in `error.json`."""
    if is_over(folder):
        return 1
    try:
        facts = read_job(folder)
        parent = os.getppid()
        leave_when(lambda: os.getppid() != parent or (folder / "abort").exists())
        _train(folder, facts)
    except AssayError as error:
        write_error(folder, error)
        return 1
    return 0


def is_over(folder: Path) -> bool:
    """Whether there is nothing left to be done: a process has told an error, or the main one has given up."""
    return (folder / "abort").exists() or (folder / "error.json").exists()


def read_job(folder: Path) -> dict[str, Any]:
    """What is trained; from here on libraries take as many threads as it says."""
    facts: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    os.environ["OMP_NUM_THREADS"] = str(facts["threads"])  # before any library reads it
    return facts


def write_error(folder: Path, error: AssayError) -> None:
    """Tell the main process why this one failed."""
    write_bytes(folder / "error.json", json.dumps(told(error)).encode())


def leave_when(over: Callable[[], bool]) -> None:
    """End this process as soon as something says so: where the main one is gone, it would train on alone."""

    def look() -> None:
        while not over():
            time.sleep(_LOOKED_EVERY_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def check_versions(wanted: Mapping[str, str], found: Mapping[str, str], who: str) -> None:
    """Raise `SettingError` where a worker runs other versions than the process that planned the training."""
    other = [name for name in ("assay", "torch", "python") if wanted.get(name) != found.get(name)]
    if other:
        pairs = ", ".join(f"{name} {found.get(name)} instead of {wanted.get(name)}" for name in other)
        raise SettingError(
            f"{who} has other versions than the process that started it: {pairs}",
            "Install the same versions everywhere, then assay resume.",
        )


def _train(folder: Path, facts: Mapping[str, Any]) -> None:
    """Join the other workers, as torchrun numbers them, and run the loop."""
    from datetime import timedelta

    from torch import distributed

    from assay.cluster.copies import checkpoints_sent

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    ranks = joined(folder, facts, rank, size, int(os.environ["LOCAL_RANK"]))
    # The launcher's store outlives a restart, with the addresses of those who are dead.
    stores: Any = distributed  # its types do not know all that it has
    store = stores.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    own, backend = stores.PrefixStore(f"assay-{again}", store), "nccl" if ranks.kind == "cuda" else "gloo"
    waiting = timedelta(minutes=WAITING_MINUTES)
    distributed.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=waiting)
    train(folder, facts, ranks, again, checkpoints_sent(folder.parent.parent, ranks))
    distributed.destroy_process_group()


def joined(folder: Path, facts: Mapping[str, Any], rank: int, size: int, local_rank: int = 0) -> Ranks:
    """Make this process ready to train as one of `size`; raises `SettingError` where its versions are other ones."""
    import torch

    from assay.training.buffers import keep_buffers
    from assay.training.ranks import Ranks
    from assay.versions import versions

    keep_buffers()
    write_bytes(folder / f"process-{rank}.json", json.dumps({"pid": os.getpid()}).encode())
    check_versions(facts["versions"], versions(), f"worker {rank}")
    torch.set_num_threads(facts["threads"])
    if facts["device"] != "cuda":
        return Ranks(rank, size)
    ranks = Ranks(rank, size, f"cuda:{local_rank}")
    torch.cuda.set_device(ranks.device)
    return ranks


def train(
    folder: Path, facts: Mapping[str, Any], ranks: Ranks, again: int, written: Callable[[], None] = lambda: None
) -> None:
    """Run the loop to its end, or until the user stops it.

    Args:
        folder: of the workers.
        facts: what is trained.
        ranks: this process among the others, which have met.
        again: how often the training was begun anew after a process was lost.
        written: called by every process when a checkpoint, or the end, is on disk.
    """
    from assay.memory import watched
    from assay.training.loop import Interrupted, fit

    try:
        network, job = _job(folder, facts, ranks, again)
        job.written = written
        with writing(job.folder or folder), watched() as memory:
            state = fit(network, job)
        taken = ranks.sums([memory.most if memory.most is not None else float("nan")])[0]
        state.keep(folder / "end" if ranks.first else None, memory_bytes=None if taken != taken else int(taken))
    except Interrupted:
        pass
    written()


def _job(folder: Path, facts: Mapping[str, Any], ranks: Ranks, again: int) -> tuple[nn.Module, Job]:
    """The network with its first weights, and the training as it was planned."""
    import numpy as np
    from safetensors.torch import load_file

    from assay.pacing import build
    from assay.planning import in_folder, pick_network, written_plan
    from assay.registry import load_task
    from assay.stored_network import load_unique
    from assay.training.collecting import Collector
    from assay.training.loop import Job

    run, task = RunFolder.open(folder.parent.parent), load_task(facts["task"])
    spec = task.spec_type.from_json(facts["spec"])
    plan_json = run.read(run.plan)
    side = np.load(folder / "side.npy", allow_pickle=False)
    samples = open_again(task, spec, side, facts["samples"], {**plan_json, "cache_gb": facts["cache_gb"]})
    kind, _ = pick_network(task, spec, facts["network"]["name"])
    network = build(kind, spec, kind.settings(**facts["network"]["settings"]))
    load_unique(network, load_file(folder / "first.safetensors"))
    _, options, plan, timing = written_plan(run, plan_json)
    job = in_folder(Job(task, spec, samples, plan, ranks=ranks), run, timing, options.devices)
    job.stop = StopFile(folder / "stop")
    job.spent = facts["spent"] + time.time() - facts["launched"]
    if task.in_loop(spec):
        job.collect = Collector(task, spec, samples, run.checkpoint / "collected", plan.seed)
    if ranks.first:
        job.progress = Told(folder / "progress.jsonl")
        _begin_again(run, job, again)
    return network.to(ranks.device), job


def open_again(task: Task, spec: Spec, side: Array, folder: str | None, origin: Mapping[str, Any]) -> Samples:
    """The samples that another process has prepared.

    Args:
        task: the application.
        spec: what a sample is.
        side: (rows,) the side of each row of the records.
        folder: where they lie decoded; None where they are decoded on demand, for which their source is opened again.
        origin: that `source`, how its `data` is to be read, and its `fingerprint`, as a run's plan holds them; and how
            many `cache_gb` the other process may fill, by which it decided how to read them.

    Raises:
        RunError: the source has changed.
    """
    from dataclasses import replace

    from assay.flow import read
    from assay.samples.samples import build_samples, open_samples
    from assay.sources.privacy import found_source
    from assay.sources.source import DataOptions, open_source

    if folder is not None:
        return open_samples(task, spec, side, Path(folder))
    os.environ["ASSAY_CACHE_GB"] = str(origin["cache_gb"])
    data = replace(DataOptions(**origin["data"]), task=task.name)
    records = read(task, open_source(found_source(origin["source"])), data)
    if records.fingerprint != origin["fingerprint"]:
        raise RunError(f"the data in {origin['source']} has changed since the run began", "Train again.")
    return build_samples(task, records, spec, side)


def _begin_again(run: RunFolder, job: Job, again: int) -> None:
    """Where workers were killed, drop what they wrote behind the last checkpoint, and say so."""
    from assay.training.state import Snapshot

    saved = Snapshot.read(run.checkpoint)
    step = int(saved.facts["position"]["step"]) if saved else 0
    run.forget_after(step)
    if again:
        text = f"a process that trains was lost: all go on from step {step}"
        job.record({"step": step, "event": text})
        job.progress.say(text)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
