"""Training by several processes: on one machine, started and watched by torchrun's elastic launcher; or on a cluster.

The main process reads, plans, evaluates and finds out; for the loop alone it starts workers (`assay.worker`) and waits.
What they need lies in the run's folder as JSON and safetensors: the run itself, and `checkpoint/workers/`, which holds

    job.json  first.safetensors  side.npy     what is trained, and the first weights
    progress.jsonl  error.json  end/          what comes back
    stop  abort                               what the main process asks for
    process-R.json  logs/                     who they are, and what they print

Where a worker is killed, the launcher starts all of them again, and they go on from the last checkpoint. Another
launcher may take torchrun's place (`assay.cluster`); the folder and the loop are the same.

Source: https://docs.pytorch.org/docs/stable/elastic/run.html
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay.errors import AssayError, SettingError, TrainingError, did_you_mean, raised
from assay.progress import Progress
from assay.run import RunFolder, to_json, write_bytes

if TYPE_CHECKING:
    from torch import nn

    from assay.planning import Made
    from assay.training.loop import Job
    from assay.training.state import Position

#: How often the launcher starts the workers again, and how long they have to end by themselves.
RESTARTS, _PATIENCE_S = 5, 20.0
_LOOKED_EVERY_S = 0.1


class Launcher(Protocol):
    """What starts the processes of a training, and starts them again where one is lost."""

    def there(self, device: str) -> int:
        """For how many processes on `cpu`, or on `cuda`, there is room."""

    def threads(self, devices: int) -> int:
        """How many threads each of so many processes gets."""

    def launch(self, folder: Path, devices: int) -> None:
        """Let the processes train to their end; raises what they failed of. Called from a thread."""

    def look(self, folder: Path) -> None:
        """Called now and then while they train."""


class Torchrun:
    """Starts processes on this machine."""

    def there(self, device: str) -> int:
        """See `Launcher.there`."""
        return _gpus() if device == "cuda" else cores()

    def threads(self, devices: int) -> int:
        """See `Launcher.threads`."""
        import torch

        return max(1, torch.get_num_threads() // devices)

    def launch(self, folder: Path, devices: int) -> None:
        """See `Launcher.launch`."""
        from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
        from torch.distributed.launcher.api import LaunchConfig, launch_agent

        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=devices,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=RESTARTS,
            monitor_interval=_LOOKED_EVERY_S,
            logs_specs=DefaultLogsSpecs(log_dir=str(folder / "logs"), redirects=Std.ALL),
        )
        launch_agent(config, sys.executable, ["-m", "assay.worker", str(folder)])

    def look(self, folder: Path) -> None:
        """See `Launcher.look`."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_devices(device: str, devices: int, launcher: Launcher | None = None) -> None:
    """Raise `SettingError` where the machine, or what another launcher has, cannot train on so many of these."""
    if device not in ("auto", "cpu", "cuda"):
        raise SettingError(f"--device {device} is not possible", did_you_mean(device, ("auto", "cpu", "cuda")))
    if devices < 1:
        raise SettingError(f"--devices {devices} is not possible", "Give the number of processes, such as 2.")
    there = (launcher or Torchrun()).there(device)
    kind = "GPU" if device == "cuda" else "processor core"
    if not there:
        raise SettingError("there is no GPU that PyTorch can use here", "Use --device cpu.")
    if devices > there:
        plural = "s" if there != 1 else ""
        raise SettingError(
            f"--devices {devices} is more than there is: {there} {kind}{plural}", f"Use --devices {there} or fewer."
        )


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def check_batch(devices: int, accumulate: int, batch: int) -> None:
    """Raise `SettingError` where a step has fewer windows than parts into which it is to be divided."""
    if devices * accumulate > batch:
        parts = f"{devices} processes" + (f" times {accumulate} parts" if accumulate > 1 else "")
        raise SettingError(
            f"a step of {batch} samples cannot be divided among {parts}",
            f"Use fewer, or a larger step: --set batch_size={devices * accumulate}.",
        )


def fit_on_devices(
    network: nn.Module, made: Made, run: RunFolder, job: Job, launcher: Launcher
) -> tuple[Position, int | None]:
    """As `assay.training.loop.fit`, by several processes.

    Args:
        network: the network before its first step; holds the weights to keep afterwards.
        made: what is trained.
        run: where its plan is written down; takes checkpoints, history and revisions.
        job: of which the time spent, the event to stop, and the progress are used.
        launcher: starts them.

    Returns:
        Where the training ended; the bytes that all processes took, None where that is not known.

    Raises:
        AssayError: as in one process; or the workers die again and again.
        Interrupted: the event to stop was set.
    """
    from assay.training.loop import Interrupted
    from assay.training.state import Position, Snapshot

    folder = run.checkpoint / "workers"
    if Snapshot.read(folder / "end") is None:
        devices = _still_there(made.options.device, made.options.devices, job.progress, launcher)
        _write_job(folder, network, made, job, launcher.threads(devices))
        _watched(folder, devices, job, launcher)
    end = Snapshot.read(folder / "end")
    if end is None:
        raise Interrupted
    network.load_state_dict(end.network)
    network.eval()
    return Position(**end.facts["position"]), end.facts["memory_bytes"]


