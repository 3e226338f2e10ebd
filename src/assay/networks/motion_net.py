"""A recurrent network of a car's motion: what the sensors say, corrected by what the drive so far has taught.

The sensors' calibrated speed and turning are its start; it learns what they get wrong. A short causal convolution looks
at the last seconds. A running fit (see `running_fit`) follows what lasts through a drive: the scale of the wheels, the
bias of the gyroscope, what the wheels of an axle differ in. The rows of that fit are corrected by the network, such as
for slip that grows with lateral acceleration. Beside it, gated running means remember whatever else is worth it. All of
that goes into the corrections of speed, turning and motion to the side, with what is not known of them.

At its first step it is what a classical model of the same sensors would be; everything else is learned.

Shapes: B windows, T steps, C channels, F frames, H features, M rates of forgetting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.running_fit import FadingSums, RunningFit, Sums
from assay.samples.drive_calibration import Signals, signals_of
from assay.samples.drive_spec import DriveSpec

#: Seconds of a frame: what lasts is looked at anew so often.
FRAME_S = 1.0
#: Speeds, turning and acceleration are about this large; turning within the fit is in thousandths of a rad/s.
_SPEED, _TURNING, _ACCELERATION, _MILLI = 10.0, 0.2, 2.0, 1000.0
#: Below this speed a car stands.
_STANDS = 0.05
_KERNEL, _DILATIONS = 5, (1, 3)
_GATED = 8
#: See `assay.networks.motion_tracks.Trust`: how far the network's own word is taken before anything is fitted.
TRUST = (1.0, 1.0, 60.0, 1.0, 1.0)


@dataclass(frozen=True)
class MotionSettings:
    """Hyper-parameters of the motion network.

    Attributes:
        width: features of each step.
        memory: whether it remembers more than the last seconds.
        dropout: the share of features silenced at each training step.
    """

    width: int = 32
    memory: bool = True
    dropout: float = 0.0


@dataclass(frozen=True)
class Motion:
    """What the network says.

    Attributes:
        moved: (B, T, 3) m/s ahead and to the left, rad/s.
        noise: (B, T, 3) their white noise, in these units over the square root of a hertz.
        lasting: (B, T, 2) the deviations of the scale of the speed and of the turning (rad/s) that last.
    """

    moved: Tensor
    noise: Tensor
    lasting: Tensor


@dataclass(frozen=True)
class Memory:
    """What is left of the steps so far, for a call with those that follow.

    Attributes:
        ends: the last steps that each convolution saw.
        fit: of the running fit.
        means: of the gated means.
        speed: (B,) the last speed.
    """

    ends: tuple[Tensor, ...]
    fit: Sums | None
    means: Sums | None
    speed: Tensor


class MotionNet(nn.Module):
    """See the module."""

    def __init__(self, spec: DriveSpec, settings: MotionSettings) -> None:
        super().__init__()
        self.spec, self.settings = spec, settings
        self.frame = max(1, round(FRAME_S * spec.rate_hz))
        self.register_buffer("deviation", torch.tensor(spec.deviation).clamp_min(1e-6))
        # What `motion_tuning` fits to the validation side: see `Trust`.
        self.register_buffer("trust", torch.tensor(TRUST))
        width, inputs = settings.width, 2 * len(spec.channels) + 7
        self.convolutions = nn.ModuleList(
            nn.Conv1d(first, width, _KERNEL, dilation=dilation)
            for first, dilation in zip((inputs, width), _DILATIONS, strict=True)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.row = nn.Linear(width, 3)  # of the fit: how much the second opinion is off, how much two rows count
        # Variances of scale, bias and wheels in the fit's units: see `_rows`.
        self.fit = RunningFit((0.2, 0.3, 0.003), (60.0, 200.0, torch.inf), FRAME_S)
        self.gated = nn.Linear(width, 2 * _GATED)
        self.means = FadingSums((5.0, 30.0, torch.inf), FRAME_S)
        known = self.fit.outputs + _GATED * self.means.rates
        self.blend = nn.Parameter(torch.zeros(2, self.fit.sums.rates))
        self.head = nn.Sequential(nn.Linear(width + known, 2 * width), nn.GELU(), nn.Linear(2 * width, 8))
        for layer in (self.row, self.head[2]):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, sensors: Tensor, present: Tensor, memory: Memory | None = None) -> tuple[Motion, Memory]:
        """Motion at each step.

        Args:
            sensors: (B, T, C) as `Steps.sensors`.
            present: (B, T, C) bool.
            memory: what an earlier call left; that one had whole frames.
        """
        signals = self._signals(sensors, present, memory)
        features, ends = self._features(sensors, present, signals, memory)
        estimates, known, sums = self._remembered(features, signals, memory)
        motion = self._corrected(signals, features, estimates, known)
        return motion, Memory(ends, *sums, signals.speed[:, -1])

    def _signals(self, sensors: Tensor, present: Tensor, memory: Memory | None) -> Signals:
        found = signals_of(sensors, present, self.spec.channels, self.spec.calibration)
        if memory is None or bool(found.speed_known.all()):
            return found
        unheard = found.speed_known.to(torch.int8).cumsum(1) == 0
        speed = torch.where(unheard, memory.speed[:, None], found.speed)
        return Signals(speed, *(getattr(found, name) for name in list(vars(found))[1:]))

    def _features(
        self, sensors: Tensor, present: Tensor, signals: Signals, memory: Memory | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, H) what the last seconds were like, and the ends that the convolutions need later."""
        there = present.to(sensors.dtype)
        apart = torch.where(signals.second_known, signals.second - signals.turning, torch.zeros_like(signals.speed))
        physics = [
            signals.speed / _SPEED,
            signals.turning / _TURNING,
            signals.speed * signals.turning / _ACCELERATION,
            10 * apart / _TURNING,
            *(one.to(sensors.dtype) for one in (signals.speed_known, signals.turning_known, signals.second_known)),
        ]
        values = torch.cat([sensors / self.deviation * there, there, torch.stack(physics, -1)], -1).transpose(1, 2)
        ends = []
        for place, layer in enumerate(self.convolutions):
            reach = (_KERNEL - 1) * _DILATIONS[place]
            past = values.new_zeros(*values.shape[:2], reach) if memory is None else memory.ends[place]
            values = torch.cat([past, values], 2)
            ends.append(values[:, :, values.shape[2] - reach :])
            values = functional.gelu(layer(values))
        return self.dropout(values.transpose(1, 2)), tuple(ends)

    def _remembered(
        self, features: Tensor, signals: Signals, memory: Memory | None
    ) -> tuple[Tensor, Tensor, tuple[Sums | None, Sums | None]]:
        """(B, T, 2) scale and bias, (B, T, known) all that is remembered, and what is left for later."""
        steps = features.shape[1]
        rows, wanted, weight = self._rows(features, signals)
        framed = [self._framed(one) for one in (rows, wanted, weight)]
        found, variance, fit = self.fit(
            framed[0].flatten(2, 3), framed[1].flatten(2, 3), framed[2].flatten(2, 3), memory.fit if memory else None
        )
        gate, value = self.gated(features).chunk(2, -1)
        gate = torch.sigmoid(gate)
        frames = self._framed(torch.cat([gate * value, gate], -1)).sum(2) / self.frame
        summed, means = self.means(frames, memory.means if memory else None)
        remembered = (summed[..., :_GATED] / (summed[..., _GATED:] + 1e-2)).flatten(2)
        fits = torch.cat([found.flatten(2) / 5, variance.clamp_min(1e-6).log().flatten(2) / 3], -1)
        known = torch.cat([fits, remembered], -1)
        blend = torch.softmax(self.blend, -1)
        estimates = torch.stack([(found[..., place] * blend[place]).sum(-1) for place in range(2)], -1)
        estimates = estimates / estimates.new_tensor([_MILLI * _TURNING, _MILLI])
        if not self.settings.memory:
            known, estimates = torch.zeros_like(known), torch.zeros_like(estimates)
        estimates, known = (one.repeat_interleave(self.frame, 1)[:, :steps] for one in (estimates, known))
        return estimates, known, (fit, means)

    def _rows(self, features: Tensor, signals: Signals) -> tuple[Tensor, Tensor, Tensor]:
        """The rows of the fit: (B, T, 2, 3) features, (B, T, 2) wanted, (B, T, 2) weights.

        The first: the gyroscope less the second opinion is scale times turning, plus bias, plus wheels times speed. The
        second: where the car stands, the gyroscope is its bias. In thousandths of a rad/s.
        """
        off, *counts = self.row(features).unbind(-1)
        turning, speed, one = signals.turning, signals.speed, torch.ones_like(signals.speed)
        first = torch.stack([turning / _TURNING, one, speed / _SPEED], -1)
        second = torch.stack([0 * one, one, 0 * one], -1)
        wanted = torch.stack([(turning * (1 + off) - signals.second), turning], -1) * _MILLI
        stands = signals.speed_known & (speed < _STANDS) & signals.turning_known
        usable = signals.second_known & signals.turning_known & ~stands
        weight = torch.stack([usable / 80.0 * counts[0].exp(), stands / 1.0 * counts[1].exp()], -1)
        return torch.stack([first, second], 2), wanted, weight

    def _framed(self, values: Tensor) -> Tensor:
        """(B, T, ...) in frames (B, F, frame, ...), the last one filled with zeros."""
        short = -values.shape[1] % self.frame
        if short:
            values = torch.cat([values, values.new_zeros(len(values), short, *values.shape[2:])], 1)
        return values.unflatten(1, (-1, self.frame))

    def _corrected(self, signals: Signals, features: Tensor, estimates: Tensor, known: Tensor) -> Motion:
        """The motion with its uncertainty."""
        told = self.head(torch.cat([features, known], -1))
        calibration = self.spec.calibration
        speed = signals.speed * (1 + estimates[..., 0] + 0.01 * told[..., 0])
        turning = (
            signals.turning
            - torch.where(signals.turning_known, estimates[..., 1], torch.zeros_like(signals.speed))
            - 0.002 * told[..., 1]
        )
        left = calibration.lever * turning + calibration.skew * speed - calibration.slip * speed**2 * turning
        left = left + 0.01 * speed * told[..., 2]
        unheard = (~signals.speed_known).to(speed.dtype)
        noise = torch.stack([0.02 * _spread(told[..., 3]) + 2 * unheard, 0.03 * _spread(told[..., 4]),
                             1e-3 * _spread(told[..., 5])], -1)  # fmt: skip
        lasting = torch.stack([0.006 * _spread(told[..., 6]), 1e-3 * _spread(told[..., 7])], -1)
        return Motion(torch.stack([speed, left, turning], -1), noise, lasting)


def _spread(logits: Tensor) -> Tensor:
    """A positive factor, 1 at 0, that cannot run away."""
    return (4 * torch.tanh(logits / 4)).exp()


def build_motion_net(spec: DriveSpec, settings: MotionSettings) -> nn.Module:
    """The network of a spec."""
    return MotionNet(spec, settings)


def facts_of(network: nn.Module) -> Mapping[str, Any]:
    """What a trained network remembers for how long, in seconds, for the page."""
    net: Any = network
    return {"fit": (FRAME_S / net.fit.sums.finite.exp()).tolist(), "means": (FRAME_S / net.means.finite.exp()).tolist()}
