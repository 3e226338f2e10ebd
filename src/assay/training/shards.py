"""A network whose weights are divided among the processes, since none of them holds it whole: PyTorch's FSDP2.

Each process keeps a piece of every weight, gradient and value of the optimiser, cut along the first dimension. A
checkpoint is a safetensors file a process, and an index that is written when all are there.

Sources: Y. Zhao et al., "PyTorch FSDP: experiences on scaling fully sharded data parallel", VLDB 2023;
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.errors import RunError
from assay.training.ranks import Ranks
from assay.training.recompute import repeated_blocks
from assay.training.state import Snapshot
from assay.training.step import Objective

if TYPE_CHECKING:
    from assay.training.loop import Job

#: Bytes that a training takes for each byte of weights: these, their gradients, two values of AdamW, and a snapshot of
#: all but the gradients.
_BYTES_OF_ONE = 7


def prepared(network: nn.Module, job: Job) -> Objective:
    """A network with its loss; divided among the processes where the plan says so."""
    objective = Objective(network, job.task, job.spec, job.plan)
    if job.divided:
        divide(objective, job.ranks)
    return objective


def read_checkpoint(job: Job) -> Snapshot | None:
    """The last checkpoint in the job's folder, or this process' piece of it; None where there is none."""
    saved = Snapshot.read(job.folder) if job.folder else None
    if saved is None or job.folder is None or "shards" not in saved.facts:
        return saved
    return read_shards(saved, job.folder, job.ranks)


def write_checkpoint(snapshot: Snapshot, job: Job) -> None:
    """Keep a checkpoint in the job's folder: by the first process, or each its piece. Called by all."""
    if job.folder is not None and job.divided:
        write_shards(snapshot, job.folder, job.ranks)
    elif job.folder is not None and job.ranks.first:
        snapshot.write(job.folder)


def divide(objective: nn.Module, ranks: Ranks) -> None:
    """Divide a module's weights among the processes, in place: each repeated block by itself, then what is left.

    What networks note on their parameters, such as `learning_rate_scale`, stays on the pieces.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    notes = {name: dict(vars(parameter)) for name, parameter in objective.named_parameters()}
    mesh = init_device_mesh(ranks.kind, (ranks.size,))
    for block in repeated_blocks(objective):
        fully_shard(block, mesh=mesh)
    fully_shard(objective, mesh=mesh)
    for name, parameter in objective.named_parameters():
        for key, value in notes[name].items():
            setattr(parameter, key, value)


def is_too_large(network: nn.Module, device: str, devices: int) -> bool:
    """Whether a process' share of the memory is less than what it takes to train the whole network there."""
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    if device == "cuda":
        return _BYTES_OF_ONE * weights > int(torch.cuda.get_device_properties(0).total_memory)
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return False
    return _BYTES_OF_ONE * weights * devices > memory


def write_shards(snapshot: Snapshot, folder: Path, ranks: Ranks) -> None:
    """Keep every process' piece of a snapshot on disk; complete or not there at all. Called by all processes."""
    folder.mkdir(parents=True, exist_ok=True)
    step = snapshot.facts["position"]["step"]
    names = [f"state-{step}-{rank + 1:05d}-of-{ranks.size:05d}.safetensors" for rank in range(ranks.size)]
    file = folder / names[ranks.rank]
    save_file({name: value.contiguous().cpu() for name, value in snapshot.tensors.items()}, file)
    with open(file, "rb") as written:
        os.fsync(written.fileno())
    ranks.sums([0.0])  # all are there
    if ranks.first:
        Snapshot({}, {**snapshot.facts, "shards": names}).write(folder)
        for old in set(folder.glob("state-*-of-*.safetensors")) - {folder / name for name in names}:
            with suppress(OSError):
                old.unlink()


def read_shards(index: Snapshot, folder: Path, ranks: Ranks) -> Snapshot:
    """A process' own piece of a snapshot, whatever the number of processes that wrote it.

    Args:
        index: as `Snapshot.read` gives it.
        folder: where it was read.
        ranks: the processes now; one alone takes everything.
    """
    pieces, tensors = set(index.facts["pieces"]), dict[str, Tensor]()
    try:
        files: list[Any] = [safe_open(folder / name, "pt") for name in index.facts["shards"]]
        for name in files[0].keys():  # noqa: SIM118 - no mapping
            if name not in pieces:
                tensors[name] = files[0].get_tensor(name)
                continue
            whole = torch.cat([file.get_tensor(name) for file in files])
            own = whole.chunk(ranks.size)  # as FSDP2 cuts: where there are too few rows, the last get none
            tensors[name] = (own[ranks.rank] if ranks.rank < len(own) else whole[:0]).clone()
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"the checkpoint in {folder} is damaged ({error})", "Delete it to train from the start."
        ) from error
    return Snapshot(tensors, index.facts)