def _still_there(device: str, devices: int, progress: Progress, launcher: Launcher) -> int:
    """How many processes train: those planned, or fewer where the run is resumed on a smaller machine."""
    there = launcher.there(device)
    if devices > there > 0:
        progress.say(f"trained by {there} processes, as there is no room for {devices}: the result is the same")
        return there
    check_devices(device, devices, launcher)
    return devices


def _write_job(folder: Path, network: nn.Module, made: Made, job: Job, threads: int) -> None:
    """Leave all that the workers need in their folder, and nothing of workers before."""
    from safetensors.torch import save

    from assay.registry import known_tasks
    from assay.samples.cache import limit_bytes
    from assay.stored_network import unique_weights
    from assay.versions import versions

    decoded = made.samples.folder
    if made.task.name not in known_tasks() or (decoded is None and made.samples.on_demand is None):
        raise SettingError(
            f"{made.task.name} cannot be trained by several processes: it is not registered",
            "Name it in the entry-point group assay.tasks, or use --devices 1.",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_bytes(folder / "first.safetensors", save(unique_weights(network)))
    np.save(folder / "side.npy", made.prepared.split.side, allow_pickle=False)
    facts = {
        "task": made.task.name,
        "spec": made.spec.to_json(),
        "network": {"name": made.network, "settings": made.settings},
        "samples": None if decoded is None else str(decoded.resolve()),
        "cache_gb": limit_bytes() / 1e9,
        "device": "cuda" if made.options.device == "cuda" else "cpu",
        "threads": threads,
        "versions": versions(),
        "spent": job.spent,
        "launched": time.time(),
    }
    write_bytes(folder / "job.json", json.dumps(to_json(facts)).encode())


def _watched(folder: Path, devices: int, job: Job, launcher: Launcher) -> None:
    """Let the workers train to their end, passing on what they say and what the user asks for."""
    failed: list[Exception] = []
    agent = threading.Thread(target=_launch, args=(launcher.launch, folder, devices, failed), daemon=True)
    relay = _relay(folder / "progress.jsonl", job.progress)
    with _quiet():
        agent.start()
        try:
            while agent.is_alive():
                agent.join(_LOOKED_EVERY_S)
                launcher.look(folder)
                next(relay)
                if job.stop.is_set():
                    (folder / "stop").touch()
        finally:
            if agent.is_alive():
                (folder / "abort").touch()
                launcher.look(folder)
                agent.join(_PATIENCE_S)
    next(relay)
    if failed:
        raise _reason(folder, failed[0]) from failed[0]


def _launch(launch: Callable[[Path, int], None], folder: Path, devices: int, failed: list[Exception]) -> None:
    """Run the launcher to its end; what it raises goes into `failed`."""
    try:
        launch(folder, devices)
    except Exception as error:
        failed.append(error)


@contextmanager
def _quiet() -> Iterator[None]:
    """The launcher's own log holds nothing for the user: what fails is told once, by `_reason`."""
    logger = logging.getLogger("torch.distributed.elastic")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _relay(file: Path, progress: Progress) -> Iterator[None]:
    """Each time it is asked, passes on what the first worker has said since."""
    done = 0
    while True:
        with suppress(OSError):
            text = file.read_bytes()
            whole = text[done : text.rfind(b"\n") + 1]
            done += len(whole)
            for line in whole.splitlines():
                name, *values = json.loads(line)
                getattr(progress, name)(*values)
        yield


def _reason(folder: Path, failed: Exception) -> Exception:
    """Why the workers failed, as they told it, or as can be guessed from how they ended."""
    with suppress(OSError, ValueError, KeyError):
        return raised(json.loads((folder / "error.json").read_text(encoding="utf-8")))
    if isinstance(failed, AssayError):
        return failed
    failures: Any = getattr(failed, "failures", {})
    if any(failure.exitcode < 0 for failure in failures.values()):
        return lost_again_and_again()
    said = [file.read_text(encoding="utf-8", errors="replace") for file in sorted(folder.glob("logs/**/stderr.log"))]
    return RuntimeError("\n".join(["a process that trains failed:", *(text.strip() for text in said[-1:])]))


def lost_again_and_again() -> TrainingError:
    """What is told where the processes of a training are lost as soon as they are started."""
    return TrainingError(
        f"the processes that train were killed {RESTARTS + 1} times",
        "Is there enough memory? assay resume goes on from the last checkpoint; --devices 1 needs less.",
    )
