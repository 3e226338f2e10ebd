"""A network that reads one text and writes another, such as its translation.

Source: A. Vaswani et al., "Attention is all you need", NIPS 2017.

Shapes: B pairs of texts, S tokens of a source, T tokens of a target, V tokens of the target's vocabulary, W channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from assay.networks.beam_search import Found, Search, beam_search
from assay.networks.decoding import TransformerDecoding
from assay.networks.row_writing import Marks
from assay.networks.token_embedding import TokenEmbedding
from assay.networks.token_loss import per_text, token_losses
from assay.networks.transformer import Memory, Transformer, TransformerSettings
from assay.training.ranges import DEPTH, searched


@dataclass(frozen=True)
class Seq2SeqSettings(TransformerSettings):
    """Hyper-parameters of `Seq2Seq`, beside those of its Transformers; `depth` is the encoder's.

    Attributes:
        decoder_depth: layers of the decoder, which costs time in every step of a search.
        ngrams: tokens of the longest n-gram of the source that has vectors of its own; 1 for none.
        buckets: vectors that the n-grams of each length share.
    """

    decoder_depth: int = searched(3, DEPTH)
    ngrams: int = 1
    buckets: int = 8192


class Seq2Seq(nn.Module):
    """Reads a source and gives the losses of a target, or searches for the best one.

    Args:
        source_size: of the source's vocabulary.
        target_size: of the target's vocabulary; None where both texts share one, and one table of vectors.
        longest: tokens of a text at most, marks counted.
        marks: the tokens around texts; texts come without them.
        settings: the hyper-parameters.
    """

    def __init__(
        self, source_size: int, target_size: int | None, longest: int, marks: Marks, settings: Seq2SeqSettings
    ) -> None:
        super().__init__()
        self.marks, self.longest = marks, longest
        self.source = TokenEmbedding(source_size, settings.width, settings.ngrams, settings.buckets)
        self.target = TokenEmbedding(target_size or source_size, settings.width)
        if target_size is None:
            self.target.table = self.source.table
        self.encoder = Transformer(settings, longest)
        self.decoder = Transformer(replace(settings, depth=settings.decoder_depth), longest, causal=True, crossed=True)

    def encode(self, source: Tensor, mask: Tensor | None = None) -> Memory:
        """What the decoder looks at of sources (B, S) with their mask (B, S)."""
        source, mask = with_end(source, mask, self.marks.source_end)
        return self.decoder.remember(self.encoder(self.source(source), mask), mask)

    def forward(self, source: Tensor, target: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """Logits (B, T + 1, V) of each token of a target (B, T) and of what follows it."""
        said = self._said(source, target, source_mask)
        return nn.functional.linear(said, self.target.table)

    def losses(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        target_mask: Tensor | None = None,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Cross-entropy in nats, (B,), whose mean is the mean over all tokens of the batch, ends counted.

        Args:
            source: (B, S).
            target: (B, T).
            source_mask: (B, S) bool, True where real; None where nothing is padded.
            target_mask: (B, T) bool, likewise.
            smoothing: the share of a token's weight that is spread over the vocabulary.
        """
        wanted, mask = with_end(target, target_mask, self.marks.end)
        real = torch.ones_like(wanted, dtype=torch.bool) if mask is None else mask
        said = self._said(source, target, source_mask)
        return per_text(token_losses(said[real], self.target.table, wanted[real], smoothing), real)

    def decoding(self, source: Tensor, mask: Tensor | None, beams: int, longest: int) -> TransformerDecoding:
        """Begin to write `beams` rows for each source."""
        memory = self.encode(source, mask)
        return TransformerDecoding(self.target, self.decoder, beams * len(source), longest, memory)

    def search(self, source: Tensor, mask: Tensor | None, longest: Sequence[int], how: Search) -> list[list[Found]]:
        """The best targets of sources (B, S), each of at most so many tokens; see `beam_search`."""
        with torch.inference_mode():
            return beam_search(lambda beams: self.decoding(source, mask, beams, max(longest) + 1), longest, how)

    def _said(self, source: Tensor, target: Tensor, source_mask: Tensor | None) -> Tensor:
        memory = self.encode(source, source_mask)
        said: Tensor = self.decoder(self.target(self._shifted(target)), memory=memory)
        return said

    def _shifted(self, target: Tensor) -> Tensor:
        return nn.functional.pad(target, (1, 0), value=self.marks.begin)


def with_end(tokens: Tensor, mask: Tensor | None, end: int) -> tuple[Tensor, Tensor | None]:
    """Tokens (B, T + 1) int64 with a mark after the last real one of each text, and their mask."""
    tokens = nn.functional.pad(tokens.long(), (0, 1), value=end)
    if mask is None:
        return tokens, None
    lengths = mask.sum(dim=1, keepdim=True)
    tokens = tokens.scatter(1, lengths, end)
    return tokens, torch.arange(tokens.shape[1], device=mask.device) <= lengths
