"""Where an answer stands in a text: scores of its first and last token, and of there being none.

Sources: P. Rajpurkar, R. Jia, P. Liang, "Know what you don't know: unanswerable questions for SQuAD", ACL 2018; J.
Devlin et al., "BERT", NAACL 2019.

Shapes: B texts, T tokens, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.arrays import array_of
from assay.networks.span_search import NEVER, best_spans, spans_log_odds

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SpanScores:
    """What a network says about the place of an answer.

    Attributes:
        spans: (B, T, 2) logits of the first and the last token; `NEVER` where no answer may stand.
        none: (B,) the logit of there being no answer, among those of either end.
    """

    spans: Tensor
    none: Tensor

    def losses(self, first: Tensor, last: Tensor) -> Tensor:
        """(B,) nats: the mean cross-entropy of both ends, at tokens (B,) each; -1 where there is no answer."""
        logits = torch.cat([self.none[:, None, None].expand(-1, 1, 2), self.spans], dim=1).float()
        ends = [
            cross_entropy(logits[:, :, side], place.long() + 1, reduction="none")
            for side, place in enumerate((first, last))
        ]
        return (ends[0] + ends[1]) / 2

    def best(self, longest: int, count: int = 1) -> tuple[Array, Array, Array]:
        """See `assay.networks.span_search.best_spans`."""
        return best_spans(array_of(self.spans), array_of(self.none), longest, count)

    def log_odds(self, longest: int) -> Array:
        """See `assay.networks.span_search.spans_log_odds`."""
        return spans_log_odds(array_of(self.spans), array_of(self.none), longest)


class SpanHead(nn.Module):
    """What the last layer says of tokens (B, T, W), and what is known of them besides (B, T, F), to scores of spans.

    Args:
        width: channels, W.
        known: features that are known of each token, F.
        hidden: neurons between both and the scores.
    """

    def __init__(self, width: int, known: int, hidden: int = 128) -> None:
        super().__init__()
        self.said, self.known = nn.Linear(width, hidden), nn.Linear(known, hidden, bias=False)
        self.ends = nn.Linear(hidden, 2)
        self.none = nn.Linear(width, 1)

    def forward(self, said: Tensor, known: Tensor, context: Tensor) -> SpanScores:
        """Scores of spans within the context (B, T) bool; the first token speaks for there being none."""
        both = nn.functional.gelu(self.said(said) + self.known(known))
        spans = self.ends(both).masked_fill(~context[:, :, None], NEVER)
        return SpanScores(spans, self.none(said[:, 0])[:, 0])
