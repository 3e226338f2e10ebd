"""A compact Transformer: layers in a row, for encoders, decoders and decoders that look at another text.

What makes it fast on a CPU, where passes over the memory cost as much as products (`docs/log.md`): one product for
queries, keys and values; no biases; normalisation of mean and scale, which PyTorch computes in one pass where the scale
alone takes four; rotary positions in complex numbers; dropout with cheap random numbers, on the branches alone; no mask
where nothing is padded.

Sources: A. Vaswani et al., "Attention is all you need", NIPS 2017; normalisation before each branch: R. Xiong et al.,
"On layer normalization in the Transformer architecture", ICML 2020.

Shapes: B texts, T tokens, S tokens of the other text, W channels, H heads, D channels of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from assay.networks.attention import CrossAttention, SelfAttention, keys_mask
from assay.networks.dropout import Dropout
from assay.networks.feed_forward import FeedForward
from assay.networks.key_value_cache import KeyValueCache
from assay.networks.positions import LearnedPositions, Rotary
from assay.networks.stochastic_depth import skipped_branch
from assay.training.ranges import DEPTH, HALVES, SHARE, searched


@dataclass(frozen=True)
class TransformerSettings:
    """Hyper-parameters of a Transformer.

    Attributes:
        depth: layers, each of attention and a feed-forward part.
        width: channels of a token, a multiple of `heads`.
        heads: looks that a token takes in a layer; heads of 64 channels are fastest.
        activation: `relu2`, `relu`, `gelu`, `silu`, `mish`, `selu`, `tanh`, `leaky-relu`.
        gated: a gate in each feed-forward part (with `silu`: SwiGLU).
        expansion: neurons of a feed-forward part, as a multiple of the width.
        dropout: the share of values silenced at each training step, after the embedding and at the end of each branch.
        stochastic_depth: the share of texts for which the last layer's branches are skipped at each training step;
            those before are skipped in proportion to their depth.
        positions: `rotary` or `learned`.
    """

    depth: int = searched(4, DEPTH)
    width: int = searched(128, HALVES)
    heads: int = 2
    activation: str = "relu2"
    gated: bool = False
    expansion: float = 4.0
    dropout: float = searched(0.0, SHARE)
    stochastic_depth: float = 0.0
    positions: Literal["rotary", "learned"] = "rotary"


@dataclass
class Memory:
    """What a decoder knows of the other texts.

    Attributes:
        layers: keys and values (B, H, S, D) for each layer.
        mask: (B, 1, 1, S) bool; None where nothing is padded.
    """

    layers: list[tuple[Tensor, Tensor]]
    mask: Tensor | None

    def keep(self, rows: Tensor) -> Memory:
        """The other texts of these rows (B',)."""
        return Memory(
            [(keys[rows], values[rows]) for keys, values in self.layers], None if self.mask is None else self.mask[rows]
        )


class Block(nn.Module):
    """A layer: attention, attention to another text where `crossed`, and a feed-forward part, each beside a shortcut.

    Args:
        settings: the hyper-parameters.
        causal: a token sees itself and those before it alone.
        crossed: it looks at another text.
        rotary: turns queries and keys by their places.
        skipped: the share of texts for which each branch is left out at a training step.
    """

    def __init__(
        self, settings: TransformerSettings, causal: bool, crossed: bool, rotary: Rotary | None, skipped: float
    ) -> None:
        super().__init__()
        width = settings.width
        self.attention_norm = norm(width)
        self.attention = SelfAttention(width, settings.heads, causal, rotary)
        self.cross_norm = norm(width) if crossed else None
        self.cross = CrossAttention(width, settings.heads) if crossed else None
        self.feed_norm = norm(width)
        hidden = max(1, round(settings.expansion * width))
        self.feed_forward = FeedForward(width, hidden, settings.activation, settings.gated)
        self.dropout, self.skipped = Dropout(settings.dropout), skipped

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        other: tuple[Tensor, Tensor] | None = None,
        other_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """(B, T, W) to the same shape; see `Transformer.forward`."""
        x = x + self._branch(self.attention(self.attention_norm(x), mask, cache))
        if self.cross is not None and self.cross_norm is not None and other is not None:
            x = x + self._branch(self.cross(self.cross_norm(x), *other, other_mask))
        return x + self._branch(self.feed_forward(self.feed_norm(x)))

    def _branch(self, branch: Tensor) -> Tensor:
        return skipped_branch(self.dropout(branch), self.skipped, self.training)


class Transformer(nn.Module):
    """Embedded tokens (B, T, W) to what each means where it stands, (B, T, W).

    Args:
        settings: the hyper-parameters.
        longest: tokens of a text at most; matters where positions are learned.
        causal: a token sees itself and those before it alone.
        crossed: its layers look at another text, see `remember`.

    Raises:
        ValueError: a share is none, or the heads do not share the width.

    Example:
        >>> Transformer(TransformerSettings(depth=1, width=32), longest=8)(torch.zeros(2, 8, 32)).shape
        torch.Size([2, 8, 32])
    """

    def __init__(
        self, settings: TransformerSettings, longest: int, causal: bool = False, crossed: bool = False
    ) -> None:
        super().__init__()
        if not 0 <= settings.stochastic_depth < 1:
            raise ValueError(f"stochastic_depth is a share from 0 to below 1, not {settings.stochastic_depth:g}")
        self.settings = settings
        learned = settings.positions == "learned"
        self.places = LearnedPositions(longest, settings.width) if learned else None
        rotary = None if learned else Rotary(settings.width // settings.heads)
        self.dropout = Dropout(settings.dropout)
        self.blocks = nn.ModuleList(
            Block(settings, causal, crossed, rotary, settings.stochastic_depth * (number + 1) / settings.depth)
            for number in range(settings.depth)
        )
        self.norm = norm(settings.width)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Memory | None = None,
        caches: Sequence[KeyValueCache] | None = None,
    ) -> Tensor:
        """(B, T, W) to the same shape.

        Args:
            x: embedded tokens; with caches those after the ones that they hold.
            mask: (B, T) bool, True where a token is real; None where nothing is padded. A causal Transformer needs none
                where the padding comes last: nothing real sees it.
            memory: of the other text, see `remember`; B may be a multiple of its texts.
            caches: one a layer, see `caches`.
        """
        if self.places is not None:
            x = self.places(x, caches[0].length if caches else 0)
        x, seen = self.dropout(x), keys_mask(mask)
        for number, block in enumerate(self.blocks):
            other = None if memory is None else memory.layers[number]
            other_mask = None if memory is None else memory.mask
            x = block(x, seen, other, other_mask, caches[number] if caches else None)
        normed: Tensor = self.norm(x)
        return normed

    def remember(self, other: Tensor, mask: Tensor | None = None) -> Memory:
        """What the layers look at of another text (B, S, W), whose mask is (B, S)."""
        crossed = [block.cross for block in self.blocks if isinstance(block.cross, CrossAttention)]
        return Memory([layer.remember(other) for layer in crossed], keys_mask(mask))

    def caches(self, batch: int, longest: int) -> list[KeyValueCache]:
        """Empty caches, one a layer, for so many texts of at most so many tokens."""
        heads, like = self.settings.heads, self.norm.weight.detach()
        width = self.settings.width // heads
        return [KeyValueCache(batch, heads, longest, width, like) for _ in self.blocks]


def norm(width: int) -> nn.LayerNorm:
    """A normalisation with scales and without shifts."""
    return nn.LayerNorm(width, bias=False)


def token_table(size: int, width: int) -> nn.Parameter:
    """(size, width): a vector for each token, which Muon leaves to AdamW (see `build_optimizer`)."""
    table = nn.Parameter(torch.randn(size, width) * width**-0.5)
    table.table = True  # type: ignore[attr-defined]
    return table
