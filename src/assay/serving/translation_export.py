"""The export of a network that reads one text and writes another: a graph that reads, and one step of writing.

The beam search is that of the network itself (`networks/beam_search.py`).

Shapes: B sources, S tokens of a source, R rows that are written at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.networks.beam_search import Found, Search, beam_search
from assay.networks.row_writing import Marks
from assay.serving.graph_writing import GraphWriting
from assay.serving.stand_in import Array, StandIn

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.stand_in import Graph
    from assay.task_export import Step

#: See `Traits.asked`.
ASKED = ("marks", "prefix")


def steps(network: nn.Module, batches: Sequence[Any]) -> list[Step]:
    """The reader ("model") and one step of the writer ("step")."""
    import torch

    from assay.networks.hf_seq2seq import HfSeq2Seq

    def read(batch: Any) -> dict[str, Tensor]:
        mask = torch.ones_like(batch.tokens, dtype=torch.bool) if batch.mask is None else batch.mask
        return {"tokens": batch.tokens, "mask": mask}

    reader, writer, heads = (_pretrained if isinstance(network, HfSeq2Seq) else _own)(network)
    return [
        _step("model", reader.eval(), [read(batch) for batch in batches], ("source_mask", *_names("source", heads))),
        _step("step", writer.eval(), [_written(heads, *sizes) for sizes in ((2, 3, 5, 4), (3, 2, 7, 6))],
              ("logits", *(f"{name}_next" for name in _names("past", heads)))),
    ]  # fmt: skip


def _own(network: Any) -> tuple[nn.Module, nn.Module, list[tuple[int, int]]]:
    """Reader and writer of a `Seq2Seq`, and heads and channels of each layer of its decoder."""
    from assay.networks.graph_steps import Remembering, WritingStep

    decoder = network.decoder
    heads, width = decoder.settings.heads, decoder.settings.width
    return (Remembering(network), WritingStep(network.target, decoder, False, True),
            [(heads, width // heads)] * len(decoder.blocks))  # fmt: skip


def _pretrained(network: Any) -> tuple[nn.Module, nn.Module, list[tuple[int, int]]]:
    """The same of an `HfSeq2Seq`."""
    from assay.networks.hf_steps import HfReading, HfWritingStep

    reader = HfReading(network)
    return reader, HfWritingStep(network.model, len(reader.heads)), reader.heads


def _names(what: str, heads: Sequence[tuple[int, int]]) -> list[str]:
    return [f"{what}_{kind}_{layer}" for layer in range(len(heads)) for kind in ("keys", "values")]


def _written(heads: Sequence[tuple[int, int]], rows: int, new: int, source: int, past: int) -> dict[str, Tensor]:
    """What a step of writing is given."""
    import torch

    twice = [pair for pair in heads for _ in range(2)]
    held = {name: torch.zeros(rows, many, length, width)
            for what, length in (("source", source), ("past", past))
            for name, (many, width) in zip(_names(what, heads), twice, strict=True)}  # fmt: skip
    tokens, there = torch.zeros(rows, new, dtype=torch.int64), torch.ones(rows, source, dtype=torch.bool)
    return {"tokens": tokens, "source_mask": there, **held}


def _step(name: str, module: nn.Module, examples: Sequence[dict[str, Tensor]], outputs: tuple[str, ...]) -> Step:
    from assay.serving.steps import free_axes
    from assay.task_export import Step

    first, second = examples
    return Step(name, module, first, free_axes(first, second), outputs)


class TranslationStandIn(StandIn):
    """In the place of a `Seq2Seq` or an `HfSeq2Seq`."""

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
            rows, most = beams * len(source), max(longest) + 1
            return GraphWriting(self.graphs["step"], rows, most, beside=beside, prefix=self.asked.get("prefix", ()))

        return beam_search(begin, longest, how)


def stand_in(graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> StandIn:
    """See `TaskExport.stand_in`."""
    return TranslationStandIn(graphs, asked)
