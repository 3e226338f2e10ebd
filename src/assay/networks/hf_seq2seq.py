"""Pretrained networks that read one text and write another, with the same entries as `Seq2Seq`.

Shapes: B pairs of texts, S tokens of a source, T tokens of a target, V tokens of the target's vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from assay.errors import SettingError
from assay.networks.beam_search import Found, Search, beam_search
from assay.networks.decoding import Decoding
from assay.networks.hf_loading import HfBodySettings
from assay.networks.row_writing import Marks
from assay.networks.seq2seq import with_end
from assay.networks.token_loss import per_text
from assay.training.ranges import Range, searched


@dataclass(frozen=True)
class HfSeq2SeqSettings(HfBodySettings):
    """Hyper-parameters of a pretrained network that translates; it has no head of ours, so `body_rate` is of all."""

    body_rate: float = 1.0
    layer_decay: float = searched(1.0, Range(0.7, 1.0))


class HfSeq2Seq(nn.Module):
    """Reads a source and gives the losses of a target, or searches for the best one.

    Args:
        model: the network of transformers'.
        before: marks before a source, such as its language.
        after: marks after a source.

    Raises:
        SettingError: its configuration does not say which tokens a target begins and ends with.
    """

    def __init__(self, model: Any, before: Sequence[int], after: Sequence[int]) -> None:
        super().__init__()
        self.model: Any = model
        self.before, self.after = list(before), list(after)
        start, end, first = (
            _token(model, name) for name in ("decoder_start_token_id", "eos_token_id", "forced_bos_token_id")
        )
        if start is None or end is None:
            raise SettingError(
                "the network's configuration does not say which tokens a text begins and ends with "
                "(decoder_start_token_id, eos_token_id)",
                "Give a network that was trained to translate.",
            )
        self.prefix = [] if first is None else [start]
        self.marks = Marks(start if first is None else first, end, end)

    def losses(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        target_mask: Tensor | None = None,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Cross-entropy in nats, (B,); see `Seq2Seq.losses`."""
        wanted, mask = with_end(target, target_mask, self.marks.end)
        real = torch.ones_like(wanted, dtype=torch.bool) if mask is None else mask
        given = _with_first(wanted[:, :-1], [*self.prefix, self.marks.begin])
        tokens, there = self.framed(source, source_mask)
        output = self.model(input_ids=tokens, attention_mask=there.long(), decoder_input_ids=given, use_cache=False)
        logits = output.logits[:, len(self.prefix) :][real].float()
        return per_text(cross_entropy(logits, wanted[real], reduction="none", label_smoothing=smoothing), real)

    def decoding(self, source: Tensor, mask: Tensor | None, beams: int, longest: int) -> HfDecoding:
        """Begin to write `beams` rows for each source; their length is limited by the search alone."""
        tokens, there = self.framed(source, mask)
        said = self.model.get_encoder()(input_ids=tokens, attention_mask=there.long()).last_hidden_state
        return HfDecoding(
            self.model, said.repeat_interleave(beams, dim=0), there.repeat_interleave(beams, dim=0), self.prefix
        )

    def search(self, source: Tensor, mask: Tensor | None, longest: Sequence[int], how: Search) -> list[list[Found]]:
        """The best targets of sources (B, S), each of at most so many tokens; see `beam_search`."""
        with torch.inference_mode():
            return beam_search(lambda beams: self.decoding(source, mask, beams, max(longest) + 1), longest, how)

    def framed(self, source: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sources with their marks, and which tokens are real."""
        real = torch.ones_like(source, dtype=torch.bool) if mask is None else mask
        tokens = _with_first(source.long(), self.before)
        real = pad(real, (len(self.before), 0), value=True)
        for token in self.after:
            tokens, found = with_end(tokens, real, token)
            real = real if found is None else found
        return tokens, real


class HfDecoding(Decoding):
    """Rows that a network of transformers' writes.

    Args:
        model: the network.
        said: (R, S, W) what its encoder says of each row's source.
        real: (R, S) bool, True where a source is real.
        prefix: tokens before the first that it is given.
    """

    def __init__(self, model: Any, said: Tensor, real: Tensor, prefix: Sequence[int]) -> None:
        self._model, self._said, self._real, self._prefix = model, said, real, list(prefix)
        self._name = name_of_cache(model)
        self._cache: Any = None

    def step(self, tokens: Tensor) -> Tensor:
        """See `Decoding.step`."""
        output = self._model(
            encoder_outputs=(self._said,),
            attention_mask=self._real.long(),
            decoder_input_ids=_with_first(tokens.long(), self._prefix),
            use_cache=True,
            **{self._name: self._cache},
        )
        self._prefix, self._cache = [], getattr(output, self._name)
        logits: Tensor = output.logits[:, -1]
        return logits

    def keep(self, rows: Tensor, texts: Tensor | None = None) -> None:
        """See `Decoding.keep`."""
        self._cache.batch_select_indices(rows)
        self._said, self._real = self._said[rows], self._real[rows]


def name_of_cache(model: Any) -> str:
    """What a network of transformers' calls keys and values of what was written: renamed in transformers 5."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _with_first(tokens: Tensor, first: Sequence[int]) -> Tensor:
    """(B, T) with the same tokens before each row."""
    for token in reversed(first):
        tokens = pad(tokens, (1, 0), value=token)
    return tokens


def _token(model: Any, name: str) -> int | None:
    """A token's number in the network's configurations; the first of several, None where they do not say."""
    for config in (getattr(model, "generation_config", None), model.config):
        value = getattr(config, name, None)
        if value is not None:
            return int(value[0] if isinstance(value, list | tuple) else value)
    return None
