"""The whole state of a training between two steps, and how it is kept on disk without pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from assay.errors import RunError

Weights = dict[str, Tensor]


@dataclass
class Position:
    """Where a training stands, apart from its tensors; JSON-able.

    Attributes:
        step: steps done.
        end: the step that ends the schedule.
        leg_step: the step at which that end was last revised.
        leg_share: the share of the schedule done by then.
        checks: how many looks at the validation side were due so far.
        origin_step: the step at which the present order of samples began.
        origin_epoch: the epoch at that step.
        rate_scale: what the learning rate is multiplied with, halved after each loss that was not finite.
        best_loss: the lowest validation loss so far, None before the first check.
        best_step: its step.
        waited: checks since then.
        seconds: time spent in the loop so far.
        collected: how many times samples were appended.
    """

    step: int = 0
    end: int = 0
    leg_step: int = 0
    leg_share: float = 0.0
    checks: int = 0
    origin_step: int = 0
    origin_epoch: int = 0
    rate_scale: float = 1.0
    best_loss: float | None = None
    best_step: int = 0
    waited: int = 0
    seconds: float = 0.0
    collected: int = 0

    def share(self, steps: float) -> float:
        """The share of the schedule that is done after so many steps, from 0 to 1; linear between two revisions."""
        return self.leg_share + (1 - self.leg_share) * (steps - self.leg_step) / max(1, self.end - self.leg_step)

    def turn(self, end: int) -> None:
        """Let the schedule end with another step; what is done of it stays."""
        self.leg_step, self.leg_share, self.end = self.step, self.share(self.step), end


@dataclass
class State:
    """A network, its optimiser, the average of its weights and the best ones so far, and a position."""

    network: nn.Module
    optimizer: Optimizer
    average: Weights | None = None
    best: Weights | None = None
    position: Position = field(default_factory=Position)

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the average towards the weights: by 1 - decay, by more in the first steps."""
        if self.average is None:
            self.average = copy_weights(self.network)
            return
        step = self.position.step
        keep = min(decay, (1 + step) / (10 + step))
        now = dict(self.network.state_dict())
        mean = [local(value) for value in self.average.values() if value.is_floating_point()]
        new = [local(now[name]) for name, value in self.average.items() if value.is_floating_point()]
        torch._foreach_lerp_(mean, new, 1 - keep)
        for name, value in self.average.items():
            if not value.is_floating_point():
                value.copy_(now[name])

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The network with the averaged weights in place, where there are any; put back afterwards."""
        if self.average is None:
            yield self.network
            return
        raw = copy_weights(self.network)
        self.network.load_state_dict(self.average)
        try:
            yield self.network
        finally:
            self.network.load_state_dict(raw)

    def snapshot(self) -> Snapshot:
        """A copy of everything, in memory."""
        tensors, scalars = self._optimizer_parts()
        weights = copy_weights(self.network)
        own = {f"network/{name}": value for name, value in weights.items()}
        for kind, kept in (("average", self.average), ("best", self.best)):
            own.update({f"{kind}/{name}": value.clone() for name, value in (kept or {}).items()})
        own.update({f"optimizer/{name}": value.clone() for name, value in tensors.items()})
        facts = {"position": dict(vars(self.position)), "optimizer": scalars}
        pieces = [name for name, value in own.items() if local(value) is not value]
        return Snapshot(
            {name: local(value) for name, value in own.items()}, facts | ({"pieces": pieces} if pieces else {})
        )

    def keep(self, folder: Path | None, **facts: Any) -> None:
        """Write the network as it is now, and where the training stands, with other JSON-able facts about it.

        Called by all processes; the first writes.

        Args:
            folder: where; None for a process that does not write.
            facts: JSON-able.
        """
        weights = {f"network/{name}": whole(value) for name, value in self.network.state_dict().items()}
        if folder is not None:
            Snapshot(weights, {"position": dict(vars(self.position)), **facts}).write(folder)

    def restore(self, snapshot: Snapshot) -> None:
        """Back to a snapshot, bit for bit."""
        parts = snapshot.tensors
        _put(self.network, _part(parts, "network/"))
        self.average = _like(_part(parts, "average/"), self.network) or None
        self.best = _like(_part(parts, "best/"), self.network) or None
        self.position = Position(**snapshot.facts["position"])
        self._load_optimizer(_part(parts, "optimizer/"), snapshot.facts["optimizer"])

    def _optimizer_parts(self) -> tuple[Weights, dict[str, Any]]:
        tensors: Weights = {}
        scalars: dict[str, Any] = {}
        for number, values in self.optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"{number}/{name}"] = value
                else:
                    scalars[f"{number}/{name}"] = value
        return tensors, scalars

    def _load_optimizer(self, tensors: Mapping[str, Tensor], scalars: Mapping[str, Any]) -> None:
        whole = self.optimizer.state_dict()
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in {**tensors, **scalars}.items():
            number, name = key.split("/", 1)
            parameter = parameters[int(number)]
            if isinstance(value, Tensor):
                same = value.shape == local(parameter).shape
                value = _filled(torch.empty_like(parameter, dtype=value.dtype), value) if same else value.clone()
            state.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict({**whole, "state": state})


@dataclass(frozen=True)
class Snapshot:
    """All tensors of a state by name, and its JSON-able facts."""

    tensors: Weights
    facts: dict[str, Any]

    def finite(self) -> bool:
        """Whether every weight of the network is a finite number."""
        weights = [
            value for name, value in self.tensors.items() if name.startswith("network/") and value.is_floating_point()
        ]
        return bool(torch.stack([value.sum() for value in weights]).isfinite().all()) if weights else True

    @property
    def network(self) -> Weights:
        """The weights of the network alone."""
        return _part(self.tensors, "network/")

    def write(self, folder: Path) -> None:
        """Keep it on disk: one file, complete or not there at all."""
        folder.mkdir(parents=True, exist_ok=True)
        file, work = folder / "state.safetensors", folder / "state.partial"
        tensors = {name: value.contiguous().cpu() for name, value in self.tensors.items()}
        save_file(tensors, work, metadata={"facts": json.dumps(self.facts)})
        with open(work, "rb") as written:
            os.fsync(written.fileno())
        os.replace(work, file)

    @staticmethod
    def read(folder: Path) -> Snapshot | None:
        """The last complete snapshot in a folder; None where there is none."""
        file = folder / "state.safetensors"
        if not file.exists():
            return None
        try:
            with safe_open(file, "pt") as opened:
                facts = json.loads(opened.metadata()["facts"])
                return Snapshot({name: opened.get_tensor(name) for name in opened.keys()}, facts)  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise RunError(
                f"the checkpoint {file} is damaged ({error})", "Delete it to train from the start."
            ) from error


def copy_weights(network: nn.Module) -> Weights:
    """A copy of a network's parameters and buffers."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _like(weights: Weights, network: nn.Module) -> Weights:
    """Copies with the memory layout of the network's own tensors, so that arithmetic runs in the same order."""
    own = network.state_dict()
    return {name: _filled(torch.empty_like(own[name]), value) for name, value in weights.items()}


def local(value: Tensor) -> Tensor:
    """This process' piece of a tensor that is divided among several; the tensor itself elsewhere."""
    piece: Tensor = value.to_local() if hasattr(value, "to_local") else value
    return piece


def whole(value: Tensor) -> Tensor:
    """All of a tensor that is divided among several processes, which all ask for it; the tensor itself elsewhere."""
    found: Tensor = value.full_tensor() if hasattr(value, "full_tensor") else value
    return found.detach()


@torch.no_grad()
def _filled(value: Tensor, piece: Tensor) -> Tensor:
    """The tensor, with this process' piece of it copied in."""
    local(value).copy_(piece)
    return value


def _put(network: nn.Module, weights: Weights) -> None:
    """Put a snapshot's weights into a network, which may be divided among several processes."""
    own = network.state_dict()
    if not any(local(value) is not value for value in own.values()):
        network.load_state_dict(weights)
        return
    for name, value in own.items():
        _filled(value, weights[name])
