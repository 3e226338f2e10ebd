"""The export of a network of Whisper's kind: a graph that hears, and one step of writing; the search comes around it.

Shapes: B windows, T values of sound, F frames, R rows that are written at once, A heads that tell where a token is
spoken, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import log_softmax
from assay.networks.beam_search import Search, beam_search
from assay.networks.speech_frames import STEP, heard_together, heard_values
from assay.networks.speech_words import Written
from assay.serving.graph_writing import GraphWriting
from assay.serving.stand_in import Array, StandIn

if TYPE_CHECKING:
    from torch import Tensor

    from assay.task_export import Step

#: See `Traits.asked`.
ASKED = ("marks", "prefix", "context_s", "most", "vocabulary")


def steps(network: Any) -> list[Step]:
    """What hears ("model") and one step of what writes ("step")."""
    import torch

    from assay.networks.whisper_steps import Hearing, WhisperStep
    from assay.serving.steps import free_axes
    from assay.task_export import Step

    layers = network.model.get_decoder().layers
    heard, past = (
        [f"{what}_{kind}_{layer}" for layer in range(len(layers)) for kind in ("keys", "values")]
        for what in ("heard", "past")
    )
    heads, width = layers[0].self_attn.num_heads, layers[0].self_attn.head_dim

    def write(rows: int, new: int, frames: int, before: int) -> dict[str, Tensor]:
        values = {"tokens": torch.zeros(rows, new, dtype=torch.int64), "heard_mask": torch.ones(rows, frames) > 0}
        held = dict.fromkeys(heard, torch.zeros(rows, heads, frames, width))
        return {**values, **held, **dict.fromkeys(past, torch.zeros(rows, heads, before, width))}

    sounds = [{"sound": torch.zeros(rows, length * STEP)} for rows, length in ((2, 2), (3, 1))]
    one, two = write(2, 3, 5, 4), write(3, 2, 7, 6)
    return [
        Step("model", Hearing(network).eval(), sounds[0], free_axes(*sounds), tuple(heard)),
        Step("step", WhisperStep(network).eval(), one, free_axes(one, two),
             ("logits", *(f"{name}_next" for name in past), "looks")),
    ]  # fmt: skip


class WhisperStandIn(StandIn):
    """In the place of an `HfSpeech`."""

    @property
    def marks(self) -> Any:
        """See `SpeechMarks`."""
        return SimpleNamespace(**self.asked["marks"])

    def transcripts(self, sound: Array, mask: Array, longest: Sequence[int], how: Search, looks: bool) -> list[Written]:
        """See `HfSpeech.transcripts`; windows that are heard together are written together."""
        sizes = heard_values(mask.sum(axis=1), float(self.asked["context_s"]))
        found: dict[int, Written] = {}
        for rows in heard_together(sizes):
            size = int(sizes[rows[0]])
            given = sound[rows, :size]
            heard = self._heard(np.pad(given, ((0, 0), (0, size - given.shape[1]))))
            told = self._written(heard, [longest[row] for row in rows], how, looks)
            found.update(zip(rows.tolist(), told, strict=True))
        return [found[row] for row in range(len(sound))]

    def _heard(self, sound: Array) -> dict[str, Array]:
        """By its name what the writing is given of sounds (B, T)."""
        graph: Any = self.graphs["model"]
        heard = dict(zip(graph.outputs, graph(sound), strict=True))
        frames = next(iter(heard.values())).shape[2]
        return {"heard_mask": np.ones((len(sound), frames), bool), **heard}

    def _written(self, heard: dict[str, Array], longest: Sequence[int], how: Search, looks: bool) -> list[Written]:
        watched: list[WatchedWriting] = []

        def begin(beams: int) -> GraphWriting:
            beside = {name: np.repeat(value, beams, axis=0) for name, value in heard.items()}
            prefix, rows = self.asked["prefix"][:-1], beams * len(longest)
            most = len(self.asked["prefix"]) + max(longest, default=0)
            if not looks or beams > 1:
                return GraphWriting(self.graphs["step"], rows, most, beside=beside, prefix=prefix)
            watched.append(WatchedWriting(self.graphs["step"], rows, most, beside, prefix))
            return watched[0]

        best = [texts[0] for texts in beam_search(begin, longest, how)]
        if not looks:
            return [Written(one.ids, one.log_probability) for one in best]
        if how.beams == 1:
            return [watched[0].told(place, one.ids, one.log_probability) for place, one in enumerate(best)]
        found = []
        for place, one in enumerate(best):  # the beams that the best text was on have come and gone: write it again
            own = {name: value[place : place + 1] for name, value in heard.items()}
            again = WatchedWriting(self.graphs["step"], 1, len(one.ids) + 1, own, self.asked["prefix"][:-1])
            for token in (how.begin, *one.ids):
                again.step(np.full((1, 1), token))
            found.append(again.told(0, one.ids, one.log_probability))
        return found


class WatchedWriting(GraphWriting):
    """A row for each window, of which is kept how probable each token was, and where the network looked for it.

    Args:
        graph: see `GraphWriting`; it also gives (R, A, F).
        rows: windows.
        longest: tokens of a row at most.
        beside: what the graph takes at every step.
        prefix: tokens before the first that it is given.
    """

    def __init__(self, graph: Any, rows: int, longest: int, beside: Mapping[str, Array], prefix: Sequence[int]) -> None:
        super().__init__(graph, rows, longest, beside=beside, following=self._seen, prefix=prefix)
        self._windows = np.arange(rows)
        self._logs: Array | None = None
        self._nats: list[list[float]] = [[] for _ in range(rows)]
        self._looks: list[list[Array]] = [[] for _ in range(rows)]

    def step(self, tokens: Array) -> Array:
        """See `Decoding.step`."""
        if self._logs is not None:
            for place, window in enumerate(self._windows):
                self._nats[window].append(float(self._logs[place, tokens[place, -1]]))
        logits = super().step(tokens)
        self._logs = log_softmax(logits)
        return logits

    def keep(self, rows: Array, texts: Array | None = None) -> None:
        """See `Decoding.keep`."""
        super().keep(rows, texts)
        self._windows = self._windows[rows]
        self._logs = None if self._logs is None else self._logs[rows]

    def told(self, window: int, ids: tuple[int, ...], log_probability: float) -> Written:
        """What was written about a window, whose end has what its tokens leave of the log-probability."""
        nats = self._nats[window][: len(ids)]
        shares = np.stack(self._looks[window][: len(ids) + 1], axis=1)
        return Written(ids, log_probability, (*nats, log_probability - sum(nats)), shares)

    def _seen(self, logits: Array, tokens: Array, told: tuple[Array, ...]) -> Array:
        for look, window in zip(told[0], self._windows, strict=True):
            self._looks[window].append(look)
        return logits
