"""The export of a network that reads one text and writes another: a graph that reads, and one step of writing.

The beam search is that of the network itself (`networks/beam_search.py`).

Shapes: B sources, S tokens of a source, R rows that are written at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.networks.beam_search import Found, Search, beam_search
from assay.networks.row_writing import Marks
from assay.serving.graph_writing import GraphWriting
from assay.serving.stand_in import Array, StandIn

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.stand_in import Graph
    from assay.task_export import Step

#: See `Traits.asked`.
ASKED = ("marks",)


def steps(network: nn.Module, batches: Sequence[Any]) -> list[Step]:
    """The reader ("model") and one step of the writer ("step"); raises `SettingError` for a pretrained network."""
    import torch

    from assay.networks.graph_steps import Remembering, WritingStep, empty_past, past_names
    from assay.networks.seq2seq import Seq2Seq
    from assay.serving.steps import free_axes
    from assay.task_export import Step

    if not isinstance(network, Seq2Seq):
        raise SettingError(
            "a pretrained translator of transformers cannot be exported yet", "Train with --network seq2seq."
        )
    reader = Remembering(network).eval()

    def read(batch: Any) -> dict[str, Tensor]:
        mask = torch.ones_like(batch.tokens, dtype=torch.bool) if batch.mask is None else batch.mask
        return {"tokens": batch.tokens, "mask": mask}

    decoder = network.decoder
    names, layers = past_names(decoder), range(len(decoder.blocks))
    other = [f"source_{kind}_{layer}" for layer in layers for kind in ("keys", "values")]
    width = decoder.settings.width // decoder.settings.heads

    def write(rows: int, new: int, source: int, past: int) -> dict[str, Tensor]:
        heard = torch.zeros(rows, decoder.settings.heads, source, width)
        values = {"tokens": torch.zeros(rows, new, dtype=torch.int64), "source_mask": torch.ones(rows, source) > 0}
        return {**values, **dict.fromkeys(other, heard),
                **dict(zip(names, empty_past(decoder, rows, past), strict=True))}  # fmt: skip

    first, second = (read(batch) for batch in batches)
    one, two = write(2, 3, 5, 4), write(3, 2, 7, 6)
    writer = WritingStep(network.target, decoder, False, True).eval()
    return [
        Step("model", reader, first, free_axes(first, second), ("source_mask", *other)),
        Step("step", writer, one, free_axes(one, two), ("logits", *(f"{name}_next" for name in names))),
    ]


class TranslationStandIn(StandIn):
    """In the place of a `Seq2Seq`."""

    @property
    def marks(self) -> Marks:
        """See `Seq2Seq`."""
        return Marks(**self.asked["marks"])

    def search(self, source: Array, mask: Array | None, longest: Sequence[int], how: Search) -> list[list[Found]]:
        """See `Seq2Seq.search`."""
        reader: Any = self.graphs["model"]
        there = np.ones(source.shape, bool) if mask is None else mask
        heard = dict(zip(reader.outputs, reader(source, there), strict=True))

        def begin(beams: int) -> GraphWriting:
            beside = {name: np.repeat(value, beams, axis=0) for name, value in heard.items()}
            return GraphWriting(self.graphs["step"], beams * len(source), max(longest) + 1, beside=beside)

        return beam_search(begin, longest, how)


def stand_in(graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> StandIn:
    """See `TaskExport.stand_in`."""
    return TranslationStandIn(graphs, asked)
