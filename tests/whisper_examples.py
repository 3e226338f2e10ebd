"""A network of Whisper's kind with random weights, in the folder that transformers would have saved it in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEXTS = (" up down left right", " left right up down up", " right down left up left", " Down, up. Left right!")


def random_whisper(**changed: Any) -> Any:
    """transformers' network with random weights and a vocabulary of 60, whose texts begin with 50 and end with 51."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
             "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_model": 16, "max_target_positions": 64}  # fmt: skip
    marks = {"decoder_start_token_id": 50, "eos_token_id": 51, "pad_token_id": 51, "bos_token_id": 51}
    config = transformers.WhisperConfig(vocab_size=60, num_mel_bins=80, **{**sizes, **marks, **changed})
    return transformers.WhisperForConditionalGeneration(config).eval()


def write_whisper(folder: Path, positions: int = 64, languages: Sequence[str] = (), first: Sequence[int] = ()) -> Path:
    """One layer each; room for so many tokens of a transcript; of several languages where these are named."""
    import tokenizers
    import torch
    import transformers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=270, show_progress=False, initial_alphabet=letters))
    marks = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{one}|>" for one in languages), "<|transcribe|>",
             "<|notimestamps|>"]  # fmt: skip
    made.add_special_tokens(marks)
    number = {mark: made.token_to_id(mark) for mark in marks}
    end, start, plain = number[marks[0]], number[marks[1]], number[marks[-1]]
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=made.get_vocab_size(), num_mel_bins=80, encoder_layers=1, decoder_layers=1, d_model=16,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        max_target_positions=positions, decoder_start_token_id=start, eos_token_id=end, pad_token_id=end,
        bos_token_id=end,
    )  # fmt: skip
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    named = dict.fromkeys(("eos_token", "bos_token", "pad_token", "unk_token"), marks[0])
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    steering = {
        "decoder_start_token_id": start, "eos_token_id": end, "no_timestamps_token_id": plain,
        "begin_suppress_tokens": list(first) or [end], "alignment_heads": [[0, 0], [0, 1]],
    }  # fmt: skip
    if languages:
        steering |= {"lang_to_id": {f"<|{one}|>": number[f"<|{one}|>"] for one in languages},
                     "task_to_id": {"transcribe": number["<|transcribe|>"]}}  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(steering), encoding="utf-8")
    return folder
