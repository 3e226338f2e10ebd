"""Pretrained networks of Whisper's kind: they hear a window of sound and write what is said in it.

Whisper pads every window to 30 s. Here the encoder hears a window and no more (or as much as is set), which makes short
ones many times cheaper to learn from and to answer; a training accustoms the network to it.

Source: A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.

Shapes: B windows, T values of sound, F frames of the encoder (50 a second), N tokens, V tokens of the vocabulary,
K frequencies.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, cross_entropy, gelu, pad
from torch.nn.utils.rnn import pad_sequence

from assay.errors import SettingError
from assay.networks.beam_search import Found, Search, beam_search
from assay.networks.hf_loading import library
from assay.networks.seq2seq import with_end
from assay.networks.speech_frames import STEP, WHISPER_RATE, heard_together, heard_values
from assay.networks.speech_marks import SpeechMarks, places_for
from assay.networks.speech_words import Written
from assay.networks.token_loss import per_text
from assay.networks.whisper_decoding import WhisperDecoding, write

_WINDOW, _HOP = 400, 160


class HfSpeech(nn.Module):
    """Hears windows and gives the losses of transcripts, or searches for the best ones.

    `most` is how many tokens of a transcript it has places for.

    Args:
        model: the network of transformers'.
        marks: the tokens that steer it.
        language: of the transcripts.
        context_s: see `speech_marks.HfSpeechSettings`.
    """

    filters: Tensor
    hann: Tensor

    def __init__(self, model: Any, marks: SpeechMarks, language: str, context_s: float) -> None:
        super().__init__()
        encoder = model.get_encoder()
        if not all(hasattr(encoder, name) for name in ("conv1", "conv2", "embed_positions", "layers", "layer_norm")):
            raise SettingError(
                f"a network of the kind {model.config.model_type!r} is not of Whisper's kind",
                "Give a Whisper network, such as hf/openai/whisper-tiny.",
            )
        self.model: Any = model
        self.marks, self.prefix, self.context_s = marks, marks.prefix(language), context_s
        self.most = places_for(model.config)
        self.register_buffer("filters", _mel_filters(int(model.config.num_mel_bins)), persistent=False)
        self.register_buffer("hann", torch.hann_window(_WINDOW), persistent=False)

    @property
    def vocabulary(self) -> int:
        """V."""
        return int(self.model.config.vocab_size)

    def padded(self, lengths: Tensor) -> Tensor:
        """(B,) how many values the encoder hears of windows of so many (B,)."""
        return torch.from_numpy(heard_values(lengths.cpu().numpy(), self.context_s)).to(lengths.device)

    def alike(self, lengths: Tensor) -> list[Tensor]:
        """The places of windows of so many values (B,) that are heard together; see `heard_together`."""
        groups = heard_together(heard_values(lengths.cpu().numpy(), self.context_s))
        return [torch.from_numpy(rows).to(lengths.device) for rows in groups]

    def heard(self, sound: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the encoder says of windows (B, T) float32, (B, F, W); all hear as much as the longest needs."""
        lengths = _lengths(sound, mask)
        size = int(self.padded(lengths).max()) if len(sound) else STEP
        sound = sound[:, :size]
        return self.encoded(pad(sound, (0, size - sound.shape[1])))

    def encoded(self, sound: Tensor) -> Tensor:
        """What the encoder says of sounds (B, T) that are as long as they are heard, (B, F, W)."""
        encoder = self.model.get_encoder()
        x = gelu(encoder.conv1(self._bands(sound)))
        x = gelu(encoder.conv2(x)).transpose(1, 2)
        x = x + encoder.embed_positions.weight[: x.shape[1]]
        more = _unmasked(encoder.layers[0])
        for layer in encoder.layers:
            said = layer(x, None, **more)
            x = said[0] if isinstance(said, tuple) else said
        heard: Tensor = encoder.layer_norm(x)
        return heard

    def losses(
        self,
        sound: Tensor,
        mask: Tensor | None,
        target: Tensor,
        target_mask: Tensor | None,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Cross-entropy in nats, (B,), whose mean is the mean over all tokens of the batch; see `Seq2Seq.losses`."""
        wanted, there = with_end(target, target_mask, self.marks.end)
        real = torch.ones_like(wanted, dtype=torch.bool) if there is None else there
        lengths = _lengths(sound, mask)
        given, first = self._given(wanted[:, :-1]), len(self.prefix) - 1
        groups, written = self.alike(lengths), []
        for rows in groups:
            values, tokens = int(lengths[rows].max()), int(real[rows].sum(dim=1).max())
            heard = self.heard(sound[rows, :values], None if mask is None else mask[rows, :values])
            states = self._states(heard, given[rows, : first + tokens])[:, first:]
            written.append(states[real[rows, :tokens]])
        order = torch.cat(groups)  # the vocabulary's vectors, which are most of the network, are gone through once
        logits = self.model.get_output_embeddings()(torch.cat(written)).float()
        nats = cross_entropy(logits, wanted[order][real[order]], reduction="none", label_smoothing=smoothing)
        return per_text(nats, real[order])[order.argsort()]

    @torch.inference_mode()
    def transcripts(
        self, sound: Tensor, mask: Tensor, longest: Sequence[int], how: Search, looks: bool
    ) -> list[Written]:
        """The best transcript of each window (B, T), of at most so many tokens; `looks` also asks where it looked.

        What it hears of a window does not depend on the others. Windows are heard by groups, and all are written down
        at once.
        """
        lengths, heard = mask.sum(dim=1), [sound[:0]] * len(sound)
        for rows in self.alike(lengths):
            most = int(lengths[rows].max())
            for row, found in zip(rows.tolist(), self.heard(sound[rows, :most], mask[rows, :most]), strict=True):
                heard[row] = found
        return self.write(pad_sequence(heard, batch_first=True), longest, how, looks, [len(one) for one in heard])

    def search(
        self, heard: Tensor, longest: Sequence[int], how: Search, frames: Sequence[int] | None = None
    ) -> list[list[Found]]:
        """The best transcripts of windows that the encoder heard (B, F, W), of at most so many tokens each.

        Windows of different lengths have `frames` each, and anything behind them.
        """
        return beam_search(lambda beams: self._decoding(heard, frames, beams, longest), longest, how)

    @torch.inference_mode()
    def write(
        self, heard: Tensor, longest: Sequence[int], how: Search, looks: bool, frames: Sequence[int] | None = None
    ) -> list[Written]:
        """The best transcript of each window, as `search` takes them; `looks` also asks where the network looked."""
        if how.beams == 1:
            return write(self._decoding(heard, frames, 1, longest, self.heads() if looks else ()), longest, how)
        best = [texts[0] for texts in self.search(heard, longest, how, frames)]
        if not looks:
            return [Written(one.ids, one.log_probability) for one in best]
        found = []
        for place, one in enumerate(best):
            own = heard[place : place + 1, : None if frames is None else frames[place]]
            shares, nats = self.looks(own, torch.tensor([one.ids], dtype=torch.int64))
            found.append(Written(one.ids, one.log_probability, tuple(nats.tolist()), shares))
        return found

    @torch.inference_mode()
    def looks(self, heard: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Where the network looks while it writes a transcript, and how probable its tokens are.

        Args:
            heard: (1, F, W) of one window.
            tokens: (1, N), without marks.

        Returns:
            (H, N + 1, F) shares of the heads that tell where a token is spoken, the end counted, and (N + 1,) nats.
        """
        taken: dict[int, Tensor] = {}
        layers, heads = self.model.get_decoder().layers, self.heads()

        def watch(number: int) -> Any:
            def keep(_: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
                taken[number] = positional[0] if positional else named["hidden_states"]

            return keep

        handles = [
            layers[number].encoder_attn.register_forward_pre_hook(watch(number), with_kwargs=True)
            for number in sorted({layer for layer, _ in heads})
        ]
        try:
            logits = self._logits(heard, tokens)[0].float()
        finally:
            for handle in handles:
                handle.remove()
        wanted = torch.cat([tokens[0], tokens.new_tensor([self.marks.end])])
        nats = logits.log_softmax(dim=-1).gather(1, wanted[:, None])[:, 0]
        shares = [_head_share(layers[layer].encoder_attn, taken[layer], heard, head) for layer, head in heads]
        return torch.stack(shares)[:, len(self.prefix) - 1 :], nats

    def _decoding(
        self,
        heard: Tensor,
        frames: Sequence[int] | None,
        beams: int,
        longest: Sequence[int],
        watched: Sequence[tuple[int, int]] = (),
    ) -> WhisperDecoding:
        there = [heard.shape[1]] * len(heard) if frames is None else frames
        most = len(self.prefix) + max(longest, default=0)
        return WhisperDecoding(self.model, heard, there, beams, self.prefix[:-1], most, watched)

    def heads(self) -> tuple[tuple[int, int], ...]:
        """Layer and number of the heads that tell where a token is spoken."""
        return self.marks.heads or _later_heads(self.model.get_decoder().layers)

    def _logits(self, heard: Tensor, given: Tensor) -> Tensor:
        """(B, N + 1, V) of each token of transcripts (B, N) and of what follows."""
        states = self._states(heard, self._given(given))
        logits: Tensor = self.model.get_output_embeddings()(states[:, len(self.prefix) - 1 :])
        return logits

    def _given(self, tokens: Tensor) -> Tensor:
        """(B, P + N, W) the vectors of transcripts (B, N) behind what steers the network."""
        before = tokens.new_tensor(self.prefix).expand(len(tokens), -1)
        vectors: Tensor = self.model.get_decoder().embed_tokens(torch.cat([before, tokens], dim=1).long())
        return vectors

    def _states(self, heard: Tensor, given: Tensor) -> Tensor:
        """(B, T, W) what the decoder makes of vectors (B, T, W)."""
        decoder = self.model.get_decoder()
        states: Tensor = decoder(inputs_embeds=given, encoder_hidden_states=heard, use_cache=False).last_hidden_state
        return states

    def _bands(self, sound: Tensor) -> Tensor:
        """Whisper's log-mel spectrum (B, M, 2 F) of sound whose length is a multiple of a frame's."""
        power = self._convolved(sound) if torch.onnx.is_in_onnx_export() else self._transformed(sound)
        bands = (self.filters @ power).clamp_min(1e-10).log10()
        loudest = bands.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(bands, loudest - 8) + 4) / 4

    def _transformed(self, sound: Tensor) -> Tensor:
        """(B, K, 2 F) the power of each frequency."""
        return torch.stft(sound, _WINDOW, _HOP, window=self.hann, return_complex=True)[..., :-1].abs() ** 2

    def _convolved(self, sound: Tensor) -> Tensor:
        """The same by convolutions, which every runtime knows."""
        around = pad(sound[:, None], (_WINDOW // 2, _WINDOW // 2 - _HOP), mode="reflect")
        real, imaginary = conv1d(around, _waves(self.hann), stride=_HOP).chunk(2, dim=1)
        return real * real + imaginary * imaginary


def _lengths(sound: Tensor, mask: Tensor | None) -> Tensor:
    """(B,) how many values of each window are sound."""
    return torch.full((len(sound),), sound.shape[1]) if mask is None else mask.sum(dim=1)


def _unmasked(layer: Any) -> dict[str, None]:
    """What a layer wants to be told beside its input: older releases of transformers ask for a mask of heads."""
    return {"layer_head_mask": None} if "layer_head_mask" in inspect.signature(type(layer).forward).parameters else {}


def _waves(hann: Tensor) -> Tensor:
    """(2 K, 1, N) cosines, then sines, under a window (N,)."""
    at = torch.arange(_WINDOW, dtype=torch.float64)
    turns = 2 * math.pi * torch.outer(torch.arange(_WINDOW // 2 + 1, dtype=torch.float64), at) / _WINDOW
    return (hann * torch.cat([turns.cos(), turns.sin()])).float()[:, None]


def _mel_filters(bands: int) -> Tensor:
    library()
    from transformers.audio_utils import mel_filter_bank

    frequencies, highest = 1 + _WINDOW // 2, WHISPER_RATE / 2
    found = mel_filter_bank(frequencies, bands, 0.0, highest, WHISPER_RATE, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(found.T.copy()).float()


def _later_heads(layers: Any) -> tuple[tuple[int, int], ...]:
    """All heads of the later half of the layers, which follow the sound best where nobody says which do."""
    return tuple(
        (number, head) for number in range(len(layers) // 2, len(layers))
        for head in range(layers[number].encoder_attn.num_heads)
    )  # fmt: skip


def _head_share(attention: Any, x: Tensor, heard: Tensor, head: int) -> Tensor:
    """(N, F): how much one head of a cross-attention looks at each frame."""
    width = attention.head_dim
    part = slice(head * width, (head + 1) * width)
    queries, keys = attention.q_proj(x)[0, :, part], attention.k_proj(heard)[0, :, part]
    return torch.softmax(queries @ keys.T / math.sqrt(width), dim=-1)
