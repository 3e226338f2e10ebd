"""The export of a network that says which token is spoken, or that none is: a graph; the search comes after it.

A network of Whisper's kind is exported by `whisper_export`.

Shapes: B windows, T values of sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.networks.speech_frames import frames_of
from assay.serving import whisper_export
from assay.serving.stand_in import Array, StandIn

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.stand_in import Graph
    from assay.task_export import Step

#: See `Traits.asked`.
ASKED = ("rate", "framing", "seconds_per_frame", *whisper_export.ASKED)


def steps(network: nn.Module, batches: Sequence[Any]) -> list[Step]:
    """One step, sounds and their mask to log-probabilities; or those of a network of Whisper's kind."""
    import torch

    from assay.networks.hf_speech import HfSpeech
    from assay.samples.sound_windows import as_waves
    from assay.serving.steps import Called, free_axes
    from assay.task_export import Step

    if isinstance(network, HfSpeech):
        return whisper_export.steps(network)

    def given(batch: Any) -> dict[str, Tensor]:
        sound = as_waves(batch.sound)
        mask = torch.ones_like(sound, dtype=torch.bool) if batch.mask is None else batch.mask
        return {"sound": sound, "mask": mask}

    first, second = (given(batch) for batch in batches)
    module = Called(network, ("sound", "mask"), {}).eval()
    return [Step("model", module, first, free_axes(first, second), ("log_probabilities",))]


class SpeechStandIn(StandIn):
    """In the place of a `SpeechCtc`."""

    def __call__(self, sound: Array, mask: Array) -> Array:
        """See `SpeechCtc.forward`."""
        short = int(self.asked["framing"][0]) - sound.shape[1]
        if short > 0:
            sound, mask = (np.pad(one, ((0, 0), (0, short))) for one in (sound, mask))
        return self.graphs["model"](sound, mask)[0]

    def frames(self, lengths: Array) -> Array:
        """See `SpeechCtc.frames`."""
        return np.asarray(frames_of(lengths, *(int(value) for value in self.asked["framing"])))


def stand_in(graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> StandIn:
    """See `TaskExport.stand_in`."""
    return (whisper_export.WhisperStandIn if "step" in graphs else SpeechStandIn)(graphs, asked)
