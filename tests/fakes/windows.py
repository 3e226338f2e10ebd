"""Windows merged into a unit, and a stream: is a long signal slow or fast? Cut in windows, their answers averaged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from assay.errors import SettingError
from assay.targets.class_target import ClassAnswer
from assay.targets.target import Target, fit_target, target_from_json
from assay.targets.task import TargetTask
from assay.task import Batch, Corruption, Encoded, NetworkKind, Session, Traits
from fakes.common import ColumnTask, Constant, Rule, small_network

WINDOW = 20


def examples(count: int = 120, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    signals = []
    kinds = ["slow" if row % 2 else "fast" for row in range(count)]
    for kind in kinds:
        time = np.arange(random.integers(WINDOW, 6 * WINDOW))
        wave = np.sin(time * (0.3 if kind == "slow" else 1.1) + random.uniform(0, 6))
        signals.append((wave + random.normal(0, 0.3, len(time))).astype(np.float32).tolist())
    names = [f"signal-{row}" for row in range(count)]
    digests = [hashlib.sha256(str(signal).encode()).hexdigest() for signal in signals]
    return pa.table(
        {"id": names, "signal": pa.array(signals, pa.list_(pa.float32())), "target": kinds, "digest": digests}
    )


@dataclass(frozen=True)
class SignalSpec:
    deviation: float
    target: Target

    def to_json(self) -> dict[str, Any]:
        return {"deviation": self.deviation, "target": self.target.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> SignalSpec:
        return SignalSpec(data["deviation"], target_from_json(data["target"]))


@dataclass(frozen=True, kw_only=True)
class SignalBatch(Batch):
    signal: Tensor  # (B, WINDOW)
    target: Tensor | None = None


@dataclass(frozen=True)
class SignalSettings:
    width: int = 32


def cut(signal: np.ndarray) -> np.ndarray:
    """(W, WINDOW): whole windows; what is left at the end is not listened to."""
    count = len(signal) // WINDOW
    return signal[: count * WINDOW].reshape(count, WINDOW)


class Speed(ColumnTask, TargetTask):
    name, column = "speed", "signal"
    traits = Traits("slow or fast signals", "a table with a column signal", "train", several_windows=True, streams=True)
    batch_type, spec_type = SignalBatch, SignalSpec

    def fit_spec(self, records: Any, train: np.ndarray, options: Any) -> SignalSpec:
        signals = [row for batch in records.batches() for row in batch.column("signal").to_pylist()]
        seen = np.concatenate([signal for signal, use in zip(signals, train, strict=True) if use])
        return SignalSpec(float(seen.std()), fit_target(records.index()["target"], train))

    def encode(self, batch: pa.RecordBatch, records: Any, spec: SignalSpec, log: Any) -> Encoded:
        pieces = [cut(np.asarray(signal, np.float32)) for signal in batch.column("signal").to_pylist()]
        for row, piece in enumerate(pieces):
            if not len(piece):
                log.add("too-short", "skipped", batch.column("id")[row].as_py())
        rows = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
        fields: dict[str, Any] = {"signal": np.concatenate(pieces)}
        if "target" in batch.schema.names:
            fields["target"] = spec.target.encode(batch.column("target"))[0][rows]
        return Encoded(fields, rows)

    def networks(self, spec: SignalSpec) -> Sequence[NetworkKind]:
        def build(spec: SignalSpec, settings: SignalSettings) -> nn.Module:
            hidden = [nn.Linear(WINDOW, settings.width), nn.BatchNorm1d(settings.width), nn.ReLU(), nn.Dropout(0.1)]
            return nn.Sequential(*hidden, nn.Linear(settings.width, spec.target.outputs))

        return small_network("ear", SignalSettings, build, "a hidden layer")

    def augment(self, batch: SignalBatch, draws: Any, plan: Any, spec: SignalSpec) -> SignalBatch:
        """Louder or softer, and turned upside down."""
        louder = 0.7 + 0.6 * draws.uniform("louder")
        sign = torch.where(draws.uniform("sign") < 0.5, -1.0, 1.0)
        return replace(batch, signal=batch.signal * (louder * sign)[:, None])

    def objective(self, network: nn.Module, batch: SignalBatch, plan: Any, spec: SignalSpec) -> Tensor:
        return spec.target.loss(network(batch.signal / spec.deviation), batch.target, plan.label_smoothing)

    def predict(self, network: nn.Module, batch: SignalBatch, spec: SignalSpec, options: Mapping[str, Any]) -> Any:
        return spec.target.output(network(batch.signal / spec.deviation))

    def merge(self, outputs: Any, spec: SignalSpec) -> np.ndarray:
        return np.asarray(outputs).mean(axis=0)

    def deciding(self, outputs: Any, spec: SignalSpec) -> int:
        """The window that is surest of what the mean of all says."""
        shares = np.asarray(outputs)
        return int(shares[:, shares.mean(axis=0).argmax()].argmax())

    def masked(self, batch: SignalBatch, kept: Tensor, spec: SignalSpec, instead: Any = None) -> SignalBatch:
        """Silence where nothing is kept."""
        other = torch.zeros_like(batch.signal) if instead is None else instead.signal
        return replace(batch, signal=torch.where(kept, batch.signal, other))

    def explain(self, predictor: Any, batch: SignalBatch) -> np.ndarray:
        """(B, WINDOW): the gradient of the answer's log-odds, times the signal."""
        from assay.evidence.attribution import gradient

        if getattr(predictor, "network", None) is None:
            raise SettingError("a rule has no gradients")

        def score(signal: Tensor) -> Tensor:
            logits = predictor.network(signal / spec.deviation)
            return spec.target.score(logits, predictor.network(batch.signal / spec.deviation).detach())

        spec = predictor.spec
        predictor.network.eval()
        return (gradient(score, batch.signal) * batch.signal).numpy()

    def corruptions(self, spec: SignalSpec) -> Mapping[str, Corruption]:
        def noisy(batch: SignalBatch, strength: int, draws: Any) -> SignalBatch:
            hiss = draws.uniform("hiss", WINDOW) - 0.5
            return replace(batch, signal=batch.signal + strength * spec.deviation * hiss)

        return {"hiss": Corruption(noisy)}

    def baselines(self, spec: SignalSpec) -> Sequence[Any]:
        return (
            Turns(spec),
            Constant(lambda truths: [float(share) for share in np.bincount(truths, minlength=2) / len(truths)]),
        )

    def session(self, predictor: Any) -> Listening:
        return Listening(self, predictor)

    def stream(self, samples: Any, unit: int, spec: SignalSpec) -> np.ndarray:
        return np.concatenate(samples.field("signal", samples.view_of(np.asarray([unit])).windows))


