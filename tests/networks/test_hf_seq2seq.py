"""Pretrained translators: their search is that of `transformers` itself, and padding changes no loss."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from assay.errors import SettingError
from assay.networks.beam_search import Search
from assay.networks.hf_loading import HfBodySettings, check_vocabulary, load_body, portable
from assay.networks.hf_seq2seq import HfSeq2Seq, HfSeq2SeqSettings

transformers: Any = pytest.importorskip("transformers")

FAMILY = "AutoModelForSeq2SeqLM"
SOURCE = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 0, 0], [4, 5, 6, 7, 0]])
MASK = torch.tensor([[1] * 5, [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]).bool()


def folder_of(tmp_path: Path, kind: str) -> Path:
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
    model.save_pretrained(tmp_path / kind)
    return tmp_path / kind


@pytest.mark.parametrize(("kind", "most"), [("marian", 3), ("t5", 1)])
def test_its_search_is_that_of_transformers(kind: str, most: int, tmp_path: Path) -> None:
    # The T5 drawn here ends no text by itself, and transformers takes an end that it forces for certain.
    settings = HfSeq2SeqSettings(str(folder_of(tmp_path, kind)))
    network = HfSeq2Seq(load_body(settings, FAMILY), [], [2]).eval()
    for beams in {1, most}:
        how = Search(network.marks.begin, network.marks.end, beams, 1.0)
        found = network.search(SOURCE, MASK, [12] * 3, how)
        for row in range(3):
            ids = torch.cat([SOURCE[row][MASK[row]], torch.tensor([2])])[None]
            theirs = network.model.generate(
                input_ids=ids, num_beams=beams, length_penalty=1.0, max_new_tokens=13, do_sample=False,
                early_stopping=True, forced_eos_token_id=2,
            )  # fmt: skip
            wanted = [token for token in theirs[0].tolist()[1:] if token != 2]
            assert list(found[row][0].ids) == wanted


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_padding_changes_no_loss_and_the_search_gives_its_loss(kind: str, tmp_path: Path) -> None:
    settings = HfSeq2SeqSettings(str(folder_of(tmp_path, kind)))
    network = HfSeq2Seq(load_body(settings, FAMILY), [4], [2]).eval()
    how = Search(network.marks.begin, network.marks.end, 2)
    for row, found in enumerate(network.search(SOURCE, MASK, [8] * 3, how)):
        ids = torch.tensor([found[0].ids], dtype=torch.int64).view(1, -1)
        alone = network.losses(SOURCE[row : row + 1][:, MASK[row]], ids)
        assert float(alone.detach()) * (ids.shape[1] + 1) == pytest.approx(-found[0].log_probability, abs=1e-3)
    target, real = SOURCE.flip(1), MASK.flip(0)
    together = network.losses(SOURCE, target, MASK, real).tolist()
    count = int(real.sum()) + 3
    for row in range(3):
        alone = network.losses(SOURCE[row : row + 1][:, MASK[row]], target[row : row + 1][:, real[row]])
        share = 3 * (int(real[row].sum()) + 1) / count
        assert together[row] == pytest.approx(float(alone.detach()) * share, abs=1e-3)


def test_it_is_saved_whole_and_says_what_it_lacks(tmp_path: Path) -> None:
    settings = HfSeq2SeqSettings(str(folder_of(tmp_path, "marian")))
    network = HfSeq2Seq(load_body(settings, FAMILY), [], [2]).eval()
    plain = portable(settings)
    (tmp_path / "marian").rename(tmp_path / "gone")
    again = HfSeq2Seq(load_body(plain, FAMILY), [], [2]).eval()
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again.losses(SOURCE, SOURCE), network.losses(SOURCE, SOURCE))
    with pytest.raises(SettingError, match="knows 24"):
        check_vocabulary(network.model, 30, "marian")
    with pytest.raises(SettingError, match="no model that transformers knows"):
        load_body(HfBodySettings(str(tmp_path / "nowhere")))
    encoder = torch.nn.Module()
    encoder.config = SimpleNamespace(eos_token_id=2)  # type: ignore[assignment]
    with pytest.raises(SettingError, match="decoder_start_token_id"):
        HfSeq2Seq(encoder, [], [2])
