"""A stream of sound: a low or a high tone is a command, noise is none. Heard by the detector of `serving/listening`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from assay.serving.listening import Detector, Hearing
from assay.targets.target import Target, fit_target, target_from_json
from assay.targets.task import TargetTask
from assay.task import Batch, Encoded, NetworkKind, Traits, number_of
from fakes.common import ColumnTask, Constant, Rule, small_network

RATE_HZ, WINDOW = 8000, 4000
TONES_HZ = {"low": 350.0, "high": 1300.0}
OTHER = "other"


def tone(kind: str, seconds: float = 0.25, level: float = 0.3) -> np.ndarray:
    """A burst with soft edges."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    edge = np.minimum(1, np.minimum(time, seconds - time) / 0.02)
    return (level * edge * np.sin(2 * np.pi * TONES_HZ[kind] * time)).astype(np.float32)


def mixed(words: Sequence[tuple[str, float]], seconds: float, seed: int = 0, noise: float = 0.003) -> np.ndarray:
    """Tones at their seconds in a recording with a little noise."""
    sound = np.random.default_rng(seed).normal(0, noise, round(seconds * RATE_HZ)).astype(np.float32)
    for kind, at_s in words:
        burst = tone(kind)
        start = round(at_s * RATE_HZ)
        sound[start : start + len(burst)] += burst
    return sound


def examples(count: int = 90, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    sounds, kinds = [], []
    for row in range(count):
        kind = ["low", "high", OTHER][row % 3]
        words = [] if kind == OTHER else [(kind, random.uniform(0.0, 0.25))]
        noise = 0.1 if kind == OTHER and row % 2 else 0.003
        sounds.append(mixed(words, WINDOW / RATE_HZ, seed=seed * count + row, noise=noise).tolist())
        kinds.append(kind)
    digests = [hashlib.sha256(str(sound).encode()).hexdigest() for sound in sounds]
    names = [f"sound-{row}" for row in range(count)]
    return pa.table(
        {"id": names, "sound": pa.array(sounds, pa.list_(pa.float32())), "target": kinds, "digest": digests}
    )


@dataclass(frozen=True)
class ToneSpec:
    target: Target

    def to_json(self) -> dict[str, Any]:
        return {"target": self.target.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ToneSpec:
        return ToneSpec(target_from_json(data["target"]))


@dataclass(frozen=True, kw_only=True)
class ToneBatch(Batch):
    sound: Tensor  # (B, WINDOW)
    target: Tensor | None = None


@dataclass(frozen=True)
class ToneSettings:
    width: int = 16


class Ear(nn.Module):
    """Energy in bands, and two layers."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, sound: Tensor) -> Tensor:
        power = torch.fft.rfft(sound).abs().square()[:, :2000].unflatten(1, (20, 100)).mean(2)
        return self.layers(torch.log(power + 1e-3))


class Tones(ColumnTask, TargetTask):
    name, column = "tones", "sound"
    traits = Traits(
        "low and high tones",
        "a table with a column sound",
        "train",
        streams=True,
        answering={"threshold": "the confidence that a command takes"},
    )
    batch_type, spec_type = ToneBatch, ToneSpec

    def fit_spec(self, records: Any, train: np.ndarray, options: Any) -> ToneSpec:
        return ToneSpec(fit_target(records.index()["target"], train))

    def encode(self, batch: pa.RecordBatch, records: Any, spec: ToneSpec, log: Any) -> Encoded:
        sounds = [np.resize(np.asarray(row, np.float32), WINDOW) for row in batch.column("sound").to_pylist()]
        fields: dict[str, Any] = {"sound": np.stack(sounds)}
        if "target" in batch.schema.names:
            fields["target"] = spec.target.encode(batch.column("target"))[0]
        return Encoded(fields, np.arange(batch.num_rows))

    def networks(self, spec: ToneSpec) -> Sequence[NetworkKind]:
        def build(spec: ToneSpec, settings: ToneSettings) -> nn.Module:
            return Ear(settings.width, spec.target.outputs)

        return small_network("ear", ToneSettings, build, "energy in bands")

    def objective(self, network: nn.Module, batch: ToneBatch, plan: Any, spec: ToneSpec) -> Tensor:
        return spec.target.loss(network(batch.sound), batch.target, plan.label_smoothing)

    def predict(self, network: nn.Module, batch: ToneBatch, spec: ToneSpec, options: Mapping[str, Any]) -> Any:
        return spec.target.output(network(batch.sound))

    def baselines(self, spec: ToneSpec) -> Sequence[Any]:
        def turns(batch: ToneBatch) -> list[np.ndarray]:
            """How often the loud part changes its sign: not at all in silence, ever so often in noise."""
            loud = (batch.sound[:, 1:] * batch.sound[:, :-1]).abs() > 1e-3
            turned = (batch.sound[:, 1:] * batch.sound[:, :-1] < 0) & loud
            shares = (turned.sum(1) / loud.sum(1).clamp(min=1)).tolist()
            kinds = [OTHER if share == 0 or share > 0.35 else "low" if share < 0.15 else "high" for share in shares]
            return [np.eye(spec.target.outputs)[spec.target.classes.index(kind)] * 0.8 + 0.2 / 3 for kind in kinds]

        def shares(truths: Any) -> list[float]:
            return [float(share) for share in np.bincount(truths, minlength=3) / len(truths)]

        return (Rule("sign changes", turns), Constant(shares))

    def session(self, predictor: Any) -> Detector:
        spec = predictor.spec

        def probabilities(windows: np.ndarray) -> np.ndarray:
            batch = ToneBatch(index=torch.arange(len(windows)), sound=torch.from_numpy(windows))
            return np.asarray(predictor.respond(batch))

        threshold = number_of(predictor.options, "threshold", 0.6, 0.01, 1)
        hearing = Hearing(RATE_HZ, WINDOW / RATE_HZ, hop_s=0.05, smoothing_s=0.15, threshold=threshold)
        return Detector(probabilities, spec.target.classes, hearing, silent=[OTHER])

    def stream(self, samples: Any, unit: int, spec: ToneSpec) -> np.ndarray:
        """The clip after two seconds of near silence, so that there is something to hear."""
        clip = samples.field("sound", samples.view_of(np.asarray([unit])).windows)[0]
        return np.concatenate([mixed([("low", 0.5)], 2.0), clip])
