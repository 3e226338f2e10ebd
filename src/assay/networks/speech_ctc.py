"""A network that hears a waveform and says, some dozen times a second, which token is spoken, or that none is.

Its blocks are those of a conformer without the second feed-forward part: attention over the whole window, a
depthwise convolution over its surroundings, a feed-forward part, each beside a shortcut.

Sources: CTC: A. Graves et al., "Connectionist temporal classification", ICML 2006; blocks: A. Gulati et al.,
"Conformer: Convolution-augmented transformer for speech recognition", Interspeech 2020.

Shapes: B windows, T values of a waveform, M bands, F frames, S frames after the first convolutions, W channels, V
tokens with the blank.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss, silu

from assay.errors import SettingError
from assay.networks.attention import SelfAttention, keys_mask
from assay.networks.dropout import Dropout
from assay.networks.exporting import all_true, exporting
from assay.networks.feed_forward import FeedForward
from assay.networks.log_mel import LogMel
from assay.networks.positions import Rotary
from assay.networks.projections import closed, linear
from assay.networks.speech_frames import frames_of
from assay.training.ranges import DEPTH, HALVES, SHARE, searched

_STRIDES = (2, 4, 8)


@dataclass(frozen=True)
class SpeechCtcSettings:
    """Hyper-parameters of `SpeechCtc`.

    Attributes:
        depth: blocks.
        width: channels, a multiple of `heads`.
        heads: looks that a frame takes at the others in each block; 0 for blocks of convolutions alone.
        kernel: frames that a convolution sees, an odd number.
        expansion: neurons of a feed-forward part, as a multiple of the width.
        stride: frames of 10 ms that become one: 2, 4 or 8. There must be more of those than tokens.
        mels: bands of the spectrum.
        dropout: the share of values silenced at each training step, at the end of each branch.
    """

    depth: int = searched(4, DEPTH)
    width: int = searched(128, HALVES)
    heads: int = 2
    kernel: int = 15
    expansion: float = 2.0
    stride: int = 2
    mels: int = 40
    dropout: float = searched(0.1, SHARE)


class SpeechCtc(nn.Module):
    """Waveforms (B, T) float32 from -1 to 1 to log-probabilities (B, S, V).

    Args:
        size: V; token 0 is the blank.
        settings: the hyper-parameters.
        rate: values a second, in hertz.

    Raises:
        SettingError: a setting is not possible.

    Example:
        >>> SpeechCtc(30, SpeechCtcSettings(depth=1, width=32))(torch.zeros(2, 16000)).shape
        torch.Size([2, 49, 30])
    """

    def __init__(self, size: int, settings: SpeechCtcSettings, rate: int = 16_000) -> None:
        super().__init__()
        _check(settings)
        self.settings, self.rate = settings, rate
        self.log_mel = LogMel(rate, settings.mels)
        halvings = _STRIDES.index(settings.stride) + 1
        widths = [settings.mels, *[settings.width] * halvings]
        self.first = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 3, stride=2, padding=1) for inputs, outputs in itertools.pairwise(widths)
        )
        self.dropout = Dropout(settings.dropout)
        self.blocks = nn.ModuleList(_Block(settings) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(settings.width, bias=False)
        self.head = nn.Linear(settings.width, size)

    def frames(self, lengths: Tensor) -> Tensor:
        """S for waveforms of so many values (B,), at least one."""
        frames: Tensor = frames_of(lengths, *self.framing)
        return frames

    @property
    def framing(self) -> tuple[int, int, int]:
        """Values of a frame, values between two, and how often two frames become one."""
        return self.log_mel.window, self.log_mel.hop, len(self.first)

    @property
    def seconds_per_frame(self) -> float:
        """Between two frames of what comes out."""
        return float(self.log_mel.hop * self.settings.stride / self.rate)

    def forward(self, sound: Tensor, mask: Tensor | None = None) -> Tensor:
        """See the class; `mask` (B, T) is True where a window is real, which padding follows; None for everywhere."""
        missing = 0 if exporting() else self.log_mel.window - sound.shape[1]
        if missing > 0:
            sound = nn.functional.pad(sound, (0, missing))
        bands = self.log_mel(sound)
        lengths = None if mask is None or all_true(mask) else mask.sum(dim=1)
        real = _real(lengths, bands.shape[2], self.log_mel)
        x = _levelled(bands, real)
        for layer in self.first:
            x = silu(layer(x))
            if real is not None:
                real = real[:, ::2]
                x = x * real[:, None]
        x = self.dropout(x.transpose(1, 2))
        for block in self.blocks:
            x = block(x, real)
        logits: Tensor = self.head(self.norm(x))
        return logits.float().log_softmax(dim=-1)

    def losses(self, sound: Tensor, mask: Tensor | None, target: Tensor, target_mask: Tensor | None) -> Tensor:
        """(B,) nats of each transcript (B, N) over its number of tokens; 0 for one that its window is too short for."""
        logs = self(sound, mask)
        whole = torch.full((len(sound),), sound.shape[1], device=sound.device)
        heard = self.frames(whole if mask is None else mask.sum(dim=1))
        count = torch.full_like(heard, target.shape[1]) if target_mask is None else target_mask.sum(dim=1)
        if not target.shape[1]:
            target = target.new_zeros(len(target), 1)
        found: Tensor = ctc_loss(
            logs.transpose(0, 1), target.long(), heard, count, reduction="none", zero_infinity=True
        )
        return found / count.clamp_min(1)


class _Block(nn.Module):
    """Frames (B, S, W) to the same shape."""

    def __init__(self, settings: SpeechCtcSettings) -> None:
        super().__init__()
        width, heads = settings.width, settings.heads
        self.attention_norm = nn.LayerNorm(width, bias=False) if heads else None
        self.attention = SelfAttention(width, heads, False, Rotary(width // heads)) if heads else None
        self.near_norm = nn.LayerNorm(width, bias=False)
        self.gated = linear(width, 2 * width)
        self.near = nn.Conv1d(width, width, settings.kernel, padding=settings.kernel // 2, groups=width)
        self.mixed = closed(linear(width, width))
        self.feed_norm = nn.LayerNorm(width, bias=False)
        self.feed = FeedForward(width, max(1, round(settings.expansion * width)), "silu", False)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """`real` (B, S) bool, True for frames that are no padding; None for all."""
        if self.attention is not None and self.attention_norm is not None:
            x = x + self.dropout(self.attention(self.attention_norm(x), keys_mask(real)))
        value, gate = self.gated(self.near_norm(x)).chunk(2, dim=-1)
        near = value * gate.sigmoid()
        if real is not None:
            near = near * real[..., None]
        near = self.near(near.transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(self.mixed(silu(near)))
        fed: Tensor = x + self.dropout(self.feed(self.feed_norm(x)))
        return fed


def _real(lengths: Tensor | None, frames: int, layer: LogMel) -> Tensor | None:
    """(B, F) which frames lie within the waveform; the first always counts."""
    if lengths is None:
        return None
    inside = 1 + torch.div(lengths - layer.window, layer.hop, rounding_mode="floor")
    return torch.arange(frames, device=lengths.device) < inside.clamp_min(1)[:, None]


def _levelled(bands: Tensor, real: Tensor | None) -> Tensor:
    """Log energies (B, M, F), each band with mean 0, all of a window with deviation 1, padding 0."""
    if real is None:
        shifted = bands - bands.mean(dim=2, keepdim=True)
        return shifted / (shifted.pow(2).mean(dim=(1, 2), keepdim=True).sqrt() + 1e-3)
    weight = real[:, None].to(bands.dtype)
    count = weight.sum(dim=2, keepdim=True)
    shifted = (bands - (bands * weight).sum(dim=2, keepdim=True) / count) * weight
    scale = (shifted.pow(2).sum(dim=(1, 2), keepdim=True) / (count * bands.shape[1])).sqrt()
    return shifted / (scale + 1e-3)


def _check(settings: SpeechCtcSettings) -> None:
    if settings.stride not in _STRIDES:
        raise SettingError(f"a stride of {settings.stride} frames is not possible", "Give 2, 4 or 8.")
    if settings.kernel % 2 == 0 or settings.kernel < 1:
        raise SettingError(f"a kernel of {settings.kernel} frames is not possible", "Give an odd number.")
    if settings.heads and (settings.width % settings.heads or settings.width // settings.heads % 2):
        raise SettingError(
            f"{settings.heads} heads cannot share {settings.width} channels evenly",
            "Give a width that is a multiple of the heads.",
        )
