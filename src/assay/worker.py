"""One of several processes that train a network together: `python -m assay.worker FOLDER`, started by `assay.devices`.

It takes what is to be trained from the folder, and goes on from the run's last checkpoint where there is one, which is
how a training survives that a worker is killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, SettingError
from assay.progress import Progress
from assay.run import RunFolder, write_bytes, writing

if TYPE_CHECKING:
    from torch import nn

    from assay.training.loop import Job
    from assay.training.ranks import Ranks

_LOOKED_EVERY_S = 0.5
_WAITING_MINUTES = 30


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
    if (folder / "abort").exists() or (folder / "error.json").exists():
        return 1
    try:
        facts = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        os.environ["OMP_NUM_THREADS"] = str(facts["threads"])  # before any library reads it
        threading.Thread(target=_leave_with, args=(folder, os.getppid()), daemon=True).start()
        _train(folder, facts)
    except AssayError as error:
        told = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        write_bytes(folder / "error.json", json.dumps(told).encode())
        return 1
    return 0


def _leave_with(folder: Path, parent: int) -> None:
    """End this process when the main one is gone, or says so: else it would train on alone."""
    while os.getppid() == parent and not (folder / "abort").exists():
        time.sleep(_LOOKED_EVERY_S)
    os._exit(1)


def check_versions(wanted: Mapping[str, str], found: Mapping[str, str], rank: int) -> None:
    """Raise `SettingError` where a worker runs other versions than the process that planned the training."""
    other = [name for name in ("assay", "torch", "python") if wanted.get(name) != found.get(name)]
    if other:
        pairs = ", ".join(f"{name} {found.get(name)} instead of {wanted.get(name)}" for name in other)
        raise SettingError(
            f"worker {rank} has other versions than the process that started it: {pairs}",
            "Install the same versions everywhere, then assay resume.",
        )


def _train(folder: Path, facts: Mapping[str, Any]) -> None:
    """Join the other workers and run the loop."""
    from datetime import timedelta

    import torch
    from torch import distributed

    from assay.memory import watched
    from assay.planning import versions
    from assay.training.buffers import keep_buffers
    from assay.training.loop import Interrupted, fit
    from assay.training.ranks import Ranks

    keep_buffers()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    write_bytes(folder / f"process-{rank}.json", json.dumps({"pid": os.getpid()}).encode())
    check_versions(facts["versions"], versions(), rank)
    torch.set_num_threads(facts["threads"])
    ranks, backend = Ranks(rank, size), "gloo"
    if facts["device"] == "cuda":
        ranks, backend = Ranks(rank, size, f"cuda:{os.environ['LOCAL_RANK']}"), "nccl"
        torch.cuda.set_device(ranks.device)
    # The launcher's store outlives a restart, with the addresses of those who are dead.
    stores: Any = distributed  # its types do not know all that it has
    store = stores.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    own = stores.PrefixStore(f"assay-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    waiting = timedelta(minutes=_WAITING_MINUTES)
    distributed.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=waiting)
    try:
        network, job = _job(folder, facts, ranks)
        with writing(job.folder or folder), watched() as memory:
            state = fit(network, job)
        taken = ranks.sums([memory.most if memory.most is not None else float("nan")])[0]
        state.keep(folder / "end" if ranks.first else None, memory_bytes=None if taken != taken else int(taken))
    except Interrupted:
        pass
    distributed.destroy_process_group()


def _job(folder: Path, facts: Mapping[str, Any], ranks: Ranks) -> tuple[nn.Module, Job]:
    """The network with its first weights, and the training as it was planned."""
    import numpy as np
    from safetensors.torch import load_file

    from assay.pacing import build
    from assay.planning import in_folder, pick_network, written_plan
    from assay.registry import load_task
    from assay.samples.samples import open_samples
    from assay.stored_network import load_unique
    from assay.training.collecting import Collector
    from assay.training.loop import Job

    run, task = RunFolder.open(folder.parent.parent), load_task(facts["task"])
    spec = task.spec_type.from_json(facts["spec"])
    samples = open_samples(task, spec, np.load(folder / "side.npy", allow_pickle=False), Path(facts["samples"]))
    kind, _ = pick_network(task, spec, facts["network"]["name"])
    network = build(kind, spec, kind.settings(**facts["network"]["settings"]))
    load_unique(network, load_file(folder / "first.safetensors"))
    _, options, plan, timing = written_plan(run, run.read(run.plan))
    job = in_folder(Job(task, spec, samples, plan, ranks=ranks), run, timing, options.devices)
    job.stop = StopFile(folder / "stop")
    job.spent = facts["spent"] + time.time() - facts["launched"]
    if task.in_loop(spec):
        job.collect = Collector(task, spec, samples, run.checkpoint / "collected", plan.seed)
    if ranks.first:
        job.progress = Told(folder / "progress.jsonl")
        _begin_again(run, job)
    return network.to(ranks.device), job


def _begin_again(run: RunFolder, job: Job) -> None:
    """Where workers were killed, drop what they wrote behind the last checkpoint, and say so."""
    from assay.training.state import Snapshot

    saved = Snapshot.read(run.checkpoint)
    step = int(saved.facts["position"]["step"]) if saved else 0
    run.forget_after(step)
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        text = f"a process that trains was lost: all go on from step {step}"
        job.record({"step": step, "event": text})
        job.progress.say(text)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
