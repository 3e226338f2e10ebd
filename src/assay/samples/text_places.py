"""The tokens of a text as its places, and texts in which a token says nothing.

Shapes: B texts, T tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from assay.samples.tokens import Tokenizer


def token_places(tokens: Tensor, mask: Tensor | None, tokenizer: Tokenizer) -> Tensor:
    """(B, T) bool: where tokens (B, T) are those of a text, neither padding nor marks."""
    import torch

    marks = torch.tensor(sorted({tokenizer.pad, tokenizer.begin, tokenizer.end}), dtype=tokens.dtype)
    real = ~torch.isin(tokens, marks)
    return real if mask is None else real & mask


def mask_tokens(tokens: Tensor, mask: Tensor | None, kept: Tensor, tokenizer: Tokenizer) -> Tensor:
    """(B, T) bool: the mask of a batch without the tokens that are not kept; marks stay where they are."""
    import torch

    whole = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
    return whole & (kept | ~token_places(tokens, mask, tokenizer))
