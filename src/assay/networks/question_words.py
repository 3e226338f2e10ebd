"""Where the words of a question stand in a text, how near to them each token is, and what its word looks like.

An answer stands beside the words of its question, and is often a name or a number. A network that compares tokens finds
that out after many thousand questions; told so, it needs hundreds.

Sources: D. Chen et al., "Reading Wikipedia to answer open-domain questions", ACL 2017, for the exact match; the sums
over a neighbourhood are those of density ranking (C. Clarke et al., "Relevance ranking for one to three term queries",
IPM 2000).

Shapes: B pairs of a question and a text, T tokens of both, F features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: What a token's word may look like, see `assay.samples.question_windows.LOOKS`.
_LOOKS = 6
#: How far the neighbourhoods reach, in tokens.
_REACHES = (2, 5, 12, 30)


class QuestionWords(nn.Module):
    """Tokens (B, T) to features (B, T, F), from 0 to about 1; there is nothing to learn."""

    features = 2 + 2 * len(_REACHES) + _LOOKS

    def forward(self, tokens: Tensor, question: Tensor, context: Tensor, looks: Tensor) -> Tensor:
        """Features of the tokens of the text; zero elsewhere.

        Args:
            tokens: (B, T).
            question: (B, T) bool, the tokens of the question.
            context: (B, T) bool, those of the text.
            looks: (B, T) the number of what each token's word looks like.
        """
        same = tokens[:, :, None] == tokens[:, None, :]
        shared = (same & question[:, None, :]).any(dim=2) & context
        often = (same & context[:, None, :]).sum(dim=2).clamp_min(1)
        rare = shared / often  # a word that stands everywhere says little
        sums = nn.functional.pad(rare.cumsum(dim=1), (1, 0))
        place = torch.arange(tokens.shape[1], device=tokens.device)
        found = [shared.float(), rare]
        for reach in _REACHES:
            before = sums[:, place] - sums[:, (place - reach).clamp_min(0)]
            after = sums[:, (place + 1 + reach).clamp_max(tokens.shape[1])] - sums[:, place + 1]
            found += [_of_most(side.masked_fill(~context, 0.0)) for side in (before, after)]
        kinds = nn.functional.one_hot(looks.long(), _LOOKS)
        return torch.cat([torch.stack(found, dim=2), kinds], dim=2) * context[:, :, None]


def _of_most(values: Tensor) -> Tensor:
    """(B, T) as shares of each text's largest."""
    return values / values.amax(dim=1, keepdim=True).clamp_min(1e-6)
