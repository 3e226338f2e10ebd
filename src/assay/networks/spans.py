"""Where an answer stands in a text: scores of its first and last token, and of there being none.

Sources: P. Rajpurkar, R. Jia, P. Liang, "Know what you don't know: unanswerable questions for SQuAD", ACL 2018; J.
Devlin et al., "BERT", NAACL 2019.

Shapes: B texts, T tokens, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

_NEVER = -1e4


@dataclass(frozen=True)
class SpanScores:
    """What a network says about the place of an answer.

    Attributes:
        spans: (B, T, 2) logits of the first and the last token; `_NEVER` where no answer may stand.
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

    def best(self, longest: int, count: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """The spans of at most `longest` tokens that score highest.

        Returns:
            First tokens, last tokens (B, count) int64, and log-probabilities (B, count) float32 among all spans and no
            answer; the probability of no answer is what is left. Places that no answer
            may stand at have a log-probability below -1000.
        """
        scores = self._scores(longest)
        total = self._total(scores)
        best, place = scores.flatten(1).topk(min(count, scores[0].numel()), dim=1)
        return place // scores.shape[2], place % scores.shape[2], best - total[:, None]

    def log_odds(self, longest: int) -> Tensor:
        """(B,) the log-odds of all spans of at most `longest` tokens together against no answer."""
        return self._scores(longest).flatten(1).logsumexp(dim=1) - 2 * self.none.float()

    def _scores(self, longest: int) -> Tensor:
        """(B, T, T) of each first and last token."""
        spans = self.spans.float()
        scores = spans[:, :, None, 0] + spans[:, None, :, 1]
        places = torch.arange(spans.shape[1], device=spans.device)
        length = places[None, :] - places[:, None]
        return scores.masked_fill((length < 0) | (length >= longest), 2 * _NEVER)

    def _total(self, scores: Tensor) -> Tensor:
        return torch.cat([scores.flatten(1), 2 * self.none.float()[:, None]], dim=1).logsumexp(dim=1)


def likely(first: Tensor, last: Tensor, logs: Tensor) -> Tensor:
    """(B,) which of some spans shares most with what may be right: the one with the highest expected F1 of its tokens.

    Where two spans that share their end are each a third probable and another span 34 %, one of the two is the better
    bet.

    Args:
        first: (B, N) the spans' first tokens.
        last: (B, N) their last ones.
        logs: (B, N) their log-probabilities.

    Source: S. Kumar, W. Byrne, "Minimum Bayes-risk decoding for statistical machine translation", NAACL 2004.
    """
    shared = torch.minimum(last[:, :, None], last[:, None]) - torch.maximum(first[:, :, None], first[:, None]) + 1
    # A short text has fewer spans than were asked for: the others end before they begin.
    size = (last - first + 1).clamp_min(1)
    f1 = 2 * shared.clamp_min(0) / (size[:, :, None] + size[:, None])
    return (f1 * logs.softmax(dim=1)[:, None]).sum(dim=2).argmax(dim=1)


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
        spans = self.ends(both).masked_fill(~context[:, :, None], _NEVER)
        return SpanScores(spans, self.none(said[:, 0])[:, 0])
