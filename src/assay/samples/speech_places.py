"""Places in a window of a recording, over frequency and time, and recordings in which a place is silent.

A window is seen as a grid of cells: bands of equal width on the mel scale, and stretches of time of equal length. A
longer window has more stretches, up to `MOST`, from where on they are longer.

Shapes: B windows, T values of the longest, R bands, S stretches of the longest window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.transcript_spec import RATE

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
BANDS = 4
#: Stretches of a window at most; seconds of one, about, where that gives fewer.
MOST, _STRETCH_S = 14, 0.25


def stretches(length: int) -> int:
    """S of a window of so many values; 0 of one of none."""
    return min(MOST, max(1, round(length / RATE / _STRETCH_S))) if length else 0


def band_edges() -> Array:
    """(R + 1,) in hertz, from 0 to half the rate."""
    return np.asarray(700 * np.expm1(np.linspace(0, np.log1p(RATE / 2 / 700), BANDS + 1)))


def place_names(length: int, begin_s: float = 0.0) -> tuple[str, ...]:
    """The names of the cells of a window of so many values, band by band: "1.2 to 1.4 s, 0 to 614 Hz"."""
    edges, cuts = band_edges(), begin_s + np.linspace(0, length / RATE, stretches(length) + 1)
    return tuple(
        f"{cuts[column]:.2f} to {cuts[column + 1]:.2f} s, {edges[row]:.0f} to {edges[row + 1]:.0f} Hz"
        for row in range(BANDS)
        for column in range(len(cuts) - 1)
    )


def mask_speech(sound: Tensor, mask: Tensor | None, kept: Tensor) -> Tensor:
    """Windows with silence wherever nothing is kept, each seen by itself, whatever its padding.

    Args:
        sound: (B, T) float32 from -1 to 1.
        mask: (B, T) bool, True where a window is real, which padding follows; None for everywhere.
        kept: (R, S) or (B, R, S) bool; what is said of stretches that a window does not have counts for nothing.
    """
    import torch

    kept = kept.expand(len(sound), BANDS, kept.shape[-1])
    lengths = [sound.shape[1]] * len(sound) if mask is None else mask.sum(dim=1).tolist()
    found = sound.clone()
    for row, length in enumerate(lengths):
        own = kept[row, :, : stretches(length)]
        if own.all():
            continue  # there and back through the spectrum costs the last bits
        found[row, :length] = _through(sound[row, :length], own) if own.any() else torch.zeros(length)
    return found


def _through(sound: Tensor, kept: Tensor) -> Tensor:
    """A sound (T,) with the kept cells (R, S) alone."""
    import torch

    from assay.samples.sound_augment import through_spectrum

    edges = torch.from_numpy(band_edges()[1:-1])

    def change(spectrum: Tensor) -> Tensor:
        hertz = torch.linspace(0, RATE / 2, spectrum.shape[1], dtype=torch.float64)
        row = torch.bucketize(hertz, edges, right=True)
        column = torch.arange(spectrum.shape[2]) * kept.shape[1] // spectrum.shape[2]
        return spectrum * kept[row][:, column]

    return through_spectrum(sound[None], RATE, change)[0]
