"""What in a sound spoke for its answer.

Shapes: B sounds, T values of a window, M mel bands, F frames, R bands of the grid, S stretches of the grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import integrated_gradients
from assay.samples.sound_places import band_edges, grid
from assay.samples.sound_spec import ClipSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = np.ndarray[Any, Any]
#: Points on the way from silence, and the noise at each, in natural logarithms of energy.
STEPS, NOISE = 32, 0.3
_AT_ONCE = 32


def explain_sounds(network: nn.Module | None, sounds: Tensor, spec: ClipSpec) -> Array:
    """(B, R, S) how much each cell of the grid over sounds (B, T) float32 weighed, in log-odds.

    Smoothed integrated gradients over the logarithms of band energies, from those of silence.

    Args:
        network: has `front`, which gives (B, M, F), and `judge`, which takes them (see `KeywordNet`); None where a
            model without gradients answered, which is an error.
        sounds: from -1 to 1.
        spec: its target says what an answer is.
    """
    import torch

    if network is None or not hasattr(network, "judge"):
        raise SettingError("only a network's answers about sounds can be explained", "Explain them without --baseline.")
    network.eval()
    asked: Any = network
    with torch.no_grad():
        silence = asked.front(torch.zeros(1, sounds.shape[1]))
    parts = []
    for some in sounds.split(_AT_ONCE):
        with torch.no_grad():
            energies = asked.front(some)
            answered = asked.judge(energies)

        def score(other: Tensor, answered: Tensor = answered) -> Tensor:
            found: Tensor = spec.target.score(asked.judge(other), answered)
            return found

        parts.append(integrated_gradients(score, energies, silence, STEPS, NOISE))
    return _in_cells(torch.cat(parts), asked.front, spec).double().numpy()


def _in_cells(weights: Tensor, front: Any, spec: ClipSpec) -> Tensor:
    """Weights (B, M, F) summed over the cells of the grid that bands and frames have their middle in, (B, R, S)."""
    import torch

    from assay.networks.log_mel import mel_edges

    rows, columns = grid(spec)
    middles = mel_edges(front.rate, front.mels)[1:-1]
    row = torch.bucketize(middles, torch.from_numpy(band_edges(spec)[1:-1]), right=True)
    times = (torch.arange(weights.shape[2]) * front.hop + front.window / 2) / spec.length
    column = (times * columns).long().clamp(max=columns - 1)
    cells = torch.zeros(len(weights), rows, columns)
    return cells.index_put_(
        (torch.arange(len(weights))[:, None, None], row[None, :, None], column[None, None]), weights, accumulate=True
    )
