"""Networks of transformers' that translate, with random weights, in the folders that it would have saved them in."""

from __future__ import annotations

from pathlib import Path


def translator_folder(folder: Path, kind: str) -> Path:
    """A network that translates (`marian` or `t5`) with random weights and a vocabulary of 24; texts end with 2."""
    import torch
    import transformers

    torch.manual_seed(3)
    if kind == "marian":
        config = transformers.MarianConfig(
            vocab_size=24, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, init_std=0.5,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, pad_token_id=23, eos_token_id=2,
            decoder_start_token_id=23, forced_eos_token_id=None, max_position_embeddings=64,
        )  # fmt: skip
        model = transformers.MarianMTModel(config)
    else:
        config = transformers.T5Config(
            vocab_size=24, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0, eos_token_id=2,
            decoder_start_token_id=0, initializer_factor=3.0,
        )  # fmt: skip
        model = transformers.T5ForConditionalGeneration(config)
    model.save_pretrained(folder / kind)
    return folder / kind
