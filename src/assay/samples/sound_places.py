"""Places in a sound, over frequency and time, by name, and sounds in which a place is silent.

A sound is seen as a grid of cells: bands of equal width on the mel scale, and stretches of time.

Shapes: B sounds, T values of a window, R bands of the grid, S stretches of the grid, K frequencies, P pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.sound_spec import ClipSpec

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
BANDS = 10
#: Seconds of a stretch, about; and how many of them there are at least.
_STRETCH_S, _FEWEST = 0.05, 4
_TIMES = ("beginning", "middle", "end")
#: Bands of the grid that a name spans.
_HEIGHTS = {"lowest": (0, 2), "low": (2, 5), "high": (5, 8), "highest": (8, 10)}


def grid(spec: ClipSpec) -> tuple[int, int]:
    """(R, S)."""
    return BANDS, max(_FEWEST, round(spec.seconds / _STRETCH_S))


def band_edges(spec: ClipSpec) -> Array:
    """(R + 1,) in hertz, from 0 to half the rate."""
    highest = np.log1p(spec.rate / 2 / 700)
    return np.asarray(700 * np.expm1(np.linspace(0, highest, BANDS + 1)))


def sound_parts(spec: ClipSpec) -> Mapping[str, Array]:
    """Thirds of the window by ranges of frequency, and its two ends, each a bool array (R, S).

    The ends are a tenth of the window each. The thirds alone cover the window, without overlap.
    """
    rows, columns = grid(spec)
    edges, cuts = band_edges(spec), np.linspace(0, columns, 4).round().astype(int)
    found: dict[str, Array] = {}
    for name, (low, high) in _HEIGHTS.items():
        for number, time in enumerate(_TIMES):
            part = np.zeros((rows, columns), bool)
            part[low:high, cuts[number] : cuts[number + 1]] = True
            found[f"{time}, {name} ({edges[low]:.0f} to {edges[high]:.0f} Hz)"] = part
    depth = max(1, round(columns / 10))
    for name, columns_of in (("first tenth", slice(0, depth)), ("last tenth", slice(columns - depth, columns))):
        part = np.zeros((rows, columns), bool)
        part[:, columns_of] = True
        found[name] = part
    return found


def mask_sounds(sounds: Tensor, kept: Tensor, spec: ClipSpec, instead: Tensor | None = None) -> Tensor:
    """Sounds (B, T) float32 with silence, or what other sounds hold there, wherever nothing is kept.

    Args:
        sounds: from -1 to 1.
        kept: (R, S) or (B, R, S) bool.
        spec: of the sounds.
        instead: as many other sounds (B, T) float32; None for silence.
    """
    import torch

    from assay.samples.sound_augment import through_spectrum

    rows, columns = grid(spec)
    kept = kept.expand(len(sounds), rows, columns)
    edges = torch.from_numpy(band_edges(spec)[1:-1])

    def change(spectrum: Tensor) -> Tensor:
        hertz = torch.linspace(0, spec.rate / 2, spectrum.shape[1], dtype=torch.float64)
        row = torch.bucketize(hertz, edges, right=True)
        column = (torch.arange(spectrum.shape[2]) * columns / spectrum.shape[2]).long()
        return spectrum * kept[:, row][:, :, column]

    # There and back costs the last bits: a sound of which all is kept does not go.
    hidden = kept.logical_not().any(dim=(1, 2)).view(-1, 1)
    left = torch.where(hidden, through_spectrum(sounds, spec.rate, change), sounds)
    if instead is None:
        return left
    return left + torch.where(hidden, instead - through_spectrum(instead, spec.rate, change), torch.zeros(()))
