"""Windows of sound to what is said in them, by either kind of network.

Shapes: B windows, T values of sound, S frames of a network, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.evaluation.spoken_text import has_no_spaces
from assay.evaluation.transcripts import Stretch, Word
from assay.networks.beam_search import Search
from assay.networks.ctc_decoding import CtcFound, CtcSearch, ctc_beam_search
from assay.networks.sound_alignment import ctc_path
from assay.networks.speech_words import looked_times, words_of
from assay.networks.spoken_language import SpokenLanguage
from assay.samples.sound_windows import as_waves
from assay.samples.transcript_spec import RATE, TranscriptSpec
from assay.task import number_of
from assay.training.parts import Part, mean_scale

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.networks.hf_speech import HfSpeech
    from assay.networks.speech_ctc import SpeechCtc
    from assay.networks.speech_words import Written

#: Where the user does not say otherwise.
_CTC_BEAMS, _LANGUAGE_WEIGHT, _TOKEN_BONUS = 8, 0.4, 0.5
#: Nobody says more tokens a second; and what a transcript may hold beyond.
_TOKENS_A_SECOND, _MORE, _MOST = 12, 8, 220
_SECONDS_PER_FRAME = 0.02
#: Values of a window below which nothing can be said in it.
_LEAST = 1600
#: What lies between the least and the largest value of a window in which nobody speaks, at most.
_SILENT = 2e-4
_WINDOWS_AT_ONCE = 8


def transcribed(network: Any, sound: Any, mask: Any, spec: TranscriptSpec, options: Mapping[str, Any]) -> list[Stretch]:
    """What is said in windows, with times from each window's own beginning.

    Args:
        network: a `SpeechCtc` or an `HfSpeech`, in evaluation mode, or what stands in for one.
        sound: (B, T) int16, or float32 from -1 to 1; a tensor, or for a stand-in an array.
        mask: (B, T) bool, True where a window is real, which padding follows; None for everywhere.
        spec: what a recording is.
        options: `beams`, `language_weight`, `token_bonus`, `words` (0 for none).
    """
    sound = as_waves(sound)
    if not len(sound):
        return []
    mask = sound == sound if mask is None else mask  # true everywhere, of the same kind as the sound
    lengths = mask.sum(axis=1).tolist()
    spans = [float(row[:length].max() - row[:length].min()) if length >= _LEAST else 0.0
             for row, length in zip(sound, lengths, strict=True)]  # fmt: skip
    rows = [row for row, span in enumerate(spans) if span >= _SILENT]
    found = [Stretch("", 0.0, length / RATE, 0.0, 1) for length in lengths]
    if not rows:
        return found
    if hasattr(network, "transcripts"):
        told = _written(network, sound[rows], mask[rows], spec, options)
    elif hasattr(network, "frames"):
        told = _emitted(network, sound[rows], mask[rows], spec, options)
    else:
        raise TypeError(f"{type(network).__name__} does not transcribe")
    for row, one in zip(rows, told, strict=True):
        found[row] = one
    return found


def transcript_losses(network: nn.Module, batch: Any, smoothing: float = 0.0) -> Tensor:
    """(B,) nats a token of each window's transcript, 0 where it has none, whose mean is that of those that have one.

    Args:
        network: a `SpeechCtc` or an `HfSpeech`.
        batch: has `sound`, `mask`, `tokens` and `tokens_mask`.
        smoothing: the share of a token's weight that is spread over the vocabulary; of an `HfSpeech` alone.
    """
    import torch

    from assay.networks.hf_speech import HfSpeech

    sound, tokens = as_waves(batch.sound), batch.tokens
    mask = torch.ones_like(sound, dtype=torch.bool) if batch.mask is None else batch.mask
    there = torch.ones_like(tokens, dtype=torch.bool) if batch.tokens_mask is None else batch.tokens_mask
    rows = there.any(dim=1).nonzero().flatten()
    losses = torch.zeros(len(sound), device=sound.device)
    scale = mean_scale("windows", len(sound), len(rows))
    if not len(rows):
        first = next(parameter for parameter in network.parameters() if parameter.requires_grad)
        return losses + 0 * first.sum()
    longest, most = sound.shape[1], tokens.shape[1]
    if Part.current() is None:  # a part of a step keeps the padding of the whole, on which random numbers depend
        longest, most = int(mask[rows].sum(dim=1).max()), int(there[rows].sum(dim=1).max())
    network_: Any = network
    given = (sound[rows, :longest], mask[rows, :longest], tokens[rows, :most], there[rows, :most])
    found = network_.losses(*given, smoothing) if isinstance(network, HfSpeech) else network_.losses(*given)
    return losses.index_copy(0, rows, found.float() * scale)


def _emitted(
    network: SpeechCtc, sound: Any, mask: Any, spec: TranscriptSpec, options: Mapping[str, Any]
) -> list[Stretch]:
    """By a CTC network, whose batch is padded as it comes."""
    beams = int(number_of(options, "beams", _CTC_BEAMS, 1, 1000, whole=True))
    weight = number_of(options, "language_weight", _LANGUAGE_WEIGHT, 0, 10)
    bonus = number_of(options, "token_bonus", _TOKEN_BONUS, -10, 10)
    language = language_of(spec) if weight and beams > 1 else None
    search = CtcSearch(beams, weight, bonus if language else 0.0, blank=spec.tokenizer.pad)
    lengths = mask.sum(axis=1)
    found: list[Stretch] = []
    said = array_of(network(sound, mask))
    for logs, heard, length in zip(said, network.frames(lengths), lengths.tolist(), strict=True):
        logs = logs[: int(heard)]
        best = ctc_beam_search(logs, search, language)
        found.append(_emitted_stretch(network, logs, best, length / network.rate, spec, options))
    return found


def _emitted_stretch(
    network: SpeechCtc, logs: Any, best: CtcFound, seconds: float, spec: TranscriptSpec, options: Mapping[str, Any]
) -> Stretch:
    text = " ".join(spec.tokenizer.decode(best.ids).split())
    bare = Stretch(text, 0.0, seconds, best.log_probability, len(best.ids))
    if not _with_words(options):
        return bare
    first, last = ctc_path(logs, best.ids, spec.tokenizer.pad)
    if len(first) and first[0] < 0:
        return bare
    step = network.seconds_per_frame
    times = np.minimum(np.stack([first, last + 1], axis=1) * step, seconds)
    nats = [float(logs[frame : end + 1, token].max()) for token, frame, end in zip(best.ids, first, last, strict=True)]
    spaced = not has_no_spaces(spec.language)
    words = words_of(spec.tokenizer.token_texts(best.ids), times, nats, spaced)
    return Stretch(text, 0.0, seconds, best.log_probability, len(best.ids), words)


def _written(
    network: HfSpeech, sound: Any, mask: Any, spec: TranscriptSpec, options: Mapping[str, Any]
) -> list[Stretch]:
    """By a network of Whisper's kind."""
    beams = int(number_of(options, "beams", 1, 1, 100, whole=True))
    never = tuple(range(network.marks.end + 1, network.vocabulary))
    search = Search(int(network.prefix[-1]), network.marks.end, beams, 1.0, never, tuple(network.marks.first))
    lengths = mask.sum(axis=1).tolist()
    limits = [min(network.most, _most_tokens(length)) for length in lengths]
    best = network.transcripts(sound * mask, mask, limits, search, _with_words(options))
    told = [one if len(one.ids) < limit else _cut(one) for one, limit in zip(best, limits, strict=True)]
    return [_written_stretch(one, length / RATE, spec) for one, length in zip(told, lengths, strict=True)]


