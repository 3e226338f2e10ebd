"""One network trained by processes of a cluster, started by Ray: the loop and the folder of `--devices`.

Ray Train places several processes, lets them meet (gloo, NCCL) and says when one is lost; then all are started again,
by as many as there is room for, and go on from the last checkpoint. A single process has nobody to meet: it is an actor
of Ray, without the six that Ray Train sets beside its workers. A run's folder that lies behind a URL has a copy on each
worker's machine (`copies`); one that does not must be where all machines see it.

Source: https://docs.ray.io/en/latest/train/api/api.html
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.cluster.copies import Copy, remote_of, working_folder
from assay.devices import RESTARTS, lost_again_and_again
from assay.errors import AssayError, RunError
from assay.worker import WAITING_MINUTES, is_over, joined, leave_when, read_job, train, write_error

if TYPE_CHECKING:
    from assay.cluster.force import Cluster
    from assay.training.ranks import Ranks

#: Seconds between two looks at a copy behind a URL, by the main process and by workers.
_LOOK_S = 2.0
#: Seconds for a process to begin, where others may have all cores.
_ROOM_S = 180.0
_WORKERS = "checkpoint/workers"
_NO_ROOM = "no machine of the cluster is left that could train"


class RayTrain:
    """Starts the processes of a training on a cluster; see `assay.devices.Launcher`.

    Args:
        cluster: the cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._copy: Copy | None = None
        self._looked = 0.0

    def there(self, device: str) -> int:
        """See `Launcher.there`."""
        return sum(one.gpus if device == "cuda" else one.cores for one in self._cluster.machines())

    def threads(self, devices: int) -> int:
        """See `Launcher.threads`: what the smallest machine has for each, unless OMP_NUM_THREADS says less."""
        able = [one.cores for one in self._cluster.machines() if one.cores] or [1]
        each = max(1, min(able) // -(-devices // len(able)))
        asked = os.environ.get("OMP_NUM_THREADS", "")
        return min(each, max(1, int(asked) // devices)) if asked.isdigit() and int(asked) else each

    def launch(self, folder: Path, devices: int) -> None:
        """See `Launcher.launch`."""
        from ray.exceptions import RayError

        facts = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        url = remote_of(folder.parent.parent)
        self._copy = None if url is None else Copy(url, folder.parent.parent)
        self._cluster.check_sees(*([facts["samples"]] if facts["samples"] else []), *([] if url else [str(folder)]))
        if self._copy is not None:
            self._copy.drop(_WORKERS)
            self._copy.push()
        for again in range(RESTARTS + 1):
            how = {"folder": str(folder), "url": self._copy and self._copy.url, "again": again}
            try:
                self._alone(how, facts["device"]) if devices == 1 else self._together(how, devices, facts["device"])
                break
            except (_Failed, RayError) as error:
                self._fetch()
                if is_over(folder):
                    raise
                if again == RESTARTS:
                    raise (lost_again_and_again() if _was_lost(error) else error) from error
                devices = self._left(devices, facts["device"])
        self._fetch()

    def look(self, folder: Path) -> None:
        """See `Launcher.look`: passes on through the URL, where there is one, what both sides say."""
        asked = any((folder / name).exists() for name in ("stop", "abort"))
        if self._copy is None or time.monotonic() - self._looked < (0.0 if asked else _LOOK_S):
            return
        self._looked = time.monotonic()
        self._copy.pull(f"{_WORKERS}/progress.jsonl", f"{_WORKERS}/error.json")
        self._copy.push(f"{_WORKERS}/stop", f"{_WORKERS}/abort")

    def _alone(self, how: dict[str, Any], device: str) -> None:
        """Let one process train until it ends or is lost."""
        ray = self._cluster.ray
        actor = ray.remote(num_cpus=1, num_gpus=int(device == "cuda"), max_restarts=0)(Alone).remote()
        try:
            if self._begins(actor, Path(how["folder"])):
                ray.get(actor.train.remote(how))
        finally:
            ray.kill(actor)

    def _begins(self, actor: Any, folder: Path) -> bool:
        """Wait until there is room for a process; whether it has begun before the user wanted it to stop."""
        ray, end = self._cluster.ray, time.monotonic() + _ROOM_S
        ready = actor.__ray_ready__.remote()
        while not ray.wait([ready], timeout=_LOOK_S)[0]:
            if any((folder / name).exists() for name in ("stop", "abort")):
                return False
            if time.monotonic() > end:
                words = f"the cluster had no room for the training in {_ROOM_S:.0f} s"
                raise RunError(words, "See what `ray status` says; assay resume goes on once others are done.")
        ray.get(ready)
        return True

    def _together(self, how: dict[str, Any], devices: int, device: str) -> None:
        """Let several processes train until they end or one is lost."""
        from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchConfig, TorchTrainer

        gpu = device == "cuda"
        place, system = (how["folder"], None) if self._copy is None else self._copy.storage()
        storage = f"{place}/ray" if self._copy is None else f"{place}/{_WORKERS}/ray"
        # What Ray Train itself would do where a process is lost is wait for as many machines as there were.
        failures = FailureConfig(max_failures=0, controller_failure_limit=0)
        trainer = TorchTrainer(
            train_worker,
            train_loop_config=how,
            scaling_config=ScalingConfig(
                num_workers=devices,
                use_gpu=gpu,
                resources_per_worker={"CPU": 1, **({"GPU": 1} if gpu else {})},
                placement_strategy="SPREAD",
            ),
            torch_config=TorchConfig("nccl" if gpu else "gloo", timeout_s=60 * WAITING_MINUTES),
            run_config=RunConfig(
                name=f"start-{how['again']}", storage_path=storage, storage_filesystem=system, failure_config=failures
            ),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:
            # Without those of workers it was the controller that was lost.
            failures_told: Any = getattr(error, "worker_failures", {}) or {}
            kinds = [type(one).__name__ for one in failures_told.values()]
            raise _Failed(str(error), not kinds or any("UserException" not in kind for kind in kinds)) from error

    def _left(self, devices: int, device: str) -> int:
        """How many processes go on after one was lost: as many as before, or what there is room for."""
        self._cluster.look_again()
        left = min(devices, self.there(device))
        if not left:
            raise RunError(_NO_ROOM, "Start machines again, then assay resume goes on from the last checkpoint.")
        return left

    def _fetch(self) -> None:
        """What the workers left behind the URL."""
        if self._copy is not None:
            names = ("plan.json", "metrics.jsonl", "checkpoint")
            self._copy.pull(*names)


class _Failed(Exception):
    """Several processes did not train to the end; whether that is because one was lost."""

    def __init__(self, why: str, lost: bool) -> None:
        super().__init__(why)
        self.lost = lost


def _was_lost(error: Exception) -> bool:
    """Whether a process was killed, as against one that raised an error."""
    from ray.exceptions import RayTaskError

    return error.lost if isinstance(error, _Failed) else not isinstance(error, RayTaskError)


class Alone:
    """A process that trains by itself; an actor of Ray, since it keeps settings to its end."""

    def train(self, how: dict[str, Any]) -> None:
        """See `trained_by`."""
        trained_by(how, 0, 1, 0)


def train_worker(config: dict[str, Any]) -> None:
    """What each of several processes does; called by Ray Train. See `trained_by`."""
    from ray.train import get_context

    context = get_context()
    trained_by(config, context.get_world_rank(), context.get_world_size(), context.get_local_rank())


def trained_by(how: dict[str, Any], rank: int, size: int, local_rank: int) -> None:
    """What each process does.

    Args:
        how: `folder` of the workers as the main process knows it, `url` of the run's copy or None, and how often the
            training was begun `again`.
        rank: of this process, of `size`.
        size: of them.
        local_rank: among those on this machine.
    """
    folder, post = Path(how["folder"]), None
    if how["url"]:
        post = Post(how["url"], rank)
        folder = post.folder
    if is_over(folder):
        return
    try:
        facts = read_job(folder)
        leave_when((folder / "abort").exists)
        ranks = joined(folder, facts, rank, size, local_rank)
        train(folder, facts, ranks, how["again"], post.written(ranks) if post else lambda: None)
    except AssayError as error:
        write_error(folder, error)
        if post:
            post.copy.push(f"{_WORKERS}/error.json")
        raise RuntimeError(f"{error}") from None  # the error itself is in the folder
    if post:
        post.close()


class Post:
    """A worker's own copy of a run that lies behind a URL, and how the two exchange what is new.

    Args:
        url: of the run.
        rank: of the worker; the first alone sends history and progress.
    """

    def __init__(self, url: str, rank: int) -> None:
        self.copy = Copy(url, working_folder(url, f"worker-{rank}-{os.getpid()}"))
        self.copy.pull("plan.json", "metrics.jsonl", "checkpoint")
        self.folder = self.copy.folder / _WORKERS
        self._first = rank == 0
        self._over = threading.Event()
        threading.Thread(target=self._exchange, daemon=True).start()

    def close(self) -> None:
        """What is left here has been sent."""
        self._over.set()
        shutil.rmtree(self.copy.folder, ignore_errors=True)

    def _exchange(self) -> None:
        while not self._over.wait(_LOOK_S):
            self.copy.pull(f"{_WORKERS}/stop", f"{_WORKERS}/abort")
            if self._first:
                self.copy.push(f"{_WORKERS}/progress.jsonl")

    def written(self, ranks: Ranks) -> Callable[[], None]:
        """What sends a checkpoint: the pieces of all, then what says that they are complete."""

        def send() -> None:
            own = f"-{ranks.rank + 1:05d}-of-{ranks.size:05d}.safetensors"
            checkpoint = self.copy.folder / "checkpoint"
            self.copy.push(*(f"checkpoint/{file.name}" for file in checkpoint.glob(f"state-*{own}")))
            ranks.sums([0.0])  # all pieces are there
            if ranks.first:
                self.copy.push("plan.json", "metrics.jsonl", "checkpoint/state.safetensors", f"{_WORKERS}/end",
                               f"{_WORKERS}/progress.jsonl")  # fmt: skip

        return send
