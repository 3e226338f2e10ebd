"""A waveform as the logarithm of its energy in bands that the ear tells apart, over time; a layer without weights.

Fixed convolutions do the Fourier transform, so that a network that begins with this layer takes the waveform, is
exported as one piece, and no program around it has to make the same features again.

Sources: S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition",
IEEE ASSP 28, 1980; the mel scale of D. O'Shaughnessy, "Speech communication", 1987.

Shapes: B sounds, T values of a waveform, N values of a frame, K frequencies, M bands, F frames.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: Below this energy of a band, nothing is heard: a waveform of full scale has an energy of about one.
FLOOR = 1e-7
_LOWEST_HZ = 20.0


class LogMel(nn.Module):
    """Waveforms (B, T) float32 from -1 to 1 to natural logarithms of band energies (B, M, F).

    Frames do not reach beyond the waveform: F is 1 + (T - N) // hop. A sound that is shorter than a frame is an error.

    Args:
        rate: values a second, in hertz.
        mels: bands, M, evenly spread over the mel scale from 20 Hz to half the rate.
        window_s: seconds of a frame.
        hop_s: seconds between the beginnings of two frames.

    Raises:
        ValueError: a frame would hold fewer than two values, or a hop none.

    Example:
        >>> LogMel(rate=16000, mels=40)(torch.zeros(2, 16000)).shape
        torch.Size([2, 40, 98])
    """

    waves: Tensor
    weights: Tensor
    bands: Tensor

    def __init__(self, rate: int = 16000, mels: int = 40, window_s: float = 0.025, hop_s: float = 0.010) -> None:
        super().__init__()
        self.rate, self.mels = rate, mels
        self.window, self.hop = round(rate * window_s), round(rate * hop_s)
        if self.window < 2 or self.hop < 1 or mels < 1:
            raise ValueError(f"{mels} bands of frames of {self.window} values, {self.hop} apart, cannot be computed")
        # Fixed numbers that follow from the arguments: they stand in no file of weights.
        self.register_buffer("waves", _waves(rate, self.window), persistent=False)
        self.register_buffer("weights", self.waves[0, 0].clone(), persistent=False)  # a cosine of 0 Hz: the window
        self.register_buffer("bands", mel_bands(rate, self.waves.shape[0] // 2, mels), persistent=False)

    def frames(self, values: int) -> int:
        """F for a waveform of so many values, T."""
        return 1 + (values - self.window) // self.hop

    def forward(self, sound: Tensor) -> Tensor:
        """(B, T) to (B, M, F)."""
        power = self._convolved(sound) if torch.onnx.is_in_onnx_export() else self._transformed(sound)
        return torch.log(torch.matmul(self.bands, power) + FLOOR)  # (M, K) times (B, K, F)

    def _convolved(self, sound: Tensor) -> Tensor:
        """(B, K, F) power by convolutions, which every runtime knows."""
        found = nn.functional.conv1d(sound[:, None], self.waves, stride=self.hop)  # (B, 2K, F)
        real, imaginary = found.chunk(2, dim=1)
        return real * real + imaginary * imaginary

    def _transformed(self, sound: Tensor) -> Tensor:
        """The same by a fast Fourier transform, for which the frames are padded to a period of the lowest wave."""
        frames = sound.unfold(1, self.window, self.hop) * self.weights
        found = torch.view_as_real(torch.fft.rfft(frames, n=len(self.waves) - 2))  # (B, F, K, 2)
        return found.square().sum(dim=3).transpose(1, 2)


def mel_bands(rate: int, frequencies: int, mels: int) -> Tensor:
    """(M, K) triangles, evenly spread over the mel scale, that overlap by half; each sums to one.

    Args:
        rate: values a second, in hertz.
        frequencies: K, from 0 to half the rate, evenly spread.
        mels: M.
    """
    edges = mel_edges(rate, mels)
    at = torch.linspace(0, rate / 2, frequencies, dtype=torch.float64)[None]
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (at - low) / (middle - low), (high - at) / (high - middle)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles / triangles.sum(dim=1, keepdim=True).clamp(min=1e-9)).float()


def mel_edges(rate: int, mels: int) -> Tensor:
    """(M + 2,) float64, in hertz: where the bands begin, culminate and end."""
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (_LOWEST_HZ, rate / 2))
    places = torch.linspace(lowest, highest, mels + 2, dtype=torch.float64)
    return 700 * (10 ** (places / 2595) - 1)


def _waves(rate: int, window: int) -> Tensor:
    """(2K, 1, N) cosines, then sines, under a Hann window; K is chosen so that each band sees several frequencies."""
    frequencies = 2 ** math.ceil(math.log2(1.25 * window)) // 2 + 1
    at = torch.arange(window, dtype=torch.float64)
    hann = 0.5 - 0.5 * torch.cos(2 * math.pi * (at + 0.5) / window)
    turns = torch.linspace(0, 0.5, frequencies, dtype=torch.float64)[:, None] * at
    scaled = hann / hann.pow(2).sum().sqrt()
    return torch.cat([scaled * torch.cos(2 * math.pi * turns), scaled * torch.sin(2 * math.pi * turns)])[
        :, None
    ].float()
