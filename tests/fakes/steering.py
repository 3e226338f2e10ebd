"""A closed loop: keep a car on the lane. Learnt from an expert's drives, judged by rollouts, taught where it strays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from assay.evaluation.evaluation import Evaluation
from assay.sources.records import records_from_table
from assay.task import Batch, Encoded, NetworkKind, Traits
from fakes.common import ColumnTask, Constant, PlainSpec, Quotient, Rule, small_network

STEPS, EDGE_M = 25, 1.5


def drive(state: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(N, 2) offset in metres and heading in radians, a tenth of a second later."""
    heading = state[:, 1] + 0.5 * np.clip(angle, -1, 1)
    return np.stack([state[:, 0] + heading, heading], axis=1)


def expert(state: np.ndarray) -> np.ndarray:
    return np.clip(-0.5 * state[:, 0] - 1.5 * state[:, 1], -1, 1)


def examples(drives: int = 30, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    state = random.normal(0, [0.6, 0.1], (drives, 2))
    moments = []
    for _ in range(5):
        moments.append(state)
        state = drive(state, expert(state))
    states, groups = np.concatenate(moments), np.tile(np.arange(drives), 5)
    return table_of(states, [f"drive-{number}" for number in groups], "moment")


def table_of(states: np.ndarray, groups: list[str], prefix: str) -> pa.Table:
    names = [f"{prefix}-{number}" for number in range(len(states))]
    return pa.table({"id": names, "state": pa.array(states.tolist()), "target": expert(states), "group": groups})


@dataclass(frozen=True)
class LaneSpec(PlainSpec):
    deviation: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LaneBatch(Batch):
    state: Tensor  # (B, 2)
    angle: Tensor | None = None  # (B,)


@dataclass(frozen=True)
class Steer:
    """What `predict` gives."""

    angle: float


@dataclass(frozen=True)
class Ride:
    """What came of a rollout."""

    steps: int
    offset_m: float


@dataclass(frozen=True)
class LaneSettings:
    width: int = 24


class OnLane(Quotient):
    name, unit = "on_lane", "share"

    def statistics(self, outputs: Any, truths: Any) -> np.ndarray:
        return np.asarray([[ride.steps == STEPS, 1] for ride in outputs], float)


class Offset(Quotient):
    name, unit, higher_is_better = "offset", "m", False

    def statistics(self, outputs: Any, truths: Any) -> np.ndarray:
        return np.asarray([[ride.offset_m, 1] for ride in outputs], float)


class Lane(ColumnTask):
    name, column = "lane", "state"
    traits = Traits("keeping the lane", "a table with a column state", "train", closed_loop=True)
    batch_type, spec_type = LaneBatch, LaneSpec

    def fit_spec(self, records: Any, train: np.ndarray, options: Any) -> LaneSpec:
        states = np.concatenate([np.asarray(batch.column("state").to_pylist()) for batch in records.batches()])
        return LaneSpec(tuple(states[train].std(axis=0).tolist()))

    def encode(self, batch: pa.RecordBatch, records: Any, spec: LaneSpec, log: Any) -> Encoded:
        fields = {"state": np.asarray(batch.column("state").to_pylist(), np.float32)}
        if "target" in batch.schema.names:
            fields["angle"] = batch.column("target").to_numpy(zero_copy_only=False).astype(np.float32)
        return Encoded(fields, np.arange(batch.num_rows))

    def networks(self, spec: LaneSpec) -> Sequence[NetworkKind]:
        def build(spec: LaneSpec, settings: LaneSettings) -> nn.Module:
            return nn.Sequential(nn.Linear(2, settings.width), nn.Tanh(), nn.Linear(settings.width, 1))

        return small_network("driver", LaneSettings, build, "a hidden layer")

    def objective(self, network: nn.Module, batch: LaneBatch, plan: Any, spec: LaneSpec) -> Tensor:
        return (network(batch.state / torch.tensor(spec.deviation))[:, 0] - batch.angle) ** 2

    def predict(self, network: nn.Module, batch: LaneBatch, spec: LaneSpec, options: Mapping[str, Any]) -> list[Steer]:
        return [Steer(float(angle)) for angle in network(batch.state / torch.tensor(spec.deviation))[:, 0]]

    def answer(self, output: Steer | Ride, spec: LaneSpec) -> Steer | Ride:
        return output

    def metrics(self, spec: LaneSpec) -> Sequence[Any]:
        return (Offset(), OnLane())

    def losses(self, outputs: Any, truths: Any, spec: LaneSpec) -> np.ndarray:
        return np.asarray([ride.offset_m for ride in outputs])

    def baselines(self, spec: LaneSpec) -> Sequence[Any]:
        def controller(batch: LaneBatch) -> list[Steer]:
            return [Steer(float(angle)) for angle in expert(batch.state.double().numpy()) * 0.8]

        return (Rule("proportional and derivative control", controller), Constant(lambda truths: 0.0, Steer))

    def evaluate(self, predictor: Any, view: Any) -> Evaluation:
        """A rollout from each recorded moment."""
        rides, _ = rollouts(predictor, view.array("state").astype(float))
        losses = self.losses(rides, (), view.samples.spec)
        return Evaluation(view.units, rides, view.truths(), view.groups(), losses, 0.0)

    def collect(self, predictor: Any, samples: Any, epoch: int, seed: int, done: float) -> Any:
        """The expert's word on the states to which the network's own driving leads."""
        start = samples.view(0).sample(8, seed + epoch).array("state").astype(float)
        _, visited = rollouts(predictor, start)
        states = np.concatenate(visited[1:4])
        prefix = f"epoch-{epoch}"
        return records_from_table(table_of(states, [prefix] * len(states), prefix), prefix)


def rollouts(predictor: Any, state: np.ndarray) -> tuple[list[Ride], list[np.ndarray]]:
    """What comes of driving from states (N, 2), and the states on the way."""
    steps, offset, alive, visited = np.zeros(len(state), int), np.zeros(len(state)), np.ones(len(state), bool), [state]
    for _ in range(STEPS):
        batch = LaneBatch(index=torch.arange(len(state)), state=torch.from_numpy(state.astype(np.float32)))
        state = drive(state, np.asarray([steer.angle for steer in predictor.respond(batch)]))
        alive &= np.abs(state[:, 0]) < EDGE_M
        state = np.clip(state, -2, 2)
        steps += alive
        offset += np.abs(state[:, 0]) / STEPS
        visited.append(state)
    return [Ride(int(count), float(mean)) for count, mean in zip(steps, offset, strict=True)], visited
