"""What in a recording spoke for its transcript: how much less probable it is where a stretch of the sound is silent.

Source: M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014 (occlusion).

Shapes: B windows, T values of sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.samples.transcript_spec import RATE

if TYPE_CHECKING:
    from assay.serving.predictor import Answering
    from assay.task import Task

Array = np.ndarray[Any, Any]
#: Seconds of a stretch at least, and stretches of a window at most.
_STRETCH_S, _MOST = 0.2, 40


def explain_transcripts(task: Task, predictor: Answering, batch: Any) -> Array:
    """(B, T) nats by which the transcript is less probable without the stretch that a value belongs to; NaN in padding.

    Raises:
        SettingError: what is asked is not a network.
    """
    import torch

    from assay.networks.transcribing import answered_batch, transcript_nats

    network = getattr(predictor, "network", None)
    if network is None:
        raise SettingError("only a network's transcripts can be explained")
    network.eval()
    mask = torch.ones_like(batch.sound, dtype=torch.bool) if batch.mask is None else batch.mask
    found = np.full(tuple(batch.sound.shape), np.nan, np.float32)
    with torch.inference_mode():
        for row, length in enumerate(mask.sum(dim=1).tolist()):
            if not length:
                continue
            size = max(round(_STRETCH_S * RATE), -(-length // _MOST))
            starts = range(0, length, size)
            one = answered_batch(network, batch, row, length, predictor.spec)
            silenced = one.sound.repeat(1 + len(starts), 1)
            for place, start in enumerate(starts, 1):
                silenced[place, start : start + size] = 0
            nats = transcript_nats(network, silenced, one.tokens)
            for place, start in enumerate(starts, 1):
                found[row, start : min(length, start + size)] = float(nats[0] - nats[place])
    return found
