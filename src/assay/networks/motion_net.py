"""A recurrent network of a car's motion: what the sensors say, corrected by what the drive so far has taught.

The sensors' calibrated speed and turning are its start; it learns what they get wrong. A short causal convolution looks
at the last seconds: it corrects speed, turning and motion to the side, and says how noisy they are. Rows of a running
fit (see `running_fit`) tell of what lasts through a drive: the scale of the wheels, the bias of the gyroscope, what the
wheels of an axle differ in. The network corrects the rows, too, such as for slip that grows with lateral acceleration,
and says how much each counts.

While it learns, the running fit is part of the network. When it answers, the same rows go into the filter of the pose
(`motion_tracks`), where they meet the fixes of GNSS. At its first step it is what a classical model of the same sensors
would be; everything else is learned.

Shapes: B windows, T steps, C channels, F frames, H features, M rates of forgetting.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.exporting import all_true
from assay.networks.running_fit import RunningFit, Sums
from assay.samples.route_calibration import Signals, signals_of
from assay.samples.route_spec import RouteSpec
from assay.training.ranges import SHARE, WIDTH, searched

#: Seconds of a frame: what lasts is looked at anew so often.
FRAME_S = 1.0
#: Speeds, turning and acceleration are about this large; turning within the fit is in thousandths of a rad/s.
_SPEED, _TURNING, _ACCELERATION, _MILLI = 10.0, 0.2, 2.0, 1000.0
#: Below this speed a car stands.
_STANDS = 0.05
_KERNEL, _DILATIONS = 5, (1, 3)
#: Numbers that tell the manner of driving, and features that slip is made of.
_MANNER, _SLIP_WIDTH = 7, 16
#: Precisions of scale, bias and wheels before a drive, in the fit's units; seconds after which rows are forgotten.
_PRECISION, _FORGOTTEN_S = (0.2, 0.3, 0.003), (60.0, 200.0, torch.inf)
#: Squared thousandths of a rad/s: what a row of the second opinion, and one of a standing car, scatters by at first.
_SCATTER, _SCATTER_STANDING = 80.0, 1.0
#: See `assay.networks.motion_tracks.Trust`, without and with GNSS: what is believed before anything is fitted.
TRUST = ((1.0, 1.0, 1e-5, 3e-5, 1.0, 1.0, 0.0), (1.0, 1.0, 1e-5, 3e-5, 1.0, 1.0, 1.0))


@dataclass(frozen=True)
class MotionSettings:
    """Hyper-parameters of the motion network.

    Attributes:
        width: features of each step.
        memory: whether it remembers more than the last seconds.
        dropout: the share of features silenced at each training step.
    """

    width: int = searched(32, WIDTH)
    memory: bool = True
    dropout: float = searched(0.0, SHARE)


@dataclass(frozen=True)
class Motion:
    """What the network says.

    Attributes:
        moved: (B, T, 3) m/s ahead and to the left, rad/s, with what lasts taken off by the running fit.
        local: (B, T, 3) the same by the last seconds alone.
        noise: (B, T, 3) their white noise, in these units over the square root of a hertz.
        lasting: (B, T, 2) the deviations of what the running fit leaves of the scale and of the turning (rad/s).
        checks: (B, T, 5) the rows: three weights, what they make of the lasting errors, and its variance, infinite
            where there is none (see `pose_filter.Odometry`).
    """

    moved: Tensor
    local: Tensor
    noise: Tensor
    lasting: Tensor
    checks: Tensor


@dataclass(frozen=True)
class Memory:
    """What is left of the steps so far, for a call with those that follow.

    Attributes:
        ends: the last steps that each convolution saw.
        fit: of the running fit.
        speed: (B,) the last speed.
    """

    ends: tuple[Tensor, ...]
    fit: Sums
    speed: Tensor


class MotionNet(nn.Module):
    """See the module."""

    deviation: Tensor
    trust: Tensor

    def __init__(self, spec: RouteSpec, settings: MotionSettings) -> None:
        super().__init__()
        self.spec, self.settings = spec, settings
        self.frame = max(1, round(FRAME_S * spec.rate_hz))
        self.deviation: Tensor
        self.register_buffer("deviation", torch.tensor(spec.deviation).clamp_min(1e-6))
        self.register_buffer("trust", torch.tensor(TRUST))
        width, inputs = settings.width, 2 * len(spec.channels) + 7
        self.convolutions = nn.ModuleList(
            nn.Conv1d(first, width, _KERNEL, dilation=dilation)
            for first, dilation in zip((inputs, width), _DILATIONS, strict=True)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.fit = RunningFit(_PRECISION, _FORGOTTEN_S, FRAME_S)
        self.blend = nn.Parameter(torch.zeros(2, self.fit.sums.rates))
        # How much the second opinion is off and how much two rows count; three corrections and their noise.
        self.slip = _head(_MANNER, _SLIP_WIDTH, 1)
        self.counts = nn.Linear(width, 2)
        self.local = _head(width + _MANNER, width, 6)
        self.left = _head(len(_PRECISION) * self.fit.sums.rates, width, 2)
        _silence(self.counts)

    def forward(self, sensors: Tensor, present: Tensor, memory: Memory | None = None) -> tuple[Motion, Memory]:
        """Motion at each step.

        Args:
            sensors: (B, T, C) as `Steps.sensors`.
            present: (B, T, C) bool.
            memory: what an earlier call left; that one had whole frames.
        """
        signals = self._signals(sensors, present, memory)
        features, ends = self._features(sensors, present, signals, memory)
        rows = self._rows(features, signals)
        estimates, lasting, fit = self._remembered(rows, memory)
        motion = self._corrected(signals, features, estimates, lasting, rows)
        return motion, Memory(ends, fit, signals.speed[:, -1])

    def _signals(self, sensors: Tensor, present: Tensor, memory: Memory | None) -> Signals:
        found = signals_of(sensors, present, self.spec.channels, self.spec.calibration)
        if memory is None or all_true(found.speed_known):
            return found
        unheard = found.speed_known.long().cumsum(1) == 0
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
        features: Tensor = self.dropout(values.transpose(1, 2))
        return features, tuple(ends)

    def _rows(self, features: Tensor, signals: Signals) -> tuple[Tensor, Tensor, Tensor]:
        """A row of the fit at each step: (B, T, 3) features, (B, T) wanted, (B, T) weight, 0 for none.

        The gyroscope less the second opinion is scale times turning, plus bias, plus wheels times speed. Where the car
        stands, the gyroscope is its bias. In thousandths of a rad/s.
        """
        off = self.slip(_manner(signals))[..., 0]
        count, standing = self.counts(features).unbind(-1)
        turning, speed, one = signals.turning, signals.speed, torch.ones_like(signals.speed)
        stands = signals.speed_known & (speed < _STANDS) & signals.turning_known
        usable = signals.second_known & signals.turning_known & ~stands
        moving = torch.stack([turning / _TURNING, one, speed / _SPEED], -1)
        rows = torch.where(stands[..., None], torch.stack([0 * one, one, 0 * one], -1), moving)
        wanted = torch.where(stands, turning, turning * (1 + off) - signals.second) * _MILLI
        weight = torch.where(stands, _spread(standing) / _SCATTER_STANDING, _spread(count) / _SCATTER)
        return rows, wanted, torch.where(stands | usable, weight, torch.zeros_like(weight))

    def _remembered(self, rows: tuple[Tensor, Tensor, Tensor], memory: Memory | None) -> tuple[Tensor, Tensor, Sums]:
        """(B, T, 2) scale and bias by the frames before, (B, T, 2) what is left of them, and what later calls need."""
        steps = rows[1].shape[1]
        found, variance, fit = self.fit(*(self._framed(one) for one in rows), memory.fit if memory else None)
        blend = torch.softmax(self.blend, -1)
        estimates = torch.stack([(found[..., place] * blend[place]).sum(-1) for place in range(2)], -1)
        estimates = estimates / estimates.new_tensor([_MILLI * _TURNING, _MILLI])
        lasting = self.left(variance.clamp_min(1e-6).log().flatten(2) / 3)
        if not self.settings.memory:
            estimates, lasting = torch.zeros_like(estimates), 0 * lasting
        estimates, lasting = (one.repeat_interleave(self.frame, 1)[:, :steps] for one in (estimates, lasting))
        return estimates, lasting, fit

    def _framed(self, values: Tensor) -> Tensor:
        """(B, T, ...) in frames (B, F, frame, ...), the last one filled with zeros."""
        short = -values.shape[1] % self.frame
        if short:
            values = torch.cat([values, values.new_zeros(len(values), short, *values.shape[2:])], 1)
        framed: Tensor = values.unflatten(1, (-1, self.frame))
        return framed

    def _corrected(
        self,
        signals: Signals,
        features: Tensor,
        estimates: Tensor,
        lasting: Tensor,
        rows: tuple[Tensor, Tensor, Tensor],
    ) -> Motion:
        """The motion with its uncertainty."""
        told = self.local(torch.cat([features, _manner(signals)], -1))
        speed = signals.speed * (1 + 0.01 * told[..., 0])
        turning = signals.turning + 0.002 * told[..., 1]
        unheard = (~signals.speed_known).to(speed.dtype)
        noise = torch.stack(
            [0.02 * _spread(told[..., 3]) + 2 * unheard, 0.03 * _spread(told[..., 4]), 1e-3 * _spread(told[..., 5])], -1
        )
        bias = torch.where(signals.turning_known, estimates[..., 1], torch.zeros_like(speed))
        local = self._motion(speed, turning, told[..., 2])
        moved = self._motion(speed * (1 + estimates[..., 0]), turning - bias, told[..., 2])
        left = torch.stack([0.006 * _spread(lasting[..., 0]), 1e-3 * _spread(lasting[..., 1])], -1)
        return Motion(moved, local, noise, left, self._checks(rows))

    def _motion(self, speed: Tensor, turning: Tensor, aside: Tensor) -> Tensor:
        known = self.spec.calibration
        left = known.lever * turning + known.skew * speed - known.slip * speed**2 * turning + 0.01 * speed * aside
        return torch.stack([speed, left, turning], -1)

    def _checks(self, rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """The rows in rad/s, for the filter."""
        features, wanted, weight = rows
        units = features.new_tensor([_TURNING, 1.0, _SPEED])
        infinite = torch.full_like(weight, torch.inf)
        variance = torch.where(weight > 0, 1 / (_MILLI**2 * weight.clamp_min(1e-12)), infinite)
        return torch.cat([features * units, (wanted / _MILLI)[..., None], variance[..., None]], -1)

    def beginnings(self) -> tuple[float, float, float]:
        """The deviations of scale, bias (rad/s) and wheels (rad/s for each m/s) before a drive, as it learned them."""
        scale, bias, wheels = (-self.fit.log_precision / 2).exp().tolist()
        return scale / (_MILLI * _TURNING), bias / _MILLI, wheels / (_MILLI * _SPEED)


def _head(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Two layers whose first word is 0."""
    last = nn.Linear(width, outputs)
    _silence(last)
    return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), last)


def _silence(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def _manner(signals: Signals) -> Tensor:
    """(B, T, 7) speed, turning and lateral acceleration, their sizes and squares: what slip can depend on.

    The second opinion is not among them: what it is off by must not follow from its own noise.
    """
    speed, turning = signals.speed / _SPEED, signals.turning / _TURNING
    aside = signals.speed * signals.turning / _ACCELERATION
    return torch.stack([speed, speed**2, turning, turning.abs(), aside, aside.abs(), aside**2], -1)


def _spread(logits: Tensor) -> Tensor:
    """A positive factor, 1 at 0, that cannot run away."""
    return (4 * torch.tanh(logits / 4)).exp()


def build_motion_net(spec: RouteSpec, settings: MotionSettings) -> nn.Module:
    """The network of a spec."""
    return MotionNet(spec, settings)
