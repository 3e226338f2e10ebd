"""What in a recording spoke for its transcript: how much less probable it is where a place in the sound is silent.

Source: M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014 (occlusion).

Shapes: B windows, T values of sound, R bands and S stretches of the grid of `assay.samples.speech_places`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.samples.speech_places import BANDS, mask_speech, stretches

if TYPE_CHECKING:
    from assay.serving.predictor import Answering

Array = np.ndarray[Any, Any]


def explain_transcripts(predictor: Answering, batch: Any) -> Array:
    """(B, R, S) nats by which the transcript is less probable without each cell; NaN where a window has no such cell.

    Raises:
        SettingError: what is asked is not a network.
    """
    import torch

    from assay.networks.transcribing import answered_batch, transcript_nats
    from assay.samples.sound_windows import lengths_of

    network = getattr(predictor, "network", None)
    if network is None:
        raise SettingError("only a network's transcripts can be explained", "Leave out --baseline.")
    network.eval()
    lengths = lengths_of(batch)
    columns = [stretches(length) for length in lengths]
    found = np.full((len(lengths), BANDS, max(columns, default=0)), np.nan)
    with torch.inference_mode():
        for row, (length, count) in enumerate(zip(lengths, columns, strict=True)):
            if not length:
                continue
            one = answered_batch(network, batch, row, length, predictor.spec)
            kept = torch.ones(1 + BANDS * count, BANDS * count, dtype=torch.bool)
            kept[1:].fill_diagonal_(False)
            silenced = mask_speech(one.sound.repeat(len(kept), 1), None, kept.view(-1, BANDS, count))
            nats = transcript_nats(network, silenced, one.tokens).double().numpy()
            found[row, :, :count] = (nats[0] - nats[1:]).reshape(BANDS, count)
    return found
