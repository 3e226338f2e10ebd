"""The loss of many tokens over a large vocabulary, a piece at a time.

Shapes: N tokens, W channels, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from assay.training.parts import mean_scale

#: Logits that are computed at once: few enough to stay in a processor's cache.
_AT_ONCE = 1 << 22
#: Probabilities that are kept for the backward pass (256 MB); of more tokens they are computed twice.
_KEPT = 1 << 26


def token_losses(hidden: Tensor, table: Tensor, targets: Tensor, smoothing: float = 0.0, kept: int = _KEPT) -> Tensor:
    """Cross-entropy (N,) float32 in nats of the logits `hidden @ table.T`, which never stand in memory as a whole.

    Args:
        hidden: (N, W).
        table: (V, W).
        targets: (N,) int64, below V.
        smoothing: the share of a target's weight that is spread over the whole vocabulary.
        kept: how many probabilities may be kept for the backward pass.
    """
    with torch.autocast("cpu", enabled=False):
        losses: Tensor = _TokenLosses.apply(hidden.float(), table.float(), targets, smoothing, kept)
    return losses


class _TokenLosses(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, hidden: Tensor, table: Tensor, targets: Tensor, smoothing: float, kept: int) -> Tensor:
        keeps = any(context.needs_input_grad) and len(hidden) * len(table) <= kept
        losses, probabilities = hidden.new_empty(len(hidden)), []
        for rows in _pieces(hidden, table):
            logs = (hidden[rows] @ table.T).log_softmax(dim=1)
            own = logs.gather(1, targets[rows, None]).squeeze(1)
            losses[rows] = -own if not smoothing else (smoothing - 1) * own - smoothing * logs.mean(dim=1)
            if keeps:
                probabilities.append(logs.exp_())
        context.save_for_backward(hidden, table, targets, *probabilities)
        context.smoothing = smoothing
        return losses

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden, table, targets, *probabilities = context.saved_tensors
        to_hidden, to_table = torch.empty_like(hidden), torch.zeros_like(table)
        for number, rows in enumerate(_pieces(hidden, table)):
            change = probabilities[number] if probabilities else (hidden[rows] @ table.T).softmax(dim=1)
            if context.smoothing:
                change -= context.smoothing / len(table)
            own = targets[rows, None]
            change.scatter_add_(1, own, torch.full_like(own, context.smoothing - 1, dtype=change.dtype))
            change *= gradient[rows, None]
            torch.mm(change, table, out=to_hidden[rows])
            to_table.addmm_(change.T, hidden[rows])
        return to_hidden, to_table, None, None, None


def _pieces(hidden: Tensor, table: Tensor) -> Iterator[slice]:
    step = max(1, _AT_ONCE // len(table))
    for start in range(0, len(hidden), step):
        yield slice(start, start + step)


def per_text(losses: Tensor, mask: Tensor) -> Tensor:
    """Losses of the real tokens (N,) as one for each text, (B,), whose mean is the mean over all tokens.

    Args:
        losses: of the tokens where the mask is True, in its order.
        mask: (B, T) bool.
    """
    rows = torch.arange(len(mask), device=mask.device)[:, None].expand_as(mask)[mask]
    sums = losses.new_zeros(len(mask)).index_add(0, rows, losses)
    return sums * mean_scale("tokens", len(mask), len(losses))