def _written_stretch(best: Written, seconds: float, spec: TranscriptSpec) -> Stretch:
    text, count = " ".join(spec.tokenizer.decode(best.ids).split()), len(best.ids)
    words: tuple[Word, ...] = ()
    if count and best.shares is not None:
        shares, frames = best.shares[:, : count + 1], round(seconds / _SECONDS_PER_FRAME)
        times = np.minimum(looked_times(shares, frames, _SECONDS_PER_FRAME), seconds)
        spaced = not has_no_spaces(spec.language)
        words = words_of(spec.tokenizer.token_texts(best.ids), times, best.nats[:count], spaced)
    return Stretch(text, 0.0, seconds, best.log_probability, count + 1, words)


def _cut(one: Written) -> Written:
    """A transcript without its circles; what is left is taken for as sure as all of it was."""
    ids = unlooped(one.ids)
    return replace(one, ids=ids, log_probability=one.log_probability * (len(ids) + 1) / (len(one.ids) + 1))


def unlooped(ids: tuple[int, ...]) -> tuple[int, ...]:
    """Tokens without what is written three times or more at their end: a network that found no end went in circles."""
    for period in range(1, len(ids) // 3 + 1):
        same = 0
        while same < len(ids) - period and ids[-1 - same] == ids[-1 - same - period]:
            same += 1
        if same >= 2 * period:
            return ids[: len(ids) - same]
    return ids


def _most_tokens(length: int) -> int:
    """How many tokens may be written of so many values of sound: a network that has lost its way would write on."""
    return min(_MOST, _MORE + int(_TOKENS_A_SECOND * length / RATE))


def _with_words(options: Mapping[str, Any]) -> bool:
    return number_of(options, "words", 1, 0, 1, whole=True) == 1


def language_of(spec: TranscriptSpec) -> SpokenLanguage | None:
    """The language model of the training transcripts; None where there are none."""
    return _language(spec.sentences, spec) if spec.sentences else None


@lru_cache(maxsize=2)
def _language(sentences: tuple[str, ...], spec: TranscriptSpec) -> SpokenLanguage:
    return SpokenLanguage(spec.tokenizer.encode_batch(sentences), spec.tokenizer.size)


def answered_batch(network: nn.Module, batch: Any, row: int, length: int, spec: TranscriptSpec) -> Any:
    """One window of a batch, (1, length), with the tokens of what the network hears in it (1, N)."""
    import torch

    sound = as_waves(batch.sound[row : row + 1, :length])
    (told,) = transcribed(network, sound, None, spec, {"words": 0})
    text = told.text if spec.plain else " " + told.text
    tokens = spec.tokenizer.encode_batch([text])[0][: spec.most_tokens or None]
    return replace(batch, index=batch.index[row : row + 1], mask=None, sound=sound, start=batch.start[row : row + 1],
                   tokens=torch.from_numpy(tokens)[None], tokens_mask=None)  # fmt: skip


def transcript_nats(network: nn.Module, sound: Tensor, tokens: Tensor) -> Tensor:
    """(B,) the log-probability (nats) of one transcript (1, N) in each of several windows (B, T) float32."""
    import torch

    from assay.networks.hf_speech import HfSpeech

    network_: Any = network
    count = tokens.shape[1] + isinstance(network, HfSpeech)
    parts = [network_.losses(part, None, tokens.expand(len(part), -1), None) for part in sound.split(_WINDOWS_AT_ONCE)]
    return -torch.cat(parts) * max(1, count)