class Turns(Rule):
    """How often the signal changes its sign; over all windows of a unit."""

    def __init__(self, spec: SignalSpec) -> None:
        super().__init__("sign changes", self.respond)
        self._slow_first = spec.target.classes[0] == "slow"

    def respond(self, batch: SignalBatch) -> list[np.ndarray]:
        turns = (batch.signal[:, 1:] * batch.signal[:, :-1] < 0).float().mean(1)
        slow = (1 - 2 * turns).clamp(0, 1)
        return [np.asarray([one, 1 - one] if self._slow_first else [1 - one, one]) for one in slow.tolist()]

    def predict(self, view: Any) -> list[np.ndarray]:
        given = np.asarray(super().predict(view))
        unit = view.samples.unit[view.windows]
        return [given[unit == number].mean(axis=0) for number in view.units]


class Listening(Session):
    """Answers after each whole window with the mean of all so far."""

    def __init__(self, task: Speed, predictor: Any) -> None:
        self._task, self._predictor = task, predictor
        self._waiting, self._heard = np.zeros(0, np.float32), []

    def push(self, chunk: Any) -> list[ClassAnswer]:
        self._waiting = np.concatenate([self._waiting, np.asarray(chunk, np.float32)])
        answers = []
        while len(self._waiting) >= WINDOW:
            window, self._waiting = self._waiting[:WINDOW], self._waiting[WINDOW:]
            batch = SignalBatch(index=torch.tensor([0]), signal=torch.from_numpy(window)[None])
            self._heard.append(self._predictor.respond(batch)[0])
            answers.append(self._task.answer(self._task.merge(self._heard, self._predictor.spec), self._predictor.spec))
        return answers

    def close(self) -> list[ClassAnswer]:
        return []
