"""The export of a language model: a graph of what it says of a text, one of a step of writing, and its counts.

Shapes: B texts, T tokens, R rows that are written at once, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import log_softmax
from assay.errors import SettingError
from assay.ngrams.followers import Followers
from assay.serving.graph_writing import GraphWriting
from assay.serving.stand_in import Array, StandIn

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.stand_in import Graph
    from assay.task_export import Step

#: Logits that a call may make at once: 64 MB.
_LOGITS = 1 << 24

#: See `Traits.asked`.
ASKED = ("size", "longest", "looks_back")


def steps(network: nn.Module, batches: Sequence[Any]) -> list[Step]:
    """Losses of a text ("model"), one step of writing ("step"), and where n-grams were counted these ("counts")."""
    import torch

    from assay.networks.graph_steps import WritingStep, empty_past, past_names
    from assay.networks.language_model import LanguageModel
    from assay.serving.steps import free_axes
    from assay.task_export import Step

    if not isinstance(network, LanguageModel):
        raise SettingError("this language model cannot be exported yet", "Train with --network transformer.")
    counted = not network.counts.empty
    said = network.trusted if counted else None
    names = past_names(network.transformer)
    earlier = network.embedding.looks_back > 0

    def write(rows: int, new: int, before: int, past: int) -> dict[str, Tensor]:
        values = {"tokens": torch.zeros(rows, new, dtype=torch.int64)}
        if earlier:
            values["earlier"] = torch.zeros(rows, before, dtype=torch.int64)
        return {**values, **dict(zip(names, empty_past(network.transformer, rows, past), strict=True))}

    def read(rows: int, length: int) -> dict[str, Tensor]:
        tokens = torch.zeros(rows, length, dtype=torch.int64)
        return {"tokens": tokens, "targets": tokens}

    first, second, one, two = read(2, 5), read(3, 7), write(2, 3, 4, 5), write(3, 2, 6, 7)
    told = ("trust",) if counted else ()
    found = [
        Step("model", _losses_of(network, counted), first, free_axes(first, second), ("losses", *told)),
        Step("step", WritingStep(network.embedding, network.transformer, earlier, False, said).eval(), one,
             free_axes(one, two), ("logits", *(f"{name}_next" for name in names), *told)),
    ]  # fmt: skip
    return [*found, _counts(network)] if counted else found


def _losses_of(network: Any, counted: bool) -> nn.Module:
    from torch import nn as layers
    from torch.nn.functional import linear

    class Losses(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: Tensor) -> Any:
            tokens, targets = values
            said = self.network.features(tokens)
            logs = linear(said, self.network.embedding.table).log_softmax(-1)
            losses = -logs.gather(2, targets[..., None])[..., 0]
            return (losses, self.network.trusted(said)) if counted else losses

    return Losses().eval()


def _counts(network: Any) -> Step:
    """A graph that takes nothing and gives the counts: they are data of the network's, as its weights are."""
    import torch
    from torch import nn as layers

    from assay.task_export import Step

    counts = network.counts
    names = [f"{kind}_{place}" for place in range(counts.order) for kind in ("codes", "counts")]
    facts = {"facts": torch.tensor([counts.size, counts.begin, counts.order]), "discounts": counts.discounts}
    values = {**facts, "trust_by_length": network.trust_by_length, **{name: counts.get_buffer(name) for name in names}}

    class Held(layers.Module):
        def forward(self) -> tuple[Tensor, ...]:
            return tuple(values.values())

    return Step("counts", Held(), {}, {}, tuple(values))


class LanguageStandIn(StandIn):
    """In the place of a `LanguageModel`."""

    def __init__(self, graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> None:
        super().__init__(graphs, asked)
        self._followers: Followers | None = None
        self._by_length: Array = np.zeros(1)
        if "counts" in graphs:
            held: Any = graphs["counts"]
            known = dict(zip(held.outputs, held(), strict=True))
            size, begin, order = known["facts"].tolist()
            codes, counts = ([known[f"{kind}_{place}"] for place in range(order)] for kind in ("codes", "counts"))
            self._followers = Followers(size, begin, codes, counts, known["discounts"])
            self._by_length = known["trust_by_length"]

    def losses(self, tokens: Array, targets: Array, leaves_out: bool = False) -> Array:
        """See `LanguageModel.losses`: (B, T)."""
        graph, size = self.graphs["model"], int(self.asked["size"])
        rows = max(1, _LOGITS // max(1, tokens.shape[1] * size))
        parts = [graph(tokens[row : row + rows], targets[row : row + rows]) for row in range(0, len(tokens), rows)]
        found = [np.concatenate(values) for values in zip(*parts, strict=True)]
        if self._followers is None:
            return np.asarray(found[0])
        counted, longest = self._followers.probabilities(tokens, targets, leaves_out)
        trust = found[1] + self._by_length[longest]
        return np.asarray(-np.logaddexp(_log_sigmoid(-trust) - found[0], _log_sigmoid(trust) + np.log(counted)))

    def decoding(self, rows: int, longest: int | None = None) -> GraphWriting:
        """See `LanguageModel.decoding`."""
        following = None if self._followers is None else self._mixed
        most, back = longest or int(self.asked["longest"]), int(self.asked["looks_back"])
        return GraphWriting(self.graphs["step"], rows, most, back, following=following)

    def _mixed(self, logits: Array, tokens: Array, told: tuple[Array, ...]) -> Array:
        """Logits of the mixture of the Transformer and the counts."""
        if self._followers is None:
            return logits
        counted, longest = self._followers.distribution(tokens, last=True)
        trust = (told[0] + self._by_length[longest[:, 0]])[:, None]
        own = _log_sigmoid(-trust) + log_softmax(logits)
        return np.asarray(np.logaddexp(own, _log_sigmoid(trust) + np.log(counted[:, 0])))


def _log_sigmoid(values: Array) -> Array:
    return np.asarray(-np.logaddexp(0, -values))


def stand_in(graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> StandIn:
    """See `TaskExport.stand_in`."""
    return LanguageStandIn(graphs, asked)
