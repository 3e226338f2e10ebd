"""Translations by beam search, of a batch at once.

Shapes: B sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.evaluation.sequences import Hypothesis
from assay.networks.beam_search import Search
from assay.samples.pair_spec import PairSpec
from assay.task import number_of

if TYPE_CHECKING:
    from torch import nn

#: Translations that are followed at once; tokens that one may be longer than those of its length in training.
_BEAMS, _MORE = 4, 10


def translations(network: nn.Module, batch: Any, spec: PairSpec, options: Mapping[str, Any]) -> list[Hypothesis]:
    """The best translation (B,) of each source that a search finds.

    Args:
        network: has `marks` and `search`, as `Seq2Seq` has.
        batch: has the fields `tokens` and `mask`.
        spec: the sample spec.
        options: `beams`, `length_penalty`.
    """
    network_: Any = network
    marks = network_.marks
    never = tuple({spec.tokenizer.pad, spec.tokenizer.unknown, marks.begin} - {marks.end})
    beams = int(number_of(options, "beams", _BEAMS, 1, 100, whole=True))
    search = Search(marks.begin, marks.end, beams, number_of(options, "length_penalty", 1.0, 0.0, 10.0), never)
    lengths = (batch.tokens >= 0).sum(axis=1) if batch.mask is None else batch.mask.sum(axis=1)
    longest = [min(spec.longest, int(spec.growth * length) + _MORE) if length else 0 for length in lengths.tolist()]
    if not longest:
        return []
    best = [found[0] for found in network_.search(batch.tokens, batch.mask, longest, search)]
    texts = spec.tokenizer.decode_batch([found.ids for found in best])
    return [
        Hypothesis(text, found.log_probability, len(found.ids) + 1) for text, found in zip(texts, best, strict=True)
    ]
